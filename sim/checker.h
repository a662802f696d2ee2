// What must always hold, checked from outside: against the store's rows and a ledger of what truly ran, not against
// what the cores say of themselves.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "core/node/agent.h"
#include "core/pool/pool.h"
#include "sim/store.h"
#include "sim/universe.h"

namespace hearth::sim {

class Checker {
 public:
  explicit Checker(Universe& universe) : universe_(universe) {}

  std::uint32_t copies() const { return copies_; }

  // Before a record becomes part of the store.
  void check_record(const Store& store, const pool::Effect& record);
  // Before something is said to a node: what it rests on must be in the store.
  void check_send(const Store& store, const pool::Effect& send);
  // After each batch of events: every task of every job is in exactly one state.
  void check_gangs(const Store& store, const std::vector<pool::Effect>& records);  // after a commit of these
  void check_booked(const pool::Pool& pool, const Store& store);  // nobody else's work is on booked nodes
  void check_drained(const Store& store);  // after a commit: a node whose grace has ended holds nothing
  void check_sums(const pool::Pool& pool, const std::set<JobId>& jobs, const Store& store);
  // The same of the jobs that these are of.
  void check_sums_of(const pool::Pool& pool, const std::vector<pool::Effect>& records, const Store& store);
  // The pool restored from the store knows what the store knows.
  void check_restored(const pool::Pool& pool, const Store& store);
  // Once all is calm: no open node is idle while a task that fits it waits.
  void check_nobody_idles(const pool::Pool& pool, Time now, const std::set<JobId>& jobs, const Store& store,
                          const std::set<NodeId>& nodes);
  // When a program starts on a node; `running` includes it.
  void check_start(NodeId node, const node::Agent& agent, const Resources& running);

  // A program truly ended so.
  void note_outcome(AttemptId attempt, Failure failure) { outcomes_[attempt].insert(failure); }

 private:
  void check(const Store& store, const pool::JobRecord& record);
  void check_after(const Store& store, TaskId task, const pool::JobRequest& request);
  void check(const Store& store, const pool::LeaseRecord& record);
  void check(const Store& store, const pool::CopyRecord& record);
  void check(const Store& store, const pool::DropRecord& record);
  void check(const Store& store, const pool::RequeueRecord& record);
  void check(const Store& store, const pool::EndRecord& record);
  void check(const Store& store, const pool::EndRangeRecord& record);
  void check(const Store& store, const pool::RemoveRecord& record);
  void check(const Store& store, const pool::WorkspaceRecord& record);
  void check(const Store&, const pool::BookingRecord&) {}
  void check(const Store& store, const pool::AssignSend& send);
  void check(const Store& store, const pool::StopSend& send);
  void check(const Store& store, const pool::AcknowledgeSend& send);
  void check(const Store& store, const pool::WipeWorkspaceSend& send);
  std::optional<pool::JobView> check_sum(const pool::Pool& pool, JobId id, const Store& store);
  bool ended_so(AttemptId attempt, Failure failure) const;

  Universe& universe_;
  std::uint32_t copies_ = 0;
  std::map<AttemptId, std::set<Failure>> outcomes_;
};

}  // namespace hearth::sim
