#include "drive/checksum.h"

#include <openssl/evp.h>

#include <array>
#include <cstring>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"

namespace hearth::drive {

struct Checksum::State {
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context{EVP_MD_CTX_new(), EVP_MD_CTX_free};
  std::string expected;
};

Checksum::Checksum(std::unique_ptr<State> state) : state_(std::move(state)) {}
Checksum::~Checksum() = default;
Checksum::Checksum(Checksum&&) noexcept = default;
Checksum& Checksum::operator=(Checksum&&) noexcept = default;

Result<Checksum> Checksum::parse(std::string_view header) {
  const std::size_t space = std::min(header.find(' '), header.size());
  const std::string_view name = header.substr(0, space);
  const std::optional<std::string> expected = from_base64(header.substr(std::min(space + 1, header.size())));
  const EVP_MD* kind = name == "sha1"     ? EVP_sha1()
                       : name == "sha256" ? EVP_sha256()
                       : name == "md5"    ? EVP_md5()
                                          : nullptr;
  if (kind == nullptr || !expected || std::cmp_not_equal(expected->size(), EVP_MD_get_size(kind))) {
    return fail(Code::kInvalidArgument, fmt::format("Upload-Checksum: one of {}, then base64", kChecksums));
  }
  auto state = std::make_unique<State>();
  CHECK(state->context != nullptr && EVP_DigestInit_ex(state->context.get(), kind, nullptr) == 1);
  state->expected = *expected;
  return Checksum(std::move(state));
}

void Checksum::update(std::string_view bytes) {
  CHECK(EVP_DigestUpdate(state_->context.get(), bytes.data(), bytes.size()) == 1);
}

bool Checksum::matches() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  CHECK(EVP_DigestFinal_ex(state_->context.get(), digest.data(), &size) == 1);
  return size == state_->expected.size() && std::memcmp(digest.data(), state_->expected.data(), size) == 0;
}

}  // namespace hearth::drive
