// Jobs that keep coming while things die, and what must be true of each that was acknowledged.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "harness/api.h"

namespace hearth::e2e {

// Submits small jobs for as long as it lives, each until it is acknowledged, whatever happens to the hub.
class Load {
 public:
  explicit Load(const Pool& pool) : thread_([this, &pool] { run(pool); }) {}
  ~Load() { stop(); }

  void stop();
  const std::vector<std::uint64_t>& acknowledged() const { return acknowledged_; }  // after stop()
  int repeated() const { return repeated_; }

 private:
  void run(const Pool& pool);
  void submit(Api& api);

  std::atomic<bool> leave_ = false;
  std::atomic<int> repeated_ = 0;
  std::vector<std::uint64_t> acknowledged_;
  std::thread thread_;
};

// At most 1,000.
std::vector<v1::Job> all_jobs(Api& api);

// That a job of Load's succeeded, with each task's one result.
void expect_finished_once(Api& api, std::uint64_t id);

}  // namespace hearth::e2e
