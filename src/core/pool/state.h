// Pool's insides: the tables, and what is done with them. The sources that share it: pool.cc (what people and the clock
// do), node_events.cc (what nodes do), task_ends.cc (what becomes of attempts and jobs), gangs.cc, copies.cc,
// own_programs.cc, dependencies.cc, workspaces.cc, bookings.cc, restore.cc, view.cc (questions).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/pool/bookings.h"
#include "core/pool/condition_table.h"
#include "core/pool/fair_queue.h"
#include "core/pool/jobs.h"
#include "core/pool/lease_table.h"
#include "core/pool/nodes.h"
#include "core/pool/placement.h"
#include "core/pool/pool.h"
#include "core/pool/workspaces.h"

namespace hearth::pool {

// A prefetched task that has waited on its node for so long is given to another: what was to be brief before it is not.
inline constexpr Duration kPatienceAhead = seconds(5);

struct Pool::State {
  explicit State(const Options& given) : options(given), nodes(given), queue(given), placement(given, nodes, queue) {}

  Options options;
  Time now;
  std::vector<Effect> effects;
  std::uint64_t batch = 1;  // of effects
  bool more_to_place = false;
  std::map<JobId, Job> jobs;
  NodeTable nodes;
  LeaseTable leases;
  WorkspaceTable workspaces;
  ConditionTable conditions;
  FairQueue queue;
  Placement placement;
  std::set<std::pair<Time, TaskId>> backoffs;
  std::set<std::pair<Time, JobId>> looks;  // for stragglers, by when
  std::set<JobId> late;                    // jobs whose time for that has come
  std::set<JobId> broken_gangs;            // a task of theirs is lost or has failed: the others are yet to be ended
  std::map<BookingId, Booking> bookings;
  std::set<std::pair<Time, BookingId>> booking_turns;
  std::map<AccountId, std::uint32_t> kept_accounts;  // for how many bookings nodes are kept for it now
  std::uint64_t pending = 0;
  std::uint32_t live_jobs = 0;

  void advance(Time to) {
    if (to > now) now = to;
  }
  Job* find_job(JobId id);

  // view.cc
  Duration wait_of(const Job& job, Time at) const;  // until the first of its back-offs ends
  bool lacks_nodes(const Job& job, Why& why) const;
  void explain_wait(const Job& job, Time at, Why& why);

  // pool.cc
  Result<void> check_request(const JobRequest& job) const;
  void add_job(const JobRequest& request, JobState state);
  void name_terms(Job& job);  // its condition, and what it prefers
  void forget_terms(Job& job);
  Conditions ask_of_nodes(const std::string& where);
  void forget_condition(const std::string& where);
  void place();
  void lease(const Choice& choice);
  void lease_task(const Choice& choice, Node& node);
  void make_room(Node& node, const Terms& needs, std::uint32_t tasks, Reach reach);
  Lease& add_lease(Job& job, Node& node, AttemptId attempt, std::uint32_t attempts, std::uint32_t failures);
  void move_into_room(Lease& lease);
  void end_backoffs();

  // node_events.cc
  Node* heard_from(NodeId id);  // null if it has no session
  void fill_room(Node& node);   // prefetched leases move up into free room
  void take_back(Lease& lease, Failure why);
  void set_silent(Node& node);
  void set_frozen(Node& node, bool frozen);
  void count_frozen(Job& job, bool frozen);  // one of its tasks
  void review(Node& node);                   // takes back what the node has not started and will not start soon
  void lose_all(Node& node);
  void drain(Node& node);  // its grace has ended
  void review_later(Node& node, Time at);

  // task_ends.cc
  void stop(const Lease& lease);              // its node ends it
  void drop_lease(Lease& lease);              // gives its room back
  void promote(Lease& copy);                  // it is no copy any more
  void drop_twin(Lease& lease, Failure why);  // the other one goes on alone
  void lose(Lease& lease, Failure why);
  bool fail_attempt(Lease& lease, Failure why);  // true: for good
  void requeue(const Lease& lease, std::uint32_t failures, Failure why, Duration wait);
  void accept(Lease& lease, AttemptId reported, Failure failure);
  void end_if_done(Job& job);
  void end_pending(Job& job, TaskState state, Failure why);
  void reuse(const std::set<NodeId>& touched);
  void end_leased(Job& job, Failure why);
  void cancel(Job& job);

  // gangs.cc
  void hold(Lease& lease);  // it has succeeded; the last one of its gang settles them all
  void settle_gang(Job& job, AttemptId last);
  void break_gang(Job& job);  // no effect on a job that is none
  void restart_broken_gangs();

  // copies.cc
  void watch_tail(Job& job, Time earliest);  // looks for its stragglers then, or when it can have one
  void end_looks();                          // whose time has come
  void place_copies();
  std::optional<Time> copy_due(const Lease& lease) const;  // when it is a straggler; none: it gets no copy
  bool copy(Lease& lease);                                 // false: there is no room
  Lease& add_copy(Lease& lease, Node& node, AttemptId attempt);

  // own_programs.cc
  Result<void> check_own(const JobRequest& job) const;
  void lease_own(Job& job);

  // dependencies.cc
  enum class Fate : std::uint8_t { kWaits, kRuns, kFails, kIsSkipped };
  Fate fate_of(const JobRequest& request) const;
  Result<void> check_after(const JobRequest& request) const;
  bool follow_fate(Job& job);  // of one that waits
  void close(Job& job, JobState state);
  void end_job(Job& job, JobState state);

  // workspaces.cc
  Result<void> check_workspace(const JobRequest& job) const;
  void name_workspace(Job& job);
  void forget_workspace(Job& job);  // the job has ended
  void enter_queue(Job& job);       // if it has tasks that could be leased, and its workspace, if any, is free
  void leave_queue(Job& job);       // it has none any more
  void queue_next(Workspace& it);
  void unqueue(Workspace& it);
  void occupy(const Lease& lease);
  void vacate(const Lease& lease);
  void record_workspace(const Job& job);
  // Whose task has its workspace, or will have it first.
  std::optional<JobId> ahead_in_workspace(const Job& job) const;
  void drop_workspace(Workspace& it);
  void drop_workspaces_of(NodeId node);
  void wipe_unwanted(const Node& node, const std::vector<WorkspaceId>& there);

  // bookings.cc
  bool is_for(const Booking& booking, AccountId account) const;
  Result<void> check_booking(const BookingTerms& terms) const;
  void turn_at(Booking& booking, std::optional<Time> at);
  void turn_bookings();  // whose time has come
  void find_nodes(Booking& booking);
  void keep(Booking& booking, Node& node);
  void let_go(Booking& booking, Node& node);
  void clear(const Booking& booking, Node& node);
  void begin(Booking& booking);
  void drop_booking(Booking& booking);
  void name_kept(Job& job);
  void tell_jobs_of(AccountId account);
};

}  // namespace hearth::pool
