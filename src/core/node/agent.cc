#include "core/node/agent.h"

#include <algorithm>
#include <cstdio>
#include <map>
#include <set>
#include <utility>

namespace hearth::node {
namespace {

constexpr std::uint16_t kMinutesPerDay = 24 * 60;

// A finished attempt that nobody acknowledges is reported again after so many heartbeats.
constexpr std::int64_t kHeartbeatsUntilResend = 4;

enum class Stage : std::uint8_t { kAssigned, kPreparing, kReady, kRunning, kCollecting, kFinished };

struct Held {
  Assignment assignment;
  std::uint64_t turn = 0;  // the order of assignment
  Stage stage = Stage::kAssigned;
  Time since;  // of its stage
  bool killed = false;
};

bool is_within_hours(const Policy& policy, std::uint16_t minute) {
  if (policy.from_minute == policy.to_minute) return true;  // the whole day
  if (policy.from_minute < policy.to_minute) return minute >= policy.from_minute && minute < policy.to_minute;
  return minute >= policy.from_minute || minute < policy.to_minute;
}

std::string clock_text(std::uint16_t minute) {
  char text[8];
  std::snprintf(text, sizeof text, "%02u:%02u", minute / 60U % 24U, minute % 60U);
  return text;
}

}  // namespace

struct Agent::State {
  State(const Options& given, const Resources& the_machine) : options(given), machine(the_machine) {
    policy.limit = machine;
  }

  Options options;
  Resources machine;
  Policy policy;
  std::optional<std::uint16_t> minute;  // of the day, local
  Time now;
  bool session_open = false;
  Time next_heartbeat;
  std::vector<Effect> effects;
  std::map<AttemptId, Held> held;
  std::map<std::uint64_t, AttemptId> assigned;  // by turn: those of that stage
  std::map<std::uint64_t, AttemptId> ready;     // by turn
  std::set<std::pair<Time, AttemptId>> limits;  // when a running program has had its time
  std::uint64_t last_turn = 0;
  std::uint32_t preparing = 0;
  std::uint32_t running = 0;
  Resources used;  // by running programs

  void advance(Time to) { now = std::max(now, to); }
  Resources offered() const;
  bool closed() const;
  std::string closed_reason() const;
  Held* find(AttemptId attempt, Stage stage);
  void enter(AttemptId attempt, Held& it, Stage stage);
  void leave_stage(AttemptId attempt, const Held& it);
  void wipe(AttemptId attempt);
  void finish(AttemptId attempt, Held& it);
  void pump();
  void run(AttemptId attempt);
  void supersede(AttemptId newest);
  void drop_unstarted_if_leaving();
  void end_overdue();
  void send_heartbeat();
  SendOffer offer() const { return {offered(), closed(), closed_reason(), policy.admits}; }
  void say_offer_if_changed(const SendOffer& before);
};

Resources Agent::State::offered() const {
  return {std::min(policy.limit.cores, machine.cores), std::min(policy.limit.memory_bytes, machine.memory_bytes),
          std::min(policy.limit.gpus, machine.gpus)};
}

// An unknown time of day counts as the owner's.
bool Agent::State::closed() const {
  return policy.draining || (policy.has_hours && (!minute || !is_within_hours(policy, *minute)));
}

std::string Agent::State::closed_reason() const {
  if (policy.draining) return "leaving";
  return closed() ? "open again at " + clock_text(policy.from_minute) : "";
}

Held* Agent::State::find(AttemptId attempt, Stage stage) {
  const auto entry = held.find(attempt);
  return entry != held.end() && entry->second.stage == stage ? &entry->second : nullptr;
}

void Agent::State::leave_stage(AttemptId attempt, const Held& it) {
  switch (it.stage) {
    case Stage::kAssigned:
      assigned.erase(it.turn);
      break;
    case Stage::kPreparing:
      --preparing;
      break;
    case Stage::kReady:
      ready.erase(it.turn);
      break;
    case Stage::kRunning:
      --running;
      used = used - it.assignment.needs;
      limits.erase({it.since + it.assignment.time_limit, attempt});
      break;
    case Stage::kCollecting:
    case Stage::kFinished:
      break;
  }
}

void Agent::State::enter(AttemptId attempt, Held& it, Stage stage) {
  leave_stage(attempt, it);
  it.stage = stage;
  it.since = now;
  if (stage == Stage::kPreparing) ++preparing;
  if (stage == Stage::kReady) ready.emplace(it.turn, attempt);
  if (stage == Stage::kRunning) {
    ++running;
    used = used + it.assignment.needs;
    if (it.assignment.time_limit.micros > 0) limits.emplace(now + it.assignment.time_limit, attempt);
  }
}

void Agent::State::wipe(AttemptId attempt) {
  const auto entry = held.find(attempt);
  leave_stage(attempt, entry->second);
  held.erase(entry);
  effects.emplace_back(Wipe{attempt});
}

void Agent::State::finish(AttemptId attempt, Held& it) {
  enter(attempt, it, Stage::kFinished);
  if (session_open) effects.emplace_back(SendFinished{attempt});
}

void Agent::State::run(AttemptId attempt) {
  enter(attempt, held.at(attempt), Stage::kRunning);
  effects.emplace_back(Run{attempt});
  if (session_open) effects.emplace_back(SendStarted{attempt});
}

// Starts what fits, in order of assignment: one that is ready and does not fit is not overtaken by others that are
// ready, so that running programs make room for it.
void Agent::State::pump() {
  if (closed()) return;
  while (!ready.empty()) {
    const AttemptId attempt = ready.begin()->second;
    if (!held.at(attempt).assignment.needs.fits_in(offered() - used)) break;
    run(attempt);
  }
  while (preparing < options.max_preparing && preparing + ready.size() < options.max_ready && !assigned.empty()) {
    const AttemptId attempt = assigned.begin()->second;
    enter(attempt, held.at(attempt), Stage::kPreparing);
    effects.emplace_back(Prepare{attempt});
  }
}

// Older attempts of a task are of no interest once a newer one is here.
void Agent::State::supersede(AttemptId newest) {
  for (auto entry = held.lower_bound({newest.task, 0}); entry != held.end() && entry->first < newest;) {
    const AttemptId old = (entry++)->first;
    wipe(old);
  }
}

// A node that leaves gives back what it has not started: to the hub if it listens (which then stops it), else by
// forgetting it, which its next hello will show.
void Agent::State::drop_unstarted_if_leaving() {
  if (!policy.draining || session_open) return;
  for (auto entry = held.begin(); entry != held.end();) {
    const auto [attempt, it] = *entry++;
    if (it.stage <= Stage::kReady) wipe(attempt);
  }
}

void Agent::State::end_overdue() {
  while (!limits.empty() && limits.begin()->first <= now) {
    const AttemptId attempt = limits.begin()->second;
    limits.erase(limits.begin());
    Held& it = held.at(attempt);
    if (std::exchange(it.killed, true)) continue;
    effects.emplace_back(Kill{attempt, true});
  }
}

void Agent::State::send_heartbeat() {
  if (!session_open || now < next_heartbeat) return;
  effects.emplace_back(SendHeartbeat{});
  next_heartbeat = now + options.heartbeat;
  const Duration patience = options.heartbeat * kHeartbeatsUntilResend;
  for (auto& [attempt, it] : held) {
    if (it.stage != Stage::kFinished || it.since + patience > now) continue;
    it.since = now;
    effects.emplace_back(SendFinished{attempt});
  }
}

void Agent::State::say_offer_if_changed(const SendOffer& before) {
  if (offer() != before && session_open) effects.emplace_back(offer());
}

Agent::Agent(const Options& options, const Resources& machine) : state_(std::make_unique<State>(options, machine)) {}

Agent::~Agent() = default;

void Agent::on_session_open(Time now) {
  state_->advance(now);
  state_->session_open = true;
  state_->next_heartbeat = state_->now + state_->options.heartbeat;
  for (auto& [attempt, it] : state_->held) {
    if (it.stage == Stage::kRunning || it.stage == Stage::kCollecting) {
      state_->effects.emplace_back(SendStarted{attempt});
    } else if (it.stage == Stage::kFinished) {
      it.since = state_->now;
      state_->effects.emplace_back(SendFinished{attempt});
    }
  }
}

void Agent::on_session_lost(Time now) {
  state_->advance(now);
  state_->session_open = false;
  state_->drop_unstarted_if_leaving();
}

void Agent::on_assign(const Assignment& assignment, Time now) {
  State& state = *state_;
  state.advance(now);
  const AttemptId attempt = assignment.attempt;
  if (const auto known = state.held.find(attempt); known != state.held.end()) {
    if (known->second.stage == Stage::kFinished && state.session_open) {
      state.effects.emplace_back(SendFinished{attempt});
    }
    return;
  }
  const auto newer = state.held.upper_bound(attempt);
  if (newer != state.held.end() && newer->first.task == attempt.task) return;  // came late
  state.supersede(attempt);
  if (state.held.size() >= state.options.max_held) {
    // Not kept, so said once: should that be lost with the session, the next hello tells the hub.
    if (state.session_open) state.effects.emplace_back(SendFinished{attempt});
    return;
  }
  Held it;
  it.assignment = assignment;
  it.turn = ++state.last_turn;
  it.since = state.now;
  state.assigned.emplace(it.turn, attempt);
  state.held.emplace(attempt, it);
  state.pump();
}

void Agent::on_stop(AttemptId attempt, Time now) {
  state_->advance(now);
  if (!state_->held.contains(attempt)) return;
  state_->wipe(attempt);
  state_->pump();
}

void Agent::on_acknowledged(AttemptId attempt, Time now) { on_stop(attempt, now); }

void Agent::on_prepared(AttemptId attempt, bool succeeded, Time now) {
  state_->advance(now);
  Held* it = state_->find(attempt, Stage::kPreparing);
  if (it == nullptr) return;
  if (succeeded) {
    state_->enter(attempt, *it, Stage::kReady);
  } else {
    state_->finish(attempt, *it);
  }
  state_->pump();
}

void Agent::on_exited(AttemptId attempt, Time now) {
  state_->advance(now);
  Held* it = state_->find(attempt, Stage::kRunning);
  if (it == nullptr) return;
  state_->enter(attempt, *it, Stage::kCollecting);
  state_->effects.emplace_back(Collect{attempt});
  state_->pump();
}

void Agent::on_collected(AttemptId attempt, Time now) {
  state_->advance(now);
  Held* it = state_->find(attempt, Stage::kCollecting);
  if (it != nullptr) state_->finish(attempt, *it);
}

void Agent::on_policy(const Policy& policy, Time now) {
  state_->advance(now);
  const SendOffer before = state_->offer();
  state_->policy = policy;
  state_->say_offer_if_changed(before);
  state_->drop_unstarted_if_leaving();
  state_->pump();
}

void Agent::on_local_time(std::uint16_t minute_of_day, Time now) {
  state_->advance(now);
  const SendOffer before = state_->offer();
  state_->minute = static_cast<std::uint16_t>(minute_of_day % kMinutesPerDay);
  state_->say_offer_if_changed(before);
  state_->pump();
}

void Agent::tick(Time now) {
  state_->advance(now);
  state_->end_overdue();
  state_->send_heartbeat();
}

std::optional<Time> Agent::next_deadline() const {
  std::optional<Time> next;
  if (!state_->limits.empty()) next = state_->limits.begin()->first;
  if (state_->session_open && (!next || state_->next_heartbeat < *next)) next = state_->next_heartbeat;
  return next;
}

std::vector<Effect> Agent::take_effects() { return std::exchange(state_->effects, {}); }

Resources Agent::offered() const { return state_->offered(); }

Admission Agent::admits() const { return state_->policy.admits; }

bool Agent::closed() const { return state_->closed(); }

std::string Agent::closed_reason() const { return state_->closed_reason(); }

std::vector<AttemptId> Agent::held() const {
  std::vector<AttemptId> found;
  found.reserve(state_->held.size());
  for (const auto& [attempt, it] : state_->held) found.push_back(attempt);
  return found;
}

std::uint32_t Agent::running() const { return state_->running; }

bool Agent::drained() const { return state_->policy.draining && state_->held.empty(); }

}  // namespace hearth::node
