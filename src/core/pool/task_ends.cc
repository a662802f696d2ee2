// What becomes of attempts, tasks and jobs.
#include <algorithm>
#include <set>

#include "core/pool/state.h"

namespace hearth::pool {
namespace {

constexpr std::uint32_t kMaxLosses = 20;  // a task that lost its node more often than that may be what kills nodes
constexpr Duration kMaxBackoff = seconds(60);

// A PC whose owner needed it, a drain, or others who went first, say nothing about the task, however often that
// happens.
bool counts_as_attempt(Failure why) {
  return why != Failure::kOwner && why != Failure::kPreempted && why != Failure::kGang && why != Failure::kDrained &&
         why != Failure::kBooked;
}

bool is_own_doing(Failure why) {
  return why != Failure::kNodeLost && why != Failure::kCancelled && counts_as_attempt(why);
}

// Not Resources' minus, which stops at zero: what was added is taken away.
void take_away(Resources& from, const Resources& needs) {
  from.cores -= needs.cores;
  from.memory_bytes -= needs.memory_bytes;
  from.gpus -= needs.gpus;
  from.disk_bytes -= needs.disk_bytes;
}

}  // namespace

// What was leased in this very batch the node is not even told of.
void Pool::State::stop(const Lease& lease) {
  if (lease.batch == batch) {
    std::erase_if(effects, [&](const Effect& effect) {
      const auto* assign = std::get_if<AssignSend>(&effect);
      return assign != nullptr && assign->attempt == lease.attempt;
    });
  } else if (lease.node->connected) {
    effects.emplace_back(StopSend{lease.node->id, lease.attempt});
  }
}

void Pool::State::drop_lease(Lease& lease) {
  Job& job = *lease.job;
  Node& node = *lease.node;
  const Resources& needs = job.request.per_task;
  if (lease.in_room) {
    node.in_room.remove(lease);
    take_away(node.used, needs);
    for (Reach reach = lease.ended_from(); reach < kReaches; ++reach) take_away(node.endable[reach], needs);
    if (lease.brief) node.brief_cores -= needs.cores;
    if (!lease.is_copy) --job.in_room;
  } else {
    node.ahead.remove(lease);
    node.ahead_core_micros -= lease.core_micros;
  }
  if (!lease.is_copy) --job.leased;
  if (lease.held) --job.held;
  if (node.frozen) count_frozen(job, false);
  queue.refund(job.account(), needs);
  vacate(lease);
  Lease* twin = lease.twin;
  const bool leads = !lease.is_copy;
  leases.remove(lease);
  if (twin == nullptr) return;
  --job.copies;
  if (leads) promote(*twin);
}

// It was counted as one that whoever is no scavenger may end.
void Pool::State::promote(Lease& copy) {
  ++copy.job->leased;
  if (!copy.in_room) return;
  ++copy.job->in_room;
  for (Reach reach = kFreeRoom + 1; reach < copy.ended_from(); ++reach) {
    take_away(copy.node->endable[reach], copy.job->request.per_task);
  }
  nodes.refresh(*copy.node);
}

// What it ended of does not count as a failure: the other one may succeed.
void Pool::State::drop_twin(Lease& lease, Failure why) {
  const std::uint32_t attempts = lease.attempts - (counts_as_attempt(why) ? 0 : 1);
  lease.twin->attempts = attempts;
  effects.emplace_back(DropRecord{lease.attempt, attempts, why});
  drop_lease(lease);
}

void Pool::State::requeue(const Lease& lease, std::uint32_t failures, Failure why, Duration wait) {
  Job& job = *lease.job;
  const AttemptId attempt = lease.attempt;
  const std::uint32_t attempts = lease.attempts - (counts_as_attempt(why) ? 0 : 1);
  job.retries[attempt.task.index] = Retry{lease.newest, attempts, failures};
  ++pending;
  effects.emplace_back(RequeueRecord{attempt, attempts, failures, why});
  if (wait.micros > 0) {
    backoffs.emplace(now + wait, attempt.task);
  } else {
    job.ready_retries.insert(attempt.task.index);
    enter_queue(job);
  }
}

void Pool::State::lose(Lease& lease, Failure why) {
  if (lease.twin != nullptr) return drop_twin(lease, why);
  Job& job = *lease.job;
  if (job.is_own()) {
    effects.emplace_back(EndRecord{lease.attempt, TaskState::kFailed, why});
    ++job.failed;
  } else if (why == Failure::kNodeLost && lease.attempts - lease.failures > kMaxLosses) {
    effects.emplace_back(EndRecord{lease.attempt, TaskState::kFailed, Failure::kNodeLost});
    ++job.failed;
  } else {
    requeue(lease, lease.failures, why, Duration{});
  }
  drop_lease(lease);
  if (job.request.gang) break_gang(job);
  end_if_done(job);
}

bool Pool::State::fail_attempt(Lease& lease, Failure why) {
  Job& job = *lease.job;
  if (job.is_own()) {
    effects.emplace_back(EndRecord{lease.attempt, TaskState::kFailed, why});
    ++job.failed;
    return true;
  }
  if (why == Failure::kOwner) {
    // Not at once: a node that says so of everything shall not keep the hub busy.
    requeue(lease, lease.failures, why, options.retry_backoff);
    return false;
  }
  const bool counts = is_own_doing(why);
  const std::uint32_t failures = lease.failures + (counts ? 1 : 0);
  const std::uint32_t losses = lease.attempts - failures;
  if (counts ? failures > job.request.retries : losses > kMaxLosses) {
    effects.emplace_back(EndRecord{lease.attempt, TaskState::kFailed, counts ? why : Failure::kNodeLost});
    ++job.failed;
    return true;
  }
  const std::uint32_t doublings = std::min((counts ? failures : losses) - 1, 30U);
  const Duration wait = std::min(options.retry_backoff * (std::int64_t{1} << doublings), kMaxBackoff);
  requeue(lease, failures, why, wait);
  return false;
}

void Pool::State::accept(Lease& lease, AttemptId reported, Failure failure) {
  Job& job = *lease.job;
  Node& node = *lease.node;
  if (job.request.gang && failure == Failure::kNone) return hold(lease);
  if (failure != Failure::kNone && lease.twin != nullptr) {
    drop_twin(lease, failure);
    return reuse({node.id});
  }
  bool has_ended = true;
  std::set<NodeId> touched = {node.id};
  if (failure == Failure::kNone) {
    effects.emplace_back(EndRecord{reported, TaskState::kSucceeded, Failure::kNone});
    ++job.succeeded;
  } else {
    has_ended = fail_attempt(lease, failure);
  }
  if (has_ended && is_own_doing(failure)) {
    job.total_time = job.total_time + (now - lease.leased_at);
    ++job.timed;
    job.busy.add(lease.in_room ? now - lease.in_room_since : Duration{});
  }
  if (lease.twin != nullptr) {
    touched.insert(lease.twin->node->id);
    stop(*lease.twin);
    drop_lease(*lease.twin);
  }
  drop_lease(lease);
  if (job.request.gang) break_gang(job);
  reuse(touched);
  watch_tail(job, now);
  end_if_done(job);
}

void Pool::State::end_if_done(Job& job) {
  if (job.has_ended() || job.pending() > 0 || job.leased > 0) return;
  end_job(job, job.failed > 0 ? JobState::kFailed : JobState::kSucceeded);
}

void Pool::State::end_pending(Job& job, TaskState state, Failure why) {
  leave_queue(job);
  std::uint32_t& count = state == TaskState::kFailed ? job.failed : job.cancelled;
  count += job.pending();
  pending -= job.pending();
  for (const auto& [index, retry] : job.retries) {
    effects.emplace_back(EndRecord{{{job.request.id, index}, retry.epoch}, state, why});
  }
  for (const auto& [first, end] : job.fresh.runs()) {
    effects.emplace_back(EndRangeRecord{job.request.id, first, end - first, state, why});
  }
  job.retries.clear();
  job.ready_retries.clear();
  job.fresh.clear();
}

// What was leased there may have left room.
void Pool::State::reuse(const std::set<NodeId>& touched) {
  for (const NodeId id : touched) {
    Node& node = *nodes.find(id);
    fill_room(node);
    placement.freed(node);
  }
}

void Pool::State::end_leased(Job& job, Failure why) {
  std::set<NodeId> touched;
  for (Lease* lease : leases.of_job(job.request.id)) {
    effects.emplace_back(EndRecord{lease->attempt, TaskState::kCancelled, why});
    if (Lease* copy = lease->twin) {
      stop(*copy);
      touched.insert(copy->node->id);
      drop_lease(*copy);
    }
    stop(*lease);
    touched.insert(lease->node->id);
    drop_lease(*lease);
    ++job.cancelled;
  }
  reuse(touched);
}

void Pool::State::cancel(Job& job) {
  end_pending(job, TaskState::kCancelled, Failure::kCancelled);
  end_leased(job, Failure::kCancelled);
  end_job(job, JobState::kCancelled);
}

}  // namespace hearth::pool
