// What the pool knows of one job. A job's tasks are ranges: one that nobody has touched yet is part of `fresh`, one
// that has ended is a count; only a task that waits for a further attempt has an entry of its own (a leased one has its
// Lease, see lease_table.h).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "core/pool/interval_set.h"
#include "core/pool/pool.h"

namespace hearth::pool {

// The mean of the recent past: old values fade, and the sum of many noisy ones stays exact.
class RecentMean {
 public:
  void add(Duration value);
  bool known() const { return count_ >= kFew; }
  Duration mean() const { return count_ == 0 ? Duration{} : sum_ / count_; }

 private:
  static constexpr std::int64_t kFew = 3;
  static constexpr std::int64_t kMany = 128;
  Duration sum_;
  std::int64_t count_ = 0;
};

// A task that ran and waits for another attempt.
struct Retry {
  std::uint32_t epoch = 0;
  std::uint32_t attempts = 0;
  std::uint32_t failures = 0;
};

class Ranking;
struct Workspace;

struct Job {
  JobRequest request;
  JobState state = JobState::kQueued;
  IntervalSet fresh;                       // never leased
  std::map<std::uint32_t, Retry> retries;  // by index
  std::set<std::uint32_t> ready_retries;   // those of `retries` whose back-off is over
  std::uint32_t leased = 0;
  std::uint32_t in_room = 0;  // of the leased ones, those not prefetched
  std::uint32_t frozen = 0;   // of the leased ones and the copies, those on frozen nodes
  std::uint32_t copies = 0;   // of the leased ones, those that have a second attempt, which counts in neither
  std::optional<Time> look;   // when its stragglers are looked for
  std::uint32_t succeeded = 0;
  std::uint32_t failed = 0;
  std::uint32_t cancelled = 0;
  std::set<JobId> dependants;  // live jobs that run after this one
  bool skipped = false;        // it ended without a need for it
  Duration total_time;         // lease to accepted end, summed over `timed` tasks
  std::uint32_t timed = 0;
  RecentMean busy;  // the time that a task holds its room: what prefetch and estimates rest on

  Workspace* workspace = nullptr;    // of a live job that has one
  Conditions conditions;             // what `where` stands for, while the job lives
  const Ranking* ranking = nullptr;  // by what it prefers, while it lives
  AccountId kept_for;                // as in Terms
  AccountId kept_for_firm;
  std::uint32_t held = 0;  // of a gang: leased tasks that have succeeded and wait for the rest

  AccountId account() const;
  bool is_own() const { return request.own_of != NodeId{}; }
  // Of one task. Changes only while the job is not in the queue.
  Terms needs() const;
  std::uint32_t pending() const;
  bool has_ended() const;
  // Whether a task could be leased now, if there were room.
  bool has_ready() const;
  // Whether its tasks are known to end soon, so that leasing ahead pays.
  bool is_brief(Duration bound) const;
};

}  // namespace hearth::pool
