// Gangs: the tasks of such a job run at once, and succeed or run again together.
//
// They are leased in one step or not at all, so two gangs never wait for each other. A task that has succeeded keeps
// its lease and its room until the last one has: only then are their ends accepted and the nodes told. So where one is
// lost or fails, all run again, those that had succeeded too. That counts as no attempt of theirs.
#include <set>
#include <vector>

#include "core/pool/state.h"

namespace hearth::pool {

void Pool::State::hold(Lease& lease) {
  Job& job = *lease.job;
  if (lease.held || broken_gangs.contains(job.request.id)) return;
  lease.held = true;
  if (++job.held == job.request.tasks) settle_gang(job, lease.attempt);
}

// Whoever told of the last one is answered anyway.
void Pool::State::settle_gang(Job& job, AttemptId last) {
  std::set<NodeId> touched;
  for (Lease* lease : leases.of_job(job.request.id)) {
    effects.emplace_back(EndRecord{lease->attempt, TaskState::kSucceeded, Failure::kNone});
    if (lease->attempt != last) effects.emplace_back(AcknowledgeSend{lease->node->id, lease->attempt});
    ++job.succeeded;
    job.total_time = job.total_time + (now - lease->leased_at);
    ++job.timed;
    touched.insert(lease->node->id);
    drop_lease(*lease);
  }
  reuse(touched);
  end_if_done(job);
}

// The others are ended by the next batch: whoever calls may be on its way through leases.
void Pool::State::break_gang(Job& job) {
  if (!job.has_ended()) broken_gangs.insert(job.request.id);
}

void Pool::State::restart_broken_gangs() {
  while (!broken_gangs.empty()) {
    Job& job = *find_job(*broken_gangs.begin());
    broken_gangs.erase(broken_gangs.begin());
    if (job.failed > 0) {  // for good, and the job with it
      end_pending(job, TaskState::kCancelled, Failure::kGang);
      end_leased(job, Failure::kGang);
      end_if_done(job);
      continue;
    }
    std::set<NodeId> touched;
    for (Lease* lease : leases.of_job(job.request.id)) {
      stop(*lease);
      touched.insert(lease->node->id);
      requeue(*lease, lease->failures, Failure::kGang, Duration{});
      drop_lease(*lease);
    }
    reuse(touched);
  }
}

}  // namespace hearth::pool
