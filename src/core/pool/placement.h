// Which task goes where next: the queue's turn matched with the nodes' room, one choice at a time.
//
//   while (const auto choice = placement.next(now)) { ...lease it... placement.placed(*choice); }
//
// Tasks go where there is room. A queue that found none for the starvation bound gets a node reserved, which drains
// until the task fits. Where nothing has room, tasks of the next in turn are leased ahead, if they are known to be
// brief.
#pragma once

#include <cstddef>
#include <map>
#include <optional>

#include "core/pool/fair_queue.h"
#include "core/pool/nodes.h"

namespace hearth::pool {

struct Choice {
  Queue* queue = nullptr;
  Job* job = nullptr;
  Node* node = nullptr;
  bool ahead = false;
  std::int64_t core_micros = 0;  // with ahead: the work that it is expected to be
};

class Placement {
 public:
  Placement(const Options& options, NodeTable& nodes, FairQueue& queue)
      : options_(options), nodes_(nodes), queue_(queue) {}

  std::optional<Choice> next(Time now);

  // To be called for a choice before the job's task is taken. The queue may be gone after that.
  void placed(const Choice& choice);

  // The node's room or reservation may have grown: blocked tasks are looked at again.
  void freed(Node& node);
  // The node goes: what it is reserved for looks for another.
  void release(Node& node, Time now);

 private:
  void reserve(Queue& queue, Time now);
  Node* best_to_drain(const Terms& needs);
  void unreserve(Queue& queue);
  std::optional<Choice> next_reserved(Time now);
  std::optional<Choice> next_ahead();
  bool fits_somewhere(Shape& shape);

  Options options_;
  NodeTable& nodes_;
  FairQueue& queue_;
  std::map<NodeId, Queue*> reservations_;
};

}  // namespace hearth::pool
