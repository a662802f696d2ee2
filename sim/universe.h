// What everything in a simulated world shares.
#pragma once

#include <cstdint>
#include <string>

#include "sim/event_log.h"
#include "sim/measures.h"
#include "sim/random.h"
#include "sim/scenario.h"
#include "sim/scheduler.h"

namespace hearth::sim {

struct Universe {
  Universe(const Scenario& the_scenario, std::uint64_t seed) : scenario(the_scenario), random(seed) {}
  Universe(const Universe&) = delete;
  Universe& operator=(const Universe&) = delete;

  Scenario scenario;
  Random random;
  Scheduler scheduler;
  EventLog log;
  Measures measures;
  bool calm = false;     // nothing goes wrong any more
  bool settled = false;  // and what did is noticed everywhere
  std::string failure;   // the first thing that must not happen, and did

  Time now() const { return scheduler.now(); }

  template <class... Parts>
  void say(const Parts&... parts) {
    log.add(now(), parts...);
  }
  template <class... Parts>
  void fail(const Parts&... parts) {
    say("VIOLATION", parts...);
    if (failure.empty()) failure = log.tail().back();
  }
  // Whether something bad happens now.
  bool strikes(std::uint32_t permille) { return !calm && random.chance(permille); }
  // The same of one of many.
  bool strikes_one(std::uint32_t permille) {
    return !calm && random.chance(permille, std::uint64_t{1000} * scenario.rarity);
  }
};

}  // namespace hearth::sim
