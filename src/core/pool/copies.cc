// Copies of stragglers. When nearly all of an array has ended and a task of it runs far longer than the others took,
// its node may be slow, busy or sick, without having failed. So where a node has room that nobody who waits can use,
// the task gets a second attempt there, under an epoch of its own: whichever succeeds first is the task's end, and the
// other is ended. If one of the two fails or is lost, that counts as nothing, and the other goes on alone.
//
// An attempt has at most one copy, ever. A copy gives way to everybody but scavengers, so that it costs nobody else
// anything; its account pays for it like for any lease.
#include <algorithm>
#include <utility>

#include "core/pool/state.h"

namespace hearth::pool {
namespace {

constexpr std::uint32_t kLeastTasks = 10;  // of an array that is worth it
constexpr std::uint32_t kTailPart = 10;    // at most one of so many of its tasks runs yet
constexpr std::int64_t kSlowness = 2;      // a straggler takes more than so many times the others' mean
constexpr Duration kLookAgain = seconds(1);

// Whether there are but few left, of many that are alike.
bool has_tail(const Job& job) {
  const JobRequest& request = job.request;
  const bool may_be_copied = !request.no_copies && !request.gang && request.workspace.empty();
  if (!may_be_copied || request.tasks < kLeastTasks || job.state != JobState::kRunning) return false;
  return job.busy.known() && job.pending() == 0 && job.leased > 0 && job.leased <= request.tasks / kTailPart;
}

}  // namespace

std::optional<Time> Pool::State::copy_due(const Lease& lease) const {
  if (!lease.in_room || lease.was_copied) return std::nullopt;
  return lease.in_room_since + std::max(lease.job->busy.mean() * kSlowness, options.copy_floor);
}

void Pool::State::watch_tail(Job& job, Time earliest) {
  if (job.look || !has_tail(job)) return;
  for (const Lease* lease : leases.of_job(job.request.id)) {
    const std::optional<Time> due = copy_due(*lease);
    if (due && (!job.look || *due < *job.look)) job.look = due;
  }
  if (!job.look) return;
  job.look = std::max(*job.look, earliest);
  looks.emplace(*job.look, job.request.id);
}

void Pool::State::end_looks() {
  while (!looks.empty() && looks.begin()->first <= now) {
    const JobId id = looks.begin()->second;
    looks.erase(looks.begin());
    Job* job = find_job(id);
    if (job == nullptr) continue;
    job->look.reset();
    late.insert(id);
  }
}

// Called when nothing that waits can be placed.
void Pool::State::place_copies() {
  for (const JobId id : std::exchange(late, {})) {
    Job* job = find_job(id);
    if (job == nullptr || !has_tail(*job)) continue;
    for (Lease* lease : leases.of_job(id)) {
      const std::optional<Time> due = copy_due(*lease);
      if (due && *due <= now && !copy(*lease)) break;
    }
    watch_tail(*job, now + kLookAgain);
  }
}

bool Pool::State::copy(Lease& lease) {
  Job& job = *lease.job;
  const Terms needs = job.needs();
  const Account* account = queue.accounts().find(job.account());
  if (account != nullptr && !account->may_have(needs.resources)) return false;
  Node* node = nodes.find_room_beside(*lease.node, needs);
  if (node == nullptr) return false;
  ++lease.attempts;
  const AttemptId attempt{lease.attempt.task, lease.newest + 1};
  move_into_room(add_copy(lease, *node, attempt));
  nodes.refresh(*node);
  effects.emplace_back(CopyRecord{attempt, node->id, lease.attempts});
  effects.emplace_back(AssignSend{node->id, attempt});
  return true;
}

Lease& Pool::State::add_copy(Lease& lease, Node& node, AttemptId attempt) {
  Lease& copy = leases.add_copy(lease, attempt);
  copy.job = lease.job;
  copy.node = &node;
  copy.attempts = lease.attempts;
  copy.failures = lease.failures;
  copy.batch = batch;
  copy.leased_at = now;
  ++lease.job->copies;
  queue.charge(lease.job->account(), lease.job->request.per_task);
  if (node.frozen) count_frozen(*lease.job, true);
  node.ahead.push_back(copy);
  return copy;
}

}  // namespace hearth::pool
