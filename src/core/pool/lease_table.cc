#include "core/pool/lease_table.h"

#include "base/check.h"
#include "core/pool/jobs.h"
#include "core/pool/nodes.h"

namespace hearth::pool {

void LeaseList::push_back(Lease& lease) {
  lease.before = back_;
  lease.after = nullptr;
  (back_ != nullptr ? back_->after : front_) = &lease;
  back_ = &lease;
  ++size_;
}

void LeaseList::remove(Lease& lease) {
  (lease.before != nullptr ? lease.before->after : front_) = lease.after;
  (lease.after != nullptr ? lease.after->before : back_) = lease.before;
  lease.before = nullptr;
  lease.after = nullptr;
  --size_;
}

std::vector<Lease*> LeaseList::all() const {
  std::vector<Lease*> found;
  found.reserve(size_);
  for (Lease* lease = front_; lease != nullptr; lease = lease->after) found.push_back(lease);
  return found;
}

Lease& LeaseTable::add(AttemptId attempt) {
  const auto [entry, is_new] = leases_.try_emplace(attempt.task);
  CHECK(is_new);
  entry->second.attempt = attempt;
  entry->second.newest = attempt.epoch;
  return entry->second;
}

Lease& LeaseTable::add_copy(Lease& lease, AttemptId attempt) {
  CHECK(attempt.task == lease.attempt.task && attempt.epoch > lease.attempt.epoch);
  const auto [entry, is_new] = copies_.try_emplace(attempt.task);
  CHECK(is_new);
  Lease& copy = entry->second;
  copy.attempt = attempt;
  copy.is_copy = true;
  copy.twin = &lease;
  lease.twin = &copy;
  lease.was_copied = copy.was_copied = true;
  lease.newest = copy.newest = attempt.epoch;
  return copy;
}

void LeaseTable::remove(Lease& lease) {
  const TaskId task = lease.attempt.task;
  Lease* twin = lease.twin;
  CHECK((lease.is_copy ? copies_ : leases_).erase(task) == 1);
  if (twin == nullptr) return;
  twin->twin = nullptr;
  if (!twin->is_copy) return;
  twin->is_copy = false;
  leases_.insert(copies_.extract(task));
}

Reach Lease::ended_from() const { return is_copy ? kFreeRoom + 1 : pool::ended_from(job->request.priority); }

Lease* LeaseTable::find(TaskId task) {
  const auto entry = leases_.find(task);
  return entry == leases_.end() ? nullptr : &entry->second;
}

const Lease* LeaseTable::find(TaskId task) const {
  const auto entry = leases_.find(task);
  return entry == leases_.end() ? nullptr : &entry->second;
}

Lease* LeaseTable::find(AttemptId attempt, NodeId node) {
  Lease* lease = find(attempt.task);
  if (lease != nullptr && lease->attempt.epoch != attempt.epoch) lease = lease->twin;
  const bool is_it = lease != nullptr && lease->attempt.epoch == attempt.epoch && lease->node->id == node;
  return is_it ? lease : nullptr;
}

std::vector<Lease*> LeaseTable::of_job(JobId job) {
  std::vector<Lease*> found;
  for (auto entry = leases_.lower_bound(TaskId{job, 0}); entry != leases_.end() && entry->first.job == job; ++entry) {
    found.push_back(&entry->second);
  }
  return found;
}

std::vector<AttemptId> LeaseTable::attempts_of_job(JobId job) const {
  std::vector<AttemptId> found;
  for (auto entry = leases_.lower_bound(TaskId{job, 0}); entry != leases_.end() && entry->first.job == job; ++entry) {
    found.push_back(entry->second.attempt);
  }
  return found;
}

}  // namespace hearth::pool
