// What the simulated hub has committed: it survives the hub's crashes.
#pragma once

#include <array>
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
  std::array<std::uint32_t, 6> counts = {};  // of `tasks`, by state

  std::optional<WorkspaceId> workspace() const;
  bool has_ended() const;
  std::uint32_t count(pool::TaskState of) const;
  std::uint32_t recount(pool::TaskState of) const;  // the same, from the rows
  void set(std::uint32_t index, const StoredTask& task);
  std::uint32_t copies() const;
};

struct StoredDuty {
  pool::Duty duty = pool::Duty::kServing;
  Time grace_ends;
};

// As a pool is told of it whose clock differs by so much from the world's.
pool::BookingTerms by_clock(pool::BookingTerms terms, Duration skew);

class Store {
 public:
  std::map<JobId, StoredJob> jobs;
  std::set<JobId> removed;
  std::map<WorkspaceId, pool::WorkspaceRecord> workspaces;
  std::map<NodeId, StoredDuty> duties;               // of every node that somebody spoke of
  std::map<BookingId, pool::BookingTerms> bookings;  // by the world's clock
  std::vector<pool::AccountTerms> accounts;
  std::set<NodeId> removed_nodes;

  void add(const StoredJob& job);

  void apply(const pool::Effect& record);
  // Jobs that have not ended and those that they run after, handed to a pool that starts. `skew`: of its clock, by
  // which `now` is.
  void restore(pool::Pool& pool, Time now, Duration skew) const;
  static void restore_one(pool::Pool& pool, const StoredJob& job, Time now);
  const StoredTask* find(TaskId task) const;
  std::set<TaskId> leased_with(const WorkspaceId& workspace) const;
  std::optional<JobId> find_order(std::uint64_t order) const;
  JobId last_id() const;

 private:
  void set(TaskId id, const StoredTask& task) { jobs.at(id.job).set(id.index, task); }

  std::map<std::uint64_t, JobId> orders_;
};

}  // namespace hearth::sim
