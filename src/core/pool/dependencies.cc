// Jobs that run after others: what their ends mean for them.
#include <algorithm>
#include <string>

#include "base/check.h"
#include "core/pool/state.h"

namespace hearth::pool {

// A job that needs all to succeed ends with the first that does not; any other waits for all ends.
Pool::State::Fate Pool::State::fate_of(const JobRequest& request) const {
  std::size_t waits = 0;
  std::size_t failed = 0;
  std::size_t cancelled = 0;
  std::size_t skipped = 0;
  for (const JobId id : request.after) {
    const auto other = jobs.find(id);
    if (other == jobs.end()) continue;
    const Job& job = other->second;
    waits += job.has_ended() ? 0 : 1;
    failed += job.state == JobState::kFailed ? 1 : 0;
    skipped += job.skipped ? 1 : 0;
    cancelled += job.state == JobState::kCancelled && !job.skipped ? 1 : 0;
  }
  if (request.when == When::kSuccess && failed + cancelled > 0) return Fate::kFails;
  if (request.when == When::kSuccess && skipped > 0) return Fate::kIsSkipped;
  if (waits > 0) return Fate::kWaits;
  if (request.when == When::kFailure && failed == 0 && !request.after.empty()) return Fate::kIsSkipped;
  return Fate::kRuns;
}

Result<void> Pool::State::check_after(const JobRequest& request) const {
  for (const JobId id : request.after) {
    if (jobs.contains(id)) continue;
    return fail(Code::kNotFound,
                "there is no job " + std::to_string(id.value) + " to run after; those that there are: hearth jobs");
  }
  if (request.even_if_never_run) return {};
  const Fate fate = fate_of(request);
  if (fate != Fate::kFails && fate != Fate::kIsSkipped) return {};
  if (request.when == When::kFailure) {
    return fail(Code::kFailedPrecondition,
                "none of the jobs that it is to run after has failed, and it is for a failure, so it would never run");
  }
  const auto unsuccessful = std::ranges::find_if(request.after, [&](JobId id) {
    const JobState state = jobs.at(id).state;
    return state == JobState::kFailed || state == JobState::kCancelled;
  });
  CHECK(unsuccessful != request.after.end());
  return fail(Code::kFailedPrecondition, "job " + std::to_string(unsuccessful->value) +
                                             ", which it is to run after, has not succeeded, so it would never run");
}

// Whether it has ended.
bool Pool::State::follow_fate(Job& job) {
  CHECK(job.state == JobState::kWaiting);
  switch (fate_of(job.request)) {
    case Fate::kWaits:
      return false;
    case Fate::kRuns:
      job.state = JobState::kQueued;
      effects.emplace_back(JobRecord{job.request.id, job.state});
      enter_queue(job);
      return false;
    case Fate::kFails:
      end_pending(job, TaskState::kFailed, Failure::kDependency);
      close(job, JobState::kFailed);
      return true;
    case Fate::kIsSkipped:
      job.skipped = true;
      end_pending(job, TaskState::kCancelled, Failure::kSkipped);
      close(job, JobState::kCancelled);
      return true;
  }
  return false;
}

void Pool::State::close(Job& job, JobState state) {
  job.state = state;
  forget_workspace(job);
  forget_terms(job);
  broken_gangs.erase(job.request.id);
  --live_jobs;
  effects.emplace_back(JobRecord{job.request.id, state});
  for (const JobId id : job.request.after) {
    if (Job* other = find_job(id)) other->dependants.erase(job.request.id);
  }
}

// With it may end those that run after it, and those after them: a loop, for chains may be long.
void Pool::State::end_job(Job& first, JobState first_state) {
  close(first, first_state);
  std::vector<JobId> ended{first.request.id};
  while (!ended.empty()) {
    const std::set<JobId> dependants = find_job(ended.back())->dependants;
    ended.pop_back();
    for (const JobId id : dependants) {
      Job* dependant = find_job(id);
      CHECK(dependant != nullptr);
      // An end before this one may have settled it already.
      if (dependant->state == JobState::kWaiting && follow_fate(*dependant)) ended.push_back(id);
    }
  }
}

}  // namespace hearth::pool
