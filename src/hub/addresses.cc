#include "hub/addresses.h"

#include <algorithm>
#include <array>
#include <utility>

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

namespace hearth::hub {
namespace {

// The addresses by which another device on the network may reach this PC, IPv4 first.
std::vector<std::string> own_addresses() {
  std::vector<std::string> found;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return found;
  for (const int family : {AF_INET, AF_INET6}) {
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
      if (entry->ifa_addr == nullptr || entry->ifa_addr->sa_family != family) continue;
      if ((entry->ifa_flags & IFF_LOOPBACK) != 0 || (entry->ifa_flags & IFF_UP) == 0) continue;
      std::array<char, NI_MAXHOST> text{};
      const socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
      if (getnameinfo(entry->ifa_addr, length, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) continue;
      const std::string address = text.data();
      if (!address.starts_with("fe80") && address.find('%') == std::string::npos) found.push_back(address);
    }
  }
  freeifaddrs(list);
  return found;
}

}  // namespace

std::vector<std::string> link_hosts(const Options& options) {
  const bool everywhere = options.address == "0.0.0.0" || options.address == "::";
  std::vector<std::string> hosts = everywhere ? own_addresses() : std::vector<std::string>{options.address};
  if (hosts.empty()) hosts.emplace_back("127.0.0.1");
  return hosts;
}

std::string endpoints_text(const Options& options, std::uint16_t port) {
  constexpr std::size_t kMost = 4;
  std::string text;
  std::size_t count = 0;
  for (const std::string& host : link_hosts(options)) {
    if (count++ < kMost) text += (text.empty() ? "" : " ") + net::Endpoint{.host = host, .port = port}.text();
  }
  return text;
}

std::vector<net::Endpoint> endpoints_in(const std::string& text) {
  std::vector<net::Endpoint> found;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    Result<net::Endpoint> endpoint = net::parse_endpoint(text.substr(at, end - at));
    if (endpoint) found.push_back(std::move(*endpoint));
    at = end + 1;
  }
  return found;
}

}  // namespace hearth::hub
