// What the simulated hub has committed: it survives the hub's crashes.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/pool/pool.h"
#include "sim/messages.h"

namespace hearth::sim {

struct StoredTask {
  pool::TaskState state = pool::TaskState::kPending;
  std::uint32_t epoch = 0;
  std::uint32_t attempts = 0;
  std::uint32_t failures = 0;
  NodeId node;
  std::uint32_t copy_epoch = 0;
  NodeId copy_node = {};

  std::uint32_t newest() const { return copy_epoch > epoch ? copy_epoch : epoch; }
};

struct StoredJob {
  pool::JobRequest request;
  Behaviour behaviour;
  Duration time_limit;
  std::uint64_t order = 0;  // the client's number for it
  pool::JobState state = pool::JobState::kQueued;
  std::map<std::uint32_t, StoredTask> tasks;  // those that were ever leased
  std::optional<pool::EndRangeRecord> rest;   // how all others ended
  std::uint32_t rest_tasks = 0;

  std::optional<WorkspaceId> workspace() const;
  bool has_ended() const;
  std::uint32_t count(pool::TaskState of) const;
  std::uint32_t copies() const;
};

struct StoredDuty {
  pool::Duty duty = pool::Duty::kServing;
  Time grace_ends;
};

class Store {
 public:
  std::map<JobId, StoredJob> jobs;
  std::set<JobId> removed;
  std::map<WorkspaceId, pool::WorkspaceRecord> workspaces;
  std::map<NodeId, StoredDuty> duties;  // of every node that somebody spoke of

  void apply(const pool::Effect& record);
  // Jobs that have not ended and those that they run after, handed to a pool that starts.
  void restore(pool::Pool& pool, Time now) const;
  static void restore_one(pool::Pool& pool, const StoredJob& job, Time now);
  const StoredTask* find(TaskId task) const;
  std::set<TaskId> leased_with(const WorkspaceId& workspace) const;
  std::optional<JobId> find_order(std::uint64_t order) const;
  JobId last_id() const;
};

}  // namespace hearth::sim
