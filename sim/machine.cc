#include "sim/machine.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hearth::sim {

Machine::Machine(Universe& universe, Network& network, Checker& checker, NodeId id, const Resources& size)
    : universe_(universe), network_(network), checker_(checker), id_(id), size_(size) {
  policy_.limit = size;
  if (const Duration most = universe.scenario.skew; most > Duration{}) {
    skew_ = universe.random.between(Duration{} - most, most);
  }
}

void Machine::boot() {
  if (retired_ || is_up() || !powered_) return;
  universe_.say("node", id_, "boots");
  ++life_;
  node::Options options;
  options.max_preparing = 1 + universe_.random.below(4);
  agent_ = std::make_unique<node::Agent>(options, size_);
  agent_->on_local_time(minute_, local());
  agent_->on_policy(policy_, local());
  agent_->on_stopped(stopped_, local());
  look_for_ever();
  dial();
}

void Machine::look_around() {
  agent_->on_surroundings({.has_seat = true, .idle = owner_present_ ? Duration{} : minutes(60)}, local());
  flush();
}

void Machine::look_for_ever() {
  look_around();
  const Duration until_next = universe_.scenario.accounts > 0 ? seconds(9) : seconds(3);
  universe_.scheduler.after(until_next, [this, life = life_] {
    if (life == life_) look_for_ever();
  });
}

void Machine::set_owner_present(bool present) {
  owner_present_ = present;
  universe_.say("node", id_, present ? "is used by its owner" : "is left by its owner");
  if (is_up()) look_around();
}

void Machine::stop_everything(bool stopped) {
  stopped_ = stopped;
  if (!is_up()) return;
  universe_.say("node", id_, stopped ? "is stopped" : "is resumed");
  agent_->on_stopped(stopped, local());
  flush();
}

void Machine::set_power(bool on) {
  powered_ = on;
  if (on) boot();
  if (!on) crash();
}

void Machine::crash() {
  if (!is_up()) return;
  universe_.say("node", id_, "dies");
  for (const auto& [attempt, program] : programs_) universe_.measures.note_stop(attempt, universe_.now());
  agent_.reset();
  ++life_;
  programs_.clear();
  used_ = {};
  wake_.reset();
  if (session_ != 0) network_.cut(std::exchange(session_, 0));
}

void Machine::retire() {
  crash();
  retired_ = true;
}

void Machine::dial() {
  const Duration wait = universe_.random.between(milliseconds(5), seconds(2));
  universe_.scheduler.after(wait, [this, life = life_] {
    if (life != life_ || session_ != 0) return;
    session_ = network_.open(id_, hub_);
    if (session_ == 0) {
      if (universe_.scenario.standby) hub_ = 1 - hub_;
      return dial();
    }
    agent_->on_session_open(local());
    network_.send(session_, pool::NodeHello{.offered = agent_->offered(),
                                            .closed = agent_->closed(),
                                            .held = agent_->held(),
                                            .admits = agent_->admits(),
                                            .attributes = {{"cores", static_cast<double>(size_.cores)}},
                                            .frozen = agent_->frozen()});
    flush();
  });
}

void Machine::on_session_lost(SessionId session) {
  if (!is_up() || session != session_) return;
  session_ = 0;
  agent_->on_session_lost(local());
  flush();
  dial();
}

void Machine::set_policy(const node::Policy& policy) {
  policy_ = policy;
  if (!is_up()) return;
  agent_->on_policy(policy, local());
  universe_.say("node", id_, "offers", agent_->offered().cores, agent_->closed_reason());
  flush();
}

void Machine::set_time_of_day(std::uint16_t minute) {
  minute_ = minute;
  if (!is_up()) return;
  agent_->on_local_time(minute, local());
  flush();
}

void Machine::on_message(SessionId session, const HubMessage& message) {
  if (!is_up() || session != session_) return;
  const Time now = local();
  if (const auto* assign = std::get_if<Assign>(&message)) {
    const AttemptId attempt = assign->assignment.attempt;
    universe_.say("node", id_, "is assigned", attempt);
    const auto [program, is_new] = programs_.try_emplace(attempt);
    if (is_new) {
      program->second.assignment = assign->assignment;
      program->second.behaviour = assign->behaviour;
      program->second.workspace = assign->workspace;
    }
    agent_->on_assign(assign->assignment, now);
    const auto held = agent_->held();
    if (is_new && !std::ranges::binary_search(held, attempt)) programs_.erase(program);  // refused
  } else if (const auto* stop = std::get_if<Stop>(&message)) {
    agent_->on_stop(stop->attempt, now);
  } else if (const auto* acknowledged = std::get_if<Acknowledged>(&message)) {
    agent_->on_acknowledged(acknowledged->attempt, now);
  } else if (const auto* wipe = std::get_if<WipeWorkspace>(&message)) {
    if (runs_with(wipe->workspace)) universe_.fail("node", id_, "is told to wipe what something runs in");
    say(WorkspaceWiped{wipe->workspace});
  }
  flush();
}

void Machine::flush() {
  for (auto effects = agent_->take_effects(); !effects.empty(); effects = agent_->take_effects()) {
    for (const node::Effect& effect : effects) std::visit([&](const auto& it) { act(it); }, effect);
  }
  plan_wake();
}

void Machine::plan_wake() {
  const auto deadline = agent_->next_deadline();
  if (!deadline || (wake_ && *wake_ <= *deadline)) return;
  wake_ = deadline;
  universe_.scheduler.at(*deadline - skew_, [this, life = life_, at = *deadline] {
    if (life != life_ || wake_ != at) return;
    wake_.reset();
    agent_->tick(local());
    flush();
  });
}

void Machine::say(const NodeMessage& message) {
  if (session_ != 0) network_.send(session_, message);
}

bool Machine::runs_with(const std::optional<WorkspaceId>& workspace) const {
  return workspace && std::ranges::any_of(programs_, [&](const auto& entry) {
           return entry.second.stage == Stage::kRunning && entry.second.workspace == workspace;
         });
}

void Machine::later(AttemptId attempt, Stage stage, Duration span, std::function<void(Program&)> then) {
  Program& program = programs_.at(attempt);
  program.stage = stage;
  program.token = ++last_token_;
  program.due = universe_.now() + span;
  program.then = then;
  program.frozen_with.reset();
  universe_.scheduler.after(span, [this, attempt, token = program.token, life = life_, then = std::move(then)] {
    if (life != life_) return;
    const auto entry = programs_.find(attempt);
    if (entry == programs_.end() || entry->second.token != token) return;
    then(entry->second);
    flush();
  });
}

void Machine::act(const node::Prepare& order) {
  const Duration span = universe_.random.between(Duration{}, milliseconds(30));
  later(order.attempt, Stage::kPreparing, span, [this, attempt = order.attempt](Program& program) {
    const bool failed = universe_.random.chance(program.behaviour.failing / 4);
    program.stage = failed ? Stage::kFinished : Stage::kReady;
    if (failed) {
      program.outcome = Failure::kStart;
      checker_.note_outcome(attempt, program.outcome);
    }
    agent_->on_prepared(attempt, !failed, local());
  });
}

void Machine::act(const node::Run& order) {
  constexpr std::array kFailures{Failure::kExitCode, Failure::kSignal, Failure::kOutOfMemory};
  Program& program = programs_.at(order.attempt);
  if (runs_with(program.workspace)) universe_.fail(order.attempt, "runs in a workspace that is in use");
  const Resources needs = program.assignment.needs;
  used_ = used_ + needs;
  universe_.say("node", id_, "runs", order.attempt, "cores in use", used_.cores);
  checker_.check_start(id_, *agent_, used_);
  universe_.measures.note_run(order.attempt, needs.cores, universe_.now());
  const Behaviour& behaviour = program.behaviour;
  const Duration span = universe_.random.between(behaviour.shortest, behaviour.longest) * (slow_ ? 10 : 1);
  program.outcome = Failure::kNone;
  if (universe_.random.chance(behaviour.failing)) program.outcome = kFailures[universe_.random.below(3)];
  later(order.attempt, Stage::kRunning, span, [this, attempt = order.attempt](Program& ended) {
    note_exit(attempt, ended);
    agent_->on_exited(attempt, local());
  });
}

void Machine::note_exit(AttemptId attempt, Program& ended) {
  used_ = used_ - ended.assignment.needs;
  ended.stage = Stage::kCollecting;
  universe_.measures.note_stop(attempt, universe_.now());
}

void Machine::act(const node::Freeze& order) {
  Program& program = programs_.at(order.attempt);
  if (program.stage != Stage::kRunning || program.frozen_with) return universe_.fail(order.attempt, "freezes twice");
  program.frozen_with = program.due - universe_.now();
  program.token = 0;
  universe_.measures.note_pause(order.attempt, universe_.now());
  universe_.say("node", id_, "freezes", order.attempt);
  universe_.scheduler.after(universe_.random.between(Duration{}, milliseconds(50)),
                            [this, attempt = order.attempt, life = life_] {
                              if (life != life_) return;
                              agent_->on_frozen(attempt, !universe_.random.chance(30), local());
                              flush();
                            });
}

void Machine::act(const node::Thaw& order) {
  Program& program = programs_.at(order.attempt);
  if (!program.frozen_with) return universe_.fail(order.attempt, "thaws but is not frozen");
  if (agent_->frozen()) universe_.fail("node", id_, "thaws something while its owner is at it");
  universe_.measures.note_run(order.attempt, program.assignment.needs.cores, universe_.now());
  later(order.attempt, Stage::kRunning, *program.frozen_with, program.then);
}

void Machine::act(const node::Kill& order) {
  const bool is_owner = order.reason == node::KillReason::kOwner;
  programs_.at(order.attempt).outcome = is_owner ? Failure::kOwner : Failure::kTimeLimit;
  later(order.attempt, Stage::kRunning, milliseconds(10), [this, attempt = order.attempt](Program& ended) {
    note_exit(attempt, ended);
    agent_->on_exited(attempt, local());
  });
}

void Machine::act(const node::Collect& order) {
  const Duration span = universe_.random.between(Duration{}, milliseconds(20));
  later(order.attempt, Stage::kCollecting, span, [this, attempt = order.attempt](Program& program) {
    program.stage = Stage::kFinished;
    checker_.note_outcome(attempt, program.outcome);
    agent_->on_collected(attempt, local());
  });
}

void Machine::act(const node::Wipe& order) {
  const auto program = programs_.find(order.attempt);
  if (program == programs_.end()) return universe_.fail("node", id_, "wipes", order.attempt, "which it does not have");
  if (program->second.stage == Stage::kRunning) note_exit(order.attempt, program->second);
  programs_.erase(program);
}

void Machine::act(const node::SendStarted& order) { say(Started{order.attempt}); }

void Machine::act(const node::SendFinished& order) {
  const auto program = programs_.find(order.attempt);
  const bool has_outcome = program != programs_.end() && program->second.stage == Stage::kFinished;
  say(Finished{order.attempt, has_outcome ? program->second.outcome : Failure::kNodeLost});
}

void Machine::act(const node::SendOffer& order) { say(Offer{order.offered, order.closed, order.frozen, order.admits}); }

void Machine::act(const node::SendHeartbeat&) { say(Heartbeat{}); }

}  // namespace hearth::sim
