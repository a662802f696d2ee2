// Owners who come and go after what was measured of 230,000 hosts of SETI@home: Javadi, Kondo, Vincent, Anderson,
// "Mining for statistical models of availability in large-scale distributed systems" (MASCOTS 2009). Six clusters of
// hosts, each with a distribution of the spells in which guests may compute, and one of those in which they may not;
// here a sixth of the nodes is of each. A host has lived so for 60 days when the simulation begins.
//
// What the measurements do not tell is made up: a spell without guests is its owner at the PC, and of those longer than
// ten minutes every other is a PC that is off.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/time.h"
#include "sim/machine.h"
#include "sim/random.h"
#include "sim/universe.h"

namespace hearth::sim {

inline constexpr std::uint32_t kClusters = 6;

// How long a spell is. Not below a second, not above 400 days.
Duration sample_open(std::uint32_t cluster, Random& random);
Duration sample_shut(std::uint32_t cluster, Random& random);

class Volunteers {
 public:
  explicit Volunteers(Universe& universe) : universe_(universe) {}

  // From now on, until all is calm. The machine has to outlive this.
  void join(Machine& machine);
  // All is calm: owners stay away.
  void leave();

 private:
  struct Host {
    Machine* machine = nullptr;
    std::uint32_t cluster = 0;
  };

  void open(std::size_t host, Duration span);
  void shut(std::size_t host, Duration span);

  Universe& universe_;
  std::vector<Host> hosts_;
};

}  // namespace hearth::sim
