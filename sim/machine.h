// A node of a simulated world: the real Agent and an executor whose programs take their time, fail, or hang.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>

#include "core/node/agent.h"
#include "sim/checker.h"
#include "sim/network.h"
#include "sim/universe.h"

namespace hearth::sim {

class Machine {
 public:
  Machine(Universe& universe, Network& network, Checker& checker, NodeId id, const Resources& size);

  void boot();
  void crash();             // all that it held is gone
  void set_power(bool on);  // off: it is down until it is on again
  void retire();            // for good
  bool is_up() const { return agent_ != nullptr; }
  bool is_retired() const { return retired_; }
  NodeId id() const { return id_; }
  const Resources& size() const { return size_; }
  const node::Agent* agent() const { return agent_.get(); }

  void set_policy(const node::Policy& policy);  // outlives crashes, as a file does
  void set_slow() { slow_ = true; }
  void set_time_of_day(std::uint16_t minute);
  void set_owner_present(bool present);  // outlives crashes, as a person does
  void stop_everything(bool stopped);
  void on_message(SessionId session, const HubMessage& message);
  void on_session_lost(SessionId session);
  SessionId session() const { return session_; }

 private:
  enum class Stage : std::uint8_t { kAssigned, kPreparing, kReady, kRunning, kCollecting, kFinished };
  // The executor's side of an attempt.
  struct Program {
    node::Assignment assignment;
    Behaviour behaviour;
    std::optional<WorkspaceId> workspace;
    Stage stage = Stage::kAssigned;
    Failure outcome = Failure::kNone;
    std::uint64_t token = 0;  // of the event that it waits for
    Time due;                 // when that event comes
    std::function<void(Program&)> then;
    std::optional<Duration> frozen_with;  // what was left until then
  };

  Time local() const { return universe_.now() + skew_; }  // by its own clock
  void dial();
  void flush();
  void plan_wake();
  void look_around();
  void look_for_ever();
  void say(const NodeMessage& message);
  bool runs_with(const std::optional<WorkspaceId>& workspace) const;
  void note_exit(AttemptId attempt, Program& ended);
  void later(AttemptId attempt, Stage stage, Duration span, std::function<void(Program&)> then);

  void act(const node::Prepare& order);
  void act(const node::Run& order);
  void act(const node::Kill& order);
  void act(const node::Freeze& order);
  void act(const node::Thaw& order);
  void act(const node::Collect& order);
  void act(const node::Wipe& order);
  void act(const node::SendStarted& order);
  void act(const node::SendFinished& order);
  void act(const node::SendOffer& order);
  void act(const node::SendHeartbeat& order);

  Universe& universe_;
  Network& network_;
  Checker& checker_;
  NodeId id_;
  Resources size_;
  node::Policy policy_;
  std::uint16_t minute_ = 0;
  bool owner_present_ = false;
  bool stopped_ = false;
  bool slow_ = false;
  bool retired_ = false;
  bool powered_ = true;
  Duration skew_;
  HubNumber hub_ = 0;  // that it dials next

  // Lost in a crash.
  std::unique_ptr<node::Agent> agent_;
  std::uint64_t life_ = 0;
  SessionId session_ = 0;
  std::map<AttemptId, Program> programs_;
  Resources used_;
  std::uint64_t last_token_ = 0;
  std::optional<Time> wake_;
};

}  // namespace hearth::sim
