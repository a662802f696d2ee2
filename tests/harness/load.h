// Jobs that keep coming while things die, and what must be true of each that was acknowledged.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "harness/api.h"

namespace hearth::e2e {

// How often something is to die: so often, or HEARTH_KILLS times if that is set, as in `make soak`.
int kills(int standard);

// Submits small jobs for as long as it lives, each until it is acknowledged, whatever happens to the hub.
class Load {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  explicit Load(const Pool& pool) : thread_([this, &pool] { run(pool); }) {}
  ~Load() {
    given_up_ = true;
    stop();
  }

  void stop();  // once what it submits is acknowledged
  const std::vector<std::uint64_t>& acknowledged() const { return acknowledged_; }  // after stop()
  int repeated() const { return repeated_; }

  std::size_t acknowledged_since(Moment moment) const;
  // The longest time from then on in which nothing was acknowledged, but for the time since the last.
  milliseconds outage_since(Moment moment) const;

 private:
  void run(const Pool& pool);
  void submit(Api& api);

  std::atomic<bool> leave_ = false;
  std::atomic<bool> given_up_ = false;
  std::atomic<int> repeated_ = 0;
  std::vector<std::uint64_t> acknowledged_;
  mutable std::mutex mutex_;
  std::vector<Moment> moments_;  // of each, guarded
  std::thread thread_;
};

std::vector<v1::Job> all_jobs(Api& api);

// That a job of Load's succeeded, with each task's one result.
void expect_finished_once(Api& api, std::uint64_t id);

}  // namespace hearth::e2e
