#include "sim/fleet.h"

#include <algorithm>
#include <array>

#include "base/sizes.h"

namespace hearth::sim {
namespace {

constexpr auto kCores = std::to_array<std::uint32_t>({2, 4, 4, 6, 8, 8, 12, 16});
constexpr auto kWeights = std::to_array<std::uint32_t>({100, 200, 50, 300, 100, 150, 80, 220});
constexpr auto kNeeds = std::to_array<std::uint32_t>({1, 1, 2, 4});  // two on average
constexpr std::uint64_t kJobs = 1'000;                               // of those whose tasks always wait, about
constexpr std::uint32_t kFewestTasks = 20;                           // of one of these jobs, but for the last
constexpr std::uint32_t kOpenPermille = 700;                         // of all cores, with volunteers
constexpr double kPlenty = 1.6;                                      // work, so that nobody runs dry
constexpr Duration kVisitsEvery = minutes(4);
constexpr AccountId kVisitor{900};

Resources needs_of(std::uint32_t cores) { return {cores, kGiB * cores, 0}; }

StoredJob order_of(AccountId account, std::uint32_t tasks, std::uint32_t cores, Duration shortest, Duration longest) {
  StoredJob job;
  job.request.owner = DeviceId{1'000 + account.value};
  job.request.account = account;
  job.request.tasks = tasks;
  job.request.per_task = needs_of(cores);
  job.request.retries = 3;
  job.behaviour.shortest = shortest;
  job.behaviour.longest = longest;
  job.time_limit = minutes(24 * 60);
  return job;
}

// One of those whose tasks always wait: the one that is furthest behind its due.
std::size_t next_account(const std::vector<double>& given) {
  return static_cast<std::size_t>(std::ranges::min_element(given) - given.begin());
}

}  // namespace

Resources fleet_size(Random& random) {
  const std::uint32_t cores = kCores.at(random.below(kCores.size()));
  return {cores, 2 * kGiB * cores, 0};
}

std::vector<pool::AccountTerms> fleet_accounts(const Scenario& scenario) {
  std::vector<pool::AccountTerms> all;
  for (std::uint32_t i = 0; i < scenario.accounts; ++i) {
    all.push_back({.id = AccountId{i + 1}, .weight = kWeights.at(i % kWeights.size()), .is_set = true});
  }
  all.push_back({.id = kVisitor, .weight = 100, .is_set = true});
  return all;
}

std::vector<FleetOrder> fleet_orders(Universe& universe, std::uint64_t cores) {
  const Scenario& scenario = universe.scenario;
  Random& random = universe.random;
  std::vector<FleetOrder> orders;
  const Duration lasting = kFleetWarmUp + kFleetWindow + kFleetAfter;
  const double open = static_cast<double>(cores) * (scenario.volunteers ? kOpenPermille / 1000.0 : 1);
  const double mean = kPlenty * open * lasting.seconds() / scenario.tasks / (scenario.single ? 1 : 2);
  const auto tasks_per_job = std::max(kFewestTasks, static_cast<std::uint32_t>(scenario.tasks / kJobs));
  const auto accounts = fleet_accounts(scenario);
  std::vector<double> given(scenario.accounts, 0.0);
  for (std::uint32_t left = scenario.tasks; left > 0;) {
    const std::uint32_t tasks = std::min(left, tasks_per_job / 2 + random.below(tasks_per_job));
    left -= tasks;
    const std::size_t account = next_account(given);
    const std::uint32_t each = scenario.single ? 1 : kNeeds.at(random.below(kNeeds.size()));
    const double length = mean * (0.5 + random.fraction());
    given[account] += tasks * length * each / accounts[account].weight;
    const auto part = [length](double of) { return milliseconds(static_cast<std::int64_t>(length * of * 1'000)); };
    orders.push_back(
        {order_of(accounts[account].id, tasks, each, part(0.75), part(1.25)), random.between(Duration{}, minutes(3))});
    universe.measures.note_task_length(part(0.75));
  }
  for (Duration at = minutes(2); at < lasting; at = at + kVisitsEvery) {
    const std::uint32_t each = random.chance(300) ? 8 : 1 + random.below(2);
    const Duration shortest = std::max(seconds(1), milliseconds(static_cast<std::int64_t>(mean * 100)));
    orders.push_back({order_of(kVisitor, 1 + random.below(4), each, shortest, shortest * 3), at});
    universe.measures.note_task_length(shortest);
  }
  return orders;
}

}  // namespace hearth::sim
