#include "media/rate.h"

#include <algorithm>

namespace hearth::media {
namespace {

constexpr Duration kQueued = milliseconds(50);
constexpr Duration kBriefly = milliseconds(20);
constexpr double kLossy = 0.08;
constexpr double kBurst = 0.30;  // of one report: the queue on the way has overflowed
constexpr Duration kBetweenCuts = milliseconds(200);
constexpr Duration kBetweenSteps = milliseconds(200);
constexpr Duration kCalm = seconds(3);
constexpr Duration kWindow = milliseconds(500);
constexpr Duration kOfLate = milliseconds(150);
constexpr Duration kLate = milliseconds(200);
constexpr Duration kBetweenFalls = seconds(1);
constexpr Duration kMemory = seconds(10);
constexpr std::size_t kMaxSent = 16'384;
constexpr std::size_t kMaxCame = 4'096;  // more than kMost makes of them in kWindow
// Sent twice costs half of the picture's bits: where there are enough, to spare it a round trip of at least so long.
constexpr Duration kFar = milliseconds(30);
constexpr double kWorthDoubling = 0.004;
constexpr double kHardlyLossy = 0.001;
constexpr std::uint32_t kLeastDoubled = 1'500;
constexpr double kLossyReport = 0.10;
constexpr double kCleanReport = 0.02;

template <class Ways>
void keep_shortest(Ways& ways, Duration way, Time now) {
  while (!ways.empty() && ways.back().way >= way) ways.pop_back();
  ways.push_back({now, way});
  while (now - ways.front().at > kMemory) ways.pop_front();
}

}  // namespace

bool Rate::is_full() const { return queueing_ > kQueued; }

void Rate::sent(std::uint16_t number, std::size_t bytes, bool is_copy, Time now) {
  const auto step = static_cast<std::uint16_t>(number - static_cast<std::uint16_t>(next_));
  next_ += step;
  sent_since_ += bytes;
  sent_[next_++] = {bytes, is_copy, now};
  if (sent_.size() > kMaxSent) sent_.erase(sent_.begin());
}

void Rate::heard(const std::vector<Arrival>& arrivals, Time now) {
  std::size_t came = 0;
  std::size_t lost = 0;
  std::size_t newer = 0;
  std::size_t newer_lost = 0;
  std::size_t lost_bytes = 0;
  Duration least{INT64_MAX};
  Duration round_trip{INT64_MAX};
  for (const Arrival& arrival : arrivals) {
    const auto back = static_cast<std::uint16_t>(static_cast<std::uint16_t>(next_) - arrival.number);
    const auto found = next_ >= back ? sent_.find(next_ - back) : sent_.end();
    if (found == sent_.end() || (found->second.is_copy && !arrival.at)) continue;
    // What was on its way when the rate was cut tells of the rate before, and is no reason to cut it again.
    const bool is_newer = found->second.at > cut_;
    if (is_newer) ++newer;
    if (!arrival.at) {
      ++lost;  // or on its way still: then a later report has it
      if (is_newer) ++newer_lost;
      lost_bytes += found->second.bytes;
      continue;
    }
    ++came;
    newest_came_ = std::max(newest_came_, found->first + 1);
    const Duration way = *arrival.at - found->second.at;
    least = std::min(least, way);
    round_trip = std::min(round_trip, now - found->second.at);
    came_.push_back({*arrival.at, found->second.bytes});
    sent_.erase(found);
  }
  if (came == 0) return;
  // The other's clock may stand still, and it goes back when its 24 bits have come to their end.
  const auto is_far = [this](const Bytes& one) {
    return came_.back().at - one.at > kWindow || one.at - came_.back().at > kWindow;
  };
  while (is_far(came_.front()) || came_.size() > kMaxCame) came_.pop_front();
  keep_shortest(shortest_, least, now);
  keep_shortest(round_trips_, round_trip, now);
  queueing_ = least - shortest_.front().way;
  const double share = static_cast<double>(lost) / static_cast<double>(came + lost);
  note_loss(share, lost_bytes, now);
  consider_doubling(share, now);
  if (newer > 0) judge(static_cast<double>(newer_lost) / static_cast<double>(newer), newer_lost, now);
}

void Rate::reported(double lost, Time now) {
  loss_ += 0.3 * (lost - loss_);
  const double spent = std::max(0.2, (now - reported_).seconds());
  const double used = static_cast<double>(std::exchange(sent_since_, 0)) * 8 / 1'000 / spent;
  reported_ = now;
  if (lost > kLossyReport) return cut((1 - lost / 2) * kbits_, now);
  if (lost > kCleanReport || used < 0.5 * kbits_ || now - grown_ < kBetweenSteps) return;
  const double factor = was_cut_ && now - cut_ < kCalm ? 1.03 : 1.08;
  kbits_ = std::max(kbits_, std::min(kMostReported, static_cast<std::uint32_t>(kbits_ * factor) + 1));
  grown_ = now;
}

void Rate::note_loss(double share, std::size_t bytes, Time now) {
  loss_ += 0.1 * (share - loss_);
  if (bytes > 0) lost_.push_back({now, bytes});
  while (!lost_.empty() && now - lost_.front().at > kWindow) lost_.pop_front();
  std::size_t sum = 0;
  for (const Bytes& one : lost_) sum += one.bytes;
  const double received = received_kbits(kOfLate);
  const bool comes_late = static_cast<double>(sum) * 8 / received > kLate.seconds() * 1'000;
  if (!comes_late || now - fell_at_ < kBetweenFalls) return;
  fell_ = true;
  fell_at_ = now;
  lost_.clear();
  cut_ = {};
  cut(0.7 * received, now);
}

void Rate::consider_doubling(double share, Time now) {
  usual_loss_ += 0.02 * (share - usual_loss_);
  const bool is_worth_it = usual_loss_ > kWorthDoubling && round_trips_.front().way > kFar;
  if (!doubles_ && is_worth_it && !is_full() && kbits_ >= 2 * kLeastDoubled) {
    doubles_ = true;
    kbits_ /= 2;
    grown_ = now;
  } else if (doubles_ && (usual_loss_ < kHardlyLossy || kbits_ < kLeastDoubled / 2)) {
    doubles_ = false;
  }
}

double Rate::received_kbits(Duration window) const {
  if (came_.size() < 2) return kLeast;
  std::size_t bytes = 0;
  Time first = came_.back().at;
  for (auto one = came_.rbegin(); one != came_.rend() && came_.back().at - one->at <= window; ++one) {
    bytes += one->bytes;
    first = one->at;
  }
  const double spent = std::max(0.05, (came_.back().at - first).seconds());
  return static_cast<double>(bytes) * 8 / 1'000 / spent;
}

void Rate::cut(double wanted, Time now) {
  if (now - cut_ < kBetweenCuts) return;
  kbits_ = static_cast<std::uint32_t>(std::clamp<double>(std::min(0.85 * kbits_, wanted), kLeast, kMost));
  cut_ = grown_ = now;
  was_cut_ = true;
  loss_since_cut_ = 0;
}

void Rate::judge(double loss, std::size_t lost, Time now) {
  loss_since_cut_ += 0.1 * (loss - loss_since_cut_);
  if (loss > kBurst && lost >= 4) return cut(0.7 * received_kbits(kOfLate), now);
  const bool is_draining = received_kbits(kOfLate) > 1.1 * kbits_;
  if ((is_full() && !is_draining) || loss_since_cut_ > kLossy) return cut(0.85 * received_kbits(kWindow), now);
  // What is not used is not known to be there.
  if (queueing_ > kBriefly || now - grown_ < kBetweenSteps || received_kbits(kWindow) < 0.5 * kbits_) return;
  const double factor = !was_cut_ ? 1.2 : now - cut_ > kCalm ? 1.06 : 1.02;
  kbits_ = std::min(doubles_ ? kMost / 2 : kMost, static_cast<std::uint32_t>(kbits_ * factor) + 1);
  grown_ = now;
}

}  // namespace hearth::media
