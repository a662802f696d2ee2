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
  std::optional<Time> frozen_at;
  Duration frozen_for;  // in earlier freezes, while it ran

  // When the running program has had its time.
  Time limit_at() const { return since + assignment.time_limit + frozen_for; }
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
  Presence presence;
  bool stopped = false;
  std::set<AttemptId> freezing;  // ordered, and not done yet
  bool froze_something = false;
  std::optional<Duration> last_freeze;
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
  void prepare(AttemptId attempt, Held& it);
  void run(AttemptId attempt);
  void supersede(AttemptId newest);
  void drop_unstarted_if_leaving();
  void end_overdue();
  void kill(AttemptId attempt, Held& it, KillReason reason);
  void follow_owner();
  void freeze(AttemptId attempt, Held& it);
  void thaw(AttemptId attempt, Held& it);
  void note_freeze_done();
  std::optional<Time> patience_ends(const Held& it) const;
  void end_impatient();
  void send_heartbeat();
  SendOffer offer() const { return {offered(), closed(), closed_reason(), policy.admits, frozen(), stopped}; }
  bool frozen() const { return presence.verdict() == Verdict::kFrozen; }
  void say_offer_if_changed(const SendOffer& before);
  // Makes a change to what the owner allows, and does what follows from it.
  template <class Change>
  void change(Time at, Change make);
};

template <class Change>
void Agent::State::change(Time at, Change make) {
  advance(at);
  const SendOffer before = offer();
  make(*this);
  say_offer_if_changed(before);
  follow_owner();
  pump();
}

Resources Agent::State::offered() const {
  return {std::min(policy.limit.cores, machine.cores), std::min(policy.limit.memory_bytes, machine.memory_bytes),
          std::min(policy.limit.gpus, machine.gpus), machine.gpu_memory_bytes,
          std::min(policy.limit.disk_bytes, machine.disk_bytes)};
}

// An unknown time of day counts as the owner's.
bool Agent::State::closed() const {
  return policy.draining || stopped || !policy.lack.empty() || presence.verdict() != Verdict::kOpen ||
         (policy.has_hours && (!minute || !is_within_hours(policy, *minute)));
}

std::string Agent::State::closed_reason() const {
  if (policy.draining) return "leaving";
  if (stopped) return "stopped by its owner";
  if (!policy.lack.empty()) return policy.lack;
  if (presence.verdict() != Verdict::kOpen) return presence.reason();
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
      if (!it.assignment.is_own) --running;
      used = used - it.assignment.needs;
      limits.erase({it.limit_at(), attempt});
      if (freezing.erase(attempt) > 0) note_freeze_done();
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
    if (!it.assignment.is_own) ++running;
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

void Agent::State::prepare(AttemptId attempt, Held& it) {
  enter(attempt, it, Stage::kPreparing);
  effects.emplace_back(Prepare{attempt});
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
    prepare(attempt, held.at(attempt));
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

void Agent::State::kill(AttemptId attempt, Held& it, KillReason reason) {
  if (!std::exchange(it.killed, true)) effects.emplace_back(Kill{attempt, reason});
}

void Agent::State::end_overdue() {
  while (!limits.empty() && limits.begin()->first <= now) {
    const AttemptId attempt = limits.begin()->second;
    limits.erase(limits.begin());
    kill(attempt, held.at(attempt), KillReason::kTimeLimit);
  }
}

void Agent::State::freeze(AttemptId attempt, Held& it) {
  if (it.frozen_at || it.killed) return;
  limits.erase({it.limit_at(), attempt});
  it.frozen_at = now;
  freezing.insert(attempt);
  froze_something = true;
  effects.emplace_back(Freeze{attempt});
}

void Agent::State::thaw(AttemptId attempt, Held& it) {
  if (!it.frozen_at) return;
  it.frozen_for = it.frozen_for + (now - *it.frozen_at);
  it.frozen_at.reset();
  freezing.erase(attempt);
  if (it.killed) return;
  if (it.assignment.time_limit.micros > 0) limits.emplace(it.limit_at(), attempt);
  effects.emplace_back(Thaw{attempt});
}

// Whatever runs is frozen or goes on as the owner needs; after everything that may change that.
void Agent::State::follow_owner() {
  for (auto& [attempt, it] : held) {
    if (it.stage != Stage::kRunning) continue;
    if (stopped) {
      kill(attempt, it, KillReason::kOwner);
    } else if (frozen() && !it.assignment.is_own) {
      freeze(attempt, it);
    } else {
      thaw(attempt, it);
    }
  }
  end_impatient();
}

void Agent::State::note_freeze_done() {
  if (!freezing.empty() || !std::exchange(froze_something, false) || !frozen()) return;
  last_freeze = now - presence.frozen_since();
}

std::optional<Time> Agent::State::patience_ends(const Held& it) const {
  if (!it.frozen_at || it.killed || it.stage != Stage::kRunning) return std::nullopt;
  const OwnerFirst& owner = policy.owner_first;
  return *it.frozen_at + (it.assignment.needs.gpus > 0 ? std::min(owner.grace, owner.patience) : owner.patience);
}

void Agent::State::end_impatient() {
  for (auto& [attempt, it] : held) {
    if (const auto end = patience_ends(it); end && *end <= now) kill(attempt, it, KillReason::kOwner);
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
  SendOffer after = offer();
  if (after != before && session_open) effects.emplace_back(std::move(after));
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
  Held& kept = state.held.emplace(attempt, it).first->second;
  if (assignment.is_own) state.prepare(attempt, kept);
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
    if (it->assignment.is_own) state_->run(attempt);
    if (state_->stopped) state_->follow_owner();
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

void Agent::on_frozen(AttemptId attempt, bool succeeded, Time now) {
  state_->advance(now);
  Held* it = state_->find(attempt, Stage::kRunning);
  if (it == nullptr || !it->frozen_at) return;
  if (!succeeded) {
    state_->kill(attempt, *it, KillReason::kOwner);  // it is frozen once it has ended
  } else if (state_->freezing.erase(attempt) > 0) {
    state_->note_freeze_done();
  }
}

void Agent::on_policy(const Policy& policy, Time now) {
  state_->change(now, [&](State& state) {
    state.policy = policy;
    state.presence.on_policy(policy.owner_first, state.now);
    state.drop_unstarted_if_leaving();
  });
}

void Agent::on_local_time(std::uint16_t minute_of_day, Time now) {
  state_->change(now, [&](State& state) { state.minute = static_cast<std::uint16_t>(minute_of_day % kMinutesPerDay); });
}

void Agent::on_surroundings(const Surroundings& seen, Time now) {
  state_->change(now, [&](State& state) { state.presence.on_surroundings(seen, state.now); });
}

void Agent::on_stopped(bool stopped, Time now) {
  state_->change(now, [&](State& state) { state.stopped = stopped; });
}

void Agent::tick(Time now) {
  state_->change(now, [](State& state) { state.presence.tick(state.now); });
  state_->end_overdue();
  state_->send_heartbeat();
}

std::optional<Time> Agent::next_deadline() const {
  std::optional<Time> next = state_->presence.next_deadline();
  const auto consider = [&next](Time at) { next = next ? std::min(*next, at) : at; };
  if (!state_->limits.empty()) consider(state_->limits.begin()->first);
  if (state_->session_open) consider(state_->next_heartbeat);
  if (!state_->frozen()) return next;
  for (const auto& [attempt, it] : state_->held) {
    if (const auto end = state_->patience_ends(it)) consider(*end);
  }
  return next;
}

std::vector<Effect> Agent::take_effects() { return std::exchange(state_->effects, {}); }

Resources Agent::offered() const { return state_->offered(); }

Admission Agent::admits() const { return state_->policy.admits; }

bool Agent::closed() const { return state_->closed(); }

std::string Agent::closed_reason() const { return state_->closed_reason(); }

bool Agent::frozen() const { return state_->frozen(); }

bool Agent::stopped() const { return state_->stopped; }

bool Agent::heeds_owner() const { return state_->presence.heeds_owner(); }

std::optional<Duration> Agent::last_freeze() const { return state_->last_freeze; }

std::vector<AttemptId> Agent::running_attempts(std::size_t limit) const {
  std::vector<AttemptId> found;
  for (const auto& [attempt, it] : state_->held) {
    const bool is_guest = it.stage == Stage::kRunning && !it.assignment.is_own;
    if (is_guest && found.size() < limit) found.push_back(attempt);
  }
  return found;
}

std::vector<AttemptId> Agent::held() const {
  std::vector<AttemptId> found;
  found.reserve(state_->held.size());
  for (const auto& [attempt, it] : state_->held) found.push_back(attempt);
  return found;
}

std::uint32_t Agent::running() const { return state_->running; }

bool Agent::drained() const { return state_->policy.draining && state_->held.empty(); }

}  // namespace hearth::node
