#include "net/tls.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/check.h"
#include "net/openssl.h"
#include "net/tls_stream.h"

namespace hearth::net {
namespace {

constexpr const char* kIdentityExtension = "1.3.6.1.4.1.58888.1.1";
constexpr std::string_view kSignatureContext = "hearth-tls/1";
constexpr std::size_t kKeyBytes = 32;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kFingerprintBytes = 10;
constexpr long kDaySeconds = 24L * 60 * 60;

using ObjectPtr = std::unique_ptr<ASN1_OBJECT, Freer<ASN1_OBJECT_free>>;
using OctetsPtr = std::unique_ptr<ASN1_OCTET_STRING, Freer<ASN1_OCTET_STRING_free>>;
using ExtensionPtr = std::unique_ptr<X509_EXTENSION, Freer<X509_EXTENSION_free>>;

ObjectPtr extension_name() { return ObjectPtr(OBJ_txt2obj(kIdentityExtension, 1)); }

// Empty if the host's name is none that a certificate can carry.
std::string host_name() {
  std::array<char, 256> buffer{};
  if (::gethostname(buffer.data(), buffer.size() - 1) != 0) return {};
  std::string name(buffer.data());
  bool plain = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.';
  });
  return plain && name.size() <= 63 ? name : std::string();
}

std::set<std::string> machine_addresses() {
  std::set<std::string> out{"127.0.0.1", "::1"};
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  for (ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr) continue;
    std::array<char, INET6_ADDRSTRLEN> text{};
    if (entry->ifa_addr->sa_family == AF_INET) {
      auto* address = reinterpret_cast<sockaddr_in*>(entry->ifa_addr);
      out.insert(::inet_ntop(AF_INET, &address->sin_addr, text.data(), text.size()));
    } else if (entry->ifa_addr->sa_family == AF_INET6) {
      auto* address = reinterpret_cast<sockaddr_in6*>(entry->ifa_addr);
      bool link_local = IN6_IS_ADDR_LINKLOCAL(&address->sin6_addr);  // means nothing without its interface
      if (!link_local) out.insert(::inet_ntop(AF_INET6, &address->sin6_addr, text.data(), text.size()));
    }
  }
  ::freeifaddrs(list);
  return out;
}

std::string alternative_names() {
  std::string out = "DNS:localhost";
  std::string host = host_name();
  if (!host.empty() && host != "localhost") out += ",DNS:" + host + ",DNS:" + host + ".local";
  for (const std::string& address : machine_addresses()) out += ",IP:" + address;
  return out;
}

void add_extension(X509* certificate, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, certificate, certificate, nullptr, nullptr, 0);
  ExtensionPtr extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  CHECK(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void add_identity(X509* certificate, EVP_PKEY* key, const IdentityKey& identity) {
  std::string value = identity.public_key() + identity.sign(std::string(kSignatureContext) + spki_of(key));
  OctetsPtr octets(ASN1_OCTET_STRING_new());
  CHECK(octets && ASN1_OCTET_STRING_set(octets.get(), as_bytes(value), static_cast<int>(value.size())) == 1);
  ExtensionPtr extension(X509_EXTENSION_create_by_OBJ(nullptr, extension_name().get(), 0, octets.get()));
  CHECK(extension && X509_add_ext(certificate, extension.get(), -1) == 1);
}

void set_serial_and_validity(X509* certificate) {
  std::string serial = random_bytes(16);
  serial[0] = static_cast<char>((serial[0] & 0x3F) | 0x40);  // positive, and of full length
  BIGNUM* number = BN_bin2bn(as_bytes(serial), static_cast<int>(serial.size()), nullptr);
  CHECK(number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr);
  BN_free(number);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -kDaySeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 365L * 2 * kDaySeconds);
}

CertificatePtr make_certificate(EVP_PKEY* key, const IdentityKey& identity) {
  CertificatePtr certificate(X509_new());
  CHECK(certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  set_serial_and_validity(certificate.get());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  std::string host = host_name();
  std::string common = host.empty() ? "Hearth" : host;
  CHECK(X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, as_bytes("Hearth"), -1, -1, 0) == 1);
  CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, as_bytes(common), -1, -1, 0) == 1);
  CHECK(X509_set_issuer_name(certificate.get(), name) == 1 && X509_set_pubkey(certificate.get(), key) == 1);
  add_extension(certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
  add_extension(certificate.get(), NID_key_usage, "critical,digitalSignature");
  add_extension(certificate.get(), NID_ext_key_usage, "serverAuth");
  add_extension(certificate.get(), NID_subject_alt_name, alternative_names());
  add_identity(certificate.get(), key, identity);
  CHECK(X509_sign(certificate.get(), key, EVP_sha256()) > 0);
  return certificate;
}

SslContextPtr make_context(const SSL_METHOD* method) {
  SslContextPtr context(SSL_CTX_new(method));
  CHECK(context && SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) == 1);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_set_read_ahead(context.get(), 1);  // one read a record instead of two
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET);
  CHECK(SSL_CTX_set_num_tickets(context.get(), 0) == 1);
  return context;
}

constexpr std::string_view kProtocols = "\x08http/1.1";

int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  unsigned char* found = nullptr;
  int outcome = SSL_select_next_proto(&found, chosen_size, as_bytes(kProtocols),
                                      static_cast<unsigned>(kProtocols.size()), offered, offered_size);
  *chosen = found;
  return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

// The identity's bytes in the certificate, or empty.
std::string identity_extension(X509* certificate) {
  int index = X509_get_ext_by_OBJ(certificate, extension_name().get(), -1);
  if (index < 0 || X509_get_ext_by_OBJ(certificate, extension_name().get(), index) >= 0) return {};
  const ASN1_OCTET_STRING* octets = X509_EXTENSION_get_data(X509_get_ext(certificate, index));
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(octets)),
          static_cast<std::size_t>(ASN1_STRING_length(octets))};
}

bool accepts(const ServerPin& pin, const std::string& identity) {
  if (!pin.identity_key.empty()) return equal_constant_time(pin.identity_key, identity);
  return pin.identity_fingerprint.size() == kFingerprintBytes &&
         equal_constant_time(pin.identity_fingerprint, sha256(identity).substr(0, kFingerprintBytes));
}

}  // namespace

Result<std::string> verify_identity(X509* certificate, const ServerPin& pin) {
  std::string extension = certificate == nullptr ? std::string() : identity_extension(certificate);
  EVP_PKEY* key = certificate == nullptr ? nullptr : X509_get0_pubkey(certificate);
  clear_openssl_errors();
  if (extension.size() != kKeyBytes + kSignatureBytes || key == nullptr) {
    return fail(Code::kUnauthenticated, "the server's certificate names no Hearth identity; is that another program?");
  }
  std::string identity = extension.substr(0, kKeyBytes);
  std::string_view signature = std::string_view(extension).substr(kKeyBytes);
  if (!verify_ed25519(identity, std::string(kSignatureContext) + spki_of(key), signature)) {
    return fail(Code::kUnauthenticated, "the server's certificate is not signed by the identity that it names");
  }
  if (!accepts(pin, identity)) {
    return fail(Code::kUnauthenticated,
                "the server has another key than the one this PC was paired with; if it was set up anew, pair again");
  }
  return identity;
}

TlsContext::TlsContext(std::unique_ptr<State> state) : state_(std::move(state)) {}
TlsContext::~TlsContext() = default;

std::string TlsContext::certificate_pem() const {
  X509* certificate = SSL_CTX_get0_certificate(state_->context.get());
  if (certificate == nullptr) return {};
  const BioPtr memory(BIO_new(BIO_s_mem()));
  CHECK(memory && PEM_write_bio_X509(memory.get(), certificate) == 1);
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(memory.get(), &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

std::shared_ptr<const TlsContext> TlsContext::server(const IdentityKey& identity) {
  SslContextPtr context = make_context(TLS_server_method());
  KeyPtr key(EVP_EC_gen("P-256"));
  CHECK(key != nullptr);
  CertificatePtr certificate = make_certificate(key.get(), identity);
  CHECK(SSL_CTX_use_certificate(context.get(), certificate.get()) == 1);
  CHECK(SSL_CTX_use_PrivateKey(context.get(), key.get()) == 1);
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  auto state = std::make_unique<State>();
  state->context = std::move(context);
  state->is_server = true;
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

std::shared_ptr<const TlsContext> TlsContext::web_client() {
  SslContextPtr context = make_context(TLS_client_method());
  CHECK(SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1);
  CHECK(SSL_CTX_set_alpn_protos(context.get(), as_bytes(kProtocols), static_cast<unsigned>(kProtocols.size())) == 0);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  // Where the system has none, no server is trusted.
  SSL_CTX_set_default_verify_paths(context.get());
  clear_openssl_errors();
  auto state = std::make_unique<State>();
  state->context = std::move(context);
  state->is_of_the_web = true;
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

std::shared_ptr<const TlsContext> TlsContext::client() {
  SslContextPtr context = make_context(TLS_client_method());
  CHECK(SSL_CTX_set_alpn_protos(context.get(), as_bytes(kProtocols), static_cast<unsigned>(kProtocols.size())) == 0);
  // No authority vouches for anybody here: whoever connects calls verify_identity() before it sends a byte.
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_cert_verify_callback(context.get(), [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  auto state = std::make_unique<State>();
  state->context = std::move(context);
  return std::shared_ptr<const TlsContext>(new TlsContext(std::move(state)));
}

}  // namespace hearth::net
