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
constexpr std::size_t kReservedPart = 2;

// After so many starvation bounds a task gets a node whatever its account has had.
constexpr std::int64_t kBoundsOfTurn = 10;

// No task is thought to take less: starting a program costs about this.
constexpr Duration kLeastTaskTime = microseconds(200);

// How long a task of the job runs: at most as long as it may, and rather as long as others of it did. None: who knows.
std::optional<Duration> expected_span(const Job& job) {
  if (job.busy.known()) return job.busy.mean();
  return job.request.limit > Duration{} ? std::optional(job.request.limit) : std::nullopt;
}

// How long it may take until so much is free there. What has run beyond all that was expected of it, or of which
// nothing is known, is thought to run for as long again: whoever has run for days is not about to end.
Duration wait_for_room(const Node& node, const Resources& needs, Time now) {
  std::vector<std::pair<Duration, const Lease*>> left;
  for (const Lease* lease = node.in_room.front(); lease != nullptr; lease = lease->after) {
    const Duration spent = now - lease->in_room_since;
    const Duration expected = expected_span(*lease->job).value_or(Duration{});
    left.emplace_back(expected > spent ? expected - spent : spent, lease);
  }
  std::ranges::sort(left, {}, [](const auto& entry) { return std::pair(entry.first, entry.second->attempt); });
  Resources room = node.room();
  Duration wait;
  for (const auto& [span, lease] : left) {
    if (needs.fits_in(room)) break;
    room = room + lease->job->request.per_task;
    wait = span;
  }
  return wait;
}

// When what runs on these nodes, which are reserved for it, has made room for the queue's next task or gang, if all of
// it runs for as long as is expected. None: that cannot be told.
std::optional<Time> room_complete_at(const Queue& queue, const std::vector<Node*>& nodes) {
  std::vector<std::pair<Time, const Lease*>> ends;
  std::map<const Node*, Resources> rooms;
  for (const Node* node : nodes) {
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
  if (const auto choice = next_reserved(now)) return choice;
  while (const auto head = queue_.first_open()) {
    auto choice = choose(*head);
    if (choice && !lets_pass(*choice)) return choice;
    if (choice) continue;
    if (choice = backfill(*head, now); choice) return choice;
    queue_.block(*head->queue->shape, now);
  }
  return next_ahead();
}

// Whoever stands before it and lacks room has its node instead, if that is due to it.
bool Placement::lets_pass(const Choice& choice) {
  if (choice.node == nullptr || choice.reach != kFreeRoom || !may_reserve()) return false;
  Queue* due = nullptr;
  int looks = 0;
  queue_.visit_heads([&](const Head& head) {
    Queue& queue = *head.queue;
    if (queue.party == choice.queue->party || ++looks > kMaxLooks) return false;
    const ShapeKey& key = queue.shape->key;
    const bool is_able =
        key.gang == 0 && key.priority == choice.queue->shape->key.priority && choice.node->could_take(key.needs);
    if (is_able && queue_.is_due(queue, *choice.queue)) due = &queue;
    return due == nullptr;
  });
  if (due != nullptr) reserve(*due, *choice.node);
  return due != nullptr;
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

// On a node that drains for another task, or is kept for others later, but only what must have ended before that.
std::optional<Choice> Placement::backfill(const Head& head, Time now) {
  const ShapeKey& key = head.queue->shape->key;
  if (key.limit == Duration{} || key.gang > 0) return std::nullopt;
  int looks = 0;
  for (const auto& [id, node] : nodes_.kept_later()) {
    if (++looks > kMaxDrained) break;
    const bool ends_in_time = now + key.limit <= *node->kept_from;
    if (!ends_in_time || !node->is_open() || node->leases() >= kMaxLeasesPerNode) continue;
    if (key.needs.fits_in(node->before_booking())) return Choice{.queue = head.queue, .job = head.job, .node = node};
  }
  looks = 0;
  for (const auto& [id, waiting] : reservations_) {
    if (++looks > kMaxDrained) break;
    Node& node = *nodes_.find(id);
    if (waiting == head.queue || !node.has_room_for(key.needs) || node.leases() >= kMaxLeasesPerNode) continue;
    const std::optional<Time> complete =
        room_complete_at(*waiting, waiting->shape->key.gang > 0 ? waiting->reserved : std::vector{&node});
    if (complete && now + key.limit <= *complete) return Choice{.queue = head.queue, .job = head.job, .node = &node};
  }
  return std::nullopt;
}

// What the job asks for counts more than where its data lies, and what is kept for its account is to be used.
Node& Placement::better(Node& usual, const Job& job) {
  if (usual.booking != BookingId{}) return usual;
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

void Placement::placed(const Choice& choice, Time now) {
  Queue& queue = *choice.queue;
  if (!queue.reserved.empty()) {
    const bool is_gang = queue.shape->key.gang > 0;
    Node* node = is_gang || choice.node->reserved_for == &queue ? choice.node : queue.reserved.back();
    unreserve(queue, is_gang ? std::vector(queue.reserved) : std::vector{node});
  }
  queue_.placed(queue, now);
}

void Placement::freed(Node& node) {
  nodes_.refresh(node);
  if (node.reserved_for != nullptr) {
    ready_.insert(node.id);
    if (node.reserved_for->shape->key.gang > 0) gang_may_fit_ = true;
  }
  if (!node.is_open() || node.leases() >= kMaxLeasesPerNode) return;
  if (node.reserved_for != nullptr) return queue_.unblock_limited(node.with(node.room()));
  if (node.kept_from) queue_.unblock_limited(node.before_booking());
  std::array<Terms, kReaches> rooms;
  for (Reach reach = kFreeRoom; reach < kReaches; ++reach) rooms[reach] = node.with(node.room(reach));
  queue_.unblock_fitting(rooms);
}

bool Placement::may_reserve() const {
  return reservations_.size() < std::max<std::size_t>(1, nodes_.open() / kReservedPart);
}

void Placement::reserve(Queue& queue, Node& node) {
  node.reserved_for = &queue;
  reservations_.emplace(node.id, &queue);
  ready_.insert(node.id);
  queue_.reserve(queue, node);
  nodes_.refresh(node);
}

void Placement::unreserve(Queue& queue, const std::vector<Node*>& nodes) {
  if (queue.shape->key.gang > 0) gang_drains_ = false;
  for (Node* node : nodes) {
    node->reserved_for = nullptr;
    reservations_.erase(node->id);
    ready_.erase(node->id);
    queue_.unreserve(queue, *node);
  }
  for (Node* node : nodes) freed(*node);
}

void Placement::release(Node& node, Time now) {
  Queue* queue = node.reserved_for;
  if (queue == nullptr) return;
  unreserve(*queue, queue->shape->key.gang > 0 ? std::vector(queue->reserved) : std::vector{&node});
  if (!queue->jobs.empty() && queue->reserved.empty()) queue_.set_alarm(*queue, now);
  queue_.drop_if_empty(*queue);
}

// The one that is thought to have room first; of those that are alike in this, that with the most room.
Node* Placement::best_to_drain(const Terms& needs, Time now) {
  Node* best = nullptr;
  std::pair<Duration, std::int64_t> best_rank;
  for (auto& [id, node] : nodes_.all()) {
    if (!node.is_open() || node.reserved_for != nullptr || !node.could_take(needs)) continue;
    const std::pair rank(wait_for_room(node, needs.resources, now), -std::int64_t{node.room().cores});
    if (best != nullptr && rank >= best_rank) continue;
    best = &node;
    best_rank = rank;
  }
  return best;
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

std::vector<Node*> Placement::nodes_to_drain(const Queue& queue, Time now) {
  // Who waits behind others' higher classes has not been passed over.
  if (queue_.is_behind_others(queue.shape->key.priority)) return {};
  if (queue.shape->key.gang > 0) return best_to_drain_for_gang(*queue.shape);
  Node* best = may_reserve() ? best_to_drain(queue.shape->needs(), now) : nullptr;
  return best != nullptr ? std::vector<Node*>{best} : std::vector<Node*>{};
}

// Where rooms become free seldom, a turn of a small weight is long in coming; that is not to be passed over.
bool Placement::is_next_in_turn(const Queue& queue) {
  const Queue* next = &queue;
  int looks = 0;
  queue_.visit_heads([&](const Head& head) {
    const bool is_next = fits_somewhere(*head.queue->shape);
    if (is_next) next = head.queue;
    return !is_next && ++looks < kMaxLooks;
  });
  return next->party == queue.party || next->shape->key.priority != queue.shape->key.priority;
}

void Placement::reserve(Queue& queue, Time now) {
  const bool waits_for_ever = queue.waits_since + options_.starvation_bound * kBoundsOfTurn <= now;
  const bool is_starved = waits_for_ever || is_next_in_turn(queue);
  const std::vector<Node*> nodes = is_starved ? nodes_to_drain(queue, now) : std::vector<Node*>{};
  if (nodes.empty()) {
    queue_.set_alarm(queue, now + std::max(options_.starvation_bound / 8, milliseconds(1)));
    return;
  }
  if (queue.shape->key.gang > 0) gang_drains_ = gang_may_fit_ = true;
  for (Node* node : nodes) reserve(queue, *node);
}

std::optional<Choice> Placement::next_reserved(Time now) {
  while (Queue* queue = queue_.take_abandoned()) {
    unreserve(*queue, std::vector(queue->reserved));
    queue_.drop_if_empty(*queue);
  }
  while (!ready_.empty()) {
    Node& node = *nodes_.find(*ready_.begin());
    ready_.erase(ready_.begin());
    Queue& queue = *node.reserved_for;
    if (!node.is_open() || !node.could_take(queue.shape->needs())) {
      release(node, now);
    } else if (auto choice = choose_reserved(queue, node)) {
      return choice;
    }
  }
  return std::nullopt;
}

std::optional<Choice> Placement::choose_reserved(Queue& queue, Node& node) {
  const Shape& shape = *queue.shape;
  Job* job = queue.jobs.begin()->second;
  if (shape.key.gang > 0) {
    if (!std::exchange(gang_may_fit_, false)) return std::nullopt;
    Seats seats = seats_for(queue, kFreeRoom);
    if (seats.empty()) return std::nullopt;
    return Choice{.queue = &queue, .job = job, .seats = std::move(seats)};
  }
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
