#include "net/cipher.h"

#include <array>

#include <openssl/evp.h>

#include "base/check.h"
#include "net/openssl.h"

namespace hearth::net {
namespace {

constexpr std::size_t kBlock = 16;

unsigned char* raw(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }
const unsigned char* raw(std::string_view bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

}  // namespace

struct CounterCipher::State {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
};

CounterCipher::CounterCipher(std::string_view key, std::uint64_t offset) : state_(std::make_unique<State>()) {
  CHECK(key.size() == kKeyBytes && offset % kBlock == 0);
  std::array<unsigned char, kBlock> counter{};
  std::uint64_t block = offset / kBlock;
  for (std::size_t i = kBlock; block > 0; block >>= 8) counter[--i] = static_cast<unsigned char>(block & 0xff);
  CHECK(EVP_EncryptInit_ex(state_->context, EVP_aes_256_ctr(), nullptr, raw(key), counter.data()) == 1);
}

CounterCipher::~CounterCipher() { EVP_CIPHER_CTX_free(state_->context); }

void CounterCipher::apply(std::string& bytes) {
  int done = 0;
  CHECK(EVP_EncryptUpdate(state_->context, raw(bytes), &done, raw(bytes), static_cast<int>(bytes.size())) == 1);
  CHECK(done == static_cast<int>(bytes.size()));
}

std::string sha1(std::string_view bytes) {
  std::string digest(20, '\0');
  unsigned size = 0;
  CHECK(EVP_Digest(bytes.data(), bytes.size(), raw(digest), &size, EVP_sha1(), nullptr) == 1);
  return digest;
}

}  // namespace hearth::net
