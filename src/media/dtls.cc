#include "media/dtls.h"

#include <algorithm>
#include <array>

#include <openssl/err.h>
#include <openssl/srtp.h>
#include <openssl/ssl.h>

#include "base/check.h"
#include "media/bits.h"
#include "net/crypto.h"
#include "net/openssl.h"

namespace hearth::media {
namespace {

constexpr long kMtu = 1'200;
constexpr std::size_t kMaxDatagram = 2'048;
constexpr long kValidSeconds = 30L * 24 * 3600;
constexpr std::size_t kKeyBytes = 16;
constexpr std::size_t kSaltBytes = 14;
constexpr std::string_view kExporter = "EXTRACTOR-dtls_srtp";
constexpr std::size_t kMaxQueued = 64;

// A connection's datagrams, as OpenSSL's transport: one in, any number out.
struct Wire {
  std::string in;
  bool has_in = false;
  std::vector<std::string> out;
};

int write_wire(BIO* bio, const char* bytes, int count) {
  auto* wire = static_cast<Wire*>(BIO_get_data(bio));
  if (wire->out.size() < kMaxQueued) wire->out.emplace_back(bytes, static_cast<std::size_t>(count));
  return count;
}

int read_wire(BIO* bio, char* bytes, int room) {
  auto* wire = static_cast<Wire*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  if (!wire->has_in) {
    BIO_set_retry_read(bio);
    return -1;
  }
  wire->has_in = false;
  const std::size_t count = std::min(wire->in.size(), static_cast<std::size_t>(room));
  std::copy_n(wire->in.data(), count, bytes);
  return static_cast<int>(count);
}

long control_wire(BIO*, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;
    case BIO_CTRL_DGRAM_QUERY_MTU:
      return kMtu;
    default:
      return 0;
  }
}

BIO_METHOD* wire_method() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagrams");
    CHECK(made != nullptr);
    BIO_meth_set_write(made, write_wire);
    BIO_meth_set_read(made, read_wire);
    BIO_meth_set_ctrl(made, control_wire);
    return made;
  }();
  return method;
}

net::CertificatePtr make_certificate(EVP_PKEY* key) {
  net::CertificatePtr certificate(X509_new());
  CHECK(certificate && X509_set_version(certificate.get(), X509_VERSION_3) == 1);
  const std::string serial = net::random_bytes(8);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate.get()), number_at(serial, 0, 8) >> 1 | 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -kValidSeconds);
  X509_gmtime_adj(X509_getm_notAfter(certificate.get()), kValidSeconds);
  X509_NAME* name = X509_get_subject_name(certificate.get());
  CHECK(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, net::as_bytes("hearth"), -1, -1, 0) == 1);
  CHECK(X509_set_issuer_name(certificate.get(), name) == 1 && X509_set_pubkey(certificate.get(), key) == 1);
  CHECK(X509_sign(certificate.get(), key, EVP_sha256()) > 0);
  return certificate;
}

std::string fingerprint_of(const X509* certificate) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  CHECK(X509_digest(certificate, EVP_sha256(), digest.data(), &length) == 1);
  constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string text;
  for (unsigned i = 0; i < length; ++i) {
    if (i > 0) text += ':';
    text += kHex[digest[i] >> 4];
    text += kHex[digest[i] & 15];
  }
  return text;
}

}  // namespace

struct Dtls::State {
  net::SslContextPtr context;
  net::SslPtr ssl;
  Wire wire;
  std::string own_fingerprint;
  std::string other_fingerprint;
  bool connected = false;
  std::vector<std::string> incoming;

  Result<void> go_on();
  Result<void> judge(int result);
  Result<void> check_other();
};

bool is_dtls(std::string_view datagram) {
  return !datagram.empty() && static_cast<unsigned char>(datagram[0]) >= 20 &&
         static_cast<unsigned char>(datagram[0]) < 64;
}

Result<std::unique_ptr<Dtls>> Dtls::open(std::string fingerprint) {
  auto state = std::make_unique<State>();
  state->other_fingerprint = std::move(fingerprint);
  const net::KeyPtr key(EVP_EC_gen("P-256"));
  CHECK(key != nullptr);
  const net::CertificatePtr certificate = make_certificate(key.get());
  state->own_fingerprint = fingerprint_of(certificate.get());
  state->context.reset(SSL_CTX_new(DTLS_server_method()));
  SSL_CTX* context = state->context.get();
  CHECK(context != nullptr);
  SSL_CTX_set_min_proto_version(context, DTLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  // Both certificates are their own: who it is, the fingerprint says.
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
                     [](int, X509_STORE_CTX*) { return 1; });
  const bool set = SSL_CTX_use_certificate(context, certificate.get()) == 1 &&
                   SSL_CTX_use_PrivateKey(context, key.get()) == 1 &&
                   SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AES128_CM_SHA1_80") == 0;
  state->ssl.reset(set ? SSL_new(context) : nullptr);
  BIO* bio = state->ssl ? BIO_new(wire_method()) : nullptr;
  if (bio == nullptr) {
    net::clear_openssl_errors();
    return fail(Code::kInternal, "DTLS does not open");
  }
  BIO_set_data(bio, &state->wire);
  BIO_set_init(bio, 1);
  SSL_set_bio(state->ssl.get(), bio, bio);
  SSL_set_mtu(state->ssl.get(), kMtu);
  SSL_set_accept_state(state->ssl.get());
  return std::unique_ptr<Dtls>(new Dtls(std::move(state)));
}

Dtls::Dtls(std::unique_ptr<State> state) : state_(std::move(state)) {}
Dtls::~Dtls() = default;

std::string Dtls::fingerprint() const { return state_->own_fingerprint; }

Result<void> Dtls::State::check_other() {
  const net::CertificatePtr certificate(SSL_get1_peer_certificate(ssl.get()));
  if (!certificate || fingerprint_of(certificate.get()) != other_fingerprint) {
    return fail(Code::kUnauthenticated, "the other end's certificate is not the one that it named");
  }
  if (SSL_get_selected_srtp_profile(ssl.get()) == nullptr) {
    return fail(Code::kAborted, "the other end has no SRTP that this one knows");
  }
  return {};
}

Result<void> Dtls::State::judge(int result) {
  const int error = SSL_get_error(ssl.get(), result);
  net::clear_openssl_errors();
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return {};
  return fail(Code::kAborted, "the other end has ended the session, or breaks its protocol");
}

Result<void> Dtls::State::go_on() {
  if (!connected) {
    const int result = SSL_do_handshake(ssl.get());
    if (result != 1) return judge(result);
    if (Result<void> known = check_other(); !known) return known;
    connected = true;
  }
  for (;;) {
    std::array<char, kMaxDatagram> buffer{};
    const int count = SSL_read(ssl.get(), buffer.data(), static_cast<int>(buffer.size()));
    if (count <= 0) return judge(count);
    if (incoming.size() < kMaxQueued) incoming.emplace_back(buffer.data(), static_cast<std::size_t>(count));
  }
}

Result<void> Dtls::take(std::string_view datagram) {
  state_->wire.in = datagram;
  state_->wire.has_in = true;
  return state_->go_on();
}

std::optional<Duration> Dtls::next_timeout() const {
  timeval left{};
  if (DTLSv1_get_timeout(state_->ssl.get(), &left) != 1) return std::nullopt;
  return seconds(left.tv_sec) + microseconds(left.tv_usec);
}

Result<void> Dtls::on_timeout() {
  if (DTLSv1_handle_timeout(state_->ssl.get()) >= 0) return {};
  net::clear_openssl_errors();
  return fail(Code::kAborted, "the other end does not answer");
}

std::vector<std::string> Dtls::take_outgoing() { return std::exchange(state_->wire.out, {}); }
std::vector<std::string> Dtls::take_incoming() { return std::exchange(state_->incoming, {}); }

// RFC 5764, 4.2: both keys, then both salts, the dialling end's first.
std::optional<SrtpKeys> Dtls::keys() const {
  if (!state_->connected) return std::nullopt;
  std::string material(2 * (kKeyBytes + kSaltBytes), '\0');
  CHECK(SSL_export_keying_material(state_->ssl.get(), net::as_bytes(material), material.size(), kExporter.data(),
                                   kExporter.size(), nullptr, 0, 0) == 1);
  const std::string_view view = material;
  const auto of = [&](std::size_t index) {
    return std::string(view.substr(index * kKeyBytes, kKeyBytes)) +
           std::string(view.substr(2 * kKeyBytes + index * kSaltBytes, kSaltBytes));
  };
  return SrtpKeys{.own = of(1), .other = of(0)};
}

void Dtls::send(std::string_view bytes) {
  if (!state_->connected) return;
  if (SSL_write(state_->ssl.get(), bytes.data(), static_cast<int>(bytes.size())) <= 0) net::clear_openssl_errors();
}

}  // namespace hearth::media
