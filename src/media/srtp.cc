#include "media/srtp.h"

#include <srtp2/srtp.h>

#include "base/check.h"

namespace hearth::media {
namespace {

constexpr unsigned long kReplayWindow = 1'024;

struct Session {
  srtp_t session = nullptr;
  ~Session() {
    if (session != nullptr) srtp_dealloc(session);
  }
};

bool create(Session& session, const std::string& key, srtp_ssrc_type_t direction) {
  srtp_policy_t policy{};
  srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtp);
  srtp_crypto_policy_set_aes_cm_128_hmac_sha1_80(&policy.rtcp);
  policy.ssrc.type = direction;
  std::string copy = key;
  policy.key = reinterpret_cast<unsigned char*>(copy.data());
  policy.window_size = kReplayWindow;
  policy.allow_repeat_tx = 1;
  return srtp_create(&session.session, &policy) == srtp_err_status_ok;
}

template <class Protect>
Result<std::string> protected_by(Protect protect, srtp_t session, std::string packet) {
  int length = static_cast<int>(packet.size());
  packet.resize(packet.size() + SRTP_MAX_TRAILER_LEN + 4);
  if (protect(session, packet.data(), &length) != srtp_err_status_ok) {
    return fail(Code::kInternal, "a packet cannot be protected");
  }
  packet.resize(static_cast<std::size_t>(length));
  return packet;
}

}  // namespace

struct Srtp::State {
  Session outgoing;
  Session incoming;
};

Result<std::unique_ptr<Srtp>> Srtp::open(const SrtpKeys& keys) {
  static const bool ready = srtp_init() == srtp_err_status_ok;
  auto state = std::make_unique<State>();
  if (!ready || !create(state->outgoing, keys.own, ssrc_any_outbound) ||
      !create(state->incoming, keys.other, ssrc_any_inbound)) {
    return fail(Code::kInternal, "libsrtp does not open");
  }
  return std::unique_ptr<Srtp>(new Srtp(std::move(state)));
}

Srtp::Srtp(std::unique_ptr<State> state) : state_(std::move(state)) {}
Srtp::~Srtp() = default;

Result<std::string> Srtp::protect(std::string packet) {
  return protected_by(srtp_protect, state_->outgoing.session, std::move(packet));
}

Result<std::string> Srtp::protect_control(std::string packet) {
  return protected_by(srtp_protect_rtcp, state_->outgoing.session, std::move(packet));
}

Result<std::string> Srtp::open_control(std::string packet) {
  int length = static_cast<int>(packet.size());
  if (srtp_unprotect_rtcp(state_->incoming.session, packet.data(), &length) != srtp_err_status_ok) {
    return fail(Code::kUnauthenticated, "it is not under the session's keys");
  }
  packet.resize(static_cast<std::size_t>(length));
  return packet;
}

}  // namespace hearth::media
