// The one source of chance in a simulation: the same seed gives the same numbers on every machine.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace hearth::sim {

// splitmix64.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e3779b97f4a7c15U);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
    return z ^ (z >> 31);
  }
  // From 0 to bound - 1; bound is at least 1.
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(next() % bound); }
  bool chance(std::uint32_t permille) { return permille > 0 && below(1000) < permille; }
  // From low to high, both included.
  Duration between(Duration low, Duration high) {
    const auto span = static_cast<std::uint64_t>((high - low).micros) + 1;
    return low + microseconds(static_cast<std::int64_t>(next() % span));
  }

 private:
  std::uint64_t state_;
};

}  // namespace hearth::sim
