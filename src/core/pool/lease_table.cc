#include "core/pool/lease_table.h"

#include "base/check.h"
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
  return entry->second;
}

void LeaseTable::remove(Lease& lease) { CHECK(leases_.erase(TaskId{lease.attempt.task}) == 1); }

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
