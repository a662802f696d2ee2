// How much a link takes, by what the other end says of each packet: less when a queue builds up on the way or packets
// are lost, slowly more when there is none.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <vector>

#include "base/time.h"
#include "media/rtcp.h"

namespace hearth::media {

class Rate {
 public:
  static constexpr std::uint32_t kFirst = 2'500;  // kbit/s, as all
  static constexpr std::uint32_t kLeast = 300;
  static constexpr std::uint32_t kMost = 24'000;

  void sent(std::uint16_t number, std::size_t bytes, Time now);
  void heard(const std::vector<Arrival>& arrivals, Time now);

  std::uint32_t kbits() const { return kbits_; }
  // The packet that was sent last has come.
  bool newest_came() const { return next_ > 0 && newest_came_ == next_; }
  double loss() const { return loss_; }  // 0 to 1, of late
  Duration queueing() const { return queueing_; }

 private:
  struct Sent {
    std::size_t bytes = 0;
    Time at;
  };
  void judge(std::size_t came, std::size_t lost, Time now);
  void cut(double share_of_received, Time now);
  double received_kbits() const;

  std::map<std::uint64_t, Sent> sent_;  // by number, unwrapped
  std::uint64_t next_ = 0;
  std::uint64_t newest_came_ = 0;  // and one
  struct Came {
    Time at;  // the other's clock
    std::size_t bytes;
  };
  std::deque<Came> came_;  // of the last half second
  struct Way {
    Time at;
    Duration way;  // between two clocks, so only differences mean anything
  };
  std::deque<Way> shortest_;  // of the last ten seconds, growing
  Duration queueing_{};
  std::uint32_t kbits_ = kFirst;
  double loss_ = 0;
  bool was_cut_ = false;
  Time cut_{};
  Time grown_{};
};

}  // namespace hearth::media
