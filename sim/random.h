// The one source of chance in a simulation: the same seed gives the same numbers on every machine.
#pragma once

#include <cmath>
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
  bool chance(std::uint32_t part, std::uint64_t whole) { return part > 0 && next() % whole < part; }
  // Between 0 and 1, neither included.
  double fraction() { return (static_cast<double>(next() >> 11) + 0.5) * 0x1.0p-53; }
  double exponential(double mean) { return -mean * std::log(fraction()); }
  double weibull(double shape, double scale) { return scale * std::pow(-std::log(fraction()), 1 / shape); }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(fraction()));
    return radius * std::cos(2 * 3.14159265358979323846 * fraction());
  }
  double log_normal(double mu, double sigma) { return std::exp(mu + sigma * normal()); }
  double gamma(double shape, double scale);
  // From low to high, both included.
  Duration between(Duration low, Duration high) {
    const auto span = static_cast<std::uint64_t>((high - low).micros) + 1;
    return low + microseconds(static_cast<std::int64_t>(next() % span));
  }

 private:
  std::uint64_t state_;
};

// Marsaglia and Tsang (2000); below a shape of 1, theirs of shape + 1 times a power.
inline double Random::gamma(double shape, double scale) {
  if (shape < 1) return gamma(shape + 1, scale) * std::pow(fraction(), 1 / shape);
  const double d = shape - 1.0 / 3;
  const double c = 1 / std::sqrt(9 * d);
  for (;;) {
    const double x = normal();
    const double v = std::pow(1 + c * x, 3);
    if (v > 0 && std::log(fraction()) < x * x / 2 + d - d * v + d * std::log(v)) return d * v * scale;
  }
}

}  // namespace hearth::sim
