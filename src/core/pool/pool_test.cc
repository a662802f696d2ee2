#include "core/pool/pool.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

TEST(Pool, AJobRunsToItsEnd) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(3);
  EXPECT_EQ(world.view(job).running, 2u);
  EXPECT_EQ(world.view(job).pending, 1u);
  ASSERT_EQ(world.of<LeaseRecord>().size(), 2u);
  EXPECT_EQ(world.of<LeaseRecord>()[0].attempt, (AttemptId{{job, 0}, 1}));
  EXPECT_EQ(world.of<AssignSend>().size(), 2u);
  for (std::uint32_t index = 0; index < 3; ++index) world.finish({{job, index}, 1});
  EXPECT_EQ(world.view(job).state, JobState::kSucceeded);
  EXPECT_EQ(world.view(job).succeeded, 3u);
  EXPECT_EQ(world.of<EndRecord>().size(), 3u);
  EXPECT_EQ(world.of<AcknowledgeSend>().size(), 3u);
  const auto states = world.of<JobRecord>();
  ASSERT_EQ(states.size(), 3u);
  EXPECT_EQ(states[0].state, JobState::kQueued);
  EXPECT_EQ(states[1].state, JobState::kRunning);
  EXPECT_EQ(states[2].state, JobState::kSucceeded);
}

TEST(Pool, RecordsOfABatchComeInTheOrderInWhichTheyBecomeTrue) {
  World world;
  world.join(kFirst, 1);
  world.submit(1);
  ASSERT_EQ(world.all.size(), 4u);
  EXPECT_TRUE(std::holds_alternative<JobRecord>(world.all[0]));
  EXPECT_TRUE(std::holds_alternative<JobRecord>(world.all[1]));
  EXPECT_TRUE(std::holds_alternative<LeaseRecord>(world.all[2]));
  EXPECT_TRUE(std::holds_alternative<AssignSend>(world.all[3]));
}

TEST(Pool, RefusesWhatItCannotKeep) {
  World world{{.max_live_jobs = 2}};
  world.submit(0);
  EXPECT_EQ(world.submitted.error().code, Code::kInvalidArgument);
  world.submit(1'000'001);
  EXPECT_EQ(world.submitted.error().code, Code::kInvalidArgument);
  EXPECT_EQ(world.pool.on_submit({.id = {90}, .owner = kAnn}, world.now).error().code, Code::kInvalidArgument)
      << "no cores";
  world.submit(1, cores(1), kAnn, {JobId{99}});
  EXPECT_EQ(world.submitted.error().code, Code::kNotFound);
  const JobId job = world.submit(1);
  EXPECT_FALSE(world.pool.on_submit({job, kAnn, 1, cores(1), 0, {}}, world.now));
  world.pool.on_cancel(job, world.now);
  world.submit(1, cores(1), kAnn, {job});
  EXPECT_EQ(world.submitted.error().code, Code::kFailedPrecondition);
  world.submit(1);
  world.submit(1);
  EXPECT_TRUE(world.submitted);
  world.submit(1);
  EXPECT_EQ(world.submitted.error().code, Code::kResourceExhausted);
  EXPECT_EQ(world.pool.pending_tasks(), 2u);
}

TEST(Pool, AMillionTasksAreOneRecord) {
  World world;
  const JobId job = world.submit(1'000'000);
  EXPECT_EQ(world.view(job).pending, 1'000'000u);
  EXPECT_EQ(world.all.size(), 1u);
  world.pool.on_cancel(job, world.now);
  world.settle();
  const auto ranges = world.of<EndRangeRecord>();
  ASSERT_EQ(ranges.size(), 1u);
  EXPECT_EQ(ranges[0].first, 0u);
  EXPECT_EQ(ranges[0].count, 1'000'000u);
  EXPECT_EQ(world.view(job).cancelled, 1'000'000u);
}

TEST(Pool, OneBatchLeasesABoundedNumberAndTheRestFollowsAtOnce) {
  World world;
  for (std::uint64_t node = 1; node <= 200; ++node) {
    world.pool.on_node_hello({node}, {cores(64), false, {}}, world.now);
  }
  ASSERT_TRUE(world.pool.on_submit({{1}, kAnn, 1'000'000, cores(1), 0, {}}, world.now));
  std::size_t leased = 0;
  for (int batch = 0; batch < 4; ++batch) {
    leased += static_cast<std::size_t>(std::ranges::count_if(
        world.pool.take_effects(), [](const Effect& effect) { return std::holds_alternative<LeaseRecord>(effect); }));
    EXPECT_LE(leased, static_cast<std::size_t>(batch + 1) * 4'096);
    EXPECT_EQ(world.pool.next_deadline() <= world.now, batch < 3);
    world.pool.tick(world.now);
  }
  EXPECT_EQ(leased, 12'800u);
}

TEST(Pool, TheOwnerWithTheFewestCoresGoesFirst) {
  World world;
  const JobId anns = world.submit(100, cores(1), kAnn);
  const JobId bobs = world.submit(100, cores(1), kBob);
  world.join(kFirst, 10);
  EXPECT_EQ(world.view(anns).running, 5u);
  EXPECT_EQ(world.view(bobs).running, 5u);
  world.join(kSecond, 1);
  world.finish(world.first_of(anns));
  EXPECT_EQ(world.view(bobs).running + world.view(anns).running, 11u);
}

TEST(Pool, WithinAnOwnerTheOldestJobGoesFirstAndOneThatFitsNowhereStepsAside) {
  World world;
  world.join(kFirst, 4);
  const JobId running = world.submit(1, cores(2));
  const JobId large = world.submit(1, cores(4));
  const JobId small = world.submit(3, cores(1));
  const JobId last = world.submit(3, cores(1));
  EXPECT_EQ(world.view(running).running, 1u);
  EXPECT_EQ(world.view(large).running, 0u);
  EXPECT_EQ(world.view(small).running, 2u);
  EXPECT_EQ(world.view(last).running, 0u);
  EXPECT_EQ(world.cause(large), Cause::kBusy);
}

TEST(Pool, ATaskThatWaitedTooLongGetsANodeToItself) {
  World world;
  world.join(kFirst, 4);
  world.submit(1'000'000, cores(1));
  const JobId large = world.submit(1, cores(4));
  // One task after the other ends; the large one would never fit.
  const auto turn_over = [&](int times) {
    for (int i = 0; i < times && world.view(large).running == 0; ++i) {
      world.pass(seconds(1), {kFirst});
      world.finish(world.first_of(JobId{1}));
    }
  };
  turn_over(59);
  EXPECT_EQ(world.view(large).running, 0u);
  EXPECT_EQ(world.leased(kFirst), 4u);
  turn_over(8);
  EXPECT_EQ(world.view(large).running, 1u);
  EXPECT_EQ(world.leased(kFirst), 1u);
  world.finish(world.first_of(large));
  EXPECT_EQ(world.leased(kFirst), 4u);
}

TEST(Pool, AReservationEndsWithItsJobOrItsNode) {
  World world;
  world.join(kFirst, 4);
  const JobId small = world.submit(1'000, cores(1));
  const JobId large = world.submit(1, cores(4));
  const auto turn_over_until_drained = [&](NodeId node) {
    for (int i = 0; i < 200 && world.leased(node) > 1; ++i) {
      world.pass(seconds(1), {kFirst, kSecond});
      world.finish(world.first_of(small));
    }
    return world.leased(node) == 1;
  };
  ASSERT_TRUE(turn_over_until_drained(kFirst));
  world.pool.on_cancel(large, world.now);
  world.settle();
  EXPECT_EQ(world.leased(kFirst), 4u);

  const JobId again = world.submit(1, cores(4));
  ASSERT_TRUE(turn_over_until_drained(kFirst));
  world.join(kSecond, 4);
  EXPECT_EQ(world.leased(kSecond), 4u) << "small ones fill what nobody has reserved";
  world.pool.on_node_removed(kFirst, world.now);
  world.settle();
  ASSERT_TRUE(turn_over_until_drained(kSecond)) << "the other node is reserved instead";
  world.finish(world.first_of(small));
  EXPECT_EQ(world.view(again).running, 1u);
}

// Its first task has got a node to itself, and runs there for as long as it likes.
TEST(Pool, TheNextLargeTaskIsWaitedForAnew) {
  World world;
  world.join(kFirst, 4);
  world.join(kSecond, 4);
  const JobId small = world.submit(10'000, cores(1));
  const JobId large = world.submit(2, cores(4), kBob);
  for (int i = 0; i < 2'000 && world.view(large).running < 2; ++i) {
    world.pass(milliseconds(500), {kFirst, kSecond});
    world.finish(world.first_of(small));
  }
  EXPECT_EQ(world.view(large).running, 2u);
}

TEST(Pool, TasksSpreadOverNodesInProportion) {
  World world;
  world.join(kFirst, 8);
  world.join(kSecond, 4);
  world.submit(6, cores(1));
  EXPECT_EQ(world.leased(kFirst), 4u);
  EXPECT_EQ(world.leased(kSecond), 2u);
}

TEST(Pool, ALargeTaskTakesTheTightestGap) {
  World world;
  world.join(kFirst, 16);
  world.join(kSecond, 10);
  world.submit(1, cores(9));
  EXPECT_EQ(world.leased(kSecond), 1u);
  world.submit(1, cores(16));
  EXPECT_EQ(world.leased(kFirst), 1u);
}

TEST(Pool, MemoryAndGpusCountToo) {
  World world;
  world.pool.on_node_hello(kFirst, {{8, 4 * kGiB, 1}, false, {}}, world.now);
  const JobId gpu = world.submit(2, {1, kGiB, 1});
  const JobId memory = world.submit(2, {1, 2 * kGiB, 0});
  EXPECT_EQ(world.view(gpu).running, 1u);
  EXPECT_EQ(world.view(memory).running, 1u);
  EXPECT_EQ(world.pool.node(kFirst)->used, (Resources{2, 3 * kGiB, 1}));
}

TEST(Pool, DiskIsUsedUpAndGivenBack) {
  World world;
  world.pool.on_node_hello(kFirst, {{8, 4 * kGiB, 0, 0, 10 * kGiB}, false, {}}, world.now);
  const JobId job = world.submit(3, {1, kGiB / 4, 0, 0, 4 * kGiB});
  EXPECT_EQ(world.view(job).running, 2u);
  EXPECT_EQ(world.pool.node(kFirst)->used.disk_bytes, 8 * kGiB);
  world.finish(world.first_of(job));
  EXPECT_EQ(world.view(job).running, 2u);
  world.finish(world.first_of(job));
  world.finish(world.first_of(job));
  EXPECT_EQ(world.pool.node(kFirst)->used, Resources{});
  EXPECT_EQ(world.cause(world.submit(1, {1, kGiB / 4, 0, 0, 11 * kGiB})), Cause::kTooLarge);
}

TEST(Pool, PrefetchKeepsABusyNodeFedOnceTasksAreKnownToBeBrief) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(1'000, cores(1));
  EXPECT_EQ(world.leased(kFirst), 2u);
  for (int i = 0; i < 8; ++i) {
    world.now = world.now + milliseconds(10);
    world.finish(world.first_of(job));
  }
  EXPECT_GT(world.leased(kFirst), 6u);
  EXPECT_LE(world.leased(kFirst), 2u + 256u);
  EXPECT_EQ(world.pool.node(kFirst)->used, cores(2));
  world.join(kSecond, 4);
  EXPECT_EQ(world.pool.node(kSecond)->used, cores(4));
  while (world.view(job).state == JobState::kRunning) {
    world.now = world.now + milliseconds(1);
    world.finish(world.first_of(job));
  }
  EXPECT_EQ(world.view(job).succeeded, 1'000u);
  EXPECT_EQ(world.pool.node(kFirst)->used, Resources{});
}

TEST(Pool, LongTasksAreNeverPrefetched) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(1'000, cores(1));
  for (int i = 0; i < 10; ++i) {
    world.now = world.now + seconds(2);
    world.pool.on_heartbeat(kFirst, world.now);
    world.finish(world.first_of(job));
    EXPECT_EQ(world.leased(kFirst), 2u);
  }
}

TEST(Pool, PrefetchLeavesFreedRoomToTheOwnerWhoseTurnItIs) {
  World world;
  world.join(kFirst, 2);
  const JobId brief = world.submit(100'000, cores(1), kAnn);
  for (int i = 0; i < 20; ++i) {
    world.now = world.now + milliseconds(10);
    world.finish(world.first_of(brief));
  }
  ASSERT_GT(world.leased(kFirst), 4u);
  const JobId other = world.submit(1, cores(1), kBob);
  for (int i = 0; i < 300 && world.view(other).running == 0; ++i) {
    world.now = world.now + milliseconds(10);
    world.finish(world.first_of(brief));
  }
  EXPECT_EQ(world.view(other).running, 1u);
}

TEST(Pool, WhatWasPrefetchedAndNeverStartsIsGivenToAnother) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(1'000, cores(1));
  for (int i = 0; i < 20; ++i) {
    world.now = world.now + milliseconds(10);
    world.finish(world.first_of(job));
  }
  ASSERT_GT(world.leased(kFirst), 3u);
  world.pool.on_started(kFirst, world.first_of(job), world.now);
  world.join(kSecond, 1);
  world.all.clear();
  world.pass(seconds(6), {kFirst, kSecond});
  EXPECT_EQ(world.pool.node(kFirst)->used, cores(1));
  EXPECT_FALSE(world.of<StopSend>().empty());
  EXPECT_EQ(world.of<StopSend>().size(), world.of<RequeueRecord>().size());
}

TEST(Pool, SecondsLeftComeFromTheMeanAndTheParallelism) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(11, cores(1));
  EXPECT_EQ(world.view(job).seconds_left, -1);
  world.now = world.now + seconds(10);
  world.finish({{job, 0}, 1});
  EXPECT_EQ(world.view(job).mean_task_time, seconds(10));
  EXPECT_EQ(world.view(job).seconds_left, 45);  // 8 wait and 2 run: 4.5 rounds of 10 s
}

TEST(Pool, ForgetsOnlyWhatHasEndedAndNobodyRunsAfter) {
  World world;
  world.join(kFirst, 1);
  const JobId first = world.submit(1);
  const JobId second = world.submit(1, cores(1), kAnn, {first});
  world.pool.forget(first);
  EXPECT_TRUE(world.pool.job(first, world.now));
  world.finish({{first, 0}, 1});
  world.pool.forget(first);
  EXPECT_TRUE(world.pool.job(first, world.now)) << "a live job runs after it";
  world.finish({{second, 0}, 1});
  world.pool.forget(first);
  world.pool.forget(second);
  world.pool.forget(JobId{77});
  EXPECT_FALSE(world.pool.job(first, world.now));
  EXPECT_FALSE(world.pool.job(second, world.now));
}

TEST(Pool, RemovesOnlyWhatHasEndedAndNobodyNeeds) {
  World world;
  world.join(kFirst, 1);
  const JobId first = world.submit(1);
  const Result<void> live = world.pool.on_remove(first, world.now);
  ASSERT_FALSE(live);
  EXPECT_EQ(live.error().code, Code::kFailedPrecondition);
  EXPECT_NE(live.error().message.find("hearth cancel 1"), std::string::npos) << live.error().message;
  const JobId second = world.submit(2, cores(1), kAnn, {first});
  world.finish({{first, 0}, 1});
  world.finish({{second, 0}, 1});
  const Result<void> needed = world.pool.on_remove(first, world.now);
  ASSERT_FALSE(needed) << "its results are needed until the last task of the other has ended";
  EXPECT_NE(needed.error().message.find("job 2"), std::string::npos) << needed.error().message;
  world.finish({{second, 1}, 1});
  world.all.clear();
  EXPECT_TRUE(world.pool.on_remove(first, world.now));
  world.settle();
  ASSERT_EQ(world.of<RemoveRecord>().size(), 1U);
  EXPECT_EQ(world.of<RemoveRecord>()[0].job, first);
  EXPECT_FALSE(world.pool.job(first, world.now));
  EXPECT_EQ(world.pool.on_remove(first, world.now).error().code, Code::kNotFound) << "twice";
  world.submit(1, cores(1), kAnn, {first});
  EXPECT_EQ(world.submitted.error().code, Code::kNotFound) << "nothing runs after what is gone";
  EXPECT_TRUE(world.pool.on_remove(second, world.now));
}

}  // namespace
}  // namespace hearth::pool
