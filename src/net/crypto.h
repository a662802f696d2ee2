// Keys, hashes and random bytes, by OpenSSL.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::net {

std::string random_bytes(std::size_t count);
std::string sha256(std::string_view bytes);  // 32 bytes
std::string hmac_sha256(std::string_view key, std::string_view bytes);

// A hash that is fed piece by piece.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(std::string_view bytes);
  std::string finish();  // 32 bytes; once

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// The Ed25519 key that a PC is known by.
class IdentityKey {
 public:
  static IdentityKey generate();

  // Reads the key of a file (PEM, PKCS #8, mode 0600), or makes one and writes it there. Errors: kPermissionDenied if
  // others may read the file.
  static Result<IdentityKey> load_or_create(const std::filesystem::path& file);

  IdentityKey(IdentityKey&&) noexcept;
  IdentityKey& operator=(IdentityKey&&) noexcept;
  ~IdentityKey();

  const std::string& public_key() const;           // 32 raw bytes
  std::string public_key_spki() const;             // SubjectPublicKeyInfo, DER: how devices present keys
  std::string sign(std::string_view bytes) const;  // 64 bytes

  struct State;  // OpenSSL's EVP_PKEY
  const State& state() const { return *state_; }

 private:
  explicit IdentityKey(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

enum class KeyKind { kEd25519, kEcdsaP256 };

// Whether `spki` is a well-formed public key of that kind. At most 128 bytes are looked at.
bool is_public_key(KeyKind kind, std::string_view spki);

// Ed25519: RFC 8032. P-256: r | s (64 bytes) over SHA-256, as WebCrypto signs. False for anything malformed.
bool verify_signature(KeyKind kind, std::string_view spki, std::string_view bytes, std::string_view signature);

}  // namespace hearth::net
