// A simulated pool: clients, a hub, nodes, a network, and what befalls them; first chaos, then calm, in which
// everything has to end. One seed gives one course of events.
//
//   const Outcome outcome = simulate(*find_scenario("crashes"), 7, {});
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/measures.h"
#include "sim/scenario.h"

namespace hearth::sim {

struct Outcome {
  std::string failure;  // empty: all held
  std::uint64_t hash = 0;
  std::uint64_t events = 0;
  Duration simulated;
  std::uint32_t jobs = 0;
  std::uint32_t accepted_ends = 0;
  std::uint32_t copies = 0;                  // that were placed
  std::optional<Measures::Figures> figures;  // of a fleet
  std::vector<std::string> tail;             // the last lines of the log
};

struct Bugs {
  bool accept_old_epochs = false;  // planted, to prove that it would be found
};

Outcome simulate(const Scenario& scenario, std::uint64_t seed, const Bugs& bugs);

}  // namespace hearth::sim
