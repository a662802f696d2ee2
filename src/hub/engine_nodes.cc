// What the engine is told of nodes, and by them.
#include "hub/engine.h"
#include "hub/job_data.h"

namespace hearth::hub {

void Engine::node_joined(NodeId node, NodeLink& link, const pool::NodeHello& hello) {
  links_[node] = &link;
  if (hubs_.other_hubs_size() > 0) link.tell_hubs(hubs_);
  if (duty_) link.tell_duty(node == witness_ ? *duty_ : v1::WitnessDuty());
  pool_.on_node_hello(node, hello, now());
  note_power(node, hello.attributes);
  pending_.changed_nodes.push_back(node);
  drain();
}

void Engine::node_gone(NodeId node, NodeLink& link) {
  const auto found = links_.find(node);
  if (found == links_.end() || found->second != &link) return;
  links_.erase(found);
  pool_.on_node_gone(node, now());
  pending_.changed_nodes.push_back(node);
  drain();
}

void Engine::node_removed(NodeId node) {
  links_.erase(node);
  pool_.on_node_removed(node, now());
  if (duties_.erase(node) > 0) pending_.batch.duties.push_back({.node = node});
  drain();
  power_.erase(node);
}

void Engine::heartbeat(NodeId node) { pool_.on_heartbeat(node, now()); }

void Engine::note_change(NodeId node) {
  pending_.changed_nodes.push_back(node);
  wake_.notify();
}

void Engine::offer(NodeId node, const pool::NodeOffer& offer) {
  pool_.on_offer(node, offer, now());
  pending_.changed_nodes.push_back(node);
  drain();
}

void Engine::started(NodeId node, AttemptId attempt) {
  pool_.on_started(node, attempt, now());
  if (const auto found = rows_.find(attempt.task); found != rows_.end()) {
    store::TaskRow& row = found->second;
    if (row.epoch == attempt.epoch && row.node == node && row.started == WallTime{}) row.started = wall_now();
    if (row.copy_epoch == attempt.epoch && row.copy_node == node && row.copy_started == WallTime{}) {
      row.copy_started = wall_now();
    }
  }
  drain();
}

void Engine::finished(NodeId node, AttemptId attempt, v1::Outcome outcome, std::uint64_t result_bytes) {
  const bool counts = pool_.is_leased_to(node, attempt);
  if (counts) note_workspace(attempt, outcome);
  pool_.on_finished(node, attempt, static_cast<Failure>(outcome.reason()), now());
  pending_.changed_nodes.push_back(node);
  if (!counts) return drain();
  const Report report{.attempt = attempt, .outcome = std::move(outcome), .result_bytes = result_bytes};
  if (pool_.is_held(attempt)) held_[attempt] = report;
  drain(report);
}

void Engine::attributes(NodeId node, const pool::Attributes& attributes) {
  pool_.on_attributes(node, attributes, now());
  note_power(node, attributes);
  drain();
}

std::vector<pool::DataId> Engine::names_of(const std::vector<v1::Blob>& data) const {
  std::vector<pool::DataId> names;
  for (const v1::Blob& blob : data) {
    names.push_back(id_of(blob.sha256()));
    if (other_name_) names.push_back(id_of(other_name_(blob)));
  }
  return names;
}

void Engine::set_data(JobId job, std::vector<v1::Blob> data) {
  const auto live = live_.find(job);
  if (live == live_.end()) return;
  pool_.set_data(job, names_of(data));
  live->second.data = std::move(data);
}

}  // namespace hearth::hub
