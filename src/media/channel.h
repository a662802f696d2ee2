// The data channel of a WebRTC session (RFC 8831, RFC 8832), by usrsctp: SCTP whose packets travel in DTLS.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::media {

class Channel {
 public:
  static constexpr std::size_t kMaxMessage = 64 << 10;

  // `send`: hands an SCTP packet to DTLS; called from within the other calls. One at a time in a process. Errors:
  // kInternal.
  static Result<std::unique_ptr<Channel>> open(std::function<void(std::string_view)> send);
  ~Channel();
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  void take(std::string_view packet);
  // To be called every now and then, with what has passed since.
  void tick(unsigned millis);

  // Whole messages, from whichever channel the other end has opened.
  std::vector<std::string> take_messages();
  // On the channel that was opened last. False: there is none, or no room.
  bool send(std::string_view message);

 private:
  struct State;
  explicit Channel(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::media
