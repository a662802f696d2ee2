// What nodes and hub say to each other, as the frames of hearth.v1's session do.
#pragma once

#include <optional>
#include <variant>

#include "core/node/agent.h"
#include "core/outcome.h"
#include "core/pool/pool.h"

namespace hearth::sim {

// How a task's program behaves.
struct Behaviour {
  Duration shortest;
  Duration longest;
  std::uint32_t failing = 0;  // permille
};

struct Heartbeat {};
struct Offer {
  Resources offered;
  bool closed = false;
  bool frozen = false;
  Admission admits;
};
struct Started {
  AttemptId attempt;
};
struct Finished {
  AttemptId attempt;
  Failure failure = Failure::kNone;
};
struct WorkspaceWiped {
  WorkspaceId workspace;
};
using NodeMessage = std::variant<pool::NodeHello, Heartbeat, Offer, Started, Finished, WorkspaceWiped>;

struct Assign {
  node::Assignment assignment;
  Behaviour behaviour;
  std::optional<WorkspaceId> workspace;
};
struct Stop {
  AttemptId attempt;
};
struct Acknowledged {
  AttemptId attempt;
};
struct WipeWorkspace {
  WorkspaceId workspace;
};
using HubMessage = std::variant<Assign, Stop, Acknowledged, WipeWorkspace>;

}  // namespace hearth::sim
