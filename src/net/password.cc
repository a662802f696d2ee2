#include "net/password.h"

#include <charconv>
#include <cstdint>
#include <optional>
#include <ranges>
#include <vector>

#include <fmt/format.h>
#include <openssl/evp.h>

#include "base/bytes.h"
#include "base/check.h"
#include "net/crypto.h"

namespace hearth::net {
namespace {

constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kSaltBytes = 16;
constexpr std::uint64_t kMaxMemory = 256ULL << 20U;

struct Cost {
  std::uint64_t n = 32'768;
  std::uint64_t r = 8;
  std::uint64_t p = 1;
};

std::optional<std::string> derive(std::string_view password, std::string_view salt, const Cost& cost) {
  std::string hash(kHashBytes, '\0');
  const int made =
      EVP_PBE_scrypt(password.data(), password.size(), reinterpret_cast<const unsigned char*>(salt.data()), salt.size(),
                     cost.n, cost.r, cost.p, kMaxMemory, reinterpret_cast<unsigned char*>(hash.data()), hash.size());
  return made == 1 ? std::optional(std::move(hash)) : std::nullopt;
}

bool read_number(std::string_view text, std::uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string password_hash(std::string_view password) {
  const Cost cost;
  const std::string salt = random_bytes(kSaltBytes);
  const std::optional<std::string> hash = derive(password, salt, cost);
  CHECK(hash.has_value());
  return fmt::format("scrypt${}${}${}${}${}", cost.n, cost.r, cost.p, to_base64url(salt), to_base64url(*hash));
}

bool password_fits(std::string_view password, std::string_view hash) {
  std::vector<std::string_view> words;
  for (const auto& word : std::views::split(hash, '$')) words.emplace_back(word);
  Cost cost;
  if (words.size() != 6 || words[0] != "scrypt" || !read_number(words[1], cost.n) || !read_number(words[2], cost.r) ||
      !read_number(words[3], cost.p)) {
    return false;
  }
  const std::optional<std::string> salt = from_base64(words[4]);
  const std::optional<std::string> kept = from_base64(words[5]);
  if (!salt || !kept || kept->size() != kHashBytes) return false;
  const std::optional<std::string> made = derive(password, *salt, cost);
  return made && equal_constant_time(*made, *kept);
}

}  // namespace hearth::net
