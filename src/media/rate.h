// How much a link takes, by what the other end says of each packet: less when a queue builds up on the way or packets
// are lost, slowly more when there is none.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <utility>
#include <vector>

#include "base/time.h"
#include "media/rtcp.h"

namespace hearth::media {

class Rate {
 public:
  static constexpr std::uint32_t kFirst = 2'500;  // kbit/s, as all
  static constexpr std::uint32_t kLeast = 300;
  static constexpr std::uint32_t kMost = 24'000;
  static constexpr std::uint32_t kMostReported = 8'000;

  // Of a copy nobody knows whether it was lost: if the first one had come, the other end passes it over.
  void sent(std::uint16_t number, std::size_t bytes, bool is_copy, Time now);
  void heard(const std::vector<Arrival>& arrivals, Time now);
  // The share that was lost of late, of a player that says no more than that: so a queue is only noticed when it
  // overflows, and the rate stays below what a picture gains little by.
  void reported(double lost, Time now);

  std::uint32_t kbits() const { return kbits_; }
  // So much was lost, at what the link takes now, that it would come too late: pictures go on sooner with a new one.
  // Told once for each time, and once in a second at most.
  bool take_fall() { return std::exchange(fell_, false); }
  // The packet that was sent last has come.
  bool newest_came() const { return next_ > 0 && newest_came_ == next_; }
  double loss() const { return loss_; }  // 0 to 1, of late
  // Whether each packet is worth sending twice: some are lost all the time though no queue is full, and so far away
  // that what is missed comes late. kbits() is of the first of both then.
  bool doubles() const { return doubles_; }
  Duration queueing() const { return queueing_; }
  std::size_t remembered() const { return came_.size(); }  // packets that came: 4,096 at most
  bool is_full() const;                                    // a queue has built up on the way

 private:
  struct Sent {
    std::size_t bytes = 0;
    bool is_copy = false;
    Time at;
  };
  void note_loss(double share, std::size_t bytes, Time now);
  void consider_doubling(double share, Time now);
  void judge(double loss, std::size_t lost, Time now);
  void cut(double wanted, Time now);
  double received_kbits(Duration window) const;

  std::map<std::uint64_t, Sent> sent_;  // by number, unwrapped
  std::uint64_t next_ = 0;
  std::uint64_t newest_came_ = 0;  // and one
  struct Bytes {
    Time at;
    std::size_t bytes;
  };
  std::deque<Bytes> came_;  // in the last half second, by the other's clock
  std::deque<Bytes> lost_;  // so too, by when that was said
  struct Way {
    Time at;
    Duration way;  // between two clocks, so only differences mean anything
  };
  std::deque<Way> shortest_;     // of the last ten seconds, growing
  std::deque<Way> round_trips_;  // so too: from sending to being told of it
  Duration queueing_{};
  std::uint32_t kbits_ = kFirst;
  std::size_t sent_since_ = 0;  // the last report, in bytes
  Time reported_{};
  double loss_ = 0;
  double loss_since_cut_ = 0;
  double usual_loss_ = 0;  // of the last seconds
  bool doubles_ = false;
  bool was_cut_ = false;
  bool fell_ = false;
  Time fell_at_{};
  Time cut_{};
  Time grown_{};
};

}  // namespace hearth::media
