#include "sim/store.h"

#include <algorithm>
#include <set>
#include <type_traits>

namespace hearth::sim {

using pool::JobState;
using pool::TaskState;

bool StoredJob::has_ended() const {
  return state == JobState::kSucceeded || state == JobState::kFailed || state == JobState::kCancelled;
}

std::optional<WorkspaceId> StoredJob::workspace() const {
  if (request.workspace.empty()) return std::nullopt;
  return WorkspaceId{request.owner, request.workspace};
}

std::uint32_t StoredJob::count(TaskState of) const {
  return (rest && rest->state == of ? rest_tasks : 0) + counts.at(static_cast<std::size_t>(of));
}

std::uint32_t StoredJob::recount(TaskState of) const {
  std::uint32_t found = rest && rest->state == of ? rest_tasks : 0;
  for (const auto& [index, task] : tasks) found += task.state == of ? 1 : 0;
  return found;
}

void StoredJob::set(std::uint32_t index, const StoredTask& task) {
  const auto [entry, is_new] = tasks.try_emplace(index);
  if (!is_new) --counts.at(static_cast<std::size_t>(entry->second.state));
  entry->second = task;
  ++counts.at(static_cast<std::size_t>(task.state));
}

std::uint32_t StoredJob::copies() const {
  std::uint32_t found = 0;
  for (const auto& [index, task] : tasks) found += task.copy_node != NodeId{} ? 1 : 0;
  return found;
}

void Store::add(const StoredJob& job) {
  jobs.emplace(job.request.id, job);
  orders_.emplace(job.order, job.request.id);
}

void Store::apply(const pool::Effect& effect) {
  std::visit(
      [&](const auto& record) {
        using Record = std::decay_t<decltype(record)>;
        if constexpr (std::is_same_v<Record, pool::JobRecord>) {
          jobs.at(record.job).state = record.state;
        } else if constexpr (std::is_same_v<Record, pool::LeaseRecord>) {
          const StoredTask* before = find(record.attempt.task);
          const std::uint32_t failures = before != nullptr ? before->failures : 0;
          set(record.attempt.task, {TaskState::kLeased, record.attempt.epoch, record.attempts, failures, record.node});
        } else if constexpr (std::is_same_v<Record, pool::CopyRecord>) {
          StoredTask task = *find(record.attempt.task);
          task.attempts = record.attempts;
          task.copy_epoch = record.attempt.epoch;
          task.copy_node = record.node;
          set(record.attempt.task, task);
        } else if constexpr (std::is_same_v<Record, pool::DropRecord>) {
          StoredTask task = *find(record.attempt.task);
          task.attempts = record.attempts;
          if (record.attempt.epoch == task.epoch) {
            task.epoch = task.copy_epoch;
            task.node = task.copy_node;
          }
          task.copy_node = {};
          set(record.attempt.task, task);
        } else if constexpr (std::is_same_v<Record, pool::RequeueRecord>) {
          set(record.attempt.task,
              {TaskState::kPending, find(record.attempt.task)->newest(), record.attempts, record.failures, {}});
        } else if constexpr (std::is_same_v<Record, pool::EndRecord>) {
          const StoredTask* before = find(record.attempt.task);
          StoredTask task = before != nullptr ? *before : StoredTask{};
          task.state = record.state;
          task.copy_node = {};
          set(record.attempt.task, task);
        } else if constexpr (std::is_same_v<Record, pool::EndRangeRecord>) {
          StoredJob& job = jobs.at(record.job);
          job.rest = record;
          job.rest_tasks += record.count;
        } else if constexpr (std::is_same_v<Record, pool::RemoveRecord>) {
          if (const auto job = jobs.find(record.job); job != jobs.end()) {
            orders_.erase(job->second.order);
            jobs.erase(job);
          }
          removed.insert(record.job);
        } else if constexpr (std::is_same_v<Record, pool::WorkspaceRecord>) {
          workspaces[record.id] = record;
          if (record.node == NodeId{}) workspaces.erase(record.id);
        } else if constexpr (std::is_same_v<Record, pool::BookingRecord>) {
          bookings.erase(record.id);
        }
      },
      effect);
}

pool::BookingTerms by_clock(pool::BookingTerms terms, Duration skew) {
  terms.from = terms.from + skew;
  terms.until = terms.until + skew;
  return terms;
}

void Store::restore(pool::Pool& pool, Time now, Duration skew) const {
  for (const pool::AccountTerms& terms : accounts) pool.set_account(terms);
  for (const auto& [id, workspace] : workspaces) pool.restore_workspace(workspace);
  for (const auto& [node, said] : duties) pool.on_duty(node, said.duty, said.grace_ends + skew, now);
  for (const auto& [id, booking] : bookings) pool.restore_booking(by_clock(booking, skew), now);
  std::set<JobId> needed;
  for (const auto& [id, job] : jobs) {
    if (job.has_ended()) continue;
    needed.insert(id);
    needed.insert(job.request.after.begin(), job.request.after.end());
  }
  for (const JobId id : needed) restore_one(pool, jobs.at(id), now);
}

void Store::restore_one(pool::Pool& pool, const StoredJob& job, Time now) {
  std::vector<pool::RestoredTask> tasks;
  tasks.reserve(job.tasks.size());
  for (const auto& [index, task] : job.tasks) {
    tasks.push_back(
        {index, task.state, task.epoch, task.attempts, task.failures, task.node, task.copy_epoch, task.copy_node});
  }
  pool.restore_job(job.request, job.state, tasks, now, job.rest ? job.rest->why : Failure::kNone);
}

const StoredTask* Store::find(TaskId task) const {
  const auto job = jobs.find(task.job);
  if (job == jobs.end()) return nullptr;
  const auto entry = job->second.tasks.find(task.index);
  return entry == job->second.tasks.end() ? nullptr : &entry->second;
}

std::set<TaskId> Store::leased_with(const WorkspaceId& workspace) const {
  std::set<TaskId> found;
  for (const auto& [id, job] : jobs) {
    if (job.workspace() != workspace) continue;
    for (const auto& [index, task] : job.tasks) {
      if (task.state == TaskState::kLeased) found.insert({id, index});
    }
  }
  return found;
}

JobId Store::last_id() const {
  const JobId last = jobs.empty() ? JobId{} : jobs.rbegin()->first;
  return removed.empty() ? last : std::max(last, *removed.rbegin());
}

std::optional<JobId> Store::find_order(std::uint64_t order) const {
  const auto entry = orders_.find(order);
  return entry == orders_.end() ? std::nullopt : std::optional(entry->second);
}

}  // namespace hearth::sim
