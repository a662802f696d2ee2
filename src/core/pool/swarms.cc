#include "core/pool/swarms.h"

#include <algorithm>
#include <set>
#include <utility>

namespace hearth::pool {

void SwarmTable::wanted(DataId blob, NodeId node, Time now) {
  if (blobs_.size() >= kMaxBlobs && !blobs_.contains(blob)) make_room(now);
  if (blobs_.size() >= kMaxBlobs && !blobs_.contains(blob)) return;
  Wanting& nodes = blobs_[blob];
  nodes[node] = now;
  std::erase_if(nodes, [&](const auto& one) { return one.second + kKept < now; });
}

void SwarmTable::make_room(Time now) {
  std::erase_if(blobs_, [&](const auto& entry) {
    return std::ranges::all_of(entry.second, [&](const auto& one) { return one.second + kRecently < now; });
  });
}

void SwarmTable::forget(NodeId node) {
  for (auto& [blob, nodes] : blobs_) nodes.erase(node);
}

bool SwarmTable::is_swarm(DataId blob, NodeId node, std::uint64_t bytes, const std::vector<NodeId>& holders,
                          Time now) const {
  if (bytes < kLeastBytes) return false;
  if (std::ranges::find(holders, node) != holders.end()) return true;
  std::set<NodeId> nodes(holders.begin(), holders.end());
  if (const auto found = blobs_.find(blob); found != blobs_.end()) {
    for (const auto& [wanting, when] : found->second) {
      if (when + kRecently >= now) nodes.insert(wanting);
    }
  }
  return nodes.size() >= kEnough;
}

std::vector<NodeId> SwarmTable::peers_of(DataId blob, NodeId node, const std::vector<NodeId>& holders, Time now) const {
  std::vector<std::pair<Time, NodeId>> latest;
  if (const auto found = blobs_.find(blob); found != blobs_.end()) {
    for (const auto& [other, when] : found->second) {
      if (other != node && when + kKept >= now) latest.emplace_back(when, other);
    }
  }
  std::ranges::sort(latest, [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<NodeId> peers;
  for (const auto& [when, other] : latest) peers.push_back(other);
  for (const NodeId holder : holders) {
    if (holder != node && std::ranges::find(peers, holder) == peers.end()) peers.push_back(holder);
  }
  if (peers.size() > kMaxPeers) peers.resize(kMaxPeers);
  return peers;
}

}  // namespace hearth::pool
