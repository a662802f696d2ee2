// Which attempts are alive, and where. A lease is found by its task, its job's leases lie side by side, and each node's
// leases hang together in the order in which they were given, which is the order in which the node starts them. A task
// has one lease, and perhaps that of a copy beside it.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "core/pool/pool.h"

namespace hearth::pool {

struct Job;
struct Node;

struct Lease {
  AttemptId attempt;
  Job* job = nullptr;
  Node* node = nullptr;
  std::uint32_t attempts = 0;  // placements so far, this one included
  std::uint32_t failures = 0;
  std::uint64_t batch = 0;  // of effects, in which it was given
  Time leased_at;
  Time in_room_since;
  bool in_room = false;          // false: prefetched, waits on the node for its turn
  bool started = false;          // the node said so
  bool held = false;             // of a gang: it has succeeded, and waits for the rest
  bool brief = false;            // in room, and known to end soon
  bool is_copy = false;          // the second of its task's two
  bool was_copied = false;       // it has, or had, a copy, or was one: it gets no other
  std::uint32_t newest = 0;      // the highest epoch that was given to its task
  Lease* twin = nullptr;         // the other of its task's two
  std::int64_t core_micros = 0;  // while prefetched: the work that it adds to what lies ahead
  Lease* before = nullptr;
  Lease* after = nullptr;

  // From which reach on it may be ended for others: a copy for everybody but scavengers.
  Reach ended_from() const;
};

// Leases in the order of their giving; owns none of them.
class LeaseList {
 public:
  void push_back(Lease& lease);
  void remove(Lease& lease);
  Lease* front() const { return front_; }
  std::uint32_t size() const { return size_; }
  bool empty() const { return front_ == nullptr; }
  std::vector<Lease*> all() const;  // a copy, for loops that remove

 private:
  Lease* front_ = nullptr;
  Lease* back_ = nullptr;
  std::uint32_t size_ = 0;
};

class LeaseTable {
 public:
  // The task may not be leased. The reference is good until remove().
  Lease& add(AttemptId attempt);
  // A second one for the same task, which may have none yet.
  Lease& add_copy(Lease& lease, AttemptId attempt);
  // Of two leases the one that stays is no copy from then on.
  void remove(Lease& lease);

  Lease* find(TaskId task);  // not the copy's
  const Lease* find(TaskId task) const;
  // The lease of exactly this attempt on this node, or null.
  Lease* find(AttemptId attempt, NodeId node);

  std::vector<Lease*> of_job(JobId job);                    // without copies
  std::vector<AttemptId> attempts_of_job(JobId job) const;  // so too
  std::uint64_t size() const { return leases_.size(); }     // so too

 private:
  std::map<TaskId, Lease> leases_;
  std::map<TaskId, Lease> copies_;
};

}  // namespace hearth::pool
