// Certificates as nebula 1.6 has them (github.com/slackhq/nebula, cert/cert.proto, version 1), for networks that last
// as long as one gang. Its own nebula-cert would need the authority's key in a file, and dates certificates from this
// very second, which a PC whose clock is a little behind does not accept.
#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"
#include "net/crypto.h"

namespace hearth::net {

// A pair of keys for Diffie and Hellman over Curve25519 (RFC 7748); 32 raw bytes each.
struct ExchangeKey {
  static ExchangeKey generate();
  std::string private_key;
  std::string public_key;
};

struct NebulaIdentity {
  std::string certificate;  // PEM
  std::string key;          // PEM
};

// An authority that lives in memory.
class NebulaAuthority {
 public:
  // Its certificates hold from `from` to `until`, by the calendar.
  NebulaAuthority(WallTime from, WallTime until);

  const std::string& certificate() const { return pem_; }  // its own, PEM

  // For the host `name` with that IPv4 address (the first byte the highest), whose network has `prefix` bits.
  NebulaIdentity issue(const std::string& name, std::uint32_t address, int prefix) const;

 private:
  std::string sign(const std::string& details) const;  // a certificate, serialized

  WallTime from_;
  WallTime until_;
  IdentityKey key_;
  std::string fingerprint_;
  std::string pem_;
};

}  // namespace hearth::net
