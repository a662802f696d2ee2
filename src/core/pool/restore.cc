// Going on after a restart, from what the store has.
#include <algorithm>

#include "base/check.h"
#include "core/pool/state.h"

namespace hearth::pool {
namespace {

void count_end(Job& job, TaskState state, std::uint32_t tasks) {
  if (state == TaskState::kSucceeded) job.succeeded += tasks;
  if (state == TaskState::kFailed) job.failed += tasks;
  if (state == TaskState::kCancelled) job.cancelled += tasks;
}

TaskState state_of_untouched(JobState job) {
  if (job == JobState::kSucceeded) return TaskState::kSucceeded;
  return job == JobState::kCancelled ? TaskState::kCancelled : TaskState::kFailed;
}

}  // namespace

void Pool::restore_job(const JobRequest& request, JobState job_state, const std::vector<RestoredTask>& tasks, Time now,
                       Failure rest) {
  State& state = *state_;
  state.advance(now);
  CHECK(state.find_job(request.id) == nullptr);
  state.add_job(request, job_state);
  Job& job = *state.find_job(request.id);
  if (!job.has_ended()) state.name_workspace(job);
  for (const RestoredTask& task : tasks) {
    CHECK(task.index < request.tasks);
    if (!job.fresh.erase(task.index)) continue;  // the row came twice
    if (task.state == TaskState::kLeased && !job.has_ended()) {
      Node& node = state.nodes.get_or_add(task.node);
      state.nodes.heard(node, state.now);
      const TaskId id{request.id, task.index};
      Lease& lease = state.add_lease(job, node, {id, task.epoch}, task.attempts, task.failures);
      lease.newest = std::max(task.epoch, task.copy_epoch);
      lease.was_copied = task.copy_epoch > 0;
      if (task.copy_node != NodeId{}) {
        Node& second = state.nodes.get_or_add(task.copy_node);
        state.nodes.heard(second, state.now);
        state.add_copy(lease, second, {id, task.copy_epoch});
      }
    } else if (task.state == TaskState::kPending && !job.has_ended()) {
      job.retries[task.index] = Retry{std::max(task.epoch, task.copy_epoch), task.attempts, task.failures};
      job.ready_retries.insert(task.index);
    } else {
      --state.pending;
      count_end(job, task.state, 1);
      if (task.took.micros > 0) job.busy.add(task.took);
    }
  }
  if (job.has_ended()) {
    job.skipped = rest == Failure::kSkipped;
    count_end(job, state_of_untouched(job_state), job.fresh.size());
    state.pending -= job.fresh.size();
    job.fresh.clear();
    --state.live_jobs;
    for (const JobId id : job.request.after) {
      if (Job* other = state.find_job(id)) other->dependants.erase(request.id);
    }
    return;
  }
  if (job.request.gang && job.leased > 0 && job.leased < job.request.tasks) state.break_gang(job);
  // A waiting job and the ends of those that it waits for are committed together, so this only mends a store that lost
  // some of them.
  if (job.state == JobState::kWaiting) {
    state.follow_fate(job);
    return;
  }
  state.enter_queue(job);
  state.watch_tail(job, state.now);
  state.end_if_done(job);
}

}  // namespace hearth::pool
