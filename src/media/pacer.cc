#include "media/pacer.h"

#include <algorithm>
#include <array>
#include <utility>

#include "media/bits.h"
#include "media/rtp.h"

namespace hearth::media {
namespace {

constexpr Duration kKeptFor = seconds(2);
constexpr std::size_t kMaxKept = 4'096;
constexpr Duration kBetweenRepeats = milliseconds(25);  // of one packet that is missed
constexpr Duration kSecond = milliseconds(6);           // after the first
constexpr Duration kBurst = milliseconds(5);            // what may go at once
constexpr Duration kAgainBurst = milliseconds(200);     // of what may come again
constexpr std::uint32_t kHeadroom = 6;                  // a picture is out in a sixth of its time
// After the last packet.
constexpr std::array kTail = {milliseconds(20), milliseconds(70), milliseconds(200), milliseconds(600)};

}  // namespace

void Pacer::add(std::vector<std::string> packets) {
  for (std::string& packet : packets) {
    waiting_bytes_ += packet.size();
    waiting_.push_back({std::move(packet)});
  }
}

void Pacer::again(std::uint32_t source, std::uint16_t sequence, Time now) {
  const auto found = kept_.find({source, sequence});
  if (found == kept_.end() || now - found->second.sent < kBetweenRepeats) return;
  again_free_ = std::max(again_free_, now - kAgainBurst);
  if (again_free_ > now) return;
  again_free_ = again_free_ + microseconds(static_cast<std::int64_t>(found->second.packet.size()) * 16'000 / kbits_);
  found->second.sent = now;
  waiting_bytes_ += found->second.packet.size();
  waiting_.push_front({found->second.packet, true});
}

void Pacer::give_up() {
  waiting_.clear();
  waiting_bytes_ = 0;
  seconds_.clear();
  kept_.clear();
  order_.clear();
  newest_.clear();
}

void Pacer::keep(const std::string& packet, Time now) {
  const auto name = std::pair(static_cast<std::uint32_t>(number_at(packet, 8, 4)), sequence_number(packet));
  const auto [place, is_new] = kept_.insert_or_assign(name, Kept{packet, now});
  if (is_new) order_.push_back(name);
  while (!order_.empty()) {
    const auto oldest = kept_.find(order_.front());
    const bool is_old = oldest != kept_.end() && now - oldest->second.sent > kKeptFor;
    if (oldest != kept_.end() && !is_old && kept_.size() <= kMaxKept) break;
    if (oldest != kept_.end()) kept_.erase(oldest);
    order_.pop_front();
  }
}

std::vector<Pacer::Ready> Pacer::take(Time now) {
  std::vector<Ready> out;
  const std::uint32_t pace = (is_full_ ? 1 : kHeadroom) * (doubles_ ? 2 : 1) * kbits_;
  free_ = std::max(free_, now - kBurst);
  while ((!waiting_.empty() || second_is_due(now)) && free_ <= now) {
    if (second_is_due(now)) {
      out.push_back({std::move(seconds_.front().packet), true});
      seconds_.pop_front();
    } else {
      out.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      waiting_bytes_ -= out.back().packet.size();
      if (doubles_ && !out.back().is_copy) seconds_.push_back({out.back().packet, now + kSecond});
    }
    const std::string& packet = out.back().packet;
    free_ = free_ + microseconds(static_cast<std::int64_t>(packet.size()) * 8'000 / pace);
    keep(packet, now);
    newest_ = packet;
    last_ = now;
    repeated_ = 0;
  }
  const bool tail = waiting_.empty() && seconds_.empty() && !newest_.empty() && repeated_ < kTail.size();
  if (tail && now - last_ >= kTail[repeated_]) {
    ++repeated_;
    out.push_back({newest_, true});
  }
  return out;
}

std::optional<Time> Pacer::next() const {
  if (!waiting_.empty()) return free_;
  if (!seconds_.empty()) return std::max(free_, seconds_.front().due);
  if (newest_.empty() || repeated_ >= kTail.size()) return std::nullopt;
  return last_ + kTail[repeated_];
}

}  // namespace hearth::media
