// What the viewers who watch by one codec are sent: when its next picture is due, how sharp it is and what it may take.
// Its encoder is there only while somebody watches by it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/result.h"
#include "display/encoder.h"
#include "display/viewer.h"

namespace hearth::display {

using Viewers = std::vector<std::unique_ptr<Viewer>>;

class Track {
 public:
  explicit Track(v1::Codec codec) : codec_(codec) {}

  struct Moment {
    Clock::time_point now;
    bool changed = false;  // the screen has, since a picture of it was taken last
    bool answers = false;  // an input came just now: its answer does not wait long
  };
  // A long time away, if something else must happen first.
  Clock::time_point due(const Viewers& viewers, const Moment& moment) const;

  // Of the screen now, to all its viewers who have room for it; `capture`: what taking it cost. Errors: kInternal.
  Result<void> show(Planes& planes, const Viewers& viewers, const Moment& moment, Clock::duration capture);
  // The screen has changed, and this had no room for it.
  void pass_over(const Moment& moment) { behind_ = behind_ || moment.changed; }
  // Nobody watches by it any more: the encoder goes.
  void rest_without(const Viewers& viewers);
  bool is_at_work() const { return encoder_ != nullptr; }

 private:
  bool shows(const Viewer& viewer) const { return viewer.watches && viewer.codec == codec_; }
  bool wants_key(const Viewer& viewer, Clock::time_point now) const;
  Clock::duration between_pictures() const;
  void plan_polishes(const Encoder::Unit& unit, bool was_finest);
  Result<void> prepare(Size size, const Viewers& viewers);
  void send(const v1::Picture& picture, const Viewers& viewers, Clock::time_point now);

  v1::Codec codec_;
  std::unique_ptr<Encoder> encoder_;
  Size size_;
  std::uint32_t kbits_ = 0;
  bool behind_ = false;
  int fineness_ = Encoder::kFinest;
  int polishes_left_ = 0;   // how often the finest picture may be made again, since the rate held it back
  int empty_polishes_ = 0;  // in a row: x264 has nothing more to add, whatever it thinks of the rate
  Clock::time_point last_picture_{};
  Clock::time_point last_change_{};
};

}  // namespace hearth::display
