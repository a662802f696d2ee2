// What the pool's records become in the store's next batch.
#include <utility>

#include "base/check.h"
#include "hub/engine.h"
#include "hub/usage.h"

namespace hearth::hub {
namespace {

// Takes one of the task's two attempts out of its row, which is that of the other one then.
store::TaskRow take_out(store::TaskRow& row, AttemptId attempt) {
  store::TaskRow other = row;
  other.epoch = row.copy_epoch;
  other.node = row.copy_node;
  other.started = row.copy_started;
  if (attempt.epoch != row.copy_epoch) std::swap(row, other);
  for (store::TaskRow* one : {&row, &other}) {
    one->copy_node = {};
    one->copy_started = {};
  }
  return other;
}

}  // namespace

void Engine::apply(const pool::JobRecord& record) {
  const auto found = live_.find(record.job);
  CHECK(found != live_.end());
  store::JobRow& row = found->second.row;
  store::JobChange change{.job = record.job, .state = record.state, .started = {}, .ended = {}};
  const bool starts = record.state == pool::JobState::kRunning && row.started.unix_millis == 0;
  if (starts) change.started = row.started = wall_now();
  if (record.state >= pool::JobState::kSucceeded) {
    change.ended = row.ended = wall_now();
    pending_.ended_jobs.push_back(record.job);
  }
  row.state = record.state;
  pending_.batch.changes.push_back(change);
  pending_.changed_jobs.push_back(record.job);
  if (starts) this->record(found->second, webhook::Kind::kJobStarted);
  if (record.state >= pool::JobState::kSucceeded) this->record(found->second, webhook::Kind::kJobEnded);
}

void Engine::record(const LiveJob& job, webhook::Kind kind) {
  if (recorder_ != nullptr) recorder_->job_recorded(job, kind, pending_.batch);
}

void Engine::apply(const pool::LeaseRecord& record) {
  store::TaskRow& row = rows_[record.attempt.task];
  row.task = record.attempt.task;
  row.state = pool::TaskState::kLeased;
  row.epoch = record.attempt.epoch;
  row.attempts = record.attempts;
  row.node = record.node;
  row.started = {};
  row.copy_epoch = 0;
  pending_.batch.tasks.push_back(row);
  pending_.changed_jobs.push_back(record.attempt.task.job);
  pending_.changed_nodes.push_back(record.node);
}

// A node's word counts for its own attempt alone; of others that end with it, see gangs, each has its own.
Engine::Report Engine::take_report(AttemptId attempt, Failure why, const std::optional<Report>& report) {
  if (auto held = held_.extract(attempt); held && why == Failure::kNone) return std::move(held.mapped());
  if (report && report->attempt == attempt) return *report;
  return {.attempt = attempt, .outcome = outcome_of(why), .is_nodes_word = false};
}

void Engine::apply(const pool::CopyRecord& record) {
  store::TaskRow& row = rows_.at(record.attempt.task);
  row.attempts = record.attempts;
  row.copy_epoch = record.attempt.epoch;
  row.copy_node = record.node;
  row.copy_started = {};
  pending_.batch.tasks.push_back(row);
  pending_.changed_jobs.push_back(record.attempt.task.job);
  pending_.changed_nodes.push_back(record.node);
}

void Engine::apply(const pool::DropRecord& record, const std::optional<Report>& report) {
  store::TaskRow& row = rows_.at(record.attempt.task);
  const bool is_copy = record.attempt.epoch == row.copy_epoch;
  Report ended = take_report(record.attempt, record.why, report);
  store::TaskRow gone = take_out(row, record.attempt);
  row.attempts = record.attempts;
  note_usage(gone, ended, std::nullopt);
  gone.attempts = record.attempts;
  gone.ended = wall_now();
  if (record.why != Failure::kPreempted) note_failed_attempt(gone, ended.outcome, true);
  pending_.batch.tasks.push_back(row);
  pending_.changed_jobs.push_back(record.attempt.task.job);
  if (is_copy) ended.outcome.clear_log();  // whoever reads the first one's goes on with that
  pending_.ended.push_back({record.attempt, ended.outcome});
}

void Engine::apply(const pool::RequeueRecord& record, const std::optional<Report>& report) {
  store::TaskRow& row = rows_[record.attempt.task];
  const Report ended = take_report(record.attempt, record.why, report);
  row.task = record.attempt.task;
  note_usage(row, ended, std::nullopt);
  row.state = pool::TaskState::kPending;
  row.epoch = record.attempt.epoch;
  row.attempts = record.attempts;
  row.failures = record.failures;
  row.ended = wall_now();
  row.outcome = ended.outcome.SerializeAsString();
  note_failed_attempt(row, ended.outcome, true);
  pending_.batch.tasks.push_back(row);
  pending_.changed_jobs.push_back(record.attempt.task.job);
  pending_.ended.push_back({record.attempt, ended.outcome});
}

void Engine::apply(const pool::EndRecord& record, const std::optional<Report>& report) {
  const TaskId task = record.attempt.task;
  store::TaskRow row = rows_[task];
  rows_.erase(task);
  // Of two attempts the other one is ended with it.
  if (row.copy_node != NodeId{}) {
    const bool is_copy = record.attempt.epoch == row.copy_epoch;
    const AttemptId other{task, is_copy ? row.epoch : row.copy_epoch};
    note_usage(take_out(row, other), {.attempt = other, .outcome = {}, .is_nodes_word = false}, std::nullopt);
    pending_.ended.push_back({other, outcome_of(Failure::kCancelled)});
  }
  const Report ended = take_report(record.attempt, record.why, report);
  row.task = task;
  note_usage(row, ended, record.state);
  row.state = record.state;
  row.epoch = record.attempt.epoch;
  row.ended = wall_now();
  row.outcome = ended.outcome.SerializeAsString();
  if (record.state == pool::TaskState::kFailed) {
    note_failure(task.job, ended.outcome);
    note_failed_attempt(row, ended.outcome, false);
  }
  pending_.batch.tasks.push_back(std::move(row));
  pending_.changed_jobs.push_back(task.job);
  pending_.ended.push_back({record.attempt, ended.outcome});
}

// `row`: as it was while the attempt was leased; a task that waits for another attempt uses nothing. `end`: the task's,
// if it has ended with the attempt. Whose use it is follows from the job's owner, here and nowhere else.
void Engine::note_usage(const store::TaskRow& row, const Report& report, std::optional<pool::TaskState> end) {
  if (row.state != pool::TaskState::kLeased) return;
  const LiveJob& job = live_.at(row.task.job);
  const Counted counted = counted_for(job.row.request.owner);
  const Power power = power_of(row.node);
  const EndedAttempt attempt{.owner = job.row.request.owner,
                             .account = counted.account,
                             .firm = counted.firm,
                             .resources = job.row.request.per_task,
                             .node_watts = power.watts,
                             .node_cores = power.cores,
                             .time_limit_seconds = job.spec.time_limit_seconds(),
                             .started = row.started,
                             .reported = report.is_nodes_word ? &report.outcome : nullptr,
                             .result_bytes = report.result_bytes,
                             .has_ended = end.has_value(),
                             .succeeded = end == pool::TaskState::kSucceeded};
  add_usage(pending_.batch.usage, usage_of(attempt, wall_now()));
}

void Engine::note_failure(JobId id, const v1::Outcome& failure) {
  LiveJob& job = live_.at(id);
  if (job.first_failure.reason() == v1::FAILURE_REASON_UNSPECIFIED) job.first_failure = failure;
}

void Engine::note_failed_attempt(const store::TaskRow& row, const v1::Outcome& outcome, bool again) {
  const LiveJob& job = live_.at(row.task.job);
  FailedAttempt failed{.attempt = {row.task, row.epoch},
                       .owner = job.row.request.owner,
                       .node = row.node,
                       .attempts = row.attempts,
                       .again = again,
                       .at = row.ended,
                       .outcome = outcome};
  if (recorder_ != nullptr) recorder_->attempt_recorded(job, failed, pending_.batch);
  pending_.failed.push_back(std::move(failed));
}

void Engine::apply(const pool::EndRangeRecord& record) {
  if (record.state == pool::TaskState::kFailed || record.why == Failure::kSkipped) {
    note_failure(record.job, outcome_of(record.why));
  }
  pending_.batch.range_ends.push_back({record.job, record.first, record.count, record.state, record.why});
  pending_.changed_jobs.push_back(record.job);
}

void Engine::apply(const pool::RemoveRecord& record) {
  removing_.insert(record.job);
  pending_.batch.removed.push_back(record.job);
  pending_.removed_jobs.push_back(record);
}

}  // namespace hearth::hub
