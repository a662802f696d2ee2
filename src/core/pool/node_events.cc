// What nodes say and what their silence means.
#include <algorithm>
#include <set>

#include "core/pool/state.h"

namespace hearth::pool {

Node* Pool::State::heard_from(NodeId id) {
  Node* node = nodes.find(id);
  if (node == nullptr || !node->connected) return nullptr;
  nodes.heard(*node, now);
  if (node->silent) {
    node->silent = false;
    nodes.changed_offers();
    placement.freed(*node);
  }
  return node;
}

void Pool::State::set_silent(Node& node) {
  node.silent = true;
  nodes.changed_offers();
  placement.freed(node);
}

void Pool::State::fill_room(Node& node) {
  if (!node.connected) return;
  while (Lease* lease = node.ahead.front()) {
    if (!node.has_room_for(lease->job->needs())) return;
    move_into_room(*lease);
    watch_tail(*lease->job, now);
  }
}

void Pool::State::take_back(Lease& lease, Failure why) {
  stop(lease);
  lose(lease, why);
}

void Pool::State::lose_all(Node& node) {
  for (Lease* lease : node.in_room.all()) take_back(*lease, Failure::kNodeLost);
  for (Lease* lease : node.ahead.all()) take_back(*lease, Failure::kNodeLost);
  placement.freed(node);
}

void Pool::State::drain(Node& node) {
  for (const LeaseList* list : {&node.in_room, &node.ahead}) {
    for (Lease* lease : list->all()) take_back(*lease, Failure::kDrained);
  }
  placement.freed(node);
}

void Pool::State::review(Node& node) {
  if (!node.connected) return;  // its leases end by themselves
  const Failure why = node.closed ? Failure::kOwner : Failure::kNodeLost;
  Resources used;
  for (const Lease* lease : node.in_room.all()) {
    if (lease->started) used = used + lease->job->request.per_task;
  }
  for (Lease* lease : node.in_room.all()) {
    if (lease->started || lease->job->is_own()) continue;
    const Terms needs = lease->job->needs();
    if (node.closed || !needs.fits_in(node.with(node.offered - used))) {
      take_back(*lease, why);
    } else {
      used = used + needs.resources;
    }
  }
  for (Lease* lease : node.ahead.all()) {
    const bool has_waited = lease->leased_at + kPatienceAhead <= now;
    const bool can_start = !node.closed && node.could_take(lease->job->needs());
    if (!lease->started && (has_waited || !can_start)) take_back(*lease, why);
  }
  if (!node.ahead.empty()) review_later(node, std::max(node.ahead.front()->leased_at, now) + kPatienceAhead);
  placement.freed(node);
}

// What stands still there is no part of its account's turn: another is not behind it for that.
void Pool::State::set_frozen(Node& node, bool frozen) {
  if (std::exchange(node.frozen, frozen) == frozen) return;
  for (const LeaseList* list : {&node.in_room, &node.ahead}) {
    for (const Lease* lease : list->all()) count_frozen(*lease->job, frozen);
  }
}

void Pool::State::count_frozen(Job& job, bool frozen) {
  if (frozen) {
    ++job.frozen;
    queue.freeze(job.account(), job.request.per_task);
  } else {
    --job.frozen;
    queue.thaw(job.account(), job.request.per_task);
  }
}

void Pool::State::review_later(Node& node, Time at) {
  if (!node.review || at < *node.review) nodes.set_review(node, at);
}

void Pool::on_node_hello(NodeId id, const NodeHello& hello, Time now) {
  State& state = *state_;
  state.advance(now);
  Node& node = state.nodes.get_or_add(id);
  node.connected = true;
  node.silent = false;
  node.offered = hello.offered;
  node.admits = hello.admits;
  node.closed = hello.closed;
  state.nodes.preferences().forget(node);
  node.attributes = hello.attributes;
  node.meets = state.conditions.met_by(node.attributes);
  state.nodes.data().set(node, hello.data);
  state.nodes.changed_offers();
  state.nodes.heard(node, state.now);

  const std::set<AttemptId> held(hello.held.begin(), hello.held.end());
  std::vector<Lease*> lost = node.in_room.all();
  for (Lease* lease : node.ahead.all()) lost.push_back(lease);
  std::erase_if(lost, [&](const Lease* lease) { return held.contains(lease->attempt); });
  for (Lease* lease : lost) state.lose(*lease, Failure::kNodeLost);
  state.set_frozen(node, hello.frozen);
  for (const AttemptId attempt : held) {
    if (state.leases.find(attempt, id) == nullptr) state.effects.emplace_back(StopSend{id, attempt});
  }
  state.fill_room(node);
  // What it runs it says right after its hello; what has not started by then and cannot is better off elsewhere.
  if (node.leases() > 0) state.review_later(node, state.now + state.options.lease);
  state.wipe_unwanted(node, hello.workspaces);
  state.placement.freed(node);
}

void Pool::on_node_gone(NodeId id, Time now) {
  state_->advance(now);
  Node* node = state_->nodes.find(id);
  if (node == nullptr || !node->connected) return;
  node->connected = false;
  state_->nodes.changed_offers();
  state_->placement.release(*node, state_->now);
  state_->placement.freed(*node);
}

void Pool::on_node_removed(NodeId id, Time now) {
  state_->advance(now);
  Node* node = state_->nodes.find(id);
  if (node == nullptr) return;
  state_->placement.release(*node, state_->now);
  if (node->booking != BookingId{}) state_->let_go(state_->bookings.at(node->booking), *node);
  state_->lose_all(*node);
  state_->drop_workspaces_of(id);
  state_->nodes.changed_offers();
  state_->nodes.remove(*node);
}

void Pool::on_heartbeat(NodeId id, Time now) {
  state_->advance(now);
  state_->heard_from(id);
}

void Pool::on_offer(NodeId id, const NodeOffer& offer, Time now) {
  state_->advance(now);
  Node* node = state_->heard_from(id);
  if (node == nullptr) return;
  const bool is_less = offer.closed || !Terms{node->offered, node->admits}.fits_in(offer.terms);
  node->offered = offer.terms.resources;
  node->admits = offer.terms.admission;
  node->closed = offer.closed;
  state_->set_frozen(*node, offer.frozen);
  state_->nodes.changed_offers();
  // Words of a session arrive in order: what is not known as started has not started, and will not.
  if (is_less) state_->review(*node);
  state_->fill_room(*node);
  state_->placement.freed(*node);
}

void Pool::on_attributes(NodeId id, const Attributes& attributes, Time now) {
  state_->advance(now);
  Node* node = state_->heard_from(id);
  if (node == nullptr || node->attributes == attributes) return;
  state_->nodes.preferences().forget(*node);
  node->attributes = attributes;
  node->meets = state_->conditions.met_by(attributes);
  state_->nodes.changed_offers();
  state_->placement.freed(*node);
}

void Pool::on_duty(NodeId id, Duty duty, Time grace_ends, Time now) {
  State& state = *state_;
  state.advance(now);
  if (duty == Duty::kServing && state.nodes.find(id) == nullptr) return;
  Node& node = state.nodes.get_or_add(id);
  node.duty = duty;
  state.nodes.set_grace(node, duty == Duty::kDraining ? std::optional(grace_ends) : std::nullopt);
  state.nodes.changed_offers();
  if (duty != Duty::kServing) {
    state.placement.release(node, state.now);
    for (Lease* lease : node.ahead.all()) {
      if (!lease->started) state.take_back(*lease, Failure::kDrained);
    }
  }
  state.placement.freed(node);
}

void Pool::on_data(NodeId id, const std::vector<DataId>& added, const std::vector<DataId>& removed, Time now) {
  state_->advance(now);
  Node* node = state_->heard_from(id);
  if (node == nullptr) return;
  for (const DataId data : removed) state_->nodes.data().remove(*node, data);
  for (const DataId data : added) state_->nodes.data().add(*node, data);
}

void Pool::on_started(NodeId id, AttemptId attempt, Time now) {
  state_->advance(now);
  if (state_->heard_from(id) == nullptr) return;
  Lease* lease = state_->leases.find(attempt, id);
  if (lease != nullptr) {
    lease->started = true;
  } else {
    state_->effects.emplace_back(StopSend{id, attempt});
  }
}

void Pool::on_finished(NodeId id, AttemptId attempt, Failure failure, Time now) {
  state_->advance(now);
  state_->heard_from(id);
  Lease* lease = state_->options.fence_epochs ? state_->leases.find(attempt, id) : state_->leases.find(attempt.task);
  if (lease != nullptr) state_->accept(*lease, attempt, failure);
  if (is_held(attempt) && is_leased_to(id, attempt)) return;  // the node keeps it until its gang is settled
  state_->effects.emplace_back(AcknowledgeSend{id, attempt});
}

}  // namespace hearth::pool
