// Nodes that are cordoned or drained.
#include <gtest/gtest.h>

#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

TEST(Duties, ACordonedNodeIsGivenNothingNewAndKeepsWhatRuns) {
  World world;
  world.join(kFirst, 2);
  const JobId runs = world.submit(1);
  world.pool.on_started(kFirst, world.first_of(runs), world.now);
  world.pool.on_duty(kFirst, Duty::kCordoned, {}, world.now);
  const JobId waits = world.submit(1);
  EXPECT_TRUE(world.of<StopSend>().empty());
  EXPECT_EQ(world.leased(kFirst), 1u);
  EXPECT_EQ(world.cause(waits), Cause::kNodesClosed);
  EXPECT_EQ(world.pool.why(waits, world.now)->cordoned, 1u);
  EXPECT_EQ(world.pool.node(kFirst)->duty, Duty::kCordoned);
  world.pool.on_offer(kFirst, {{cores(2), {}}}, world.now);
  world.settle();
  EXPECT_EQ(world.leased(kFirst), 1u) << "its own owner's word does not undo it";
  world.pass(minutes(60), {kFirst});
  EXPECT_EQ(world.leased(kFirst), 1u) << "a cordon ends nothing";
  world.pool.on_duty(kFirst, Duty::kServing, {}, world.now);
  world.settle();
  EXPECT_EQ(world.leased(kFirst), 2u);
}

TEST(Duties, IsKeptWhileTheNodeIsAwayAndBeforeItIsKnown) {
  World world;
  world.pool.on_duty(kFirst, Duty::kCordoned, {}, world.now);
  world.join(kFirst, 2);
  const JobId job = world.submit(1);
  EXPECT_EQ(world.leased(kFirst), 0u);
  world.pool.on_node_gone(kFirst, world.now);
  world.join(kFirst, 2);
  EXPECT_EQ(world.leased(kFirst), 0u);
  world.pool.on_node_removed(kFirst, world.now);
  world.join(kFirst, 2);
  EXPECT_EQ(world.leased(kFirst), 1u);
  EXPECT_EQ(world.view(job).running, 1u);
  world.pool.on_duty({77}, Duty::kServing, {}, world.now);
  EXPECT_FALSE(world.pool.node({77})) << "nothing was said of it";
}

TEST(Duties, WhatRunsWhenTheGraceEndsGoesElsewhereAndCountsAsNoAttempt) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(1);
  const AttemptId first = world.first_of(job);
  world.pool.on_started(kFirst, first, world.now);
  world.pool.on_duty(kFirst, Duty::kDraining, world.now + seconds(30), world.now);
  world.join(kSecond, 1);
  world.take<StopSend>();
  world.pass(seconds(29), {kFirst, kSecond});
  EXPECT_TRUE(world.is_current(first));
  world.pass(seconds(2), {kFirst, kSecond});
  ASSERT_EQ(world.of<StopSend>().size(), 1u);
  EXPECT_EQ(world.of<StopSend>().front().attempt, first);
  ASSERT_EQ(world.of<RequeueRecord>().size(), 1u);
  EXPECT_EQ(world.of<RequeueRecord>().front().attempts, 0u);
  EXPECT_EQ(world.of<RequeueRecord>().front().failures, 0u);
  EXPECT_EQ(world.of<RequeueRecord>().front().why, Failure::kDrained);
  EXPECT_EQ(world.leased(kFirst), 0u);
  EXPECT_EQ(world.leased(kSecond), 1u);
}

TEST(Duties, ANodeThatServesAgainBeforeItsGraceEndsKeepsWhatRuns) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(1);
  const AttemptId first = world.first_of(job);
  world.pool.on_started(kFirst, first, world.now);
  world.pool.on_duty(kFirst, Duty::kDraining, world.now + seconds(30), world.now);
  world.pass(seconds(10), {kFirst});
  world.pool.on_duty(kFirst, Duty::kServing, {}, world.now);
  world.pass(minutes(5), {kFirst});
  EXPECT_TRUE(world.is_current(first));
  world.pool.on_duty(kFirst, Duty::kDraining, world.now + seconds(30), world.now);
  world.pool.on_duty(kFirst, Duty::kCordoned, {}, world.now);
  world.pass(minutes(5), {kFirst});
  EXPECT_TRUE(world.is_current(first)) << "the last word holds";
}

TEST(Duties, ADrainThatEndedWhileTheHubWasDownIsMadeUpFor) {
  World world;
  world.pool.on_duty(kFirst, Duty::kDraining, world.now - seconds(5), world.now);
  const JobRequest job{.id = {1}, .owner = kAnn, .per_task = cores(1)};
  world.pool.restore_job(job, JobState::kRunning, {{0, TaskState::kLeased, 1, 1, 0, kFirst}}, world.now);
  world.settle();
  world.pool.tick(world.now);
  world.settle();
  EXPECT_FALSE(world.is_current({{JobId{1}, 0}, 1}));
  EXPECT_EQ(world.view({1}).pending, 1u);
}

TEST(Duties, AGangOfWhichOneIsDrainedRunsElsewhereAsAWhole) {
  World world;
  world.join(kFirst, 1);
  world.join(kSecond, 1);
  JobRequest request;
  request.tasks = 2;
  request.gang = true;
  const JobId job = world.submit(request);
  ASSERT_EQ(world.view(job).running, 2u);
  world.pool.on_duty(kFirst, Duty::kDraining, world.now, world.now);
  world.pass(seconds(1), {kFirst, kSecond});
  EXPECT_EQ(world.view(job).running, 0u);
  EXPECT_EQ(world.leased(kSecond), 0u);
  for (const RequeueRecord& record : world.of<RequeueRecord>()) EXPECT_EQ(record.attempts, 0u);
  world.join({3}, 1);
  EXPECT_EQ(world.view(job).running, 2u);
}

TEST(Duties, WhatWasReservedOnACordonedNodeLooksForAnother) {
  World world;
  world.join(kFirst, 4);
  world.submit(3);
  const JobId large = world.submit(1, cores(4), kBob);
  world.pass(seconds(70), {kFirst});
  world.pool.on_duty(kFirst, Duty::kCordoned, {}, world.now);
  world.settle();
  EXPECT_EQ(world.cause(large), Cause::kNodesClosed);
  world.join(kSecond, 4);
  EXPECT_EQ(world.view(large).running, 1u);
}

}  // namespace
}  // namespace hearth::pool
