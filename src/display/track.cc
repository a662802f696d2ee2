#include "display/track.h"

#include <algorithm>
#include <array>

namespace hearth::display {
namespace {

using std::chrono::milliseconds;

constexpr Clock::duration kBetweenPictures = std::chrono::microseconds(16'000);
// For a moment after an input its answer does not wait for the next of sixty.
constexpr Clock::duration kBetweenAnswers = std::chrono::microseconds(8'000);
// What is worth sending, whatever the link takes: 11 Mbit/s of 1280 x 720.
constexpr double kMostBitsPerPixel = 0.2;
// Less is not worth a picture: fewer of them go where the link takes little.
constexpr double kLeastBitsPerPixel = 0.03;
constexpr milliseconds kLongestBetween(100);
constexpr milliseconds kBetweenKeys(300);  // for one viewer that does not keep up
constexpr std::array kStillFor = {milliseconds(120), milliseconds(300), milliseconds(700)};
constexpr std::size_t kRoomForFields = 4 << 10;
// x264 keeps to its rate even when it is asked for the finest picture, and what comes of it is finer each time.
constexpr int kMostPolishes = 240;
constexpr std::size_t kEmpty = 400;  // bytes
constexpr int kEmptyInARow = 3;

std::uint32_t micros(Clock::duration time) {
  return static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
}

}  // namespace

bool Track::wants_key(const Viewer& viewer, Clock::time_point now) const {
  return shows(viewer) && viewer.needs_key && viewer.has_room(now) && now - viewer.last_key >= kBetweenKeys;
}

Clock::duration Track::between_pictures() const {
  if (kbits_ == 0) return kBetweenPictures;
  const double seconds = size_.width * size_.height * kLeastBitsPerPixel / (kbits_ * 1'000.0);
  const auto wanted = std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  return std::clamp<Clock::duration>(wanted, kBetweenPictures, kLongestBetween);
}

Clock::time_point Track::due(const Viewers& viewers, const Moment& moment) const {
  const Clock::time_point soonest = last_picture_ + (moment.answers ? kBetweenAnswers : between_pictures());
  Clock::time_point due = moment.now + std::chrono::hours(1);
  bool keeps_up = false;
  for (const auto& viewer : viewers) {
    if (!shows(*viewer) || !viewer->has_room(moment.now)) continue;
    if (viewer->needs_key) due = std::min(due, std::max(soonest, viewer->last_key + kBetweenKeys));
    keeps_up = keeps_up || !viewer->needs_key;
  }
  if (keeps_up && (moment.changed || behind_)) {
    due = std::min(due, soonest);
  } else if (keeps_up && fineness_ < Encoder::kFinest) {
    due = std::min(due, last_change_ + kStillFor[static_cast<std::size_t>(fineness_)]);
  } else if (keeps_up && polishes_left_ > 0) {
    due = std::min(due, soonest);
  }
  return due;
}

Result<void> Track::prepare(Size size, const Viewers& viewers) {
  std::uint32_t kbits = 0;
  for (const auto& viewer : viewers) {
    if (shows(*viewer)) kbits = std::max(kbits, viewer->kbits());
  }
  kbits = std::min(kbits, static_cast<std::uint32_t>(size.width * size.height * 60 * kMostBitsPerPixel / 1'000));
  if (!encoder_ || size != size_) {
    Result<std::unique_ptr<Encoder>> encoder = Encoder::open(codec_, size, kbits);
    if (!encoder) return std::unexpected(encoder.error());
    encoder_ = std::move(*encoder);
    for (const auto& viewer : viewers) {
      if (shows(*viewer)) viewer->needs_key = true;
    }
  } else if (kbits != kbits_) {
    encoder_->set_rate(kbits);
  }
  size_ = size;
  kbits_ = kbits;
  return {};
}

void Track::send(const v1::Picture& picture, const Viewers& viewers, Clock::time_point now) {
  for (const auto& viewer : viewers) {
    if (!shows(*viewer)) continue;
    const bool can = viewer->has_room(now) && (picture.key() || !viewer->needs_key);
    if (can) {
      viewer->send_picture(picture, now);
    } else {
      viewer->needs_key = true;
    }
  }
}

Result<void> Track::show(Planes& planes, const Viewers& viewers, const Moment& moment, Clock::duration capture) {
  if (Result<void> ready = prepare(planes.size(), viewers); !ready) return ready;
  Encoder::Wish wish;
  for (const auto& viewer : viewers) wish.key = wish.key || wants_key(*viewer, moment.now);
  // A key picture is coarse at first, so that it is there soon.
  const bool anew = moment.changed || std::exchange(behind_, false) || wish.key;
  if (anew) last_change_ = moment.now;
  const bool was_finest = fineness_ == Encoder::kFinest;
  fineness_ = anew ? 0 : std::min(fineness_ + 1, Encoder::kFinest);
  wish.fineness = fineness_;
  const Clock::time_point begun = Clock::now();
  Result<Encoder::Unit> unit = encoder_->encode(planes, wish);
  if (!unit) return std::unexpected(unit.error());
  last_picture_ = moment.now;
  plan_polishes(*unit, was_finest);
  if (unit->data.size() > screen::kMaxToViewer - kRoomForFields) {  // the next one refers to what nobody got
    encoder_.reset();
    fineness_ = Encoder::kFinest;
    polishes_left_ = 0;
    return {};
  }
  v1::Picture picture;
  picture.set_codec(codec_);
  picture.set_key(unit->key);
  picture.set_width(size_.width);
  picture.set_height(size_.height);
  picture.set_data(std::move(unit->data));
  picture.set_capture_micros(micros(capture));
  picture.set_encode_micros(micros(Clock::now() - begun));
  send(picture, viewers, moment.now);
  return {};
}

void Track::plan_polishes(const Encoder::Unit& unit, bool was_finest) {
  empty_polishes_ = was_finest && unit.data.size() <= kEmpty ? empty_polishes_ + 1 : 0;
  const bool comes_finer = fineness_ == Encoder::kFinest && unit.held_back && empty_polishes_ < kEmptyInARow;
  polishes_left_ = !comes_finer ? 0 : was_finest ? std::max(polishes_left_ - 1, 0) : kMostPolishes;
}

void Track::rest_without(const Viewers& viewers) {
  if (std::ranges::any_of(viewers, [this](const auto& viewer) { return shows(*viewer); })) return;
  encoder_.reset();
  kbits_ = 0;
  behind_ = false;
  polishes_left_ = 0;
}

}  // namespace hearth::display
