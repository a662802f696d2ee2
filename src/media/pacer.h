// The packets of all streams on their way out: at a pace that the link can take, those that were lost again, all of
// them twice where that is worth it, and the last one once more when nothing follows it, since nobody misses a packet
// of which there is no later one.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace hearth::media {

class Pacer {
 public:
  // `is_full`: a queue waits on the way, which what goes faster than the rate would overflow. `doubles`: each packet
  // goes a second time some milliseconds later, beyond the rate: what lost the first may be over then.
  void set_rate(std::uint32_t kbits, bool is_full, bool doubles = false) {
    kbits_ = kbits;
    is_full_ = is_full;
    doubles_ = doubles;
  }

  void add(std::vector<std::string> packets);
  // A packet that the other end misses; kept for two seconds after it was sent. Those that come again take half of the
  // rate at most: on a link that loses much since it is full, they would fill it.
  void again(std::uint32_t source, std::uint16_t sequence, Time now);

  // Nothing of what was added until now is sent any more, be it missed.
  void give_up();

  struct Ready {
    std::string packet;
    bool is_copy = false;  // of one that was sent before
  };
  // What is to be sent now.
  std::vector<Ready> take(Time now);
  // When there is more; nothing: not before something is added.
  std::optional<Time> next() const;

  std::size_t waiting_bytes() const { return waiting_bytes_; }

 private:
  struct Kept {
    std::string packet;
    Time sent;
  };
  struct Second {
    std::string packet;
    Time due;
  };
  void keep(const std::string& packet, Time now);
  bool second_is_due(Time now) const { return !seconds_.empty() && seconds_.front().due <= now; }

  std::deque<Ready> waiting_;
  std::size_t waiting_bytes_ = 0;
  std::deque<Second> seconds_;  // of what was sent when each went twice
  std::map<std::pair<std::uint32_t, std::uint16_t>, Kept> kept_;
  std::deque<std::pair<std::uint32_t, std::uint16_t>> order_;  // of kept_, the oldest first
  std::uint32_t kbits_ = 2'500;
  bool is_full_ = false;
  bool doubles_ = false;
  Time free_{};  // when the next packet may go
  Time last_{};
  Time again_free_{};         // when the next one may come again
  std::size_t repeated_ = 0;  // the last packet, so many times
  std::string newest_;
};

}  // namespace hearth::media
