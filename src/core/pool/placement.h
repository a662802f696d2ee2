// Which task goes where next: the queue's turn matched with the nodes' room, one choice at a time.
//
//   while (const auto choice = placement.next(now)) { ...lease it... placement.placed(*choice); }
//
// Tasks go where there is room, of that where their job prefers or where their data lies, or where those of a lower
// class can be ended for them. A gang goes where all of it finds room at once.
//
// A node that is *reserved* for a queue drains until one of its tasks fits. That is so for whoever stands before
// another in turn, and lacks the room for its next task that the other finds for a smaller one, as long as its account
// would have no more than the other's even with what it waits for: else an account of large tasks would have little of
// a full pool. And it is so for a queue that found no room for the starvation bound; if another account is next in
// turn, for ten times that. A gang gets as many nodes as it takes, one gang at a time, so that no two wait for each
// other. Meanwhile tasks go there that end, by their time limit, before the room is complete (EASY backfill: Lifka,
// 1995; what runs there is expected to take as long as its siblings did, or else its own limit). Where nothing has
// room, tasks of the next in turn are leased ahead, if they are known to be brief.
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/pool/fair_queue.h"
#include "core/pool/nodes.h"

namespace hearth::pool {

// So many tasks of a gang on each node.
using Seats = std::vector<std::pair<Node*, std::uint32_t>>;

struct Choice {
  Queue* queue = nullptr;
  Job* job = nullptr;
  Node* node = nullptr;
  Seats seats = {};         // of a gang, instead of `node`
  Reach reach = kFreeRoom;  // if there is no free room: whose room is to be taken
  bool ahead = false;
  std::int64_t core_micros = 0;  // with ahead: the work that it is expected to be
};

class Placement {
 public:
  Placement(const Options& options, NodeTable& nodes, FairQueue& queue)
      : options_(options), nodes_(nodes), queue_(queue) {}

  std::optional<Choice> next(Time now);

  // To be called for a choice before the job's task is taken. The queue may be gone after that.
  void placed(const Choice& choice, Time now);

  // The node's room or reservation may have grown: blocked tasks are looked at again.
  void freed(Node& node);
  // How many of the gang's tasks would find room now, at most as many as it has.
  std::uint32_t room_for_gang(const Terms& needs, std::uint32_t tasks, Reach reach);
  // The node goes: what it is reserved for looks for another.
  void release(Node& node, Time now);

 private:
  std::optional<Choice> choose(const Head& head);
  bool lets_pass(const Choice& choice);
  bool is_next_in_turn(const Queue& queue);
  bool may_reserve() const;
  std::optional<Choice> backfill(const Head& head, Time now);
  Node& better(Node& usual, const Job& job);  // of those that have free room
  Seats seats_for(const Queue& queue, Reach reach);
  void reserve(Queue& queue, Time now);
  std::vector<Node*> nodes_to_drain(const Queue& queue, Time now);
  Node* best_to_drain(const Terms& needs, Time now);
  std::vector<Node*> best_to_drain_for_gang(const Shape& shape);
  void reserve(Queue& queue, Node& node);
  void unreserve(Queue& queue, const std::vector<Node*>& nodes);
  std::optional<Choice> choose_reserved(Queue& queue, Node& node);
  std::optional<Choice> next_reserved(Time now);
  std::optional<Choice> next_ahead();
  bool fits_somewhere(Shape& shape);

  Options options_;
  NodeTable& nodes_;
  FairQueue& queue_;
  std::map<NodeId, Queue*> reservations_;
  std::set<NodeId> ready_;     // of these, those that were freed since they were last looked at
  bool gang_drains_ = false;   // some of them are a gang's
  bool gang_may_fit_ = false;  // one of those was freed since it was last looked at
};

}  // namespace hearth::pool
