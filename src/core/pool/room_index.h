// Nodes by their free room, or by that and the room of those whom others may end. Nodes that offer and have free the
// same cores and GPUs, admit the same, meet the same conditions and are kept for the same account share a bucket,
// ordered by memory; a search visits buckets, of which there are as many as there are distinct (free cores, cores,
// GPUs, admissions, conditions, accounts), never nodes; but for tasks that need disk, whose search passes by the nodes
// that lack that alone. Those for whom nodes are kept find these first.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "base/ids.h"
#include "core/admission.h"
#include "core/pool/priority.h"

namespace hearth::pool {

struct Node;

class RoomIndex {
 public:
  explicit RoomIndex(Reach reach = kFreeRoom) : reach_(reach) {}

  // Where a node lies in the index; it keeps this itself.
  struct Bucket {
    std::uint32_t free_cores = 0;
    std::uint32_t cores = 0;
    std::uint32_t free_gpus = 0;
    std::uint64_t gpu_memory = 0;
    Admission admits;
    Conditions meets;
    AccountId kept_for;
    bool operator==(const Bucket&) const = default;
  };
  struct Place {
    Bucket bucket;
    std::uint64_t memory = 0;
    bool operator==(const Place&) const = default;
  };

  // Whether the node is to be found, by what it offers and uses now. The node stays where it is in memory.
  void update(Node& node, bool is_found);

  // Neither gives `except`. The node with the largest share of its cores free that fits, or null; of those the one with
  // the least memory.
  Node* find_emptiest(const Terms& needs, const Node* except = nullptr) const;

  // The node with the fewest free cores that fits, or null.
  Node* find_tightest(const Terms& needs, const Node* except = nullptr) const;

  // Whether tasks of this size are to be placed tightly: a GPU, or more than half of the largest node in the index.
  bool is_large(const Resources& needs) const;

 private:
  struct ByShare {
    bool operator()(const Bucket& a, const Bucket& b) const;
  };
  struct ByCores {
    bool operator()(const Bucket& a, const Bucket& b) const;
  };
  using Nodes = std::map<std::pair<std::uint64_t, NodeId>, Node*>;  // by memory

  template <class Buckets>
  Node* find_in(const Buckets& buckets, const Terms& needs, const Node* except) const;
  void insert(Node& node, const Place& place);
  void erase(const Node& node, const Place& place);

  Reach reach_;
  std::map<Bucket, Nodes, ByShare> by_share_;
  std::map<Bucket, const Nodes*, ByCores> by_cores_;
  std::map<std::uint32_t, std::uint32_t> sizes_;  // how many nodes in the index offer so many cores
};

}  // namespace hearth::pool
