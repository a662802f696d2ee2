#include "sim/volunteers.h"

#include <algorithm>
#include <array>

namespace hearth::sim {
namespace {

constexpr Duration kLivedBefore = minutes(60 * 24 * 60);
constexpr Duration kMayBeOff = minutes(10);

// Hours, and rates per hour.
struct Cluster {
  bool is_weibull = false;  // else gamma
  double shape = 0;
  double scale = 0;
  std::array<double, 3> weights;
  std::array<double, 3> rates;
};

constexpr std::array<Cluster, kClusters> kFits{{
    {false, 0.289, 311.711, {0.141, 0.683, 0.176}, {0.008, 37.816, 1.013}},
    {false, 0.340, 152.216, {0.142, 0.660, 0.198}, {0.013, 30.636, 0.777}},
    {true, 0.431, 1.682, {0.398, 0.305, 0.298}, {0.031, 11.566, 1.322}},
    {false, 0.357, 371.622, {0.106, 0.743, 0.151}, {0.009, 45.241, 0.961}},
    {false, 0.342, 89.223, {0.179, 0.566, 0.255}, {0.016, 27.587, 0.536}},
    {false, 0.357, 43.652, {0.338, 0.390, 0.272}, {0.029, 30.121, 1.069}},
}};

Duration hours(double count) {
  const double most = 400.0 * 24;
  return std::max(seconds(1), milliseconds(static_cast<std::int64_t>(std::min(count, most) * 3'600'000)));
}

}  // namespace

Duration sample_open(std::uint32_t cluster, Random& random) {
  const Cluster& fit = kFits.at(cluster);
  return hours(fit.is_weibull ? random.weibull(fit.shape, fit.scale) : random.gamma(fit.shape, fit.scale));
}

Duration sample_shut(std::uint32_t cluster, Random& random) {
  const Cluster& fit = kFits.at(cluster);
  double rest = random.fraction() * (fit.weights[0] + fit.weights[1] + fit.weights[2]);
  std::size_t phase = 0;
  while (phase < 2 && rest > fit.weights[phase]) rest -= fit.weights[phase++];
  return hours(random.exponential(1 / fit.rates[phase]));
}

void Volunteers::join(Machine& machine) {
  const std::size_t host = hosts_.size();
  const std::uint32_t cluster = universe_.random.below(kClusters);
  hosts_.push_back({&machine, cluster});
  Duration lived;
  bool is_open = false;
  while (true) {
    is_open = !is_open;
    const Duration span = is_open ? sample_open(cluster, universe_.random) : sample_shut(cluster, universe_.random);
    lived = lived + span;
    if (lived > kLivedBefore) break;
  }
  if (is_open) {
    open(host, lived - kLivedBefore);
  } else {
    shut(host, lived - kLivedBefore);
  }
}

void Volunteers::open(std::size_t host, Duration span) {
  Machine& machine = *hosts_[host].machine;
  machine.set_owner_present(false);
  machine.set_power(true);
  universe_.measures.note_open(machine.id(), machine.size().cores, universe_.now());
  universe_.scheduler.after(span, [this, host] {
    if (!universe_.calm) shut(host, sample_shut(hosts_[host].cluster, universe_.random));
  });
}

void Volunteers::shut(std::size_t host, Duration span) {
  Machine& machine = *hosts_[host].machine;
  const bool is_off = span > kMayBeOff && universe_.random.chance(500);
  universe_.measures.note_shut(machine.id(), is_off, universe_.now());
  if (is_off) machine.set_power(false);
  if (!is_off) machine.set_owner_present(true);
  universe_.scheduler.after(span, [this, host] {
    if (!universe_.calm) open(host, sample_open(hosts_[host].cluster, universe_.random));
  });
}

void Volunteers::leave() {
  for (std::size_t host = 0; host < hosts_.size(); ++host) {
    Machine& machine = *hosts_[host].machine;
    machine.set_power(true);
    universe_.measures.note_open(machine.id(), machine.size().cores, universe_.now());
  }
}

}  // namespace hearth::sim
