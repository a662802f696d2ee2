#include "media/session.h"

#include <algorithm>

#include "base/bytes.h"
#include "media/bits.h"
#include "media/rtcp.h"
#include "media/sdp.h"
#include "media/stun.h"
#include "net/crypto.h"
#include "screen/frames.h"

namespace hearth::media {
namespace {

constexpr Duration kMaxSilence = seconds(30);
constexpr Duration kBetweenReports = seconds(1);
constexpr Duration kStill = milliseconds(2'500);
constexpr Duration kBetweenSounds = milliseconds(5);  // at least, though a packet lasts for ten: clocks differ
constexpr Duration kSoundBurst = milliseconds(200);
constexpr Duration kBusyTick = milliseconds(10);
constexpr Duration kIdleTick = milliseconds(50);
constexpr std::size_t kFragmentBytes = 4;
constexpr std::size_t kPasswordBytes = 16;
constexpr std::size_t kSeedBytes = 16;

std::uint32_t random_source() { return static_cast<std::uint32_t>(number_at(net::random_bytes(4), 0, 4)) | 1; }
std::uint16_t random_sequence() { return static_cast<std::uint16_t>(number_at(net::random_bytes(2), 0, 2) >> 1); }

// RTCP is told from RTP by its packet type (RFC 5761, 4).
bool is_control(std::string_view datagram) {
  const auto type = datagram.size() < 8 ? 0U : static_cast<unsigned char>(datagram[1]);
  return type >= 192 && type <= 223 && (static_cast<unsigned char>(datagram[0]) & 0xc0) == 0x80;
}

std::uint32_t video_time(Time now) { return static_cast<std::uint32_t>(now.micros * 9 / 100); }

}  // namespace

Result<std::unique_ptr<Session>> Session::open(std::string_view offer, const std::vector<Address>& own, Events events,
                                               With with) {
  Result<Offer> parsed = parse_offer(offer);
  if (!parsed) return std::unexpected(parsed.error());
  for (Offer::Section& section : parsed->sections) {
    if (with == With::kPlayer && section.kind == Offer::Kind::kData) section.taken = false;
  }
  std::unique_ptr<Session> session(new Session(std::move(events), with));
  Result<std::unique_ptr<Dtls>> dtls = Dtls::open(parsed->fingerprint);
  if (!dtls) return std::unexpected(dtls.error());
  session->dtls_ = std::move(*dtls);
  Answer answer;
  answer.ice = {to_hex(net::random_bytes(kFragmentBytes)), to_hex(net::random_bytes(kPasswordBytes))};
  answer.fingerprint = session->dtls_->fingerprint();
  answer.candidates = own;
  for (const Offer::Section& section : parsed->sections) {
    RtpTerms terms = section.terms;
    terms.source = random_source();
    if (!section.taken) continue;
    session->counts_ |= terms.transport_number > 0;
    if (section.kind == Offer::Kind::kVideo) {
      answer.video_source = terms.source;
      session->codec_ = terms.codec;
      session->video_.emplace(terms, random_sequence());
    } else if (section.kind == Offer::Kind::kSound) {
      answer.sound_source = terms.source;
      session->sound_.emplace(terms, random_sequence());
    }
  }
  session->ice_ = std::make_unique<Ice>(answer.ice, parsed->ice, parsed->candidates, net::random_bytes(kSeedBytes));
  session->answer_ = answer_of(*parsed, answer);
  return session;
}

void Session::take(const Address& from, std::string_view datagram, Time now) {
  if (failure_) return;
  if (is_stun(datagram)) {
    for (const Datagram& one : ice_->take(from, datagram, now)) events_.send(one);
  } else if (is_dtls(datagram)) {
    take_dtls(datagram, from, now);
  } else if (srtp_ && is_control(datagram)) {
    take_control(datagram, from, now);
  }
}

void Session::take_dtls(std::string_view datagram, const Address& from, Time now) {
  if (!ice_->has_passed(from)) return;  // RFC 8842, 5: it would make this end answer to anybody's address
  if (Result<void> taken = dtls_->take(datagram); !taken) failure_ = taken.error();
  if (!srtp_ && dtls_->keys()) {
    Result<std::unique_ptr<Srtp>> srtp = Srtp::open(*dtls_->keys());
    if (!srtp) {
      failure_ = srtp.error();
      return;
    }
    srtp_ = std::move(*srtp);
    ice_->heard_from(from, now);
    if (with_ == With::kPage) open_channel();
  }
  for (const std::string& packet : dtls_->take_incoming()) {
    ice_->heard_from(from, now);
    if (channel_) channel_->take(packet);
  }
  flush_dtls();
  if (!channel_) return;
  for (std::string& message : channel_->take_messages()) events_.message(std::move(message));
}

void Session::open_channel() {
  Result<std::unique_ptr<Channel>> channel = Channel::open([this](std::string_view packet) { dtls_->send(packet); });
  if (channel) channel_ = std::move(*channel);
}

void Session::take_control(std::string_view datagram, const Address& from, Time now) {
  const Result<std::string> packet = srtp_->open_control(std::string(datagram));
  if (!packet) return;
  ice_->heard_from(from, now);
  const Feedback feedback = parse_feedback(*packet);
  for (const Feedback::Missing& one : feedback.missing) pacer_.again(one.source, one.sequence, now);
  if (!feedback.arrivals.empty()) {
    rate_.heard(feedback.arrivals, now);
    pacer_.set_rate(rate_.kbits(), rate_.is_full(), rate_.doubles());
    if (rate_.take_fall()) {
      pacer_.give_up();  // it would come too late, and keep the next picture waiting
      events_.wants_key();
    }
  }
  for (const Feedback::Report& one : feedback.reports) take_report(one, now);
  // Chromium asks for one when nothing has come for 3 s, be it that nothing has changed.
  const bool stands_still = now - last_picture_ > kStill && newest_came();
  if (feedback.wants_key && !stands_still) events_.wants_key();
}

// All that is known of the way to one who does not tell of each packet.
void Session::take_report(const Feedback::Report& report, Time now) {
  if (counts_ || !video_ || report.source != video_->source()) return;
  newest_reported_ = report.newest;
  rate_.reported(report.loss, now);
  pacer_.set_rate(rate_.kbits(), false);
}

bool Session::newest_came() const {
  return counts_ ? rate_.newest_came() : video_ && newest_reported_ == video_->newest();
}

void Session::flush_dtls() {
  const std::vector<std::string> datagrams = dtls_->take_outgoing();
  if (!ice_->peer()) return;
  for (const std::string& one : datagrams) events_.send({*ice_->peer(), one});
}

void Session::send_packet(std::string packet, bool is_copy, Time now) {
  set_transport_number(packet, next_number_);
  rate_.sent(next_number_++, packet.size(), is_copy, now);
  Result<std::string> ready = srtp_->protect(std::move(packet));
  if (ready && ice_->peer()) events_.send({*ice_->peer(), std::move(*ready)});
}

void Session::report(Time now, WallTime wall) {
  if (now - reported_ < kBetweenReports) return;
  reported_ = now;
  const auto send = [&](const RtpStream& stream, std::uint32_t timestamp) {
    if (stream.packets() == 0) return;
    Result<std::string> ready = srtp_->protect_control(
        sender_report({stream.source(), wall, timestamp, stream.packets(), stream.payload_bytes()}));
    if (ready && ice_->peer()) events_.send({*ice_->peer(), std::move(*ready)});
  };
  if (video_) send(*video_, video_time(now));
  if (sound_) send(*sound_, sound_time_);
}

Result<void> Session::tick(Time now, WallTime wall) {
  if (failure_) return std::unexpected(*failure_);
  for (const Datagram& check : ice_->checks(now)) events_.send(check);
  if (ice_->silence(now) > kMaxSilence) return fail(Code::kUnavailable, "nothing comes from the viewer any more");
  if (dtls_due_ && now >= *dtls_due_) {
    if (Result<void> done = dtls_->on_timeout(); !done) return done;
  }
  if (channel_) {
    const std::int64_t millis = ticked_ ? (now - *ticked_).micros / 1'000 : 0;
    channel_->tick(static_cast<unsigned>(millis));
    ticked_ = ticked_ ? *ticked_ + milliseconds(millis) : now;
  }
  flush_dtls();
  const std::optional<Duration> timeout = dtls_->next_timeout();
  dtls_due_ = timeout ? std::optional(now + *timeout) : std::nullopt;
  if (!srtp_) return {};
  for (Pacer::Ready& one : pacer_.take(now)) send_packet(std::move(one.packet), one.is_copy, now);
  report(now, wall);
  return {};
}

Time Session::next(Time now) const {
  Time due = now + (waiting_bytes() > 0 ? kBusyTick : kIdleTick);
  if (const std::optional<Time> packet = pacer_.next(); srtp_ && packet) due = std::min(due, *packet);
  if (dtls_due_) due = std::min(due, *dtls_due_);
  return due;
}

std::uint32_t Session::send_picture(std::string_view unit, Time now) {
  const std::uint32_t timestamp = video_time(now);
  last_picture_ = now;
  if (srtp_ && video_) pacer_.add(video_->pictures(unit, timestamp));
  return timestamp;
}

void Session::send_sound(std::string_view opus, std::uint64_t samples, Time now) {
  if (!srtp_ || !sound_ || opus.size() > screen::kMaxSoundBytes) return;
  sound_free_ = std::max(sound_free_, now - kSoundBurst);
  if (sound_free_ > now) return;
  sound_free_ = sound_free_ + kBetweenSounds;
  sound_time_ = static_cast<std::uint32_t>(samples);
  send_packet(sound_->sound(opus, sound_time_), false, now);  // a voice does not queue behind pictures
}

bool Session::send_message(std::string_view message) {
  const bool sent = channel_ && channel_->send(message);
  flush_dtls();
  return sent;
}

}  // namespace hearth::media
