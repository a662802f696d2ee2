#include "core/pool/jobs.h"

#include <algorithm>

#include "core/pool/workspaces.h"

namespace hearth::pool {

void RecentMean::add(Duration value) {
  if (count_ == kMany) {
    sum_ = sum_ / 2;
    count_ /= 2;
  }
  sum_ = sum_ + value;
  ++count_;
}

AccountId Job::account() const {
  return request.account == AccountId{} ? AccountId{request.owner.value} : request.account;
}

Terms Job::needs() const {
  Terms needs{request.per_task, request.admission};
  needs.conditions = conditions;
  needs.kept_for = kept_for;
  needs.kept_for_firm = kept_for_firm;
  if (workspace == nullptr) return needs;
  needs.node = workspace->node;
  needs.workspace_room = std::max(workspace->bytes, request.admission.workspace_bytes) - workspace->bytes;
  return needs;
}

std::uint32_t Job::pending() const { return fresh.size() + static_cast<std::uint32_t>(retries.size()); }

bool Job::has_ended() const {
  return state == JobState::kSucceeded || state == JobState::kFailed || state == JobState::kCancelled;
}

bool Job::has_ready() const {
  if (state != JobState::kQueued && state != JobState::kRunning) return false;
  if (request.gang) return fresh.size() + ready_retries.size() == request.tasks;
  return !fresh.empty() || !ready_retries.empty();
}

bool Job::is_brief(Duration bound) const { return busy.known() && busy.mean() <= bound; }

}  // namespace hearth::pool
