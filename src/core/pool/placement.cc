#include "core/pool/placement.h"

#include <algorithm>

namespace hearth::pool {
namespace {

// Looking for a task to lease ahead passes so many jobs at most that fit on no node.
constexpr int kMaxLooks = 64;

// At most this part of the nodes drains at once, so that a pool full of waiting large tasks still works.
constexpr std::size_t kReservedPart = 4;

// No task is thought to take less: starting a program costs about this.
constexpr Duration kLeastTaskTime = microseconds(200);

}  // namespace

std::optional<Choice> Placement::next(Time now) {
  while (Queue* queue = queue_.take_alarm(now)) reserve(*queue, now);
  if (!reservations_.empty()) {
    if (const auto choice = next_reserved(now)) return choice;
  }
  while (const auto head = queue_.first_open()) {
    Shape& shape = *head->queue->shape;
    if (Node* node = nodes_.find_room(shape.needs)) return Choice{head->queue, head->job, node};
    queue_.block(shape, now);
  }
  return next_ahead();
}

void Placement::placed(const Choice& choice) {
  queue_.placed(*choice.queue);
  if (choice.queue->reserved != nullptr) unreserve(*choice.queue);
}

void Placement::freed(Node& node) {
  nodes_.refresh(node);
  const bool takes_more = node.is_open() && node.reserved_for == nullptr && node.leases() < kMaxLeasesPerNode;
  if (takes_more) queue_.unblock_fitting(node.with(node.room()));
}

void Placement::unreserve(Queue& queue) {
  Node& node = *queue.reserved;
  queue.reserved = nullptr;
  node.reserved_for = nullptr;
  reservations_.erase(node.id);
  freed(node);
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

void Placement::reserve(Queue& queue, Time now) {
  Node* node = best_to_drain(queue.shape->needs);
  if (node == nullptr) {
    queue_.set_alarm(queue, now + std::max(options_.starvation_bound / 8, milliseconds(1)));
    return;
  }
  queue.reserved = node;
  node->reserved_for = &queue;
  reservations_.emplace(node->id, &queue);
  nodes_.refresh(*node);
}

std::optional<Choice> Placement::next_reserved(Time now) {
  for (auto entry = reservations_.begin(); entry != reservations_.end();) {
    Queue& queue = *entry->second;
    Node& node = *(entry++)->second->reserved;
    const Terms& needs = queue.shape->needs;
    if (queue.jobs.empty() || !node.is_open() || !node.could_take(needs)) {
      release(node, now);
    } else if (node.has_room_for(needs) && node.leases() < kMaxLeasesPerNode) {
      return Choice{&queue, queue.jobs.begin()->second, &node};
    }
  }
  return std::nullopt;
}

bool Placement::fits_somewhere(Shape& shape) {
  if (shape.fits_version != nodes_.version()) {
    shape.fits_version = nodes_.version();
    shape.fits = nodes_.any_open_fits(shape.needs);
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
    if (job.fresh.empty() || !job.is_brief(options_.prefetch_span)) return false;
    const Terms needs = job.needs();
    const std::int64_t work = std::max(job.busy.mean(), kLeastTaskTime).micros * std::int64_t{needs.resources.cores};
    if (Node* node = nodes_.find_ahead(needs, work)) choice = Choice{head.queue, &job, node, true, work};
    return false;
  });
  return choice;
}

}  // namespace hearth::pool
