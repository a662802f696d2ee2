// What the pool's records become in the store's next batch.
#include "base/check.h"
#include "hub/engine.h"

namespace hearth::hub {

void Engine::apply(const pool::JobRecord& record) {
  const auto found = live_.find(record.job);
  CHECK(found != live_.end());
  store::JobRow& row = found->second.row;
  store::JobChange change{.job = record.job, .state = record.state, .started = {}, .ended = {}};
  if (record.state == pool::JobState::kRunning && row.started.unix_millis == 0)
    change.started = row.started = wall_now();
  if (record.state >= pool::JobState::kSucceeded) {
    change.ended = row.ended = wall_now();
    pending_.ended_jobs.push_back(record.job);
  }
  row.state = record.state;
  pending_.batch.changes.push_back(change);
  pending_.changed_jobs.push_back(record.job);
}

void Engine::apply(const pool::LeaseRecord& record) {
  store::TaskRow& row = rows_[record.attempt.task];
  row.task = record.attempt.task;
  row.state = pool::TaskState::kLeased;
  row.epoch = record.attempt.epoch;
  row.attempts = record.attempts;
  row.node = record.node;
  row.started = {};
  pending_.batch.tasks.push_back(row);
  pending_.changed_jobs.push_back(record.attempt.task.job);
  pending_.changed_nodes.push_back(record.node);
}

// A node's word counts for its own attempt alone; of others that end with it, see gangs, each has its own.
v1::Outcome Engine::take_outcome(AttemptId attempt, Failure why, const std::optional<Report>& report) {
  if (auto held = held_outcomes_.extract(attempt); held && why == Failure::kNone) return std::move(held.mapped());
  return report && report->attempt == attempt ? report->outcome : outcome_of(why);
}

void Engine::apply(const pool::RequeueRecord& record, const std::optional<Report>& report) {
  store::TaskRow& row = rows_[record.attempt.task];
  const v1::Outcome ended = take_outcome(record.attempt, record.why, report);
  row.task = record.attempt.task;
  row.state = pool::TaskState::kPending;
  row.epoch = record.attempt.epoch;
  row.attempts = record.attempts;
  row.failures = record.failures;
  row.ended = wall_now();
  row.outcome = ended.SerializeAsString();
  pending_.batch.tasks.push_back(row);
  pending_.changed_jobs.push_back(record.attempt.task.job);
  pending_.ended.push_back({record.attempt, ended});
}

void Engine::apply(const pool::EndRecord& record, const std::optional<Report>& report) {
  const TaskId task = record.attempt.task;
  store::TaskRow row = rows_[task];
  rows_.erase(task);
  const v1::Outcome ended = take_outcome(record.attempt, record.why, report);
  row.task = task;
  row.state = record.state;
  row.epoch = record.attempt.epoch;
  row.ended = wall_now();
  row.outcome = ended.SerializeAsString();
  if (record.state == pool::TaskState::kFailed) note_failure(task.job, ended);
  pending_.batch.tasks.push_back(std::move(row));
  pending_.changed_jobs.push_back(task.job);
  pending_.ended.push_back({record.attempt, ended});
}

void Engine::note_failure(JobId id, const v1::Outcome& failure) {
  LiveJob& job = live_.at(id);
  if (job.first_failure.reason() == v1::FAILURE_REASON_UNSPECIFIED) job.first_failure = failure;
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
