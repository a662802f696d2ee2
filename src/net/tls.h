// TLS 1.3 with keys instead of authorities. A server's certificate is self-signed with a P-256 key (browsers take no
// Ed25519 ones) and carries, in an extension of its own, the server's Ed25519 identity key and that key's signature
// over the certificate's key:
//
//   extension 1.3.6.1.4.1.58888.1.1 (not critical) = identity key (32 bytes) | signature (64 bytes)
//   signature over "hearth-tls/1" | SubjectPublicKeyInfo of the certificate
//
// (the scheme of libp2p's TLS handshake). So the TLS key may change at will while other PCs pin the identity.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "net/crypto.h"

namespace hearth::net {

// What a client accepts as its server.
struct ServerPin {
  std::string identity_key;          // 32 bytes; or empty, and then
  std::string identity_fingerprint;  // the first 10 bytes of SHA-256 of the identity key, from a pairing link
};

// A configured SSL_CTX. Immutable once made; shared by the connections that use it.
class TlsContext {
 public:
  // A fresh certificate for `identity`, valid from a day ago for two years.
  static std::shared_ptr<const TlsContext> server(const IdentityKey& identity);
  static std::shared_ptr<const TlsContext> client();
  // For servers of the web: TLS 1.2 or 1.3, and a certificate that the authorities vouch for which this PC's system
  // trusts (SSL_CERT_FILE names others). See TlsStream::expect_host().
  static std::shared_ptr<const TlsContext> web_client();
  ~TlsContext();

  // A server's certificate, for clients that pin one as it is (Prometheus, curl --cacert); empty for a client.
  std::string certificate_pem() const;

  struct State;  // OpenSSL's SSL_CTX
  const State& state() const { return *state_; }

 private:
  explicit TlsContext(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::net
