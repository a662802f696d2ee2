// hearth-sim [scenario]... [--seed=N] [--seeds=COUNT] [--once] [--plant-bug] [--nodes=N] [--tasks=N]: simulated pools
// in which everything that can go wrong does. Each seed runs twice, to see that it gives the same log; not with --once.
// --nodes and --tasks are the size of fleets. Exit code 0: all held; 1: something that must not happen did (with how to
// see it again); 2: usage.
#include <cstdint>
#include <cstdlib>
#include <iomanip>
#include <iostream>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/scenario.h"
#include "sim/world.h"

namespace {

using hearth::sim::Bugs;
using hearth::sim::Outcome;
using hearth::sim::Scenario;

struct Arguments {
  std::vector<Scenario> scenarios;
  std::uint64_t seed = 1;
  std::uint64_t seeds = 1;
  std::uint64_t nodes = 0;  // of fleets; 0: as the scenario says
  std::uint64_t tasks = 0;
  bool once = false;
  Bugs bugs;
};

int usage(std::string_view complaint) {
  std::cerr << "error: " << complaint
            << "\nusage: hearth-sim [SCENARIO] [--seed=N] [--seeds=COUNT] [--once] [--plant-bug] [--nodes=N] "
               "[--tasks=N]\nscenarios (default: all):\n";
  for (const Scenario& scenario : hearth::sim::scenarios()) {
    std::cerr << "  " << scenario.name << ": " << scenario.about << "\n";
  }
  return 2;
}

std::optional<std::uint64_t> number_after(std::string_view argument, std::string_view prefix) {
  if (!argument.starts_with(prefix) || argument.size() == prefix.size() || argument.size() > prefix.size() + 18) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char c : argument.substr(prefix.size())) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

bool parse(std::string_view argument, Arguments& arguments) {
  if (const auto seed = number_after(argument, "--seed=")) {
    arguments.seed = *seed;
  } else if (const auto seeds = number_after(argument, "--seeds=")) {
    arguments.seeds = *seeds;
  } else if (const auto nodes = number_after(argument, "--nodes=")) {
    arguments.nodes = *nodes;
  } else if (const auto tasks = number_after(argument, "--tasks=")) {
    arguments.tasks = *tasks;
  } else if (argument == "--once") {
    arguments.once = true;
  } else if (argument == "--plant-bug") {
    arguments.bugs.accept_old_epochs = true;
  } else if (const auto scenario = hearth::sim::find_scenario(argument)) {
    arguments.scenarios.push_back(*scenario);
  } else {
    return false;
  }
  return true;
}

void report(const Scenario& scenario, std::uint64_t seed, const Bugs& bugs, const std::string& failure,
            const std::vector<std::string>& tail) {
  for (const std::string& line : tail) std::cout << "  " << line << "\n";
  std::cout << "FAILED: " << failure << "\nreplay: hearth-sim " << scenario.name << " --seed=" << seed
            << (bugs.accept_old_epochs ? " --plant-bug" : "") << "\n";
}

void tell(std::uint64_t seed, const hearth::sim::Measures::Figures& figures) {
  std::cout << std::fixed << std::setprecision(1) << "seed " << seed << ": shortfall " << figures.shortfall * 100
            << " %, surplus " << figures.surplus * 100 << " %, longest wait " << figures.longest_wait.seconds()
            << " s, goodput " << figures.goodput * 100 << " % of the oracle's (idle " << figures.idle * 100
            << " %, lost with nodes " << figures.lost_with_nodes * 100 << " %, with owners "
            << figures.lost_with_owners * 100 << " %)" << (figures.ran_dry ? ", ran dry" : "") << std::endl;
}

// How many seeds failed. Each runs twice, if not told otherwise: the same seed has to give the same log.
std::uint64_t run(const Scenario& scenario, const Arguments& arguments) {
  std::uint64_t failed = 0;
  std::uint64_t events = 0;
  double simulated = 0;
  for (std::uint64_t seed = arguments.seed; seed < arguments.seed + arguments.seeds; ++seed) {
    const Outcome outcome = hearth::sim::simulate(scenario, seed, arguments.bugs);
    events += outcome.events;
    simulated += outcome.simulated.seconds();
    std::string failure = outcome.failure;
    if (outcome.figures) tell(seed, *outcome.figures);
    if (failure.empty() && !arguments.once &&
        hearth::sim::simulate(scenario, seed, arguments.bugs).hash != outcome.hash) {
      failure = "the same seed gave two different logs";
    }
    if (failure.empty()) continue;
    ++failed;
    report(scenario, seed, arguments.bugs, failure, outcome.tail);
  }
  std::cout << scenario.name << ": " << arguments.seeds << " seeds, " << failed << " failed, "
            << static_cast<std::uint64_t>(simulated) << " simulated seconds, " << events << " events\n";
  return failed;
}

}  // namespace

int main(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    if (!parse(argv[i], arguments)) return usage(std::string(argv[i]) + " is no scenario or option");
  }
  if (arguments.scenarios.empty()) {
    arguments.scenarios.assign(hearth::sim::scenarios().begin(), hearth::sim::scenarios().end());
  }
  std::uint64_t failed = 0;
  for (Scenario& scenario : arguments.scenarios) {
    if (scenario.accounts > 0 && arguments.nodes > 0) scenario.nodes = static_cast<std::uint32_t>(arguments.nodes);
    if (scenario.accounts > 0 && arguments.tasks > 0) scenario.tasks = static_cast<std::uint32_t>(arguments.tasks);
    failed += run(scenario, arguments);
  }
  return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
