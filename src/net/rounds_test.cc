#include "net/rounds.h"

#include <gtest/gtest.h>

#include <semaphore>
#include <vector>

namespace hearth::net {
namespace {

TEST(Rounds, WhoeverComesWhileTheWorkIsDoneIsOfTheNextRound) {
  struct Job {
    std::size_t round = 0;
  };
  Loop loop;
  std::binary_semaphore begun(0);
  std::binary_semaphore go_on(0);
  std::vector<std::size_t> sizes;
  Workers workers(1);
  Rounds<Job> rounds(workers, [&](std::span<Job* const> jobs) {
    sizes.push_back(jobs.size());
    for (Job* job : jobs) job->round = sizes.size();
    if (sizes.size() > 1) return;
    begun.release();
    go_on.acquire();
  });
  std::vector<Job> jobs(6);
  std::size_t joined = 0;
  std::size_t ended = 0;
  const auto join = [&](Job& job) -> Async<void> {
    if (++joined == jobs.size()) go_on.release();
    co_await rounds.join(job);
    if (++ended == jobs.size()) loop.stop();
  };
  loop.spawn(join(jobs[0]));
  const auto join_others = [&]() -> Async<void> {
    begun.acquire();
    for (std::size_t i = 1; i < jobs.size(); ++i) loop.spawn(join(jobs[i]));
    co_return;
  };
  loop.spawn(join_others());
  loop.run();
  EXPECT_EQ(jobs[0].round, 1U);
  EXPECT_EQ(sizes.front(), 1U);
  EXPECT_LE(sizes.size(), 3U);  // the last to come may have missed the second
  for (std::size_t i = 1; i < jobs.size(); ++i) EXPECT_GE(jobs[i].round, 2U);
}

TEST(Rounds, NobodyIsForgotten) {
  Loop loop;
  std::size_t worked = 0;
  Workers workers(1);
  Rounds<int> rounds(workers, [&](std::span<int* const> jobs) {
    worked += jobs.size();
    for (int* job : jobs) ++*job;
  });
  std::vector<int> jobs(8);
  std::size_t ended = 0;
  const auto join = [&](int& job) -> Async<void> {
    for (int i = 0; i < 500; ++i) co_await rounds.join(job);
    if (++ended == jobs.size()) loop.stop();
  };
  for (int& job : jobs) loop.spawn(join(job));
  loop.run();
  EXPECT_EQ(jobs, std::vector<int>(8, 500));
  EXPECT_EQ(worked, 8U * 500U);
}

}  // namespace
}  // namespace hearth::net
