#include "net/tls.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "net/test_peer.h"

namespace hearth::net {
namespace {

class TlsTest : public PeerTest {
 public:
  // What a client that pins `pin` is told.
  Result<Response> ask(ServerPin pin) {
    auto client = Client::make(loop_, endpoint(), std::move(pin), workers_);
    return get(*client, "/");
  }

  CertificatePtr server_certificate() {
    auto run = [](TlsTest& test) -> Async<std::shared_ptr<TlsStream>> { co_return co_await test.connect_raw(); };
    return loop_.run_until_done(run(*this))->peer_certificate();
  }
};

TEST_F(TlsTest, AcceptsTheKeyAndItsFingerprint) {
  listen(echo_path);
  EXPECT_TRUE(ask({.identity_key = identity_.public_key(), .identity_fingerprint = {}}));
  EXPECT_TRUE(ask({.identity_key = {}, .identity_fingerprint = sha256(identity_.public_key()).substr(0, 10)}));
}

TEST_F(TlsTest, TellsTheIdentity) {
  listen(echo_path);
  auto client = make_client();
  EXPECT_EQ(client->server_identity(), "");
  ASSERT_TRUE(get(*client, "/"));
  EXPECT_EQ(client->server_identity(), identity_.public_key());
  EXPECT_EQ(client->local_address(), "127.0.0.1");
}

TEST_F(TlsTest, GivesAServersCertificateToBePinned) {
  const auto server = TlsContext::server(identity_);
  const std::string text = server->certificate_pem();
  const BioPtr memory(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  const CertificatePtr certificate(PEM_read_bio_X509(memory.get(), nullptr, nullptr, nullptr));
  ASSERT_NE(certificate, nullptr) << text;
  EXPECT_TRUE(verify_identity(certificate.get(), {.identity_key = identity_.public_key(), .identity_fingerprint = {}}));
  EXPECT_EQ(text.find("PRIVATE"), std::string::npos);
  EXPECT_EQ(TlsContext::client()->certificate_pem(), "");
}

TEST_F(TlsTest, RefusesOtherKeys) {
  bool called = false;
  listen([&](Exchange& exchange) -> Async<void> {
    called = true;
    co_await echo_path(exchange);
  });
  std::string other = IdentityKey::generate().public_key();
  for (const ServerPin& pin : {ServerPin{.identity_key = other, .identity_fingerprint = {}},
                               ServerPin{.identity_key = {}, .identity_fingerprint = sha256(other).substr(0, 10)},
                               ServerPin{.identity_key = {}, .identity_fingerprint = "short"}, ServerPin{}}) {
    Result<Response> response = ask(pin);
    ASSERT_FALSE(response);
    EXPECT_EQ(response.error().code, Code::kUnauthenticated) << response.error().message;
  }
  EXPECT_FALSE(called);
}

TEST_F(TlsTest, RefusesATamperedExtension) {
  listen(echo_path);
  CertificatePtr certificate = server_certificate();
  ServerPin pin{.identity_key = identity_.public_key(), .identity_fingerprint = {}};
  ASSERT_TRUE(verify_identity(certificate.get(), pin));
  unsigned char* bytes = nullptr;
  int size = i2d_X509(certificate.get(), &bytes);
  std::string der(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
  OPENSSL_free(bytes);
  std::size_t key_at = der.find(identity_.public_key());
  ASSERT_NE(key_at, std::string::npos);
  for (std::size_t at : {key_at + 5, key_at + 32, key_at + 95}) {  // the key, the signature's ends
    std::string tampered = der;
    tampered[at] = static_cast<char>(tampered[at] ^ 1);
    const unsigned char* start = as_bytes(std::string_view(tampered));
    CertificatePtr parsed(d2i_X509(nullptr, &start, static_cast<long>(tampered.size())));
    ASSERT_NE(parsed, nullptr);
    EXPECT_EQ(verify_identity(parsed.get(), pin).error().code, Code::kUnauthenticated) << at - key_at;
  }
}

TEST_F(TlsTest, RefusesACertificateWithoutIdentity) {
  CertificatePtr bare(X509_new());
  KeyPtr key(EVP_EC_gen("P-256"));
  X509_set_pubkey(bare.get(), key.get());
  ServerPin pin{.identity_key = identity_.public_key(), .identity_fingerprint = {}};
  EXPECT_EQ(verify_identity(bare.get(), pin).error().code, Code::kUnauthenticated);
  EXPECT_EQ(verify_identity(nullptr, pin).error().code, Code::kUnauthenticated);
}

TEST_F(TlsTest, ACopiedExtensionIsWorthNothing) {
  // Somebody else's certificate with our server's extension: its signature is for another TLS key.
  listen(echo_path);
  CertificatePtr certificate = server_certificate();
  KeyPtr key(EVP_EC_gen("P-256"));
  ASSERT_EQ(X509_set_pubkey(certificate.get(), key.get()), 1);
  ServerPin pin{.identity_key = identity_.public_key(), .identity_fingerprint = {}};
  EXPECT_EQ(verify_identity(certificate.get(), pin).error().code, Code::kUnauthenticated);
}

TEST_F(TlsTest, TheCertificateNamesThisMachine) {
  listen(echo_path);
  CertificatePtr certificate = server_certificate();
  EXPECT_EQ(X509_check_host(certificate.get(), "localhost", 0, 0, nullptr), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "127.0.0.1", 0), 1);
  EXPECT_EQ(X509_check_ip_asc(certificate.get(), "::1", 0), 1);
  EXPECT_EQ(X509_check_ca(certificate.get()), 0);
  EXPECT_EQ(X509_get_key_usage(certificate.get()), static_cast<unsigned>(KU_DIGITAL_SIGNATURE));
  EXPECT_EQ(X509_get_extended_key_usage(certificate.get()), static_cast<unsigned>(XKU_SSL_SERVER));
  EXPECT_LT(X509_cmp_current_time(X509_get0_notBefore(certificate.get())), 0);
  EXPECT_GT(X509_cmp_current_time(X509_get0_notAfter(certificate.get())), 0);
}

}  // namespace
}  // namespace hearth::net
