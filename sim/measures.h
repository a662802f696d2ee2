// How well a fleet was used, seen from outside: from what truly ran on nodes, and from what the store says.
//
// All is measured within a window of time, an hour. Of each attempt the time counts in which its program ran there and
// was not frozen, times its cores: its *work*.
//
// - Shortfall: for each account with a weight, how much less than its due it had of the work of all of these; relative
//   to that due, which is its part of their weights; the largest of them. All of them always have tasks that wait.
//   Surplus: the same of what was more than the due. It is told and not judged, since it does no harm but as another's
//   shortfall: it comes about where the others' next tasks were too large for room that became free, and of an account
//   of which little is due as its turn ends with a whole task, though half would do.
// - The longest wait: tasks of one account that need the same stand in a line. Measured is for how long a line did not
//   move (nothing of it was leased), until after the window began, whatever was wrong with the hub meanwhile. Before,
//   all cores are full of tasks that began at once.
// - Goodput: the work of attempts whose success was accepted; of other work it is told with what it was lost. The
// *oracle* knows in advance when each node's owner
//   comes back, and of no other fault. It places nothing that will not be done by then, needs no time between two
//   tasks, and fills all cores. What is counted for it is an upper bound: of each chain of spells in which a node is
//   open (on, and without its owner), all time times all cores, if the chain is at least as long as the shortest task
//   there is; nothing, if not. Spells are of one chain if the owner was there in between for no longer than their
//   patience, since guests are frozen then and go on.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "base/ids.h"
#include "base/time.h"
#include "core/pool/pool.h"

namespace hearth::sim {

class Measures {
 public:
  // Before anything else; without it nothing is measured.
  void begin(Time from, Time to, Duration patience);
  bool is_on() const { return from_ < to_; }
  void set_weight(AccountId account, std::uint32_t weight) { accounts_[account].weight = weight; }
  void note_task_length(Duration shortest);

  // Of what was committed, once it may be told. A hub that starts tells all of its store anew, since what was committed
  // and not told may be lost to it, or known to it alone: first forget_waiting(), then note_order() of each job that
  // has not ended, with the tasks that do not wait, and note_end().
  void forget_waiting();
  void note_order(const pool::JobRequest& job, std::vector<bool> taken, Time now);
  void note_lease(AttemptId attempt, Time now);
  void note_requeue(AttemptId attempt, Failure why, Time now);
  void note_loss(AttemptId attempt, Failure why);  // and its task does not wait
  void note_end(AttemptId attempt, bool succeeded);

  // Of a program: it starts or goes on, is frozen, is there no more.
  void note_run(AttemptId attempt, std::uint32_t cores, Time now);
  void note_pause(AttemptId attempt, Time now);
  void note_stop(AttemptId attempt, Time now);

  // Of a node.
  void note_open(NodeId node, std::uint32_t cores, Time now);
  void note_shut(NodeId node, bool is_off, Time now);

  struct Figures {
    double shortfall = 0;  // parts of one
    double surplus = 0;
    Duration longest_wait;
    // Of the oracle's work.
    double goodput = 0;
    double lost_with_nodes = 0;   // that were away for a lease
    double lost_with_owners = 0;  // who came back
    double idle = 0;              // nothing ran
    bool ran_dry = false;  // somebody whose tasks were always to wait had none left: nothing above means anything
  };
  Figures figures(Time now);

 private:
  struct AccountWork {
    std::uint32_t weight = 0;
    std::int64_t work = 0;  // in core-microseconds, as all work here
    std::uint64_t waiting = 0;
    std::optional<Time> dry_at;
  };
  struct Line {
    std::uint64_t waiting = 0;
    Time since;
    Duration longest;
  };
  struct Standing {
    AccountId account;
    Line* line = nullptr;
    std::vector<bool> taken;  // its tasks that do not wait
  };
  struct Run {
    std::uint32_t cores = 0;
    std::optional<Time> since;  // none: frozen
    std::int64_t work = 0;
  };
  struct Chain {
    std::uint32_t cores = 0;
    std::optional<Time> open_since;
    Time shut_at;
    bool is_over = true;
    Duration length;
    Duration within;  // the window
  };

  Duration within(Time from, Time to) const;
  void count(Run& run, Time now) const;
  void close(Chain& chain);

  Time from_;
  Time to_;
  Duration patience_;
  Duration shortest_task_;
  std::map<AccountId, AccountWork> accounts_;
  std::map<std::tuple<DeviceId, std::uint32_t, std::uint64_t>, Line> lines_;
  std::map<JobId, Standing> jobs_;
  std::map<AttemptId, Run> runs_;
  std::map<AttemptId, std::int64_t> done_;  // work of those that ended, until the store says what became of them
  std::map<AttemptId, Failure> given_up_;   // that go on running
  std::map<Failure, std::int64_t> lost_;    // work
  std::int64_t work_ = 0;
  std::int64_t useful_ = 0;
  std::map<NodeId, Chain> chains_;
  std::int64_t oracle_ = 0;
};

}  // namespace hearth::sim
