// Nodes that have not been heard of for a lease, and so have lost theirs.
//
// Where more than half of those that were heard of lately fall silent at once, and two at least, it is rather the hub
// whose cable was pulled, or a router that starts again: then they are *spared*. Nothing new goes to them, and they
// keep what they have until most are heard of again and a lease has passed since, or until ten leases have passed.
// Kubernetes' node lifecycle controller stops its evictions by the same rule ("full disruption").
#pragma once

#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/time.h"

namespace hearth::pool {

struct Node;

class Silence {
 public:
  explicit Silence(Duration lease) : lease_(lease) {}

  // What is known of a node; it keeps this itself.
  struct Mark {
    Time lease_ends;
    std::optional<Time> deadline;  // at or before that; none: it is not watched
    bool is_spared = false;
  };

  // The node stays where it is in memory, until it is forgotten.
  void heard(Node& node, Time now);
  void forget(Node& node);

  struct Fallen {
    std::vector<Node*> lost;
    std::vector<Node*> spared;
  };
  Fallen take(Time now);  // silent since, each named once
  std::optional<Time> next_deadline() const;

 private:
  void watch(Node& node, Time until);
  std::vector<Node*> take_overdue(Time now);
  void look_again(Time now, std::vector<Node*>& lost);
  bool are_most_silent(std::size_t overdue, Time now) const;

  Duration lease_;
  std::map<std::pair<Time, NodeId>, Node*> deadlines_;
  std::map<NodeId, Node*> spared_;
  std::optional<Time> spares_since_;
  Time next_look_;  // at those that are spared
};

}  // namespace hearth::pool
