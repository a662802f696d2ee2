// Whose turn it is. Jobs with tasks that could be leased wait here, grouped by account, class and shape (what one task
// needs). The highest class goes first; in one class the firm with the smallest score (see accounts.h), within a firm
// the account; an account that is of no firm stands among the firms. Within an account the job with the earliest
// deadline goes first, then the oldest. An account or a firm that may have no more steps aside.
//
// A shape that fits on no node now is blocked: its jobs step aside, so that nobody waits behind them, until room for
// the shape appears. Cost: logarithmic in accounts and jobs, plus one look at each account and head before the first
// that is not blocked; freed room costs one look at each blocked shape that has no more cores.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/pool/accounts.h"
#include "core/pool/jobs.h"

namespace hearth::pool {

struct Node;
struct Party;
struct Shape;

// What distinguishes tasks for placement. A class is part of it, since a higher one finds room where another finds
// none.
struct ShapeKey {
  Terms needs;
  PriorityClass priority = PriorityClass::kNormal;
  std::uint32_t gang = 0;  // so many at once; 0: one by one
  Duration limit = {};     // see JobRequest: what is known to end soon fits where another drains a node
};

// The order of jobs within an account and class.
using JobTurn = std::pair<std::int64_t, JobId>;  // by deadline
JobTurn turn_of(const Job& job);

// The ready jobs of one account and shape.
struct Queue {
  Party* party = nullptr;
  Shape* shape = nullptr;
  std::uint64_t serial = 0;
  std::map<JobTurn, Job*> jobs;
  std::vector<Node*> reserved;  // nodes that are drained for it
  std::optional<Time> alarm;    // when it has waited for too long
  Time waits_since;             // when that clock was started last
};

struct Shape {
  ShapeKey key;
  bool blocked = false;
  std::map<AccountId, Queue> queues;
  std::map<std::uint64_t, Queue*> without_alarm;  // of `queues`, by serial: those whose clock starts at the next block
  std::uint64_t fits_version = 0;                 // of NodeTable::version(), when `fits` was found
  bool fits = false;                              // some open node could take it when idle

  const Terms& needs() const { return key.needs; }
  Reach reach() const { return reach_of(key.priority); }
};

// An account's jobs of one class.
struct Party {
  PriorityClass priority = PriorityClass::kNormal;
  Account* account = nullptr;
  House* house = nullptr;
  std::uint32_t queues = 0;         // that point here
  std::map<JobTurn, Queue*> heads;  // each queue's first job
  bool is_listed = false;
};

// The parties of one class whose accounts are of one firm; or of an account that is of none, alone.
struct House {
  Account* top = nullptr;  // the firm, or that account
  PriorityClass priority = PriorityClass::kNormal;
  std::uint32_t parties = 0;                                 // that point here
  std::set<std::pair<std::uint64_t, AccountId>> turns = {};  // of its parties with jobs that may have more, by score
  bool is_listed = false;
};

struct Head {
  Queue* queue = nullptr;
  Job* job = nullptr;
};

class FairQueue {
 public:
  explicit FairQueue(const Options& options)
      : starvation_bound_(options.starvation_bound),
        gang_retry_(options.gang_retry),
        accounts_(options.usage_half_life) {}

  // The job has tasks that could be leased; no effect if that is known.
  void add(Job& job, Time now);
  // It has none any more; no effect if that is known.
  void remove(Job& job);

  // Leased to an account, and given back. What needs nothing is no matter of its.
  void charge(AccountId account, const Resources& needs);
  void refund(AccountId account, const Resources& needs);
  // Of what is leased, this is frozen, or goes on: it counts against its account's turn, or does so again.
  void freeze(AccountId account, const Resources& needs);
  void thaw(AccountId account, const Resources& needs);
  void set_terms(const AccountTerms& terms);
  void forget_terms(AccountId account);
  void set_capacity(const Resources& capacity);
  const Accounts& accounts() const { return accounts_; }

  std::optional<Head> first_open() const;
  // Calls visit(Head) for each queue's first job in order of turn, blocked ones included, for as long as it returns
  // true. It may not change the queue.
  template <class Visit>
  void visit_heads(Visit visit) const {
    for (const auto& turn : turns_) {
      for (const auto& [score, account] : houses_.at({turn.rank, turn.top}).turns) {
        for (const auto& [job, queue] : parties_.at({turn.rank, account}).heads) {
          if (!may_have(*queue)) continue;
          if (!visit(Head{queue, queue->jobs.begin()->second})) return;
        }
      }
    }
  }
  // Whether jobs of a higher class wait that could use more.
  bool is_behind_others(PriorityClass priority) const;

  // The shape fits nowhere now. Its queues' clocks start, if they do not run.
  void block(Shape& shape, Time now);
  // What there is for tasks that reach so far; the last is the most. Gangs are only noted, see tick().
  void unblock_fitting(const std::array<Terms, kReaches>& rooms);
  void unblock_limited(const Terms& room);  // of those, the ones whose time has a limit

  // A task of the queue was placed: the next one's clock begins, or that of the next block.
  void placed(Queue& queue, Time now) {
    set_alarm(queue, std::nullopt);
    if (queue.shape->blocked) start_clock(queue, now);
  }
  void set_alarm(Queue& queue, std::optional<Time> at);
  Queue* take_alarm(Time now);

  // The queue's reservations change. Only those of single tasks are promised to its account.
  void reserve(Queue& queue, Node& node);
  void unreserve(Queue& queue, Node& node);
  // One that lost its last job while nodes are reserved for it.
  Queue* take_abandoned();
  // Whether the first one's account would still have no more than the other's, if one more of its tasks ran. Both are
  // of one class.
  bool is_due(const Queue& queue, const Queue& other) const;

  // Lets past use fade, and gangs look for room again if some was freed.
  void tick(Time now);
  std::optional<Time> next_deadline() const;

  // Forgets a queue without jobs, which is kept while nodes are reserved for it.
  void drop_if_empty(Queue& queue);

 private:
  struct BySize {
    bool operator()(const ShapeKey& a, const ShapeKey& b) const;
  };
  using Rank = std::uint8_t;  // of a class, the highest first
  struct Turn {
    Rank rank = 0;
    std::uint64_t score = 0;
    AccountId top;
    auto operator<=>(const Turn&) const = default;
  };

  static Rank rank_of(PriorityClass priority);
  static ShapeKey key_of(const Job& job);
  static bool may_have(const Queue& queue);
  Party& party_of(const Job& job);
  void update_heads(Queue& queue, std::optional<JobTurn> old_head);
  void start_clock(Queue& queue, Time now);
  void unblock(std::map<ShapeKey, Shape*, BySize>::iterator& blocked);
  template <class Change>
  void change(Account& account, Account* joins, Change change);
  void enter_house(Party& party);
  void leave_house(Party& party);
  void put_in(Party& party);
  void take_out(Party& party);
  void show(House& house);
  void hide(House& house);
  void show_all(Account& top);
  void hide_all(Account& top);
  void relist_all();
  void drop_if_idle(Party& party);

  Duration starvation_bound_;
  Duration gang_retry_;
  Accounts accounts_;
  std::map<std::pair<Rank, AccountId>, Party> parties_;
  std::map<std::pair<Rank, AccountId>, House> houses_;  // by the rank and top()
  std::set<Turn> turns_;                                // of houses with jobs that may have more
  std::map<ShapeKey, Shape, BySize> shapes_;
  std::map<ShapeKey, Shape*, BySize> blocked_;
  std::uint32_t blocked_gangs_ = 0;
  bool gangs_may_fit_ = false;
  Time last_gang_look_;
  std::map<std::pair<Time, std::uint64_t>, Queue*> alarms_;
  std::map<std::uint64_t, Queue*> abandoned_;  // by serial
  std::uint64_t last_serial_ = 0;
};

}  // namespace hearth::pool
