#include <gtest/gtest.h>

#include "core/pool/pool.h"
#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

TEST(TaskEnds, AnEndIsAcceptedOnceAndFromTheNewestAttemptOnly) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(1);
  const AttemptId first{{job, 0}, 1};
  world.pool.on_node_gone(kFirst, world.now);
  world.pass(seconds(13));
  world.join(kSecond, 1);
  const AttemptId second{{job, 0}, 2};
  EXPECT_TRUE(world.is_current(second));
  EXPECT_FALSE(world.is_current(first));
  world.all.clear();
  world.pool.on_finished(kFirst, first, Failure::kNone, world.now);
  world.pool.on_finished(kFirst, second, Failure::kNone, world.now);  // not leased to that node
  world.settle();
  EXPECT_TRUE(world.of<EndRecord>().empty());
  EXPECT_EQ(world.take<AcknowledgeSend>().size(), 2u);
  world.pool.on_finished(kSecond, second, Failure::kNone, world.now);
  world.pool.on_finished(kSecond, second, Failure::kNone, world.now);
  world.settle();
  EXPECT_EQ(world.of<EndRecord>().size(), 1u);
  EXPECT_EQ(world.of<AcknowledgeSend>().size(), 2u);
  EXPECT_EQ(world.view(job).state, JobState::kSucceeded);
}

TEST(TaskEnds, WithoutTheFenceAnOldEpochIsAccepted) {
  World world{{.fence_epochs = false}};
  world.join(kFirst, 1);
  const JobId job = world.submit(1);
  world.pool.on_node_gone(kFirst, world.now);
  world.pass(seconds(13));
  world.join(kSecond, 1);
  world.pool.on_finished(kFirst, {{job, 0}, 1}, Failure::kNone, world.now);
  world.settle();
  ASSERT_EQ(world.of<EndRecord>().size(), 1u);
  EXPECT_EQ(world.of<EndRecord>()[0].attempt.epoch, 1u);
}

class OwnFailure : public testing::TestWithParam<Failure> {};

TEST_P(OwnFailure, CountsAgainstRetries) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(1, cores(1), kAnn, {}, 1);
  world.finish({{job, 0}, 1}, GetParam());
  EXPECT_EQ(world.cause(job), Cause::kBackoff);
  EXPECT_EQ(world.pool.why(job, world.now)->wait, seconds(1));
  ASSERT_EQ(world.of<RequeueRecord>().size(), 1u);
  EXPECT_EQ(world.of<RequeueRecord>()[0].failures, 1u);
  EXPECT_EQ(world.of<RequeueRecord>()[0].attempts, 1u);
  world.pass(seconds(1), {kFirst});
  world.finish({{job, 0}, 2}, GetParam());
  EXPECT_EQ(world.view(job).state, JobState::kFailed);
  ASSERT_EQ(world.of<EndRecord>().size(), 1u);
  EXPECT_EQ(world.of<EndRecord>()[0].state, TaskState::kFailed);
  EXPECT_EQ(world.of<EndRecord>()[0].why, GetParam());
}

INSTANTIATE_TEST_SUITE_P(All, OwnFailure,
                         testing::Values(Failure::kExitCode, Failure::kSignal, Failure::kOutOfMemory,
                                         Failure::kTimeLimit, Failure::kStart, Failure::kOutput));

TEST(TaskEnds, TheOtherTasksOfAJobGoOnWhenOneFails) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(3);
  world.finish({{job, 0}, 1}, Failure::kExitCode);
  world.finish({{job, 1}, 1});
  world.finish({{job, 2}, 1});
  EXPECT_EQ(world.view(job).state, JobState::kFailed);
  EXPECT_EQ(world.view(job).succeeded, 2u);
  EXPECT_EQ(world.view(job).failed, 1u);
}

TEST(TaskEnds, BackOffDoublesUpToAMinute) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(1, cores(1), kAnn, {}, 100);
  for (const int wait : {1, 2, 4, 8, 16, 32, 60, 60}) {
    world.finish(world.first_of(job), Failure::kExitCode);
    EXPECT_EQ(world.pool.why(job, world.now)->wait, seconds(wait));
    world.pass(seconds(wait), {kFirst});
  }
}

TEST(TaskEnds, LossesDoNotCountAgainstRetriesUntilThereAreTooMany) {
  World world;
  const JobId job = world.submit(1);
  for (std::uint32_t loss = 1; loss <= 21; ++loss) {
    EXPECT_EQ(world.view(job).state, loss == 1 ? JobState::kQueued : JobState::kRunning);
    world.join(kFirst, 1);
    world.join(kFirst, 1);  // back, and holds nothing
    world.pool.on_node_removed(kFirst, world.now);
    world.settle();
    loss += 1;
  }
  EXPECT_EQ(world.view(job).state, JobState::kFailed);
  EXPECT_EQ(world.of<EndRecord>().back().why, Failure::kNodeLost);
  EXPECT_EQ(world.of<RequeueRecord>().back().failures, 0u);
  EXPECT_EQ(world.of<LeaseRecord>().size(), 21u);
}

TEST(TaskEnds, ANodeThatGivesATaskBackMakesItWaitALittle) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(1);
  world.finish({{job, 0}, 1}, Failure::kNodeLost);
  EXPECT_EQ(world.cause(job), Cause::kBackoff);
  world.pass(seconds(1), {kFirst});
  world.finish({{job, 0}, 2}, Failure::kCancelled);
  EXPECT_EQ(world.of<RequeueRecord>().back().failures, 0u);
  EXPECT_EQ(world.view(job).state, JobState::kRunning);
}

TEST(TaskEnds, CancellingStopsWhatRunsAndEndsTheRest) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(10, cores(1), kAnn, {}, 5);
  const JobId next = world.submit(2);
  world.finish({{job, 0}, 1});
  world.finish({{job, 1}, 1}, Failure::kSignal);
  world.all.clear();
  world.pool.on_cancel(job, world.now);
  world.pool.on_cancel(job, world.now);
  world.settle();
  EXPECT_EQ(world.of<StopSend>().size(), 2u);
  EXPECT_EQ(world.of<EndRecord>().size(), 3u);  // two leased, one waiting for its retry
  ASSERT_EQ(world.of<EndRangeRecord>().size(), 1u);
  EXPECT_EQ(world.of<EndRangeRecord>()[0].first, 4u);
  EXPECT_EQ(world.of<EndRangeRecord>()[0].count, 6u);
  EXPECT_EQ(world.view(job).cancelled, 9u);
  EXPECT_EQ(world.view(job).state, JobState::kCancelled);
  EXPECT_EQ(world.view(next).running, 2u) << "the room is used again";
  world.pass(seconds(5), {kFirst});
  world.all.clear();
  world.pool.on_finished(kFirst, {{job, 2}, 1}, Failure::kNone, world.now);
  world.settle();
  EXPECT_TRUE(world.of<EndRecord>().empty());
  EXPECT_EQ(world.of<AcknowledgeSend>().size(), 1u);
}

TEST(TaskEnds, AnOwnersReturnCountsAsNothingHoweverOften) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(1);
  for (int returns = 0; returns < 100; ++returns) {
    world.finish(world.first_of(job), Failure::kOwner);
    EXPECT_EQ(world.of<RequeueRecord>().back().failures, 0U);
    EXPECT_EQ(world.of<RequeueRecord>().back().attempts, 0U);
    EXPECT_EQ(world.cause(job), Cause::kBackoff) << "a node that says so of everything keeps nobody busy";
    world.pass(seconds(2), {kFirst});
  }
  world.finish(world.first_of(job));
  EXPECT_EQ(world.view(job).state, JobState::kSucceeded);
}

TEST(TaskEnds, WhatAClosedNodeGivesBackUnstartedCountsAsNothing) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(1);
  for (int returns = 0; returns < 100; ++returns) {
    world.pool.on_offer(kFirst, {.terms = {cores(1), {}}, .closed = true}, world.now);
    world.settle();
    EXPECT_EQ(world.view(job).pending, 1U);
    world.pool.on_offer(kFirst, {{cores(1), {}}}, world.now);
    world.settle();
    ASSERT_EQ(world.leased(kFirst), 1U);
  }
  EXPECT_EQ(world.of<RequeueRecord>().back().attempts, 0U);
}

}  // namespace
}  // namespace hearth::pool
