#include "net/destination.h"

#include <algorithm>
#include <charconv>

#include <asio/ip/address.hpp>

#include "base/bytes.h"

namespace hearth::net {
namespace {

constexpr std::size_t kMaxNameBytes = 253;
constexpr std::size_t kMaxLabelBytes = 63;

std::unexpected<Error> bad_destination(std::string_view text) {
  std::string_view shown = text.substr(0, 300);
  return fail(Code::kInvalidArgument, "\"" + (is_plain_utf8(shown) ? std::string(shown) : "...") +
                                          "\" is no name and port; write NAME:PORT, for example a.example:443");
}

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= kMaxLabelBytes && std::ranges::all_of(label, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_name(std::string_view name) {
  if (name.size() > kMaxNameBytes) return false;
  for (std::size_t start = 0; start <= name.size();) {
    std::size_t end = std::min(name.find('.', start), name.size());
    if (!is_label(name.substr(start, end - start))) return false;
    start = end + 1;
  }
  return true;
}

// An IPv6 address in its one written form, so that equal ones compare equal.
std::string canonical_v6(std::string_view text) {
  asio::error_code error;
  asio::ip::address_v6 address = asio::ip::make_address_v6(std::string(text), error);
  return error || address.scope_id() != 0 ? std::string() : address.to_string();
}

}  // namespace

Result<Endpoint> parse_destination(std::string_view text) {
  std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || text.size() > kMaxNameBytes + 8) return bad_destination(text);
  std::string host(text.substr(0, colon));
  std::ranges::transform(host, host.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (host.starts_with('[') && host.ends_with(']')) {
    host = canonical_v6(std::string_view(host).substr(1, host.size() - 2));
    if (host.empty()) return bad_destination(text);
  } else {
    if (host.ends_with('.')) host.pop_back();
    if (!is_name(host)) return bad_destination(text);
  }
  Endpoint destination{.host = std::move(host), .port = 0};
  std::string_view port = text.substr(colon + 1);
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), destination.port);
  if (error != std::errc() || end != port.data() + port.size() || destination.port == 0) return bad_destination(text);
  return destination;
}

}  // namespace hearth::net
