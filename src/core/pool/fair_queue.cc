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

bool FairQueue::BySize::operator()(const Terms& a, const Terms& b) const {
  const Resources& x = a.resources;
  const Resources& y = b.resources;
  return std::tie(x.cores, x.memory_bytes, x.gpus, x.gpu_memory_bytes, x.disk_bytes, a.admission, a.node,
                  a.workspace_room) < std::tie(y.cores, y.memory_bytes, y.gpus, y.gpu_memory_bytes, y.disk_bytes,
                                               b.admission, b.node, b.workspace_room);
}

void FairQueue::add(Job& job, Time now) {
  Shape& shape = shapes_[job.needs()];
  shape.needs = job.needs();
  Owner& owner = owners_[job.request.owner];
  owner.id = job.request.owner;
  const auto [entry, is_new] = shape.queues.try_emplace(owner.id);
  Queue& queue = entry->second;
  if (is_new) {
    queue.owner = &owner;
    queue.shape = &shape;
    queue.serial = ++last_serial_;
    ++owner.queues;
    set_alarm(queue, std::nullopt);
  }
  const std::optional<JobId> old_head = head_of(queue);
  if (!queue.jobs.emplace(job.request.id, &job).second) return;
  update_heads(queue, old_head);
  if (shape.blocked) start_clock(queue, now);
}

void FairQueue::remove(Job& job) {
  const auto shape = shapes_.find(job.needs());
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
  shape.without_alarm.erase(queue.serial);
  shape.queues.erase(DeviceId{owner.id});
  --owner.queues;
  drop_if_idle(owner);
  if (!shape.queues.empty()) return;
  blocked_.erase(shape.needs);
  shapes_.erase(Terms{shape.needs});
}

void FairQueue::drop_if_idle(Owner& owner) {
  if (owner.cores == 0 && owner.queues == 0) owners_.erase(DeviceId{owner.id});
}

void FairQueue::list(Owner& owner) {
  if (!owner.heads.empty()) turns_.emplace(owner.cores, owner.id);
}

void FairQueue::unlist(Owner& owner) {
  if (!owner.heads.empty()) turns_.erase({owner.cores, owner.id});
}

void FairQueue::update_heads(Queue& queue, std::optional<JobId> old_head) {
  const std::optional<JobId> head = head_of(queue);
  if (head == old_head) return;
  Owner& owner = *queue.owner;
  unlist(owner);
  if (old_head) owner.heads.erase(*old_head);
  if (head) owner.heads.emplace(*head, &queue);
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
  std::optional<Head> first;
  if (blocked_.size() == shapes_.size()) return first;
  visit_heads([&](const Head& head) {
    if (!head.queue->shape->blocked) first = head;
    return !first;
  });
  return first;
}

void FairQueue::start_clock(Queue& queue, Time now) {
  if (queue.alarm || queue.jobs.empty() || queue.reserved != nullptr) return;
  set_alarm(queue, now + starvation_bound_);
}

void FairQueue::block(Shape& shape, Time now) {
  CHECK(!shape.blocked);
  shape.blocked = true;
  blocked_.emplace(shape.needs, &shape);
  for (auto entry = shape.without_alarm.begin(); entry != shape.without_alarm.end();) {
    Queue& queue = *(entry++)->second;
    start_clock(queue, now);
  }
}

void FairQueue::unblock_fitting(const Terms& room) {
  for (auto entry = blocked_.begin();
       entry != blocked_.end() && entry->first.resources.cores <= room.resources.cores;) {
    Shape& shape = *entry->second;
    if (shape.needs.fits_in(room)) {
      shape.blocked = false;
      entry = blocked_.erase(entry);
    } else {
      ++entry;
    }
  }
}

void FairQueue::set_alarm(Queue& queue, std::optional<Time> at) {
  if (queue.alarm) alarms_.erase({*queue.alarm, queue.serial});
  queue.alarm = at;
  if (at) {
    alarms_.emplace(std::pair(*at, queue.serial), &queue);
    queue.shape->without_alarm.erase(queue.serial);
  } else {
    queue.shape->without_alarm.emplace(queue.serial, &queue);
  }
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
