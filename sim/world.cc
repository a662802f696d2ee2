#include "sim/world.h"

#include <iterator>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "base/sizes.h"
#include "sim/checker.h"
#include "sim/fleet.h"
#include "sim/hubs.h"
#include "sim/machine.h"
#include "sim/network.h"
#include "sim/universe.h"
#include "sim/volunteers.h"

namespace hearth::sim {
namespace {

constexpr std::uint32_t kLargeCores = 8;
constexpr Duration kAllEndsWithin = minutes(240);
constexpr Duration kQuiet = seconds(60);
constexpr Duration kSettledWithin = seconds(40);
constexpr std::uint32_t kMinutesPerDay = 1440;
constexpr std::uint64_t kWorkspaceBytes = kGiB;
constexpr Admission kAdmitsWorkspaces = Admission().with_workspaces(3 * kWorkspaceBytes);

Resources size_of(std::uint32_t cores) { return {cores, 2 * kGiB * cores, cores >= kLargeCores ? 1U : 0U}; }

pool::Options options_of(const Scenario& scenario, const Bugs& bugs) {
  pool::Options options;
  options.copy_floor = scenario.copy_floor;
  options.fence_epochs = !bugs.accept_old_epochs;
  return options;
}

class World {
 public:
  World(const Scenario& scenario, std::uint64_t seed, const Bugs& bugs)
      : universe_(scenario, seed),
        network_(universe_),
        checker_(universe_),
        volunteers_(universe_),
        hubs_(universe_, network_, checker_, options_of(scenario, bugs)) {}

  Outcome run();

 private:
  struct Order {
    StoredJob job;
    bool settled = false;
    JobId id;               // once acknowledged
    bool unwanted = false;  // somebody asked for its removal
  };

  void wire();
  void add_node(const Resources& size);
  void plan_orders();
  node::Policy fleet_policy(const Resources& size) const;
  void plan_fleet();
  std::string missed(const Measures::Figures& figures) const;
  StoredJob make_order(std::uint64_t number);
  void submit(std::uint64_t number);
  void book();
  void befall();
  void befall(Machine& machine);
  void remove_some_job();
  node::Policy random_policy(const Machine& machine);
  void calm_down();
  bool all_has_ended() const;
  void check_end();
  void step_until(Time end, bool until_all_has_ended);

  Universe universe_;
  Network network_;
  Checker checker_;
  Volunteers volunteers_;
  Hubs hubs_;
  std::map<NodeId, std::unique_ptr<Machine>> machines_;
  std::map<std::uint64_t, Order> orders_;
  std::uint64_t last_booking_ = 0;
  Time chaos_ends_;
};

void World::wire() {
  network_.connect({
      .to_hub = [this](HubNumber hub, SessionId session, NodeId node,
                       const NodeMessage& it) { hubs_.at(hub).on_message(session, node, it); },
      .to_node = [this](SessionId session, NodeId node,
                        const HubMessage& it) { machines_.at(node)->on_message(session, it); },
      .hub_lost = [this](HubNumber hub, SessionId session,
                         NodeId node) { hubs_.at(hub).on_session_lost(session, node); },
      .node_lost = [this](SessionId session, NodeId node) { machines_.at(node)->on_session_lost(session); },
  });
  hubs_.on_reply([this](std::uint64_t number, std::optional<JobId> id) {
    Order& order = orders_.at(number);
    if (order.settled && order.id != id.value_or(JobId{})) universe_.fail("order", number, "is made twice");
    order.settled = true;
    if (id) order.id = *id;
    universe_.say("order", number, id ? "is acknowledged" : "is refused");
  });
}

void World::add_node(const Resources& size) {
  const NodeId id{machines_.size() + 1};
  const auto machine = machines_.emplace(id, std::make_unique<Machine>(universe_, network_, checker_, id, size)).first;
  machine->second->set_policy({.limit = size, .admits = kAdmitsWorkspaces});
  if (universe_.random.chance(universe_.scenario.slow)) machine->second->set_slow();
  machine->second->boot();
  if (universe_.scenario.accounts == 0) return;
  machine->second->set_policy(fleet_policy(size));
  if (universe_.scenario.volunteers) {
    volunteers_.join(*machine->second);
  } else {
    universe_.measures.note_open(id, size.cores, universe_.now());
  }
}

// What was measured of volunteers' PCs includes the quiet spell before guests go on; it must only be longer than the
// time between two looks.
node::Policy World::fleet_policy(const Resources& size) const {
  node::Policy policy{.limit = size, .admits = kAdmitsWorkspaces};
  policy.owner_first.quiet = seconds(10);
  return policy;
}

StoredJob World::make_order(std::uint64_t number) {
  Random& random = universe_.random;
  const Scenario& scenario = universe_.scenario;
  StoredJob job;
  job.order = number;
  job.request.owner = DeviceId{1'000 + random.below(scenario.owners)};
  job.request.tasks = 1 + random.below(scenario.max_tasks);
  const std::uint32_t cores = random.chance(scenario.large) ? kLargeCores : 1 + random.below(2);
  job.request.per_task = {cores, kGiB * cores, cores == kLargeCores ? random.below(2) : 0};
  if (cores == kLargeCores) job.request.tasks = 1 + job.request.tasks / 10;
  job.request.retries = random.below(4);
  const bool is_brief = random.chance(500);
  job.behaviour.longest = is_brief ? milliseconds(40) : scenario.max_run;
  job.behaviour.failing = scenario.failing;
  if (cores == 1 && random.chance(scenario.workspaces)) {
    job.request.workspace = random.chance(500) ? "left" : "right";
    job.request.admission.workspace_bytes = kWorkspaceBytes;
  }
  if (random.chance(scenario.gangs) && job.request.workspace.empty()) {
    job.request.gang = true;
    job.request.tasks = 1 + random.below(kLargeCores);
    job.request.per_task = size_of(1);
    // One that fails takes all others with it.
    job.behaviour.failing = scenario.failing / 4;
    job.request.retries = 3;
  }
  if (random.chance(scenario.classes)) job.request.priority = static_cast<pool::PriorityClass>(1 + random.below(4));
  if (random.chance(scenario.conditions)) job.request.where = "cores >= 2";
  job.time_limit = random.chance(100) ? job.behaviour.longest / 2 + milliseconds(1) : minutes(60);
  if (!random.chance(scenario.dependent)) return job;
  for (const auto& [other, order] : orders_) {
    if (order.id.value != 0 && random.chance(300)) job.request.after.push_back(order.id);
  }
  job.request.when = pool::When{static_cast<std::uint8_t>(1 + random.below(3))};
  job.request.even_if_never_run = random.chance(500);
  return job;
}

void World::plan_orders() {
  for (std::uint64_t number = 1; number <= universe_.scenario.jobs; ++number) {
    const Duration wait = universe_.random.between(Duration{}, universe_.scenario.chaos * 7 / 10);
    universe_.scheduler.after(wait, [this, number] {
      orders_[number].job = make_order(number);
      submit(number);
    });
  }
}

// A client repeats its order until it has an answer.
void World::submit(std::uint64_t number) {
  if (orders_.at(number).settled) return;
  hubs_.now().submit(orders_.at(number).job);
  universe_.scheduler.after(seconds(5), [this, number] { submit(number); });
}

node::Policy World::random_policy(const Machine& machine) {
  Random& random = universe_.random;
  node::Policy policy;
  policy.limit = random.chance(300) ? machine.size() : size_of(1 + random.below(machine.size().cores));
  policy.has_hours = random.chance(400);
  policy.from_minute = static_cast<std::uint16_t>(random.below(kMinutesPerDay));
  policy.to_minute = static_cast<std::uint16_t>(random.below(kMinutesPerDay));
  policy.draining = random.chance(100);
  if (random.chance(800)) policy.admits = kAdmitsWorkspaces;
  policy.owner_first.quiet = random.between(seconds(1), seconds(20));
  policy.owner_first.patience = random.between(seconds(1), seconds(60));
  policy.owner_first.grace = random.between(Duration{}, seconds(5));
  return policy;
}

void World::befall(Machine& machine) {
  const Scenario& scenario = universe_.scenario;
  Random& random = universe_.random;
  if (machine.is_retired()) return;
  if (universe_.strikes_one(scenario.session_cut) && machine.session() != 0) network_.cut(machine.session());
  if (universe_.strikes_one(scenario.node_crash) && machine.is_up()) {
    machine.crash();
    universe_.scheduler.after(random.between(seconds(1), seconds(30)), [&machine] { machine.boot(); });
  }
  if (universe_.strikes_one(scenario.partition)) {
    universe_.say("node", machine.id(), "is cut off");
    network_.isolate(machine.id(), true);
    universe_.scheduler.after(random.between(milliseconds(100), seconds(40)),
                              [this, id = machine.id()] { network_.isolate(id, false); });
  }
  if (universe_.strikes_one(scenario.offer_change)) {
    machine.set_time_of_day(static_cast<std::uint16_t>(random.below(kMinutesPerDay)));
    machine.set_policy(random_policy(machine));
  }
  if (universe_.strikes_one(scenario.duty_change)) {
    const pool::Duty duty{static_cast<std::uint8_t>(1 + random.below(3))};
    hubs_.now().set_duty(machine.id(), {duty, universe_.now() + random.between(Duration{}, seconds(20))});
  }
  if (universe_.strikes_one(scenario.owner_return)) {
    machine.set_owner_present(true);
    universe_.scheduler.after(random.between(seconds(1), seconds(60)),
                              [&machine] { machine.set_owner_present(false); });
  }
  if (universe_.strikes_one(scenario.owner_return / 6)) {
    machine.stop_everything(true);
    universe_.scheduler.after(random.between(seconds(1), seconds(20)), [&machine] { machine.stop_everything(false); });
  }
}

void World::book() {
  Random& random = universe_.random;
  const Time from = universe_.now() + random.between(Duration{}, seconds(20));
  const pool::BookingTerms terms{.id = {++last_booking_},
                                 .account = {1'000 + random.below(universe_.scenario.owners)},
                                 .nodes = 1 + random.below(2),
                                 .from = from,
                                 .until = from + random.between(seconds(1), seconds(40)),
                                 .notice = random.between(Duration{}, seconds(10))};
  hubs_.now().book(terms);
  if (!random.chance(300)) return;
  universe_.scheduler.after(random.between(Duration{}, seconds(30)), [this, id = terms.id] { hubs_.now().unbook(id); });
}

void World::befall() {
  if (universe_.calm) return;
  const Scenario& scenario = universe_.scenario;
  for (const auto& [id, machine] : machines_) befall(*machine);
  if (universe_.strikes(scenario.booking)) book();
  if (universe_.strikes(scenario.removal)) {
    Machine& machine = *machines_.at(NodeId{1 + universe_.random.below(static_cast<std::uint32_t>(machines_.size()))});
    if (!machine.is_retired()) {
      universe_.say("node", machine.id(), "is removed");
      universe_.measures.note_shut(machine.id(), true, universe_.now());
      hubs_.remove_node(machine.id());
      machine.retire();
      add_node(machine.size());
    }
  }
  if (universe_.strikes(scenario.hub_crash)) hubs_.crash();
  if (universe_.strikes(scenario.hub_cut)) hubs_.cut_off();
  if (universe_.strikes(scenario.storm)) network_.cut_all();
  if (universe_.strikes(scenario.cancel) && !hubs_.now().store().jobs.empty()) {
    hubs_.now().cancel(
        JobId{1 + universe_.random.below(static_cast<std::uint32_t>(hubs_.now().store().last_id().value))});
  }
  if (universe_.strikes(scenario.remove)) remove_some_job();
  if (const auto& all = hubs_.now().store().workspaces; universe_.strikes(scenario.remove_workspace) && !all.empty()) {
    hubs_.now().remove_workspace(
        std::next(all.begin(), universe_.random.below(static_cast<std::uint32_t>(all.size())))->first);
  }
  if (universe_.random.chance(50)) hubs_.now().forget_ended();
  universe_.scheduler.after(seconds(1), [this] { befall(); });
}

// Of those that people know of.
void World::remove_some_job() {
  std::vector<Order*> known;
  for (auto& [number, order] : orders_) {
    if (order.id.value != 0) known.push_back(&order);
  }
  if (known.empty()) return;
  Order& order = *known[universe_.random.below(static_cast<std::uint32_t>(known.size()))];
  order.unwanted = true;
  hubs_.now().remove(order.id);
}

// Whatever went wrong is mended; every session breaks once more, so that what single lost messages left behind is seen.
void World::calm_down() {
  universe_.say("calm");
  universe_.calm = true;
  hubs_.calm_down();
  network_.cut_all();
  for (const auto& [id, machine] : machines_) {
    network_.isolate(id, false);
    machine->boot();
    machine->set_owner_present(false);
    machine->stop_everything(false);
    if (universe_.scenario.duty_change > 0) hubs_.now().set_duty(id, {});
    if (!machine->is_retired()) machine->set_policy({.limit = machine->size(), .admits = kAdmitsWorkspaces});
  }
  volunteers_.leave();
}

void World::plan_fleet() {
  const Time start = universe_.now();
  universe_.measures.begin(start + kFleetWarmUp, start + kFleetWarmUp + kFleetWindow, node::OwnerFirst{}.patience);
  const auto accounts = fleet_accounts(universe_.scenario);
  for (std::size_t i = 0; i < universe_.scenario.accounts; ++i) {
    universe_.measures.set_weight(accounts[i].id, accounts[i].weight);
  }
  std::uint64_t cores = 0;
  for (std::uint32_t i = 0; i < universe_.scenario.nodes; ++i) {
    const Resources size = i == 0 ? Resources{16, 32 * kGiB} : fleet_size(universe_.random);
    cores += size.cores;
    add_node(size);
  }
  for (FleetOrder& order : fleet_orders(universe_, cores)) {
    const std::uint64_t number = orders_.size() + 1;
    order.job.order = number;
    orders_[number].job = std::move(order.job);
    universe_.scheduler.after(order.at, [this, number] { submit(number); });
  }
}

std::string World::missed(const Measures::Figures& figures) const {
  const Limits& limits = universe_.scenario.limits;
  if (figures.ran_dry) return "";
  if (limits.shortfall > 0 && figures.shortfall * 1000 > limits.shortfall) return "an account had less than its due";
  if (limits.longest_wait > Duration{} && figures.longest_wait > limits.longest_wait) return "a line of tasks starved";
  if (limits.goodput > 0 && figures.goodput * 1000 < limits.goodput) return "too little was done";
  return "";
}

bool World::all_has_ended() const {
  for (const auto& [number, order] : orders_) {
    if (!order.settled) return false;
  }
  for (const auto& [id, job] : hubs_.now().store().jobs) {
    if (!job.has_ended()) return false;
  }
  return true;
}

void World::step_until(Time end, bool until_all_has_ended) {
  const std::uint64_t every = universe_.scenario.accounts > 0 ? 65'536 : 64;
  while (universe_.failure.empty() && universe_.scheduler.step(end)) {
    if (!until_all_has_ended || universe_.scheduler.steps() % every != 0) continue;
    if (all_has_ended()) return;
  }
}

void World::check_end() {
  for (const auto& [number, order] : orders_) {
    if (!order.settled) universe_.fail("order", number, "is never answered");
    if (order.id.value == 0 || hubs_.now().store().jobs.contains(order.id)) continue;
    if (!order.unwanted || !hubs_.now().store().removed.contains(order.id)) universe_.fail(order.id, "is lost");
  }
  for (const auto& [id, job] : hubs_.now().store().jobs) {
    if (!job.has_ended()) universe_.fail(id, "never ends");
  }
  for (const auto& [id, machine] : machines_) {
    if (machine->is_up() && !machine->agent()->held().empty()) universe_.fail("node", id, "still holds attempts");
  }
  const pool::Pool* pool = hubs_.now().pool();
  if (pool == nullptr || pool->pending_tasks() + pool->leased_tasks() != 0) universe_.fail("the pool is not empty");
}

Outcome World::run() {
  wire();
  const Scenario& scenario = universe_.scenario;
  if (scenario.accounts > 0) hubs_.set_accounts(fleet_accounts(scenario));
  hubs_.start();
  if (scenario.accounts > 0) {
    plan_fleet();
  } else {
    add_node(size_of(kLargeCores));
    for (std::uint32_t i = 1; i < scenario.nodes; ++i) add_node(size_of(1 + universe_.random.below(6)));
    plan_orders();
  }
  befall();
  const Time start = universe_.now();
  const Duration chaos = scenario.accounts > 0 ? kFleetWarmUp + kFleetWindow + kFleetAfter : scenario.chaos;
  step_until(start + chaos, false);
  if (universe_.failure.empty()) {
    calm_down();
    step_until(universe_.now() + kSettledWithin, false);
    universe_.settled = true;
    step_until(universe_.now() + kAllEndsWithin, true);
    step_until(universe_.now() + kQuiet, false);
  }
  if (universe_.failure.empty()) check_end();
  Outcome outcome;
  if (scenario.accounts > 0) {
    outcome.figures = universe_.measures.figures(universe_.now());
    if (universe_.failure.empty()) universe_.failure = missed(*outcome.figures);
  }
  outcome.failure = universe_.failure;
  outcome.hash = universe_.log.hash();
  outcome.events = universe_.scheduler.steps();
  outcome.simulated = universe_.now() - start;
  outcome.copies = checker_.copies();
  for (const auto& [id, job] : hubs_.now().store().jobs) {
    ++outcome.jobs;
    outcome.accepted_ends += job.count(pool::TaskState::kSucceeded);
  }
  outcome.tail.assign(universe_.log.tail().begin(), universe_.log.tail().end());
  return outcome;
}

}  // namespace

Outcome simulate(const Scenario& scenario, std::uint64_t seed, const Bugs& bugs) {
  return World(scenario, seed, bugs).run();
}

}  // namespace hearth::sim
