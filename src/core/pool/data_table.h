// Which nodes hold which large blobs, so that a task can go where what it would have to fetch lies already. It is a
// preference among nodes that have room, never a reason to wait: no task is held back for data (delay scheduling would
// pay for blobs that take longer to fetch than tasks take to end, which the swarm makes rare; see node/swarm.h).
#pragma once

#include <cstddef>
#include <map>
#include <vector>

#include "core/pool/pool.h"

namespace hearth::pool {

struct Node;

class DataTable {
 public:
  // The node holds these from now on, the most useful first; what is beyond kMaxDataPerNode is passed over.
  void set(Node& node, const std::vector<DataId>& data);
  void add(Node& node, DataId data);
  void remove(Node& node, DataId data);
  void forget(Node& node);

  bool holds(const Node& node, DataId data) const;
  std::vector<NodeId> holders(DataId data, std::size_t most) const;  // those that are connected, by id

  // The first node that holds it and that `suits`, from where the last search for it ended; `looks` counts down with
  // each node looked at, and at 0 the search is over. Null: none.
  template <class Suits>
  Node* find(DataId data, int& looks, Suits suits) {
    const auto entry = holders_.find(data);
    if (entry == holders_.end()) return nullptr;
    Holders& holders = entry->second;
    for (std::size_t i = 0; i < holders.nodes.size() && looks > 0; ++i, --looks) {
      holders.next = holders.next + 1 < holders.nodes.size() ? holders.next + 1 : 0;
      if (suits(*holders.nodes[holders.next])) return holders.nodes[holders.next];
    }
    return nullptr;
  }

 private:
  struct Holders {
    std::vector<Node*> nodes;  // by id
    std::size_t next = 0;
  };
  std::map<DataId, Holders> holders_;
};

}  // namespace hearth::pool
