#include "net/web_url.h"

#include <algorithm>

#include <fmt/format.h>

#include "net/destination.h"

namespace hearth::net {
namespace {

constexpr std::uint16_t kHttpsPort = 443;
constexpr std::uint16_t kHttpPort = 80;

std::unexpected<Error> wrong(std::string_view why) {
  return fail(Code::kInvalidArgument,
              fmt::format("the URL {}; write https://HOST/PATH or https://HOST:PORT/PATH (or http://...)", why));
}

// RFC 3986 without what begins a fragment, and without what some readers take for a '/'.
bool is_of_a_path(char c) { return c > ' ' && c < 0x7F && c != '#' && c != '"' && c != '<' && c != '>' && c != '\\'; }

bool has_port(std::string_view authority) {
  const std::size_t colon = authority.rfind(':');
  return colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos;
}

}  // namespace

std::string WebUrl::host() const {
  const bool is_usual = endpoint.port == (tls ? kHttpsPort : kHttpPort);
  const std::string whole = endpoint.text();
  return is_usual ? whole.substr(0, whole.rfind(':')) : whole;
}

std::string WebUrl::origin() const { return (tls ? "https://" : "http://") + host(); }

Result<WebUrl> parse_web_url(std::string_view text) {
  WebUrl url;
  if (text.size() > kMaxUrlBytes) return wrong(fmt::format("is longer than {} bytes", kMaxUrlBytes));
  if (text.starts_with("https://")) {
    text.remove_prefix(8);
  } else if (text.starts_with("http://")) {
    text.remove_prefix(7);
    url.tls = false;
  } else {
    return wrong("is neither https:// nor http://");
  }
  const std::size_t end = std::min(text.find_first_of("/?#"), text.size());
  const std::string_view authority = text.substr(0, end);
  const std::string_view rest = text.substr(end);
  if (authority.find('@') != std::string_view::npos) return wrong("names a user: put what proves you into its path");
  if (!std::ranges::all_of(rest, is_of_a_path))
    return wrong("has a fragment or a character that must be written as %XX");
  const std::uint16_t usual = url.tls ? kHttpsPort : kHttpPort;
  const std::string whole = has_port(authority) ? std::string(authority) : fmt::format("{}:{}", authority, usual);
  Result<Endpoint> endpoint = parse_destination(whole);
  if (!endpoint) return wrong("has no host and port that there could be");
  url.endpoint = std::move(*endpoint);
  url.target = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
  return url;
}

}  // namespace hearth::net
