// A pool with its effects sorted, for tests.
#pragma once

#include <string>
#include <variant>
#include <vector>

#include "base/sizes.h"
#include "core/pool/pool.h"

namespace hearth::pool {

inline constexpr DeviceId kAnn{101};
inline constexpr DeviceId kBob{102};
inline constexpr NodeId kFirst{1};
inline constexpr NodeId kSecond{2};

inline Resources cores(std::uint32_t count) { return {count, kGiB * count, 0}; }

class World {
 public:
  explicit World(const Options& options = {}) : pool(options) {}

  JobId submit(std::uint32_t tasks, const Resources& needs = cores(1), DeviceId owner = kAnn,
               std::vector<JobId> after = {}, std::uint32_t retries = 0) {
    return submit(
        JobRequest{.owner = owner, .tasks = tasks, .per_task = needs, .retries = retries, .after = std::move(after)});
  }
  JobId submit(JobRequest job) {
    job.id = JobId{++last_job};
    if (job.owner == DeviceId{}) job.owner = kAnn;
    if (job.per_task == Resources{}) job.per_task = cores(1);
    submitted = pool.on_submit(job, now);
    settle();
    return job.id;
  }
  // Of one task, for these ends of the jobs before it.
  JobId submit_when(When when, std::vector<JobId> after, bool even_if_never_run = false) {
    const JobId id{++last_job};
    JobRequest request{id, kAnn, 1, cores(1), 0, std::move(after)};
    request.when = when;
    request.even_if_never_run = even_if_never_run;
    submitted = pool.on_submit(request, now);
    settle();
    return id;
  }
  void join(NodeId node, std::uint32_t count, std::vector<AttemptId> held = {}, bool closed = false) {
    pool.on_node_hello(node, {cores(count), closed, std::move(held)}, now);
    settle();
  }
  void join_as(NodeId node, const Resources& offered, const Attributes& attributes) {
    pool.on_node_hello(node, {.offered = offered, .attributes = attributes}, now);
    settle();
  }
  void finish(AttemptId attempt, Failure failure = Failure::kNone) {
    pool.on_finished(pool.node_of(attempt.task).value_or(kFirst), attempt, failure, now);
    settle();
  }
  // Lets time pass, with a heartbeat of the nodes each second.
  void pass(Duration span, const std::vector<NodeId>& alive = {}) {
    const Time end = now + span;
    while (now < end) {
      now = std::min(end, now + seconds(1));
      for (const NodeId node : alive) pool.on_heartbeat(node, now);
      while (pool.next_deadline() && *pool.next_deadline() <= now) {
        pool.tick(now);
        settle();
      }
    }
  }
  void settle() {
    do {
      for (const Effect& effect : pool.take_effects()) all.push_back(effect);
    } while (pool.next_deadline() && *pool.next_deadline() < now && (pool.tick(now), true));
  }
  template <class T>
  std::vector<T> of() const {
    std::vector<T> found;
    for (const Effect& effect : all) {
      if (const T* it = std::get_if<T>(&effect)) found.push_back(*it);
    }
    return found;
  }
  template <class T>
  std::vector<T> take() {
    auto found = of<T>();
    all.clear();
    return found;
  }
  JobView view(JobId job) const { return pool.job(job, now).value_or(JobView{}); }
  Cause cause(JobId job) const { return pool.why(job, now)->cause; }
  // Whether it is the newest of its task, and leased.
  bool is_current(AttemptId attempt) const {
    const std::vector<AttemptId> leased = pool.leased_tasks(attempt.task.job);
    return std::ranges::find(leased, attempt) != leased.end();
  }
  std::uint32_t leased(NodeId node) const { return pool.node(node)->leased; }
  AttemptId first_of(JobId job) const { return pool.leased_tasks(job).at(0); }

  Pool pool;
  Time now{1'000'000};
  std::uint64_t last_job = 0;
  Result<void> submitted;
  std::vector<Effect> all;
};

}  // namespace hearth::pool
