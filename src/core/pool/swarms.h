// Which large blobs travel as swarms, and who is told of whom: the nodes that were lately given tasks which fetch them.
//
// A blob that one node alone wants comes from the hub, as every small one does: a swarm costs the hub one reading of
// the blob, and the node a second copy. From two nodes on it saves the hub a copy for each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "base/time.h"
#include "core/pool/pool.h"

namespace hearth::pool {

class SwarmTable {
 public:
  static constexpr std::uint64_t kLeastBytes = 32ULL << 20;
  static constexpr std::size_t kEnough = 2;                // nodes
  static constexpr Duration kRecently = seconds(10 * 60);  // for whom the decision is made
  static constexpr Duration kKept = seconds(3600);         // who may still be at it, or have it
  static constexpr std::size_t kMaxPeers = 32;
  static constexpr std::size_t kMaxBlobs = 10'000;

  // A task that fetches the blob was leased to the node.
  void wanted(DataId blob, NodeId node, Time now);
  void forget(NodeId node);

  // Whether it travels as a swarm to the node. `holders`: those that are known to hold its ciphertext; one that does
  // itself needs but the key. The same answer for all that ask within one commit, once wanted() was called for all.
  bool is_swarm(DataId blob, NodeId node, std::uint64_t bytes, const std::vector<NodeId>& holders, Time now) const;

  // Whom a node is told of: those that wanted it lately, the last ones first, then the holders; at most kMaxPeers.
  std::vector<NodeId> peers_of(DataId blob, NodeId node, const std::vector<NodeId>& holders, Time now) const;

 private:
  using Wanting = std::map<NodeId, Time>;
  void make_room(Time now);

  std::map<DataId, Wanting> blobs_;
};

}  // namespace hearth::pool
