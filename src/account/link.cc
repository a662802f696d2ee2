// Pairing links, https://HOST:PORT/#pair=1.<secret>.<fingerprint>, and tokens,
// https://HOST:PORT/#token=1.<device>.<secret>.<identity>
#include <algorithm>
#include <charconv>
#include <optional>

#include "account/account.h"
#include "base/bytes.h"

namespace hearth::account {
namespace {

constexpr std::string_view kScheme = "https://";
constexpr std::string_view kFragment = "/#pair=1.";
constexpr std::string_view kTokenFragment = "/#token=1.";
constexpr std::size_t kMaxLinkBytes = 512;
constexpr std::size_t kSecretBytes = 16;
constexpr std::size_t kFingerprintBytes = 10;
constexpr std::size_t kTokenSecretBytes = 32;
constexpr std::size_t kIdentityBytes = 32;

std::unexpected<Error> refuse(std::string_view why) {
  return fail(Code::kInvalidArgument, "this is no pairing link: " + std::string(why) +
                                          "; copy the whole line that `hearth up` shows, "
                                          "https://HOST:PORT/#pair=1.SECRET.FINGERPRINT");
}

std::unexpected<Error> refuse_token(std::string_view why) {
  return fail(Code::kInvalidArgument, "this is no token: " + std::string(why) +
                                          "; copy the whole line that `hearth token new` shows, "
                                          "https://HOST:PORT/#token=1.DEVICE.SECRET.IDENTITY");
}

bool is_host_character(char c) {
  const bool letter_or_digit = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  return letter_or_digit || c == '.' || c == '-' || c == '_' || c == ':' || c == '[' || c == ']';
}

// HOST:PORT, where a URL's own default port would not be ours.
Result<net::Endpoint> parse_authority(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && colon + 1 < text.size() &&
                        text.find_first_not_of("0123456789", colon + 1) == std::string_view::npos;
  if (!has_port || !std::ranges::all_of(text, is_host_character)) return refuse("it names no HOST:PORT");
  Result<net::Endpoint> endpoint = net::parse_endpoint(text);
  // Spelled as we spell it: "::1:7443" without brackets would be an address and no port.
  if (!endpoint || endpoint->text() != text) return refuse("it names no HOST:PORT that can be dialled");
  return endpoint;
}

// Unpadded base64url of exactly that many bytes, spelled the one way it can be.
std::optional<std::string> decode(std::string_view text, std::size_t bytes) {
  std::optional<std::string> decoded = from_base64(text);
  if (!decoded || decoded->size() != bytes || to_base64url(*decoded) != text) return std::nullopt;
  return decoded;
}

}  // namespace

Result<PairingLink> parse_link(std::string_view text) {
  if (text.size() > kMaxLinkBytes) return refuse("it is longer than 512 characters");
  if (!text.starts_with(kScheme)) return refuse("it does not begin with https://");
  text.remove_prefix(kScheme.size());
  const std::size_t fragment = text.find(kFragment);
  if (fragment == std::string_view::npos) return refuse("the part /#pair=1. is missing");
  Result<net::Endpoint> endpoint = parse_authority(text.substr(0, fragment));
  if (!endpoint) return std::unexpected(endpoint.error());

  text.remove_prefix(fragment + kFragment.size());
  const std::size_t dot = text.find('.');
  if (dot == std::string_view::npos) return refuse("the fingerprint at its end is missing");
  std::optional<std::string> secret = decode(text.substr(0, dot), kSecretBytes);
  if (!secret) return refuse("its secret is not 22 characters of base64url");
  std::optional<std::string> fingerprint = decode(text.substr(dot + 1), kFingerprintBytes);
  if (!fingerprint) return refuse("its fingerprint is not 14 characters of base64url");
  return PairingLink{*std::move(endpoint), *std::move(secret), *std::move(fingerprint)};
}

std::string format_link(const PairingLink& link) {
  return std::string(kScheme) + link.endpoint.text() + std::string(kFragment) + to_base64url(link.secret) + "." +
         to_base64url(link.identity_fingerprint);
}

Result<Token> parse_token(std::string_view text) {
  if (text.size() > kMaxLinkBytes) return refuse_token("it is longer than 512 characters");
  if (!text.starts_with(kScheme)) return refuse_token("it does not begin with https://");
  text.remove_prefix(kScheme.size());
  const std::size_t fragment = text.find(kTokenFragment);
  if (fragment == std::string_view::npos) return refuse_token("the part /#token=1. is missing");
  Result<net::Endpoint> endpoint = parse_authority(text.substr(0, fragment));
  if (!endpoint) return refuse_token("it names no HOST:PORT that can be dialled");

  text.remove_prefix(fragment + kTokenFragment.size());
  const std::size_t first = text.find('.');
  const std::size_t second = first == std::string_view::npos ? first : text.find('.', first + 1);
  if (second == std::string_view::npos) return refuse_token("it does not name device, secret and identity");
  std::uint64_t device = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + first, device);
  if (error != std::errc() || end != text.data() + first || device == 0 || text.front() == '0') {
    return refuse_token("its device is no number");
  }
  std::optional<std::string> secret = decode(text.substr(first + 1, second - first - 1), kTokenSecretBytes);
  if (!secret) return refuse_token("its secret is not 43 characters of base64url");
  std::optional<std::string> identity = decode(text.substr(second + 1), kIdentityBytes);
  if (!identity) return refuse_token("its identity is not 43 characters of base64url");
  return Token{*std::move(endpoint), {device}, *std::move(secret), *std::move(identity)};
}

std::string format_token(const Token& token) {
  return std::string(kScheme) + token.endpoint.text() + std::string(kTokenFragment) +
         std::to_string(token.device.value) + "." + to_base64url(token.secret) + "." + to_base64url(token.hub_identity);
}

}  // namespace hearth::account
