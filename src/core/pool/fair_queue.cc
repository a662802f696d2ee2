#include "core/pool/fair_queue.h"

#include <tuple>

#include "base/check.h"

namespace hearth::pool {
namespace {

std::optional<JobId> head_of(const Queue& queue) {
  if (queue.jobs.empty()) return std::nullopt;
  return queue.jobs.begin()->first;
}

}  // namespace

bool FairQueue::BySize::operator()(const Resources& a, const Resources& b) const {
  return std::tie(a.cores, a.memory_bytes, a.gpus) < std::tie(b.cores, b.memory_bytes, b.gpus);
}

void FairQueue::add(Job& job, Time now) {
  Shape& shape = shapes_[job.request.per_task];
  shape.needs = job.request.per_task;
  Owner& owner = owners_[job.request.owner];
  owner.id = job.request.owner;
  const auto [entry, is_new] = shape.queues.try_emplace(owner.id);
  Queue& queue = entry->second;
  if (is_new) {
    queue.owner = &owner;
    queue.shape = &shape;
    queue.serial = ++last_serial_;
    ++owner.queues;
  }
  const std::optional<JobId> old_head = head_of(queue);
  if (!queue.jobs.emplace(job.request.id, &job).second) return;
  update_heads(queue, old_head);
  if (shape.blocked && !queue.alarm && queue.reserved == nullptr) set_alarm(queue, now + starvation_bound_);
}

void FairQueue::remove(Job& job) {
  const auto shape = shapes_.find(job.request.per_task);
  if (shape == shapes_.end()) return;
  const auto entry = shape->second.queues.find(job.request.owner);
  if (entry == shape->second.queues.end()) return;
  Queue& queue = entry->second;
  const std::optional<JobId> old_head = head_of(queue);
  if (queue.jobs.erase(job.request.id) == 0) return;
  update_heads(queue, old_head);
  drop_if_empty(queue);
}

void FairQueue::drop_if_empty(Queue& queue) {
  if (!queue.jobs.empty() || queue.reserved != nullptr) return;
  set_alarm(queue, std::nullopt);
  Owner& owner = *queue.owner;
  Shape& shape = *queue.shape;
  shape.queues.erase(DeviceId{owner.id});
  --owner.queues;
  drop_if_idle(owner);
  if (!shape.queues.empty()) return;
  blocked_.erase(shape.needs);
  shapes_.erase(Resources{shape.needs});
}

void FairQueue::drop_if_idle(Owner& owner) {
  if (owner.cores == 0 && owner.queues == 0) owners_.erase(DeviceId{owner.id});
}

void FairQueue::list(Owner& owner) {
  if (!owner.heads.empty()) turns_.emplace(owner.cores, owner.id);
  if (!owner.open_heads.empty()) open_turns_.emplace(owner.cores, owner.id);
}

void FairQueue::unlist(Owner& owner) {
  if (!owner.heads.empty()) turns_.erase({owner.cores, owner.id});
  if (!owner.open_heads.empty()) open_turns_.erase({owner.cores, owner.id});
}

void FairQueue::update_heads(Queue& queue, std::optional<JobId> old_head) {
  const std::optional<JobId> head = head_of(queue);
  if (head == old_head) return;
  Owner& owner = *queue.owner;
  unlist(owner);
  if (old_head) {
    owner.heads.erase(*old_head);
    owner.open_heads.erase(*old_head);
  }
  if (head) {
    owner.heads.emplace(*head, &queue);
    if (!queue.shape->blocked) owner.open_heads.emplace(*head, &queue);
  }
  list(owner);
}

void FairQueue::reorder(Owner& owner, std::uint64_t cores) {
  unlist(owner);
  owner.cores = cores;
  list(owner);
}

void FairQueue::charge(DeviceId id, std::uint32_t cores) {
  Owner& owner = owners_[id];
  owner.id = id;
  reorder(owner, owner.cores + cores);
}

void FairQueue::refund(DeviceId id, std::uint32_t cores) {
  const auto owner = owners_.find(id);
  CHECK(owner != owners_.end() && owner->second.cores >= cores);
  reorder(owner->second, owner->second.cores - cores);
  drop_if_idle(owner->second);
}

std::optional<Head> FairQueue::first_open() const {
  if (open_turns_.empty()) return std::nullopt;
  const Owner& owner = owners_.at(open_turns_.begin()->second);
  Queue* queue = owner.open_heads.begin()->second;
  return Head{queue, queue->jobs.begin()->second};
}

void FairQueue::block(Shape& shape, Time now) {
  CHECK(!shape.blocked);
  shape.blocked = true;
  blocked_.emplace(shape.needs, &shape);
  for (auto& [id, queue] : shape.queues) {
    if (queue.jobs.empty()) continue;
    unlist(*queue.owner);
    queue.owner->open_heads.erase(*head_of(queue));
    list(*queue.owner);
    if (!queue.alarm && queue.reserved == nullptr) set_alarm(queue, now + starvation_bound_);
  }
}

void FairQueue::unblock_fitting(const Resources& room) {
  for (auto entry = blocked_.begin(); entry != blocked_.end() && entry->first.cores <= room.cores;) {
    Shape& shape = *entry->second;
    if (!shape.needs.fits_in(room)) {
      ++entry;
      continue;
    }
    shape.blocked = false;
    for (auto& [id, queue] : shape.queues) {
      if (queue.jobs.empty()) continue;
      unlist(*queue.owner);
      queue.owner->open_heads.emplace(*head_of(queue), &queue);
      list(*queue.owner);
    }
    entry = blocked_.erase(entry);
  }
}

void FairQueue::set_alarm(Queue& queue, std::optional<Time> at) {
  if (queue.alarm) alarms_.erase({*queue.alarm, queue.serial});
  queue.alarm = at;
  if (at) alarms_.emplace(std::pair(*at, queue.serial), &queue);
}

Queue* FairQueue::take_alarm(Time now) {
  if (alarms_.empty() || alarms_.begin()->first.first > now) return nullptr;
  Queue* queue = alarms_.begin()->second;
  set_alarm(*queue, std::nullopt);
  return queue;
}

std::optional<Time> FairQueue::next_alarm() const {
  if (alarms_.empty()) return std::nullopt;
  return alarms_.begin()->first.first;
}

}  // namespace hearth::pool
