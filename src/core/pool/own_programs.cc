// What a PC's owner runs there himself, that others may see: his own screen. It takes nothing of what he lends, so
// nothing of that decides about it: it is leased to its node as it comes, is no guest that others' needs could end, and
// is over with its one attempt.
#include "core/pool/state.h"

namespace hearth::pool {

Result<void> Pool::State::check_own(const JobRequest& job) const {
  if (job.tasks != 1 || job.gang || job.per_task != Resources{} || !job.workspace.empty() || !job.after.empty()) {
    return fail(Code::kInvalidArgument,
                "an owner's own program is one task, which needs nothing and runs after nothing");
  }
  const Node* node = nodes.find(job.own_of);
  if (node == nullptr || !node->connected || node->silent) {
    return fail(Code::kFailedPrecondition, "the PC that it is to run on is not connected");
  }
  if (node->leases() < kMaxLeasesPerNode) return {};
  return fail(Code::kResourceExhausted, "the PC that it is to run on has as many tasks as it can hold");
}

void Pool::State::lease_own(Job& job) {
  Node& node = *nodes.find(job.request.own_of);
  const AttemptId attempt{{job.request.id, job.fresh.pop_front()}, 1};
  move_into_room(add_lease(job, node, attempt, 1, 0));
  nodes.refresh(node);
  job.state = JobState::kRunning;
  effects.emplace_back(JobRecord{job.request.id, job.state});
  effects.emplace_back(LeaseRecord{attempt, node.id, 1});
  effects.emplace_back(AssignSend{node.id, attempt});
}

}  // namespace hearth::pool
