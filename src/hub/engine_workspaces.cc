// The engine's workspaces: rows beside the pool's records, and their removal.
#include <algorithm>

#include "hub/engine.h"

namespace hearth::hub {
namespace {

constexpr std::uint64_t kUsualBytes = 1ULL << 30;
constexpr Duration kWipePatience = seconds(10);

}  // namespace

struct Engine::Removal {
  net::Event done;
  std::optional<v1::WipeRecord> wiped;
};

Result<void> Engine::restore_workspaces() {
  Result<std::vector<store::WorkspaceRow>> rows = store_.load_workspaces();
  if (!rows) return std::unexpected(rows.error());
  for (const store::WorkspaceRow& row : *rows) {
    workspaces_[row.id] = row;
    pool_.restore_workspace({row.id, row.node, row.bytes, row.leaving});
  }
  return {};
}

void Engine::size_workspace(DeviceId owner, v1::JobSpec& spec) const {
  if (!spec.has_workspace() || spec.workspace().bytes() > 0) return;
  const auto known = workspaces_.find({owner, spec.workspace().name()});
  spec.mutable_workspace()->set_bytes(known == workspaces_.end() ? kUsualBytes : known->second.bytes);
}

void Engine::apply(const pool::WorkspaceRecord& record) {
  store::WorkspaceRow row = workspaces_[record.id];
  row.id = record.id;
  row.node = record.node;
  row.bytes = record.bytes;
  row.leaving = record.leaving;
  if (!record.leaving) row.last_used = wall_now();
  if (row.made.unix_millis == 0) row.made = row.last_used;
  pending_.batch.workspaces.push_back(row);
  if (record.node != NodeId{}) {
    workspaces_[record.id] = row;
    return;
  }
  workspaces_.erase(record.id);
  if (const auto removal = removals_.extract(record.id)) removal.mapped()->done.notify();
}

// Before the pool hears of the end, which lets the next task have it.
void Engine::note_workspace(AttemptId attempt, const v1::Outcome& outcome) {
  const LiveJob* job = live_job(attempt.task.job);
  if (job == nullptr || !job->spec.has_workspace()) return;
  const auto row = workspaces_.find({job->row.request.owner, job->spec.workspace().name()});
  if (row == workspaces_.end()) return;
  row->second.used_bytes = outcome.workspace_bytes();
  row->second.last_used = wall_now();
  pending_.batch.workspaces.push_back(row->second);
}

net::Async<Result<RemovedWorkspace>> Engine::remove_workspace(WorkspaceId id, std::function<void()> taken) {
  if (disk_trouble_) co_return fail(*disk_trouble_, "no workspace is removed while the hub cannot write");
  if (Result<void> done = pool_.on_remove_workspace(id, now()); !done) co_return std::unexpected(done.error());
  if (taken) taken();
  std::shared_ptr<Removal>& shared = removals_[id];
  if (!shared) shared = std::make_shared<Removal>();
  const std::shared_ptr<Removal> removal = shared;
  drain();
  if (Result<void> done = co_await committed(); !done) co_return std::unexpected(done.error());
  const auto row = workspaces_.find(id);
  if (row != workspaces_.end() && connected(row->second.node)) co_await removal->done.wait(kWipePatience);
  if (workspaces_.contains(id)) co_return RemovedWorkspace{};
  if (Result<void> done = co_await committed(); !done) co_return std::unexpected(done.error());
  co_return RemovedWorkspace{.gone = true, .wiped = removal->wiped};
}

void Engine::workspace_wiped(NodeId node, const WorkspaceId& id, v1::WipeRecord record) {
  const auto row = workspaces_.find(id);
  const auto removal = removals_.find(id);
  if (row != workspaces_.end() && row->second.node == node && removal != removals_.end()) {
    removal->second->wiped = std::move(record);
  }
  pool_.on_workspace_wiped(node, id, now());
  drain();
}

}  // namespace hearth::hub
