#include "core/pool/workspaces.h"

#include <algorithm>
#include <string>

#include "base/check.h"
#include "core/pool/state.h"

namespace hearth::pool {
namespace {

std::string name(JobId job) { return "job " + std::to_string(job.value); }

WorkspaceRecord record_of(const Workspace& it) { return {it.id, it.node, it.bytes, it.leaving}; }

}  // namespace

Result<void> Pool::State::check_workspace(const JobRequest& job) const {
  if (job.workspace.empty()) return {};
  const auto known = workspaces.find({job.owner, job.workspace});
  if (known == workspaces.end() && workspaces.size() >= kMaxWorkspaces) {
    return fail(Code::kResourceExhausted, "the pool has " + std::to_string(kMaxWorkspaces) +
                                              " workspaces, as many as it takes: remove one (hearth workspace rm)");
  }
  if (known != workspaces.end() && known->second.leaving) {
    return fail(Code::kFailedPrecondition, "workspace " + job.workspace +
                                               " is being removed: take another name, or wait until it is gone "
                                               "(hearth workspace list)");
  }
  return {};
}

void Pool::State::name_workspace(Job& job) {
  if (job.request.workspace.empty()) return;
  const WorkspaceId id{job.request.owner, job.request.workspace};
  Workspace& it = workspaces[id];
  it.id = id;
  it.jobs.insert(job.request.id);
  job.workspace = &it;
}

void Pool::State::forget_workspace(Job& job) {
  if (job.workspace == nullptr) return;
  Workspace& it = *job.workspace;
  leave_queue(job);
  it.jobs.erase(job.request.id);
  job.workspace = nullptr;
  if (it.jobs.empty() && it.node == NodeId{}) workspaces.erase(WorkspaceId{it.id});
}

void Pool::State::enter_queue(Job& job) {
  if (!job.has_ready()) return;
  if (job.workspace == nullptr) return queue.add(job, now);
  job.workspace->ready.insert(job.request.id);
  queue_next(*job.workspace);
}

void Pool::State::leave_queue(Job& job) {
  if (job.workspace == nullptr) return queue.remove(job);
  Workspace& it = *job.workspace;
  it.ready.erase(job.request.id);
  if (it.queued != job.request.id) return;
  unqueue(it);
  queue_next(it);
}

void Pool::State::queue_next(Workspace& it) {
  if (it.user || it.queued || it.ready.empty()) return;
  it.queued = *it.ready.begin();
  queue.add(*find_job(*it.queued), now);
}

void Pool::State::unqueue(Workspace& it) {
  if (!it.queued) return;
  queue.remove(*find_job(*it.queued));
  it.queued.reset();
}

void Pool::State::occupy(const Lease& lease) {
  if (lease.job->workspace == nullptr) return;
  Workspace& it = *lease.job->workspace;
  unqueue(it);
  it.user = lease.attempt.task;
  const std::uint64_t bytes = std::max(it.bytes, lease.job->request.admission.workspace_bytes);
  lease.node->workspace_bytes += bytes - it.bytes;
  it.bytes = bytes;
  it.node = lease.node->id;
  nodes.changed_offers();
}

void Pool::State::vacate(const Lease& lease) {
  Workspace* it = lease.job->workspace;
  if (it == nullptr || it->user != lease.attempt.task) return;
  it->user.reset();
  queue_next(*it);
}

void Pool::State::record_workspace(const Job& job) {
  if (job.workspace != nullptr) effects.emplace_back(record_of(*job.workspace));
}

std::optional<JobId> Pool::State::ahead_in_workspace(const Job& job) const {
  if (job.workspace == nullptr) return std::nullopt;
  if (job.workspace->user) return job.workspace->user->job;
  return job.workspace->queued == job.request.id ? std::nullopt : job.workspace->queued;
}

void Pool::State::drop_workspace(Workspace& it) {
  CHECK(!it.user);
  unqueue(it);
  if (Node* node = nodes.find(it.node)) {
    node->workspace_bytes -= it.bytes;
    nodes.changed_offers();
    placement.freed(*node);
  }
  it.node = {};
  it.bytes = 0;
  it.leaving = false;
  effects.emplace_back(record_of(it));
  queue_next(it);
  if (it.jobs.empty()) workspaces.erase(WorkspaceId{it.id});
}

void Pool::State::drop_workspaces_of(NodeId node) {
  for (auto entry = workspaces.begin(); entry != workspaces.end();) {
    Workspace& it = (entry++)->second;
    if (it.node == node) drop_workspace(it);
  }
}

// Those that are leaving, and those that nobody knows of: they were left when the node was out of the pool.
void Pool::State::wipe_unwanted(const Node& node, const std::vector<WorkspaceId>& there) {
  std::set<WorkspaceId> unwanted(there.begin(), there.end());
  for (const auto& [id, it] : workspaces) {
    if (it.node != node.id) continue;
    if (it.leaving) {
      unwanted.insert(id);
    } else {
      unwanted.erase(id);
    }
  }
  for (const WorkspaceId& id : unwanted) effects.emplace_back(WipeWorkspaceSend{node.id, id});
}

void Pool::restore_workspace(const WorkspaceRecord& record) {
  Workspace& it = state_->workspaces[record.id];
  it.id = record.id;
  it.node = record.node;
  it.bytes = record.bytes;
  it.leaving = record.leaving;
  state_->nodes.get_or_add(record.node).workspace_bytes += record.bytes;
}

Result<void> Pool::on_remove_workspace(const WorkspaceId& id, Time now) {
  State& state = *state_;
  state.advance(now);
  const auto entry = state.workspaces.find(id);
  if (entry == state.workspaces.end()) return fail(Code::kNotFound, "there is no workspace " + id.name);
  Workspace& it = entry->second;
  if (it.leaving) return {};
  if (!it.jobs.empty()) {
    const JobId job = it.user ? it.user->job : *it.jobs.begin();
    return fail(Code::kFailedPrecondition, "workspace " + id.name + (it.user ? " is in use by " : " is needed by ") +
                                               name(job) +
                                               ", which has not ended: wait for that, or cancel it first (hearth "
                                               "cancel " +
                                               std::to_string(job.value) + ")");
  }
  it.leaving = true;
  state.effects.emplace_back(record_of(it));
  const Node* node = state.nodes.find(it.node);
  if (node != nullptr && node->connected) state.effects.emplace_back(WipeWorkspaceSend{it.node, id});
  return {};
}

void Pool::on_workspace_wiped(NodeId node, const WorkspaceId& id, Time now) {
  state_->advance(now);
  state_->heard_from(node);
  const auto entry = state_->workspaces.find(id);
  if (entry == state_->workspaces.end() || !entry->second.leaving || entry->second.node != node) return;
  state_->drop_workspace(entry->second);
}

std::optional<JobId> Pool::user_of(const WorkspaceId& id) const {
  const auto entry = state_->workspaces.find(id);
  if (entry == state_->workspaces.end() || !entry->second.user) return std::nullopt;
  return entry->second.user->job;
}

}  // namespace hearth::pool
