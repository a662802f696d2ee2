#include "core/pool/nodes.h"

#include <algorithm>

#include "base/check.h"

namespace hearth::pool {
namespace {

// A search for a place ahead, or for a node that holds data, looks at so many nodes at most.
constexpr int kMaxTries = 16;
constexpr int kMaxPreferred = 64;  // so a search for what a job prefers

// Whether there is a choice: a workspace lies where it lies, or goes where most is left for it.
bool may_choose(const Terms& needs) { return needs.node == NodeId{} && needs.admission.workspace_bytes == 0; }

}  // namespace

Node* NodeTable::find(NodeId id) {
  const auto entry = nodes_.find(id);
  return entry == nodes_.end() ? nullptr : &entry->second;
}

const Node* NodeTable::find(NodeId id) const {
  const auto entry = nodes_.find(id);
  return entry == nodes_.end() ? nullptr : &entry->second;
}

Node& NodeTable::get_or_add(NodeId id) {
  Node& node = nodes_[id];
  node.id = id;
  return node;
}

void NodeTable::remove(Node& node) {
  CHECK(node.leases() == 0 && node.reserved_for == nullptr && node.booking == BookingId{});
  node.connected = false;
  refresh(node);
  set_review(node, std::nullopt);
  set_grace(node, std::nullopt);
  data_.forget(node);
  silence_.forget(node);
  nodes_.erase(NodeId{node.id});
}

void NodeTable::refresh(Node& node) {
  const bool takes_more = node.is_open() && node.reserved_for == nullptr;
  const bool has_place = takes_more && node.leases() < kMaxLeasesPerNode;
  count(node);
  rooms_[kFreeRoom].update(node, has_place);
  for (Reach reach = kFreeRoom + 1; reach < kReaches; ++reach) {
    rooms_[reach].update(node, has_place && node.endable[reach].cores > 0);
  }

  preferences_.update(node, node.places[kFreeRoom].has_value());

  std::optional<std::int64_t> time_ahead;
  if (has_place && node.brief_cores > 0 && node.ahead.size() < options_.max_prefetch) {
    time_ahead = node.ahead_core_micros / static_cast<std::int64_t>(node.brief_cores);
  }
  if (node.time_ahead == time_ahead) return;
  if (node.time_ahead) aheads_.erase({*node.time_ahead, node.id});
  node.time_ahead = time_ahead;
  if (time_ahead) aheads_.emplace(std::pair(*time_ahead, node.id), &node);
}

void NodeTable::count(Node& node) {
  if (node.is_open() != node.counted_open) {
    node.counted_open = node.is_open();
    open_ = node.counted_open ? open_ + 1 : open_ - 1;
  }
  const Resources now = node.connected ? node.offered : Resources{};
  if (now == node.counted) return;
  capacity_ = capacity_ - node.counted + now;
  node.counted = now;
}

Node* NodeTable::find_room_for_workspace(const Terms& needs, Reach reach) {
  Node* best = nullptr;
  for (auto& [id, node] : nodes_) {
    if (!node.places[reach] || !node.has_room_for(needs, reach)) continue;
    if (best == nullptr || node.with({}).workspace_room > best->with({}).workspace_room) best = &node;
  }
  return best;
}

Node* NodeTable::find_room(const Terms& needs, Reach reach) {
  if (needs.node != NodeId{}) {
    Node* home = find(needs.node);
    return home != nullptr && home->places[reach] && home->has_room_for(needs, reach) ? home : nullptr;
  }
  if (needs.admission.workspace_bytes > 0) return find_room_for_workspace(needs, reach);
  const RoomIndex& rooms = rooms_[reach];
  return rooms.is_large(needs.resources) ? rooms.find_tightest(needs) : rooms.find_emptiest(needs);
}

Node* NodeTable::find_room_beside(const Node& original, const Terms& needs) {
  const RoomIndex& rooms = rooms_[kFreeRoom];
  return rooms.is_large(needs.resources) ? rooms.find_tightest(needs, &original)
                                         : rooms.find_emptiest(needs, &original);
}

Node& NodeTable::nearer(Node& usual, const Terms& needs, const std::vector<DataId>& data) {
  if (!may_choose(needs)) return usual;
  // A GPU is to be free for those who need one.
  const auto suits = [&](const Node& node) {
    return node.places[kFreeRoom] && node.has_room_for(needs) && (needs.resources.gpus > 0 || node.room().gpus == 0);
  };
  int looks = kMaxTries;
  for (const DataId id : data) {
    if (data_.holds(usual, id)) return usual;
    if (Node* holder = data_.find(id, looks, suits)) return *holder;
  }
  return usual;
}

Node& NodeTable::preferred(Node& usual, const Terms& needs, const Ranking& ranking) {
  if (!may_choose(needs)) return usual;
  const auto suits = [&needs](const Node& node) { return node.has_room_for(needs); };
  const auto is_emptier = [](const Node& a, const Node& b) {
    return std::uint64_t{a.room().cores} * b.offered.cores > std::uint64_t{b.room().cores} * a.offered.cores;
  };
  Node* best = ranking.find(usual.id, kMaxPreferred, suits, is_emptier);
  return best != nullptr ? *best : usual;
}

Node* NodeTable::find_ahead(const Terms& needs, std::int64_t core_micros) const {
  int tries = 0;
  for (const auto& [key, node] : aheads_) {
    if (key.first > options_.prefetch_span.micros || ++tries > kMaxTries) return nullptr;
    const std::int64_t then = (node->ahead_core_micros + core_micros) / static_cast<std::int64_t>(node->brief_cores);
    if (then <= options_.prefetch_span.micros && node->could_take(needs)) return node;
  }
  return nullptr;
}

bool NodeTable::any_open_fits(const Terms& needs) const {
  return std::ranges::any_of(
      nodes_, [&](const auto& entry) { return entry.second.is_open() && entry.second.could_take(needs); });
}

void NodeTable::keep(Node& node, BookingId booking, AccountId account, std::optional<Time> from) {
  node.booking = booking;
  node.kept_for = account;
  node.kept_from = from;
  if (from) {
    kept_later_.emplace(node.id, &node);
  } else {
    kept_later_.erase(node.id);
  }
  changed_offers();
  refresh(node);
}

void NodeTable::set_review(Node& node, std::optional<Time> at) {
  if (node.review) reviews_.erase({*node.review, node.id});
  node.review = at;
  if (at) reviews_.emplace(*at, node.id);
}

std::vector<Node*> NodeTable::take_reviews(Time now) {
  std::vector<Node*> due;
  while (!reviews_.empty() && reviews_.begin()->first <= now) {
    Node* node = find(reviews_.begin()->second);
    CHECK(node != nullptr);
    set_review(*node, std::nullopt);
    due.push_back(node);
  }
  return due;
}

void NodeTable::set_grace(Node& node, std::optional<Time> ends) {
  if (node.grace_ends) graces_.erase({*node.grace_ends, node.id});
  node.grace_ends = ends;
  if (ends) graces_.emplace(*ends, node.id);
}

std::vector<Node*> NodeTable::take_drained(Time now) {
  std::vector<Node*> due;
  while (!graces_.empty() && graces_.begin()->first <= now) {
    Node* node = find(graces_.begin()->second);
    CHECK(node != nullptr);
    set_grace(*node, std::nullopt);
    due.push_back(node);
  }
  return due;
}

std::optional<Time> NodeTable::next_deadline() const {
  std::optional<Time> next = silence_.next_deadline();
  for (const auto* times : {&reviews_, &graces_}) {
    if (!times->empty() && (!next || times->begin()->first < *next)) next = times->begin()->first;
  }
  return next;
}

}  // namespace hearth::pool
