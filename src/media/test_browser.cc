#include "media/test_browser.h"

#include <array>

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "base/check.h"
#include "net/openssl.h"

namespace hearth::media {

std::string browser_offer(const std::string& fingerprint) {
  const std::string transport =
      "c=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:page\r\na=ice-pwd:the-password-of-the-page\r\n"
      "a=ice-options:trickle\r\na=fingerprint:sha-256 " +
      fingerprint + "\r\na=setup:actpass\r\n";
  std::string offer =
      "v=0\r\no=- 5311512711 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\n"
      "a=extmap-allow-mixed\r\na=msid-semantic: WMS\r\n"
      "m=video 49170 UDP/TLS/RTP/SAVPF 96 103 108\r\n" +
      transport +
      "a=candidate:1 1 udp 2113937151 0f5b6c1e.local 49170 typ host generation 0\r\n"
      "a=candidate:2 1 udp 1677729535 192.0.2.1 49170 typ srflx raddr 0.0.0.0 rport 0\r\n"
      "a=candidate:3 1 tcp 1518280447 192.0.2.1 9 typ host tcptype active\r\n"
      "a=mid:0\r\n"
      "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01\r\n"
      "a=extmap:5 http://www.webrtc.org/experiments/rtp-hdrext/playout-delay\r\n"
      "a=recvonly\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:103 H264/90000\r\n"
      "a=fmtp:103 level-asymmetry-allowed=1;packetization-mode=0;profile-level-id=42001f\r\n"
      "a=rtpmap:108 H264/90000\r\na=rtcp-fb:108 nack pli\r\n"
      "a=fmtp:108 level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f\r\n"
      "m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n";
  offer += transport;
  offer +=
      "a=mid:1\r\na=recvonly\r\na=rtcp-mux\r\na=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n"
      "a=rtpmap:63 red/48000/2\r\n"
      "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
  return offer + transport + "a=mid:2\r\na=sctp-port:5000\r\na=max-message-size:262144\r\n";
}

struct BrowserDtls::State {
  net::KeyPtr key{EVP_EC_gen("P-256")};
  net::CertificatePtr certificate{X509_new()};
  net::SslContextPtr context{SSL_CTX_new(DTLS_client_method())};
  net::SslPtr ssl;
  BIO* in = BIO_new(BIO_s_mem());
  BIO* out = BIO_new(BIO_s_mem());
};

BrowserDtls::BrowserDtls() : state_(std::make_unique<State>()) {
  X509* certificate = state_->certificate.get();
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 7);
  X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3'600);
  CHECK(X509_set_pubkey(certificate, state_->key.get()) == 1);
  CHECK(X509_sign(certificate, state_->key.get(), EVP_sha256()) > 0);
  SSL_CTX* context = state_->context.get();
  CHECK(SSL_CTX_use_certificate(context, certificate) == 1);
  CHECK(SSL_CTX_use_PrivateKey(context, state_->key.get()) == 1);
  CHECK(SSL_CTX_set_tlsext_use_srtp(context, "SRTP_AES128_CM_SHA1_80") == 0);
  state_->ssl.reset(SSL_new(context));
  BIO_set_mem_eof_return(state_->in, -1);
  SSL_set_bio(state_->ssl.get(), state_->in, state_->out);
  SSL_set_options(state_->ssl.get(), SSL_OP_NO_QUERY_MTU);
  SSL_set_mtu(state_->ssl.get(), 1'200);
  SSL_set_connect_state(state_->ssl.get());
}
BrowserDtls::~BrowserDtls() = default;

std::string BrowserDtls::fingerprint() const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned length = 0;
  X509_digest(state_->certificate.get(), EVP_sha256(), digest.data(), &length);
  char* text = OPENSSL_buf2hexstr(digest.data(), length);
  std::string copy = text;
  OPENSSL_free(text);
  return copy;
}

std::vector<std::string> BrowserDtls::step(std::string_view datagram) {
  if (!datagram.empty()) BIO_write(state_->in, datagram.data(), static_cast<int>(datagram.size()));
  SSL_do_handshake(state_->ssl.get());
  net::clear_openssl_errors();
  std::array<char, 16'384> buffer{};
  const int count = BIO_read(state_->out, buffer.data(), static_cast<int>(buffer.size()));
  if (count <= 0) return {};
  return {std::string(buffer.data(), static_cast<std::size_t>(count))};
}

bool BrowserDtls::connected() const { return SSL_is_init_finished(state_->ssl.get()) == 1; }

SrtpKeys BrowserDtls::keys() const {
  std::string material(60, '\0');
  CHECK(SSL_export_keying_material(state_->ssl.get(), net::as_bytes(material), material.size(), "EXTRACTOR-dtls_srtp",
                                   19, nullptr, 0, 0) == 1);
  return {.own = material.substr(0, 16) + material.substr(32, 14),
          .other = material.substr(16, 16) + material.substr(46, 14)};
}

}  // namespace hearth::media
