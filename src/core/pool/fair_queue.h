// Whose turn it is. Jobs with tasks that could be leased wait here, grouped by owner and by shape (what one task
// needs). The owner with the fewest cores leased goes first; within one, the oldest job.
//
// A shape that fits on no node now is blocked: its jobs step aside, so that nobody waits behind them, until room for
// the shape appears. Cost: logarithmic in owners and jobs, plus one look at each owner and head before the first that
// is not blocked; freed room costs one look at each blocked shape that has no more cores.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/pool/jobs.h"

namespace hearth::pool {

struct Node;
struct Owner;
struct Shape;

// The ready jobs of one owner and shape.
struct Queue {
  Owner* owner = nullptr;
  Shape* shape = nullptr;
  std::uint64_t serial = 0;
  std::map<JobId, Job*> jobs;
  Node* reserved = nullptr;   // a node that is drained for it
  std::optional<Time> alarm;  // when it has waited for too long
};

struct Shape {
  Terms needs;
  bool blocked = false;
  std::map<DeviceId, Queue> queues;
  std::map<std::uint64_t, Queue*> without_alarm;  // of `queues`, by serial: those whose clock starts at the next block
  std::uint64_t fits_version = 0;                 // of NodeTable::version(), when `fits` was found
  bool fits = false;                              // some open node could take it when idle
};

struct Owner {
  DeviceId id;
  std::uint64_t cores = 0;        // leased
  std::uint32_t queues = 0;       // that point here
  std::map<JobId, Queue*> heads;  // each queue's oldest job
};

struct Head {
  Queue* queue = nullptr;
  Job* job = nullptr;
};

class FairQueue {
 public:
  explicit FairQueue(Duration starvation_bound) : starvation_bound_(starvation_bound) {}

  // The job has tasks that could be leased; no effect if that is known.
  void add(Job& job, Time now);
  // It has none any more; no effect if that is known.
  void remove(Job& job);

  // Cores leased to an owner, and given back.
  void charge(DeviceId owner, std::uint32_t cores);
  void refund(DeviceId owner, std::uint32_t cores);

  std::optional<Head> first_open() const;
  // Calls visit(Head) for each queue's oldest job in order of turn, blocked ones included, for as long as it returns
  // true. It may not change the queue.
  template <class Visit>
  void visit_heads(Visit visit) const {
    for (const auto& turn : turns_) {
      for (const auto& [job, queue] : owners_.at(turn.second).heads) {
        if (!visit(Head{queue, queue->jobs.begin()->second})) return;
      }
    }
  }

  // The shape fits nowhere now. Its queues' clocks start, if they do not run.
  void block(Shape& shape, Time now);
  void unblock_fitting(const Terms& room);

  // A task of the queue was placed: its clock stops.
  void placed(Queue& queue) { set_alarm(queue, std::nullopt); }
  void set_alarm(Queue& queue, std::optional<Time> at);
  Queue* take_alarm(Time now);
  std::optional<Time> next_alarm() const;

  // Forgets a queue without jobs, which is kept while a node is reserved for it.
  void drop_if_empty(Queue& queue);

 private:
  struct BySize {
    bool operator()(const Terms& a, const Terms& b) const;
  };

  void update_heads(Queue& queue, std::optional<JobId> old_head);
  void start_clock(Queue& queue, Time now);
  void reorder(Owner& owner, std::uint64_t cores);
  void list(Owner& owner);
  void unlist(Owner& owner);
  void drop_if_idle(Owner& owner);

  Duration starvation_bound_;
  std::map<DeviceId, Owner> owners_;
  std::set<std::pair<std::uint64_t, DeviceId>> turns_;  // owners with jobs
  std::map<Terms, Shape, BySize> shapes_;
  std::map<Terms, Shape*, BySize> blocked_;
  std::map<std::pair<Time, std::uint64_t>, Queue*> alarms_;
  std::uint64_t last_serial_ = 0;
};

}  // namespace hearth::pool
