#include "net/nebula.h"

#include <string_view>

#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/check.h"
#include "net/openssl.h"

namespace hearth::net {
namespace {

// The few of protobuf's forms that a certificate has. What nebula writes again before it checks the signature must come
// out the same: fields in order, none that is empty.
void put_varint(std::string& out, std::uint64_t value) {
  for (; value > 0x7f; value >>= 7) out.push_back(static_cast<char>((value & 0x7f) | 0x80));
  out.push_back(static_cast<char>(value));
}

void put_number(std::string& out, unsigned field, std::uint64_t value) {
  put_varint(out, field << 3);
  put_varint(out, value);
}

void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  put_varint(out, (field << 3) | 2);
  put_varint(out, bytes.size());
  out += bytes;
}

constexpr unsigned kName = 1;
constexpr unsigned kAddresses = 2;
constexpr unsigned kNotBefore = 5;
constexpr unsigned kNotAfter = 6;
constexpr unsigned kPublicKey = 7;
constexpr unsigned kIsAuthority = 8;
constexpr unsigned kIssuer = 9;

void put_dates(std::string& out, WallTime from, WallTime until) {
  put_number(out, kNotBefore, static_cast<std::uint64_t>(from.unix_millis / 1000));
  put_number(out, kNotAfter, static_cast<std::uint64_t>(until.unix_millis / 1000));
}

std::string pem(const char* what, std::string_view bytes) {
  const BioPtr written(::BIO_new(::BIO_s_mem()));
  CHECK(::PEM_write_bio(written.get(), what, "", as_bytes(bytes), static_cast<long>(bytes.size())) > 0);
  char* text = nullptr;
  const long size = BIO_get_mem_data(written.get(), &text);
  return {text, static_cast<std::size_t>(size)};
}

constexpr const char* kCertificate = "NEBULA CERTIFICATE";
constexpr const char* kHostKey = "NEBULA X25519 PRIVATE KEY";

}  // namespace

ExchangeKey ExchangeKey::generate() {
  KeyPtr key(EVP_PKEY_Q_keygen(nullptr, nullptr, "X25519"));
  ExchangeKey made{.private_key = std::string(32, '\0'), .public_key = std::string(32, '\0')};
  const auto bytes = [](std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); };
  std::size_t size = 32;
  CHECK(key && EVP_PKEY_get_raw_private_key(key.get(), bytes(made.private_key), &size) == 1 && size == 32);
  CHECK(EVP_PKEY_get_raw_public_key(key.get(), bytes(made.public_key), &size) == 1 && size == 32);
  return made;
}

NebulaAuthority::NebulaAuthority(WallTime from, WallTime until)
    : from_(from), until_(until), key_(IdentityKey::generate()) {
  std::string details;
  put_bytes(details, kName, "gang");
  put_dates(details, from_, until_);
  put_bytes(details, kPublicKey, key_.public_key());
  put_number(details, kIsAuthority, 1);
  const std::string whole = sign(details);
  fingerprint_ = sha256(whole);
  pem_ = pem(kCertificate, whole);
}

std::string NebulaAuthority::sign(const std::string& details) const {
  std::string whole;
  put_bytes(whole, 1, details);
  put_bytes(whole, 2, key_.sign(details));
  return whole;
}

NebulaIdentity NebulaAuthority::issue(const std::string& name, std::uint32_t address, int prefix) const {
  CHECK(!name.empty() && address != 0 && prefix > 0 && prefix < 32);
  const ExchangeKey key = ExchangeKey::generate();
  std::string addresses;
  put_varint(addresses, address);
  put_varint(addresses, ~0U << (32 - prefix));
  std::string details;
  put_bytes(details, kName, name);
  put_bytes(details, kAddresses, addresses);
  put_dates(details, from_, until_);
  put_bytes(details, kPublicKey, key.public_key);
  put_bytes(details, kIssuer, fingerprint_);
  return {.certificate = pem(kCertificate, sign(details)), .key = pem(kHostKey, key.private_key)};
}

}  // namespace hearth::net
