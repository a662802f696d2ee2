// One viewer's WebRTC session, from the offer to its end; no sockets, no clock. Datagrams go in and out, pictures and
// sound go out, messages of the data channel go both ways.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "media/channel.h"
#include "media/dtls.h"
#include "media/ice.h"
#include "media/pacer.h"
#include "media/rate.h"
#include "media/rtcp.h"
#include "media/rtp.h"
#include "media/srtp.h"

namespace hearth::media {

class Session {
 public:
  // Called from within the calls below.
  struct Events {
    std::function<void(const Datagram&)> send;
    std::function<void(std::string)> message;
    std::function<void()> wants_key;
  };
  // A player is another program than Hearth's page: it gets no data channel, so nothing that it says is a message.
  enum class With : std::uint8_t { kPage, kPlayer };
  // `own`: this end's addresses, the best first. Errors: of parse_offer(); kInternal.
  static Result<std::unique_ptr<Session>> open(std::string_view offer, const std::vector<Address>& own, Events events,
                                               With with = With::kPage);

  const std::string& answer() const { return answer_; }
  v1::Codec codec() const { return codec_; }  // of the pictures, as agreed on

  void take(const Address& from, std::string_view datagram, Time now);
  // To be called at next() at the latest. Errors, after which it is over: kUnauthenticated, kAborted, kUnavailable
  // (nothing was heard of the other end for 30 s).
  Result<void> tick(Time now, WallTime wall);
  Time next(Time now) const;

  bool connected() const { return srtp_ != nullptr; }
  std::uint32_t kbits() const { return rate_.kbits(); }
  double loss() const { return rate_.loss(); }
  // Of what was handed over, not sent yet.
  std::size_t waiting_bytes() const { return pacer_.waiting_bytes(); }
  // False: no picture is to be handed over before more of those are sent.
  bool has_room() const { return waiting_bytes() <= kMaxWaiting; }

  // The picture's time in the stream, which the browser tells with it. Before connected() it is dropped.
  std::uint32_t send_picture(std::string_view unit, Time now);
  // `samples`: since the stream's begin. What is no packet of Opus is dropped, and what comes faster than it is heard.
  void send_sound(std::string_view opus, std::uint64_t samples, Time now);
  // False: the channel is not open, or full.
  bool send_message(std::string_view message);

 private:
  static constexpr std::size_t kMaxWaiting = 8 << 20;

  Session(Events events, With with) : events_(std::move(events)), with_(with) {}
  void take_control(std::string_view datagram, const Address& from, Time now);
  void take_dtls(std::string_view datagram, const Address& from, Time now);
  void open_channel();
  void send_packet(std::string packet, bool is_copy, Time now);
  void take_report(const Feedback::Report& report, Time now);
  bool newest_came() const;  // of what was sent of the pictures
  void flush_dtls();
  void report(Time now, WallTime wall);

  Events events_;
  With with_;
  std::string answer_;
  v1::Codec codec_ = v1::CODEC_H264;
  std::unique_ptr<Ice> ice_;
  std::unique_ptr<Dtls> dtls_;
  std::unique_ptr<Srtp> srtp_;
  std::unique_ptr<Channel> channel_;
  std::optional<RtpStream> video_;
  std::optional<RtpStream> sound_;
  Pacer pacer_;
  Rate rate_;
  bool counts_ = false;  // the other end: of each packet it says whether it came (transport-wide feedback)
  std::optional<std::uint16_t> newest_reported_;
  std::uint16_t next_number_ = 1;
  Time last_picture_{};
  std::optional<Error> failure_;
  std::optional<Time> ticked_;  // the channel
  Time reported_{};
  std::optional<Time> dtls_due_;
  std::uint32_t sound_time_ = 0;
  Time sound_free_{};  // when the next packet of sound may go
};

}  // namespace hearth::media
