#include <algorithm>
#include <charconv>

#include "net/client.h"

namespace hearth::net {
namespace {

constexpr std::size_t kMaxHostBytes = 253;

std::unexpected<Error> bad_endpoint(std::string_view text) {
  return fail(Code::kInvalidArgument, "\"" + std::string(text.substr(0, 300)) +
                                          "\" is no address; write host, host:port or [IPv6]:port, for example "
                                          "192.168.1.7:7443");
}

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= kMaxHostBytes && std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
           c == '_' || c == ':' || c == '%';
  });
}

}  // namespace

std::string Endpoint::text() const {
  bool v6 = host.find(':') != std::string::npos;
  return (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Result<Endpoint> parse_endpoint(std::string_view text) {
  Endpoint endpoint;
  std::string_view rest;
  bool bracketed = text.starts_with('[');
  if (bracketed) {
    std::size_t end = text.find(']');
    if (end == std::string_view::npos) return bad_endpoint(text);
    endpoint.host = text.substr(1, end - 1);
    rest = text.substr(end + 1);
  } else if (std::ranges::count(text, ':') > 1) {
    endpoint.host = text;  // an IPv6 address alone
  } else {
    std::size_t colon = std::min(text.find(':'), text.size());
    endpoint.host = text.substr(0, colon);
    rest = text.substr(colon);
  }
  bool v6 = endpoint.host.find(':') != std::string::npos;
  if (!is_host(endpoint.host) || (bracketed && !v6)) return bad_endpoint(text);
  if (rest.empty()) return endpoint;
  if (!rest.starts_with(':')) return bad_endpoint(text);
  rest.remove_prefix(1);
  auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), endpoint.port);
  if (error != std::errc() || end != rest.data() + rest.size() || endpoint.port == 0) return bad_endpoint(text);
  return endpoint;
}

}  // namespace hearth::net
