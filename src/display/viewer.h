// One viewer's connection: what it says, what it is sent, and whether it keeps up.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "base/result.h"
#include "hearth/v1/screen.pb.h"
#include "screen/frames.h"

namespace hearth::display {

using Clock = std::chrono::steady_clock;

class Viewer {
 public:
  enum class May : std::uint8_t { kWatch, kControl };
  Viewer(int socket, May may);  // the socket is taken over; non-blocking
  ~Viewer();
  Viewer(const Viewer&) = delete;
  Viewer& operator=(const Viewer&) = delete;

  int socket() const { return socket_; }
  bool controls() const { return may_ == May::kControl; }

  // What it has said meanwhile, as far as it is heeded. Errors: kUnavailable (it is gone), kInvalidArgument (that is no
  // message).
  Result<std::vector<v1::FromViewer>> read();
  // Sends what can be sent now. Errors: kUnavailable.
  Result<void> write();
  bool has_more_to_write() const { return waiting_bytes() > 0; }
  std::size_t waiting_bytes() const { return out_.size() - written_; }

  void send(const v1::ToViewer& message) { out_ += screen::frame_of(message); }
  void send_picture(v1::Picture picture, Clock::time_point now);

  // Whether another picture would reach it without waiting behind earlier ones.
  bool has_room(Clock::time_point now) const;
  void on_shown(std::uint64_t number, Clock::time_point now);
  // What its link takes: found by when pictures are shown, unless it has said so itself.
  std::uint32_t kbits() const { return kbits_; }
  void set_rate(std::uint32_t kbits);

  bool watches = false;  // it has said its size
  v1::Codec codec = v1::CODEC_H264;
  bool listens = false;   // it wants the sound
  bool needs_key = true;  // it has missed a picture
  v1::Input input;        // its last
  Clock::time_point last_key{};

 private:
  struct Sent {
    std::uint64_t number;
    Clock::time_point at;
  };
  void adapt(Clock::duration way, Clock::time_point now);

  int socket_;
  May may_;
  screen::FrameReader reader_{screen::kMaxFromViewer};
  std::string out_;
  std::size_t written_ = 0;
  std::uint64_t last_number_ = 0;
  std::deque<Sent> ahead_;  // sent, but not shown yet
  Clock::duration shortest_ = std::chrono::hours(1);
  Clock::duration soonest_ = std::chrono::hours(1);  // since `adapted_`
  std::uint32_t kbits_;
  bool rate_is_told_ = false;
  Clock::time_point adapted_{};
};

}  // namespace hearth::display
