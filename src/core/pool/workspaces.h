// The workspaces of the pool: on which node each lies, and whose task has it now.
//
// A workspace comes to be when the first task of a job that names it is placed, and lies on that task's node from then
// on. One task at a time has it; whichever of its jobs came first goes first. So of all jobs that name it one at most
// is in the queue, and none while a task has it. It goes when its owner removes it and its node has wiped it, or with
// its node.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "core/pool/pool.h"

namespace hearth::pool {

inline constexpr std::size_t kMaxWorkspaces = 10'000;  // in a pool, those included that only a waiting job names

struct Workspace {
  WorkspaceId id;
  NodeId node;              // where it lies; none: it has yet to be made
  std::uint64_t bytes = 0;  // what it may take: the most that a job of it asked for
  bool leaving = false;
  std::set<JobId> jobs;         // that name it and have not ended
  std::set<JobId> ready;        // of those, the ones with tasks that could be leased
  std::optional<JobId> queued;  // of those, the one that is in the queue
  std::optional<TaskId> user;   // the leased task that has it
};

using WorkspaceTable = std::map<WorkspaceId, Workspace>;

}  // namespace hearth::pool
