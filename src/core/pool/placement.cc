#include "core/pool/placement.h"

#include <algorithm>
#include <array>

namespace hearth::pool {
namespace {

// Looking for a task to lease ahead passes so many jobs at most that fit on no node.
constexpr int kMaxLooks = 64;

// And looking for a place on a node that drains, so many such nodes.
constexpr int kMaxDrained = 16;

// At most this part of the nodes drains at once, so that a pool full of waiting large tasks still works.
constexpr std::size_t kReservedPart = 4;

// No task is thought to take less: starting a program costs about this.
constexpr Duration kLeastTaskTime = microseconds(200);

// How long a task of the job runs: at most as long as it may, and rather as long as others of it did. None: who knows.
std::optional<Duration> expected_span(const Job& job) {
  if (job.busy.known()) return job.busy.mean();
  return job.request.limit > Duration{} ? std::optional(job.request.limit) : std::nullopt;
}

// When what runs on the nodes that are reserved for it has made room for the queue's next task or gang, if all of it
// runs for as long as is expected. None: that cannot be told.
std::optional<Time> room_complete_at(const Queue& queue) {
  std::vector<std::pair<Time, const Lease*>> ends;
  std::map<const Node*, Resources> rooms;
  for (const Node* node : queue.reserved) {
    if (!node->ahead.empty()) return std::nullopt;
    rooms[node] = node->room();
    for (const Lease* lease = node->in_room.front(); lease != nullptr; lease = lease->after) {
      const std::optional<Duration> span = expected_span(*lease->job);
      if (!span) return std::nullopt;
      ends.emplace_back(lease->in_room_since + *span, lease);
    }
  }
  std::ranges::sort(ends, {}, [](const auto& end) { return std::pair(end.first, end.second->attempt); });
  const Resources& needs = queue.shape->needs().resources;
  std::uint64_t seats = 0;
  for (const auto& [node, room] : rooms) seats += needs.times_in(room);
  for (const auto& [end, lease] : ends) {
    Resources& room = rooms[lease->node];
    seats -= needs.times_in(room);
    room = room + lease->job->request.per_task;
    seats += needs.times_in(room);
    if (seats >= std::max(queue.shape->key.gang, 1U)) return end;
  }
  return std::nullopt;
}

}  // namespace

std::optional<Choice> Placement::next(Time now) {
  while (Queue* queue = queue_.take_alarm(now)) reserve(*queue, now);
  if (!reservations_.empty()) {
    if (const auto choice = next_reserved(now)) return choice;
  }
  while (const auto head = queue_.first_open()) {
    if (auto choice = choose(*head)) return choice;
    if (auto choice = backfill(*head, now)) return choice;
    queue_.block(*head->queue->shape, now);
  }
  return next_ahead();
}

// Free room first; only then that of others.
std::optional<Choice> Placement::choose(const Head& head) {
  const Shape& shape = *head.queue->shape;
  for (Reach reach = kFreeRoom; reach <= shape.reach(); ++reach) {
    Choice choice{.queue = head.queue, .job = head.job, .reach = reach};
    if (shape.key.gang > 0) {
      choice.seats = seats_for(*head.queue, reach);
    } else {
      choice.node = nodes_.find_room(shape.needs(), reach);
      const bool is_free = choice.node != nullptr && reach == kFreeRoom;
      if (is_free) choice.node = &better(*choice.node, *head.job);
    }
    if (choice.node != nullptr || !choice.seats.empty()) return choice;
  }
  return std::nullopt;
}

// On a node that drains for another task, but only what must have ended before that one can begin.
std::optional<Choice> Placement::backfill(const Head& head, Time now) {
  const ShapeKey& key = head.queue->shape->key;
  if (key.limit == Duration{} || key.gang > 0) return std::nullopt;
  int looks = 0;
  for (const auto& [id, waiting] : reservations_) {
    if (++looks > kMaxDrained) break;
    Node& node = *nodes_.find(id);
    if (waiting == head.queue || !node.has_room_for(key.needs) || node.leases() >= kMaxLeasesPerNode) continue;
    const std::optional<Time> complete = room_complete_at(*waiting);
    if (complete && now + key.limit <= *complete) return Choice{.queue = head.queue, .job = head.job, .node = &node};
  }
  return std::nullopt;
}

// What the job asks for counts more than where its data lies.
Node& Placement::better(Node& usual, const Job& job) {
  if (job.ranking != nullptr) return nodes_.preferred(usual, job.needs(), *job.ranking);
  return nodes_.nearer(usual, job.needs(), job.request.data);
}

// Few nodes with much room rather than many with little: a gang's tasks talk to each other. Empty: not all find a seat.
Seats Placement::seats_for(const Queue& queue, Reach reach) {
  const Terms& needs = queue.shape->needs();
  std::uint32_t missing = queue.shape->key.gang;
  Seats seats;
  for (auto& [id, node] : nodes_.all()) {
    const bool is_taken = node.reserved_for != nullptr && node.reserved_for != &queue;
    if (!node.is_open() || is_taken || !node.has_room_for(needs, reach)) continue;
    const std::uint32_t most = kMaxLeasesPerNode - std::min(kMaxLeasesPerNode, node.leases());
    const std::uint32_t here = std::min(needs.resources.times_in(node.room(reach)), most);
    if (here > 0) seats.emplace_back(&node, here);
  }
  std::ranges::sort(seats, {}, [](const auto& seat) { return std::pair(~seat.second, seat.first->id); });
  for (auto seat = seats.begin(); seat != seats.end(); ++seat) {
    seat->second = std::min(seat->second, missing);
    missing -= seat->second;
    if (missing > 0) continue;
    seats.erase(seat + 1, seats.end());
    return seats;
  }
  return {};
}

std::uint32_t Placement::room_for_gang(const Terms& needs, std::uint32_t tasks, Reach reach) {
  std::uint64_t room = 0;
  for (auto& [id, node] : nodes_.all()) {
    if (node.is_open() && node.has_room_for(needs, reach)) room += needs.resources.times_in(node.room(reach));
  }
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(room, tasks));
}

void Placement::placed(const Choice& choice) {
  queue_.placed(*choice.queue);
  if (!choice.queue->reserved.empty()) unreserve(*choice.queue);
}

void Placement::freed(Node& node) {
  nodes_.refresh(node);
  if (node.reserved_for != nullptr && node.reserved_for->shape->key.gang > 0) gang_may_fit_ = true;
  if (!node.is_open() || node.leases() >= kMaxLeasesPerNode) return;
  if (node.reserved_for != nullptr) return queue_.unblock_limited(node.with(node.room()));
  std::array<Terms, kReaches> rooms;
  for (Reach reach = kFreeRoom; reach < kReaches; ++reach) rooms[reach] = node.with(node.room(reach));
  queue_.unblock_fitting(rooms);
}

void Placement::unreserve(Queue& queue) {
  std::vector<Node*> nodes = std::exchange(queue.reserved, {});
  if (queue.shape->key.gang > 0) gang_drains_ = false;
  for (Node* node : nodes) {
    node->reserved_for = nullptr;
    reservations_.erase(node->id);
  }
  for (Node* node : nodes) freed(*node);
}

void Placement::release(Node& node, Time now) {
  Queue* queue = node.reserved_for;
  if (queue == nullptr) return;
  unreserve(*queue);
  if (!queue->jobs.empty()) queue_.set_alarm(*queue, now);
  queue_.drop_if_empty(*queue);
}

Node* Placement::best_to_drain(const Terms& needs) {
  std::size_t open = 0;
  Node* best = nullptr;
  for (auto& [id, node] : nodes_.all()) {
    if (!node.is_open()) continue;
    ++open;
    if (node.reserved_for != nullptr || !node.could_take(needs)) continue;
    if (best == nullptr || node.room().cores > best->room().cores) best = &node;
  }
  return reservations_.size() < std::max<std::size_t>(1, open / kReservedPart) ? best : nullptr;
}

// Those that are the emptiest already, as few as hold all of it. None: there are not so many, or another gang drains.
std::vector<Node*> Placement::best_to_drain_for_gang(const Shape& shape) {
  if (gang_drains_) return {};
  std::vector<std::pair<std::uint32_t, Node*>> able;  // by how many find room now
  for (auto& [id, node] : nodes_.all()) {
    if (!node.is_open() || node.reserved_for != nullptr || !node.could_take(shape.needs())) continue;
    able.emplace_back(shape.needs().resources.times_in(node.room()), &node);
  }
  std::ranges::sort(able, {}, [](const auto& entry) { return std::pair(~entry.first, entry.second->id); });
  std::vector<Node*> nodes;
  std::uint64_t seats = 0;
  for (const auto& [now, node] : able) {
    nodes.push_back(node);
    seats += shape.needs().resources.times_in(node->offered);
    if (seats >= shape.key.gang) return nodes;
  }
  return {};
}

std::vector<Node*> Placement::nodes_to_drain(const Queue& queue) {
  // Who waits behind others' higher classes has not been passed over.
  if (queue_.is_behind_others(queue.shape->key.priority)) return {};
  if (queue.shape->key.gang > 0) return best_to_drain_for_gang(*queue.shape);
  Node* best = best_to_drain(queue.shape->needs());
  return best != nullptr ? std::vector<Node*>{best} : std::vector<Node*>{};
}

void Placement::reserve(Queue& queue, Time now) {
  queue.reserved = nodes_to_drain(queue);
  if (queue.reserved.empty()) {
    queue_.set_alarm(queue, now + std::max(options_.starvation_bound / 8, milliseconds(1)));
    return;
  }
  if (queue.shape->key.gang > 0) gang_drains_ = gang_may_fit_ = true;
  for (Node* node : queue.reserved) {
    node->reserved_for = &queue;
    reservations_.emplace(node->id, &queue);
    nodes_.refresh(*node);
  }
}

std::optional<Choice> Placement::next_reserved(Time now) {
  for (auto entry = reservations_.begin(); entry != reservations_.end();) {
    Queue& queue = *entry->second;
    Node& node = *nodes_.find(entry->first);
    ++entry;
    if (queue.jobs.empty() || !node.is_open() || !node.could_take(queue.shape->needs())) {
      release(node, now);
      entry = reservations_.begin();  // a gang's others went with it
    } else if (auto choice = choose_reserved(queue)) {
      return choice;
    }
  }
  return std::nullopt;
}

std::optional<Choice> Placement::choose_reserved(Queue& queue) {
  const Shape& shape = *queue.shape;
  Job* job = queue.jobs.begin()->second;
  if (shape.key.gang > 0) {
    if (!std::exchange(gang_may_fit_, false)) return std::nullopt;
    Seats seats = seats_for(queue, kFreeRoom);
    if (seats.empty()) return std::nullopt;
    return Choice{.queue = &queue, .job = job, .seats = std::move(seats)};
  }
  Node& node = *queue.reserved.front();
  const bool fits = node.has_room_for(shape.needs()) && node.leases() < kMaxLeasesPerNode;
  return fits ? std::optional(Choice{.queue = &queue, .job = job, .node = &node}) : std::nullopt;
}

bool Placement::fits_somewhere(Shape& shape) {
  if (shape.fits_version != nodes_.version()) {
    shape.fits_version = nodes_.version();
    shape.fits = nodes_.any_open_fits(shape.needs());
  }
  return shape.fits;
}

std::optional<Choice> Placement::next_ahead() {
  std::optional<Choice> choice;
  int looks = 0;
  queue_.visit_heads([&](const Head& head) {
    if (!fits_somewhere(*head.queue->shape)) return ++looks < kMaxLooks;
    // Whoever is next in turn decides: leasing ahead for those behind would fill the room that the next one waits for.
    Job& job = *head.job;
    if (job.request.gang || job.fresh.empty() || !job.is_brief(options_.prefetch_span)) return false;
    const Terms needs = job.needs();
    const std::int64_t work = std::max(job.busy.mean(), kLeastTaskTime).micros * std::int64_t{needs.resources.cores};
    if (Node* node = nodes_.find_ahead(needs, work)) {
      choice = Choice{.queue = head.queue, .job = &job, .node = node, .ahead = true, .core_micros = work};
    }
    return false;
  });
  return choice;
}

}  // namespace hearth::pool
