// Moves the clocks of a pool's daemons, see clock_shim.cc.
#pragma once

#include "harness/pool.h"

namespace hearth::e2e {

class MovableClock {
 public:
  // Before the pool is brought up.
  MovableClock(Pool& pool, const Scratch& scratch);
  ~MovableClock();
  MovableClock(const MovableClock&) = delete;
  MovableClock& operator=(const MovableClock&) = delete;

  void move_calendar(seconds by);  // from now on; not in addition to an earlier move
  void move_steady(seconds by);    // forward only

 private:
  std::int64_t* offsets_;
};

}  // namespace hearth::e2e
