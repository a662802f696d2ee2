#include "core/pool/silence.h"

#include <algorithm>

#include "core/pool/nodes.h"

namespace hearth::pool {
namespace {

// So many leases at most are nodes spared.
constexpr std::int64_t kSparedLeases = 10;

constexpr std::size_t kFewestSilent = 2;

}  // namespace

void Silence::heard(Node& node, Time now) {
  node.silence.lease_ends = now + lease_;
  if (node.silence.is_spared) spared_.erase(node.id);
  node.silence.is_spared = false;
  if (!node.silence.deadline) watch(node, node.silence.lease_ends);
}

void Silence::forget(Node& node) {
  if (node.silence.deadline) deadlines_.erase({*node.silence.deadline, node.id});
  if (node.silence.is_spared) spared_.erase(node.id);
  node.silence = {};
}

void Silence::watch(Node& node, Time until) {
  node.silence.deadline = until;
  deadlines_.emplace(std::pair(until, node.id), &node);
}

std::vector<Node*> Silence::take_overdue(Time now) {
  std::vector<Node*> overdue;
  while (!deadlines_.empty() && deadlines_.begin()->first.first <= now) {
    Node& node = *deadlines_.begin()->second;
    deadlines_.erase(deadlines_.begin());
    node.silence.deadline.reset();
    if (node.silence.lease_ends > now) {
      watch(node, node.silence.lease_ends);  // it was heard of since
    } else {
      overdue.push_back(&node);
    }
  }
  return overdue;
}

// Nodes speak several times in a lease: of whom nothing came for half of one is about to fall, too.
bool Silence::are_most_silent(std::size_t overdue, Time now) const {
  std::size_t silent = overdue + spared_.size();
  const std::size_t known = silent + deadlines_.size();
  for (const auto& [key, node] : deadlines_) {
    if (node->silence.lease_ends - lease_ / 2 <= now) ++silent;
  }
  return silent >= kFewestSilent && silent * 2 > known;
}

void Silence::look_again(Time now, std::vector<Node*>& lost) {
  if (!spares_since_ || now < next_look_) return;
  next_look_ = now + lease_ / 4;
  const bool has_ended = *spares_since_ + lease_ * kSparedLeases <= now;
  if (!has_ended && are_most_silent(0, now)) return;
  spares_since_.reset();
  for (auto& [id, node] : spared_) {
    node->silence.is_spared = false;
    if (has_ended) {
      lost.push_back(node);
    } else {
      node->silence.lease_ends = now + lease_;
      watch(*node, node->silence.lease_ends);
    }
  }
  spared_.clear();
}

Silence::Fallen Silence::take(Time now) {
  Fallen fallen;
  look_again(now, fallen.lost);
  std::vector<Node*> overdue = take_overdue(now);
  if (overdue.empty()) return fallen;
  if (!spares_since_ && are_most_silent(overdue.size(), now)) {
    spares_since_ = now;
    next_look_ = now + lease_ / 4;
  }
  if (!spares_since_) {
    fallen.lost.insert(fallen.lost.end(), overdue.begin(), overdue.end());
    return fallen;
  }
  for (Node* node : overdue) {
    node->silence.is_spared = true;
    spared_.emplace(node->id, node);
  }
  fallen.spared = std::move(overdue);
  return fallen;
}

std::optional<Time> Silence::next_deadline() const {
  std::optional<Time> next;
  if (!deadlines_.empty()) next = deadlines_.begin()->first.first;
  if (spares_since_ && (!next || next_look_ < *next)) next = next_look_;
  return next;
}

}  // namespace hearth::pool
