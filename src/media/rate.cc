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
constexpr Duration kMemory = seconds(10);
constexpr std::size_t kMaxSent = 16'384;

}  // namespace

void Rate::sent(std::uint16_t number, std::size_t bytes, Time now) {
  const auto step = static_cast<std::uint16_t>(number - static_cast<std::uint16_t>(next_));
  next_ += step;
  sent_[next_++] = {bytes, now};
  if (sent_.size() > kMaxSent) sent_.erase(sent_.begin());
}

void Rate::heard(const std::vector<Arrival>& arrivals, Time now) {
  std::size_t came = 0;
  std::size_t lost = 0;
  Duration least{INT64_MAX};
  for (const Arrival& arrival : arrivals) {
    const auto back = static_cast<std::uint16_t>(static_cast<std::uint16_t>(next_) - arrival.number);
    const auto found = next_ >= back ? sent_.find(next_ - back) : sent_.end();
    if (found == sent_.end()) continue;
    if (!arrival.at) {
      ++lost;  // or on its way still: then a later report has it
      continue;
    }
    ++came;
    newest_came_ = std::max(newest_came_, found->first + 1);
    const Duration way = *arrival.at - found->second.at;
    least = std::min(least, way);
    came_.push_back({*arrival.at, found->second.bytes});
    sent_.erase(found);
  }
  if (came == 0) return;
  while (!came_.empty() && came_.back().at - came_.front().at > kWindow) came_.pop_front();
  while (!shortest_.empty() && shortest_.back().way >= least) shortest_.pop_back();
  shortest_.push_back({now, least});
  while (now - shortest_.front().at > kMemory) shortest_.pop_front();
  queueing_ = least - shortest_.front().way;
  judge(came, lost, now);
}

double Rate::received_kbits() const {
  if (came_.size() < 2) return kLeast;
  std::size_t bytes = 0;
  for (const Came& one : came_) bytes += one.bytes;
  const double spent = std::max(0.05, (came_.back().at - came_.front().at).seconds());
  return static_cast<double>(bytes) * 8 / 1'000 / spent;
}

void Rate::cut(double share_of_received, Time now) {
  if (now - cut_ < kBetweenCuts) return;
  const double wanted = std::min(0.85 * kbits_, share_of_received * received_kbits());
  kbits_ = static_cast<std::uint32_t>(std::clamp<double>(wanted, kLeast, kMost));
  cut_ = grown_ = now;
  was_cut_ = true;
}

void Rate::judge(std::size_t came, std::size_t lost, Time now) {
  const double share = static_cast<double>(lost) / static_cast<double>(came + lost);
  loss_ += 0.1 * (share - loss_);
  if (share > kBurst && lost >= 4) return cut(0.7, now);
  if (queueing_ > kQueued || loss_ > kLossy) return cut(0.85, now);
  // What is not used is not known to be there.
  if (queueing_ > kBriefly || now - grown_ < kBetweenSteps || received_kbits() < 0.5 * kbits_) return;
  const double factor = !was_cut_ ? 1.2 : now - cut_ > kCalm ? 1.06 : 1.02;
  kbits_ = std::min(kMost, static_cast<std::uint32_t>(kbits_ * factor) + 1);
  grown_ = now;
}

}  // namespace hearth::media
