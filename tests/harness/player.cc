#include "harness/player.h"

#include <array>
#include <chrono>
#include <cstring>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <srtp2/srtp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "harness/viewing.h"
#include "media/stun.h"
#include "media/test_browser.h"

namespace hearth::e2e {
namespace {

constexpr int kPictures = 108;  // the payload type, as the offer has it
constexpr unsigned kHeader = 12;
constexpr unsigned kPieces = 28;     // FU-A (RFC 6184)
constexpr unsigned kSeveral = 24;    // STAP-A
constexpr unsigned kParameters = 7;  // an SPS: only what begins anew has one
constexpr std::string_view kStart("\0\0\0\1", 4);

std::string after(const std::string& text, const std::string& mark) {
  const std::size_t at = text.find(mark);
  if (at == std::string::npos) return "";
  return text.substr(at + mark.size(), text.find("\r\n", at) - at - mark.size());
}

void cut_lines(std::string& text, std::string_view begin) {
  for (std::size_t at = text.find(begin); at != std::string::npos; at = text.find(begin)) {
    text.erase(at, text.find("\r\n", at) + 2 - at);
  }
}

std::uint8_t byte_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

}  // namespace

struct Player::State {
  media::BrowserDtls dtls;
  int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  std::string fragment;
  std::string password;
  srtp_t session = nullptr;
  std::string stream;  // Annex B
  std::chrono::steady_clock::time_point checked;

  ~State() {
    if (session != nullptr) srtp_dealloc(session);
    ::close(socket);
  }

  void send(std::string_view bytes) const { ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  // As the controlling side does, again and again: so the other end knows that somebody is there.
  void check() {
    const auto now = std::chrono::steady_clock::now();
    if (now - checked < std::chrono::milliseconds(200)) return;
    checked = now;
    send(media::stun_request("0123456789ab", fragment + ":page", 1, 2, password));
  }

  std::string receive(int milliseconds) {
    check();
    pollfd file{.fd = socket, .events = POLLIN, .revents = 0};
    if (::poll(&file, 1, milliseconds) <= 0) return "";
    std::string datagram(2'048, '\0');
    const ssize_t count = ::recv(socket, datagram.data(), datagram.size(), MSG_DONTWAIT);
    datagram.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    answer_check(datagram);
    return datagram;
  }

  void answer_check(std::string_view datagram) const {
    constexpr std::string_view kOwnPassword = "the-password-of-the-page";
    const Result<media::Stun> check = media::parse_stun(datagram, kOwnPassword);
    if (!check || check->kind != media::Stun::Kind::kRequest) return;
    send(media::stun_answer(check->transaction, *media::parse_address("127.0.0.1", 9), kOwnPassword));
  }

  void begin_srtp() {
    static const bool ready = srtp_init() == srtp_err_status_ok;
    CHECK(ready);
    srtp_policy_t policy{};
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
    srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
    policy.ssrc.type = ssrc_any_inbound;
    std::string key = dtls.keys().other;
    policy.key = reinterpret_cast<unsigned char*>(key.data());
    policy.window_size = 1'024;
    CHECK(srtp_create(&session, &policy) == srtp_err_status_ok);
  }

  // False: it is none of the pictures', or was there already.
  bool take(std::string datagram) {
    if (datagram.size() <= kHeader || (byte_at(datagram, 1) & 0x7fU) != kPictures) return false;
    int length = static_cast<int>(datagram.size());
    if (srtp_unprotect(session, datagram.data(), &length) != srtp_err_status_ok) return false;
    datagram.resize(static_cast<std::size_t>(length));
    CHECK((byte_at(datagram, 0) & 0x10U) == 0);  // a header extension, which was not agreed on
    take_units(std::string_view(datagram).substr(kHeader));
    return true;
  }

  void take_units(std::string_view payload) {
    const unsigned type = byte_at(payload, 0) & 0x1fU;
    if (type == kPieces) {
      const std::uint8_t head = byte_at(payload, 1);
      if ((head & 0x80U) != 0) {
        stream += kStart;
        stream += static_cast<char>((byte_at(payload, 0) & 0xe0U) | (head & 0x1fU));
      }
      stream += payload.substr(2);
      return;
    }
    if (type != kSeveral) {
      stream.append(kStart).append(payload);
      return;
    }
    for (std::size_t at = 1; at + 2 < payload.size();) {
      const std::size_t size = static_cast<std::size_t>(byte_at(payload, at)) << 8U | byte_at(payload, at + 1);
      stream.append(kStart).append(payload.substr(at + 2, size));
      at += 2 + size;
    }
  }
};

Player::Player() : state_(std::make_unique<State>()) {}
Player::~Player() = default;

std::string Player::offer() const {
  std::string offer = media::browser_offer(state_->dtls.fingerprint());
  cut_lines(offer, "a=extmap");
  cut_lines(offer, "a=candidate");
  return offer;
}

bool Player::connect(const std::string& answer) {
  state_->fragment = after(answer, "a=ice-ufrag:");
  state_->password = after(answer, "a=ice-pwd:");
  const std::string port = after(answer, " 127.0.0.1 ");
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::atoi(port.c_str())));
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(state_->socket, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) return false;
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!media::is_stun(state_->receive(100))) {
    if (std::chrono::steady_clock::now() > end) return false;
  }
  std::vector<std::string> flight = state_->dtls.step("");
  while (!state_->dtls.connected() && std::chrono::steady_clock::now() < end) {
    for (const std::string& datagram : std::exchange(flight, {})) state_->send(datagram);
    const std::string heard = state_->receive(100);
    if (media::is_dtls(heard)) flight = state_->dtls.step(heard);
  }
  for (const std::string& datagram : flight) state_->send(datagram);
  if (!state_->dtls.connected()) return false;
  state_->begin_srtp();
  return true;
}

int Player::packets_within(int span) {
  int packets = 0;
  const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(span);
  while (std::chrono::steady_clock::now() < end) packets += state_->take(state_->receive(20)) ? 1 : 0;
  return packets;
}

bool Player::becomes(const std::string& colour, const std::filesystem::path& directory, int width, int height) {
  return eventually(seconds(60), [&] {
    packets_within(300);
    return colour_in(state_->stream, directory, width, height, width / 2, height / 2) == colour;
  });
}

bool Player::began_with_key() const {
  return state_->stream.size() > kStart.size() && (byte_at(state_->stream, kStart.size()) & 0x1fU) == kParameters;
}

}  // namespace hearth::e2e
