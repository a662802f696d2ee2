#include "sim/checker.h"

#include <algorithm>

namespace hearth::sim {
namespace {

using pool::JobState;
using pool::TaskState;

constexpr std::uint32_t kMaxLosses = 20;

bool is_own_doing(Failure why) {
  return why != Failure::kNodeLost && why != Failure::kCancelled && why != Failure::kOwner &&
         why != Failure::kPreempted && why != Failure::kGang && why != Failure::kDrained && why != Failure::kBooked;
}

bool counts_as_attempt(Failure why) {
  return why != Failure::kOwner && why != Failure::kPreempted && why != Failure::kGang && why != Failure::kDrained &&
         why != Failure::kBooked;
}

JobId job_of(const pool::Effect& record) {
  return std::visit(
      [](const auto& it) {
        if constexpr (requires { it.attempt; })
          return it.attempt.task.job;
        else if constexpr (requires { it.job; })
          return it.job;
        else
          return JobId{};
      },
      record);
}

std::set<JobId> jobs_of(const std::vector<pool::Effect>& records) {
  std::set<JobId> jobs;
  for (const pool::Effect& record : records) jobs.insert(job_of(record));
  return jobs;
}

// Where the attempt is leased, as its task's first or its copy; none: nowhere.
NodeId leased_to(const StoredTask* task, AttemptId attempt) {
  if (task == nullptr || task->state != TaskState::kLeased) return {};
  if (task->epoch == attempt.epoch) return task->node;
  return task->copy_epoch == attempt.epoch ? task->copy_node : NodeId{};
}

bool is_leased(const StoredTask* task, AttemptId attempt) { return leased_to(task, attempt) != NodeId{}; }

}  // namespace

bool Checker::ended_so(AttemptId attempt, Failure failure) const {
  const auto entry = outcomes_.find(attempt);
  return entry != outcomes_.end() && entry->second.contains(failure);
}

void Checker::check_record(const Store& store, const pool::Effect& record) {
  std::visit([&](const auto& it) { check(store, it); }, record);
}

void Checker::check_send(const Store& store, const pool::Effect& send) { check_record(store, send); }

void Checker::check(const Store& store, const pool::JobRecord& record) {
  if (store.removed.contains(record.job)) return universe_.fail(record.job, "is removed, but goes on");
  const StoredJob& job = store.jobs.at(record.job);
  if (job.has_ended()) return universe_.fail(record.job, "ends twice");
  const std::uint32_t succeeded = job.count(TaskState::kSucceeded);
  const std::uint32_t ended = succeeded + job.count(TaskState::kFailed) + job.count(TaskState::kCancelled);
  const bool ends = record.state >= JobState::kSucceeded;
  if (ends != (ended == job.request.tasks)) {
    return universe_.fail(record.job, "becomes", static_cast<int>(record.state), "with", ended, "tasks ended");
  }
  if ((record.state == JobState::kSucceeded) != (succeeded == job.request.tasks)) {
    universe_.fail(record.job, "becomes", static_cast<int>(record.state), "with", succeeded, "tasks succeeded");
  }
}

// What a task that is leased needs of the jobs before its own.
void Checker::check_after(const Store& store, TaskId task, const pool::JobRequest& request) {
  bool one_failed = request.after.empty();
  for (const JobId after : request.after) {
    const StoredJob& other = store.jobs.at(after);
    const bool is_good = request.when == pool::When::kSuccess ? other.state == JobState::kSucceeded : other.has_ended();
    if (!is_good) universe_.fail(task, "does not wait for", after);
    one_failed = one_failed || other.state == JobState::kFailed;
  }
  if (request.when == pool::When::kFailure && !one_failed) universe_.fail(task, "runs though nothing failed");
}

void Checker::check(const Store& store, const pool::LeaseRecord& record) {
  const TaskId id = record.attempt.task;
  const StoredJob& job = store.jobs.at(id.job);
  if (job.state != JobState::kRunning) return universe_.fail(id, "is leased though its job does not run");
  check_after(store, id, job.request);
  const StoredTask* row = store.find(id);
  if (row != nullptr && row->state != TaskState::kPending) return universe_.fail(id, "is leased but does not wait");
  const StoredTask before = row != nullptr ? *row : StoredTask{};
  if (record.attempt.epoch != before.newest() + 1 || record.attempts != before.attempts + 1) {
    universe_.fail(record.attempt, "does not follow on epoch", before.epoch, "attempts", before.attempts);
  }
  const auto said = store.duties.find(record.node);
  if (said != store.duties.end() && said->second.duty != pool::Duty::kServing) {
    universe_.fail(record.attempt, "is leased to", record.node, "which is to be given nothing new");
  }
  const std::optional<WorkspaceId> workspace = job.workspace();
  if (!workspace) return;
  const auto place = store.workspaces.find(*workspace);
  if (place == store.workspaces.end() || place->second.node != record.node || place->second.leaving) {
    return universe_.fail(record.attempt, "is leased to", record.node, "where its workspace is not");
  }
  if (!store.leased_with(*workspace).empty()) universe_.fail(record.attempt, "is not alone in its workspace");
}

void Checker::check(const Store& store, const pool::CopyRecord& record) {
  const TaskId id = record.attempt.task;
  const StoredTask* row = store.find(id);
  const pool::JobRequest& job = store.jobs.at(id.job).request;
  ++copies_;
  if (row == nullptr || row->state != TaskState::kLeased) return universe_.fail(id, "is copied but not leased");
  if (row->copy_epoch != 0) return universe_.fail(id, "is copied twice");
  if (row->node == record.node) universe_.fail(id, "is copied to the node on which it runs");
  if (job.gang || job.no_copies || !job.workspace.empty()) universe_.fail(id, "is copied, but may not be");
  if (record.attempt.epoch != row->epoch + 1 || record.attempts != row->attempts + 1) {
    universe_.fail(record.attempt, "does not follow on epoch", row->epoch, "attempts", row->attempts);
  }
  const auto said = store.duties.find(record.node);
  if (said != store.duties.end() && said->second.duty != pool::Duty::kServing) {
    universe_.fail(record.attempt, "is leased to", record.node, "which is to be given nothing new");
  }
}

void Checker::check(const Store& store, const pool::DropRecord& record) {
  const StoredTask* row = store.find(record.attempt.task);
  if (!is_leased(row, record.attempt)) return universe_.fail(record.attempt, "is dropped but not leased");
  if (row->copy_node == NodeId{}) return universe_.fail(record.attempt, "is dropped, and nothing goes on");
  if (record.attempts != row->attempts - (counts_as_attempt(record.why) ? 0 : 1)) {
    universe_.fail(record.attempt, "is dropped with", record.attempts, "attempts");
  }
  if (is_own_doing(record.why) && !ended_so(record.attempt, record.why)) {
    universe_.fail(record.attempt, "did not fail so");
  }
}

void Checker::check(const Store& store, const pool::RequeueRecord& record) {
  const StoredTask* row = store.find(record.attempt.task);
  if (!is_leased(row, record.attempt)) return universe_.fail(record.attempt, "is requeued but not leased");
  if (row->copy_node != NodeId{}) return universe_.fail(record.attempt, "is requeued while another attempt runs");
  const std::uint32_t failures = row->failures + (is_own_doing(record.why) ? 1 : 0);
  const std::uint32_t attempts = row->attempts - (counts_as_attempt(record.why) ? 0 : 1);
  const StoredJob& job = store.jobs.at(record.attempt.task.job);
  if (record.why == Failure::kGang && !job.request.gang) universe_.fail(record.attempt, "has no gang");
  if (record.why == Failure::kDrained && !store.duties.contains(row->node)) {
    universe_.fail(record.attempt, "is taken from", row->node, "which nobody spoke of");
  }
  if (record.why == Failure::kBooked && universe_.scenario.booking == 0) {
    universe_.fail(record.attempt, "is taken from a node that nobody booked");
  }
  if (record.why == Failure::kPreempted && job.request.priority >= pool::PriorityClass::kNormal) {
    universe_.fail(record.attempt, "is ended for others, though it is of class", name_of(job.request.priority));
  }
  if (record.failures != failures || record.attempts != attempts) {
    universe_.fail(record.attempt, "is requeued with", record.failures, "failures, not", failures);
  }
  if (is_own_doing(record.why) && !ended_so(record.attempt, record.why)) {
    universe_.fail(record.attempt, "did not fail so");
  }
  if (record.failures > store.jobs.at(record.attempt.task.job).request.retries) {
    universe_.fail(record.attempt, "is tried once too often");
  }
}

void Checker::check(const Store& store, const pool::EndRecord& record) {
  const AttemptId attempt = record.attempt;
  const StoredTask* row = store.find(attempt.task);
  const bool waits = row != nullptr && row->state == TaskState::kPending && row->newest() == attempt.epoch;
  if (row != nullptr && row->state >= TaskState::kSucceeded) return universe_.fail(attempt, "ends twice");
  if (!waits && !is_leased(row, attempt)) {
    return universe_.fail(attempt, "is accepted, but is not the newest attempt");
  }
  const StoredJob& job = store.jobs.at(attempt.task.job);
  if (record.state == TaskState::kCancelled) return;
  if (row->state != TaskState::kLeased) return universe_.fail(attempt, "ends, but is not leased");
  if (record.why == Failure::kNodeLost) {
    if (row->attempts - row->failures <= kMaxLosses) universe_.fail(attempt, "is given up too early");
    return;
  }
  if (!ended_so(attempt, record.why)) universe_.fail(attempt, "did not end so");
  if (record.state == TaskState::kFailed && row->failures != job.request.retries) {
    universe_.fail(attempt, "fails with retries left");
  }
}

void Checker::check(const Store& store, const pool::EndRangeRecord& record) {
  const StoredJob& job = store.jobs.at(record.job);
  const auto first = job.tasks.lower_bound(record.first);
  const bool overlaps = first != job.tasks.end() && first->first < record.first + record.count;
  if (overlaps || record.count == 0) universe_.fail(record.job, "ends tasks by range that have rows");
  if (job.rest && (job.rest->state != record.state || job.rest->why != record.why)) {
    universe_.fail(record.job, "ends in two ways");
  }
}

void Checker::check(const Store& store, const pool::RemoveRecord& record) {
  const auto job = store.jobs.find(record.job);
  if (job == store.jobs.end()) return universe_.fail(record.job, "is removed, but is not there");
  if (!job->second.has_ended()) universe_.fail(record.job, "is removed before it has ended");
  for (const auto& [id, other] : store.jobs) {
    if (other.has_ended() || std::ranges::find(other.request.after, record.job) == other.request.after.end()) continue;
    universe_.fail(record.job, "is removed, but", id, "needs it");
  }
}

void Checker::check(const Store& store, const pool::WorkspaceRecord& record) {
  const auto before = store.workspaces.find(record.id);
  const bool moves = before != store.workspaces.end() && record.node != NodeId{} && before->second.node != record.node;
  if (moves) universe_.fail("workspace", record.id.name, "moves to", record.node);
  if (store.leased_with(record.id).empty()) return;
  universe_.fail("workspace", record.id.name, "changes while a task has it");
}

void Checker::check(const Store& store, const pool::WipeWorkspaceSend& send) {
  const auto place = store.workspaces.find(send.id);
  if (place == store.workspaces.end() || !place->second.leaving || place->second.node != send.node) {
    universe_.fail("workspace", send.id.name, "is wiped on", send.node, "though nobody removed it");
  }
}

void Checker::check(const Store& store, const pool::AssignSend& send) {
  const StoredTask* row = store.find(send.attempt.task);
  if (leased_to(row, send.attempt) != send.node) {
    universe_.fail(send.attempt, "is assigned to", send.node, "without a lease in the store");
  }
}

void Checker::check(const Store& store, const pool::StopSend& send) {
  const StoredTask* row = store.find(send.attempt.task);
  if (leased_to(row, send.attempt) == send.node) {
    universe_.fail(send.attempt, "is stopped on", send.node, "while it is leased");
  }
}

void Checker::check(const Store& store, const pool::AcknowledgeSend& send) {
  const StoredTask* row = store.find(send.attempt.task);
  if (leased_to(row, send.attempt) == send.node) {
    universe_.fail(send.attempt, "is acknowledged to", send.node, "but its end is not in the store");
  }
}

void Checker::check_gangs(const Store& store, const std::vector<pool::Effect>& records) {
  for (const JobId id : jobs_of(records)) {
    const auto job = store.jobs.find(id);
    if (job == store.jobs.end() || !job->second.request.gang) continue;
    const std::uint32_t succeeded = job->second.count(TaskState::kSucceeded);
    if (succeeded != 0 && succeeded != job->second.request.tasks) {
      universe_.fail(id, "succeeds in part, though it is a gang");
    }
  }
}

void Checker::check_drained(const Store& store) {
  // A commit takes some milliseconds, in which the grace of another node may end; much longer, if it waits for a disk,
  // or for another hub.
  const Scenario& scenario = universe_.scenario;
  const Duration commit = scenario.stall > 0 || scenario.standby ? seconds(60) : seconds(1);
  for (const auto& [id, job] : store.jobs) {
    if (job.count(TaskState::kLeased) == 0) continue;
    for (const auto& [index, task] : job.tasks) {
      if (task.state != TaskState::kLeased) continue;
      for (const NodeId node : {task.node, task.copy_node}) {
        const auto said = store.duties.find(node);
        if (said == store.duties.end()) continue;
        const bool is_over =
            said->second.duty == pool::Duty::kDraining && said->second.grace_ends + commit <= universe_.now();
        if (is_over) universe_.fail(TaskId{id, index}, "is still leased to", node, "which is drained");
      }
    }
  }
}

// The pool's own word, since what it has decided is not committed yet.
void Checker::check_booked(const pool::Pool& pool, const Store& store) {
  for (const auto& [id, terms] : store.bookings) {
    const auto booking = pool.booking(id);
    if (!booking || !booking->has_begun) continue;
    for (const NodeId node : booking->nodes) {
      for (const JobId job : pool.jobs_at(node)) {
        const auto stored = store.jobs.find(job);
        if (stored == store.jobs.end() || stored->second.request.owner.value == terms.account.value) continue;
        universe_.fail(job, "is leased to", node, "which is kept for", terms.account.value);
      }
    }
  }
}

std::optional<pool::JobView> Checker::check_sum(const pool::Pool& pool, JobId id, const Store& store) {
  const auto view = pool.job(id, universe_.now());
  const auto stored = store.jobs.find(id);
  if (!view || stored == store.jobs.end()) return view;
  const std::uint32_t sum = view->pending + view->running + view->succeeded + view->failed + view->cancelled;
  if (sum != stored->second.request.tasks) {
    universe_.fail(id, "has", sum, "tasks, not", stored->second.request.tasks);
  }
  return view;
}

void Checker::check_sums_of(const pool::Pool& pool, const std::vector<pool::Effect>& records, const Store& store) {
  for (const JobId id : jobs_of(records)) check_sum(pool, id, store);
}

void Checker::check_sums(const pool::Pool& pool, const std::set<JobId>& jobs, const Store& store) {
  std::uint64_t pending = 0;
  std::uint64_t leased = 0;
  for (const JobId id : jobs) {
    const auto view = check_sum(pool, id, store);
    if (!view) continue;
    pending += view->pending;
    leased += view->running;
    if (pool.leased_tasks(id).size() != view->running) universe_.fail(id, "lists other leases than it counts");
  }
  if (pending != pool.pending_tasks() || leased != pool.leased_tasks()) universe_.fail("the pool's sums are wrong");
}

void Checker::check_restored(const pool::Pool& pool, const Store& store) {
  for (const auto& [id, job] : store.jobs) {
    const auto view = pool.job(id, universe_.now());
    if (!view) {
      if (!job.has_ended()) universe_.fail(id, "is lost");
      continue;
    }
    for (const TaskState state :
         {TaskState::kPending, TaskState::kLeased, TaskState::kSucceeded, TaskState::kFailed, TaskState::kCancelled}) {
      if (job.count(state) != job.recount(state)) universe_.fail(id, "is counted wrongly by the simulator itself");
    }
    const bool same = view->state == job.state && view->running == job.count(TaskState::kLeased) &&
                      view->copies == job.copies() && view->succeeded == job.count(TaskState::kSucceeded) &&
                      view->failed == job.count(TaskState::kFailed) &&
                      view->cancelled == job.count(TaskState::kCancelled);
    if (!same) universe_.fail(id, "is restored differently");
  }
}

void Checker::check_nobody_idles(const pool::Pool& pool, Time now, const std::set<JobId>& jobs, const Store& store,
                                 const std::set<NodeId>& nodes) {
  // For a gang, nodes are drained until all of it fits.
  const auto waits_as_gang = [&](JobId id) {
    const auto stored = store.jobs.find(id);
    return stored != store.jobs.end() && stored->second.request.gang && pool.job(id, now)->pending > 0;
  };
  if (std::ranges::any_of(jobs, waits_as_gang)) return;
  for (const NodeId id : nodes) {
    const auto node = pool.node(id);
    if (!node || !node->connected || node->closed || node->leased > 0) continue;
    if (node->duty != pool::Duty::kServing || node->booking != BookingId{}) continue;
    for (const JobId job : jobs) {
      const auto stored = store.jobs.find(job);
      if (stored == store.jobs.end() || !stored->second.request.per_task.fits_in(node->offered)) continue;
      const auto workspace = stored->second.workspace();
      if (!stored->second.request.where.empty()) continue;  // this may be a node that does not meet it
      if (workspace && (!store.workspaces.contains(*workspace) || store.workspaces.at(*workspace).node != id)) continue;
      const auto why = pool.why(job, now);
      if (why && why->cause == pool::Cause::kBusy) universe_.fail("node", id, "idles while", job, "waits");
    }
  }
}

void Checker::check_start(NodeId node, const node::Agent& agent, const Resources& running) {
  if (!running.fits_in(agent.offered())) universe_.fail("node", node, "runs more than it offers");
  if (agent.closed()) universe_.fail("node", node, "starts something while it is closed");
  if (agent.frozen()) universe_.fail("node", node, "starts something while its owner is at it");
}

}  // namespace hearth::sim
