#include "media/address.h"

#include <algorithm>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>

namespace hearth::media {
namespace {

constexpr std::array<std::uint8_t, 12> kMapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

}  // namespace

bool Address::is_v4() const { return std::equal(kMapped.begin(), kMapped.end(), ip.begin()); }

std::optional<Address> parse_address(std::string_view ip, std::uint16_t port) {
  const std::string text(ip);
  Address address{.ip = {}, .port = port};
  if (::inet_pton(AF_INET6, text.c_str(), address.ip.data()) == 1) return address;
  std::ranges::copy(kMapped, address.ip.begin());
  if (::inet_pton(AF_INET, text.c_str(), address.ip.data() + kMapped.size()) == 1) return address;
  return std::nullopt;
}

std::string text_of(const Address& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.is_v4()) {
    ::inet_ntop(AF_INET, address.ip.data() + kMapped.size(), text.data(), text.size());
  } else {
    ::inet_ntop(AF_INET6, address.ip.data(), text.data(), text.size());
  }
  return text.data();
}

socklen_t to_sockaddr(const Address& address, int family, sockaddr_storage& storage) {
  storage = {};
  if (family == AF_INET6) {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(address.port);
    std::memcpy(&v6.sin6_addr, address.ip.data(), address.ip.size());
    std::memcpy(&storage, &v6, sizeof v6);
    return sizeof v6;
  }
  if (!address.is_v4()) return 0;
  sockaddr_in v4{};
  v4.sin_family = AF_INET;
  v4.sin_port = htons(address.port);
  std::memcpy(&v4.sin_addr, address.ip.data() + kMapped.size(), sizeof v4.sin_addr);
  std::memcpy(&storage, &v4, sizeof v4);
  return sizeof v4;
}

std::optional<Address> from_sockaddr(const sockaddr_storage& storage) {
  Address address;
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    std::memcpy(address.ip.data(), &v6.sin6_addr, address.ip.size());
    address.port = ntohs(v6.sin6_port);
    return address;
  }
  if (storage.ss_family != AF_INET) return std::nullopt;
  sockaddr_in v4{};
  std::memcpy(&v4, &storage, sizeof v4);
  std::ranges::copy(kMapped, address.ip.begin());
  std::memcpy(address.ip.data() + kMapped.size(), &v4.sin_addr, sizeof v4.sin_addr);
  address.port = ntohs(v4.sin_port);
  return address;
}

}  // namespace hearth::media
