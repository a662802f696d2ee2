#include <chrono>
#include <cstdio>

#include "base/sizes.h"
#include "bench/benches.h"
#include "core/pool/pool.h"

namespace hearth::bench {
namespace {

constexpr std::uint32_t kCores = 4;
constexpr std::uint32_t kJobs = 10;

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

// A queue that is far longer than the nodes are many: first every core gets a task, then each task that ends makes room
// for the next. Each job has data that a tenth of the nodes hold, among so many other blobs.
int placement(const Arguments& arguments) {
  const auto tasks = static_cast<std::uint32_t>(arguments.get("--tasks", 1'000'000));
  const auto nodes = static_cast<std::uint32_t>(arguments.get("--nodes", 10'000));
  const auto blobs = static_cast<std::uint32_t>(arguments.get("--blobs", 100));
  pool::Pool pool{pool::Options{}};
  Time now = Time{} + seconds(1);
  for (std::uint32_t i = 1; i <= kJobs; ++i) {
    pool::JobRequest job{.id = {i}, .owner = {i % 3 + 1}, .tasks = tasks / kJobs, .per_task = {1, kGiB, 0}};
    if (blobs > 0) job.data = {{i}, {kJobs + i}};
    if (!pool.on_submit(job, now)) return 1;
  }
  pool.take_effects();

  std::vector<pool::AssignSend> running;
  const auto take_assigned = [&] {
    for (const pool::Effect& effect : pool.take_effects()) {
      if (const auto* assign = std::get_if<pool::AssignSend>(&effect)) running.push_back(*assign);
    }
  };
  double before = seconds_now();
  for (std::uint32_t i = 1; i <= nodes; ++i) {
    pool::NodeHello hello{.offered = {kCores, kCores * kGiB, 0}};
    for (std::uint64_t j = 0; j < blobs; ++j) hello.data.push_back({j == 0 ? i % kJobs + 1 : j * 1'000});
    pool.on_node_hello({1000 + i}, hello, now);
    pool.tick(now);
  }
  take_assigned();
  const double filling = seconds_now() - before;
  const std::size_t filled = running.size();

  std::size_t placed = 0;
  before = seconds_now();
  for (int round = 0; round < 3; ++round) {
    const std::vector<pool::AssignSend> ended = std::move(running);
    running.clear();
    for (const pool::AssignSend& attempt : ended) {
      now = now + microseconds(50);
      pool.on_finished(attempt.node, attempt.attempt, Failure::kNone, now);
      pool.tick(now);
      take_assigned();
    }
    placed += running.size();
  }
  const double steady = seconds_now() - before;
  std::printf("placement tasks=%u nodes=%u blobs=%u filling_us_per_task=%.2f steady_us_per_task=%.2f\n", tasks, nodes,
              blobs, filled == 0 ? 0 : filling * 1e6 / static_cast<double>(filled),
              placed == 0 ? 0 : steady * 1e6 / static_cast<double>(placed));
  return filled > 0 ? 0 : 1;
}

}  // namespace hearth::bench
