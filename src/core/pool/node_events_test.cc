#include <gtest/gtest.h>

#include "core/pool/pool.h"
#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

TEST(NodeEvents, AnyWordRenewsAllLeasesOfANode) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(2);
  world.pass(seconds(100), {kFirst});
  EXPECT_EQ(world.view(job).running, 2u);
  world.pass(seconds(11));
  world.pool.on_started(kFirst, {{job, 0}, 1}, world.now);
  world.pass(seconds(11));
  EXPECT_EQ(world.view(job).running, 2u);
  world.pass(seconds(2));
  EXPECT_EQ(world.view(job).running, 0u);
  EXPECT_EQ(world.of<StopSend>().size(), 2u) << "should it live, it is to drop them";
}

TEST(NodeEvents, ASilentNodeGetsNothingUntilItIsHeardAgain) {
  World world;
  world.join(kFirst, 2);
  world.pass(seconds(13));
  const JobId job = world.submit(1);
  EXPECT_EQ(world.view(job).running, 0u);
  EXPECT_EQ(world.cause(job), Cause::kNoNode);
  world.pool.on_heartbeat(kFirst, world.now);
  world.settle();
  EXPECT_EQ(world.view(job).running, 1u);
}

TEST(NodeEvents, ABrokenSessionCostsNothingWithinTheLease) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(2);
  const AttemptId attempt{{job, 0}, 1};
  world.pool.on_node_gone(kFirst, world.now);
  EXPECT_FALSE(world.pool.node(kFirst)->connected);
  world.pass(seconds(11));
  EXPECT_TRUE(world.is_current(attempt));
  world.join(kFirst, 1, {attempt});
  EXPECT_TRUE(world.is_current(attempt));
  EXPECT_TRUE(world.of<StopSend>().empty());
  world.finish(attempt);
  EXPECT_EQ(world.view(job).succeeded, 1u);
}

TEST(NodeEvents, WhatANodeDoesNotHoldAnyMoreIsRequeuedAtOnce) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(2);
  world.all.clear();
  world.join(kFirst, 2, {{{job, 1}, 1}});
  ASSERT_EQ(world.of<RequeueRecord>().size(), 1u);
  EXPECT_EQ(world.of<RequeueRecord>()[0].why, Failure::kNodeLost);
  EXPECT_EQ(world.of<RequeueRecord>()[0].failures, 0u);
  EXPECT_TRUE(world.is_current({{job, 0}, 2}));
  EXPECT_TRUE(world.is_current({{job, 1}, 1}));
}

TEST(NodeEvents, HeldAttemptsThatAreNotCurrentAreStopped) {
  World world;
  const JobId job = world.submit(1);
  world.join(kFirst, 1, {{{job, 0}, 7}, {{JobId{55}, 3}, 1}});
  EXPECT_EQ(world.of<StopSend>().size(), 2u);
  world.all.clear();
  world.pool.on_started(kFirst, {{job, 0}, 7}, world.now);
  world.settle();
  EXPECT_EQ(world.of<StopSend>().size(), 1u);
}

TEST(NodeEvents, ARemovedNodesLeasesEndNow) {
  World world;
  world.join(kFirst, 1);
  const JobId job = world.submit(1);
  world.pool.on_node_removed(kFirst, world.now);
  world.pool.on_node_removed(kFirst, world.now);
  world.settle();
  EXPECT_EQ(world.view(job).pending, 1u);
  EXPECT_FALSE(world.pool.node(kFirst));
  world.pool.on_heartbeat(kFirst, world.now);
  world.pool.on_finished(kFirst, {{job, 0}, 1}, Failure::kNone, world.now);
  world.settle();
  EXPECT_EQ(world.view(job).pending, 1u);
}

TEST(NodeEvents, AClosedNodeFinishesWhatRunsAndGivesBackTheRest) {
  World world;
  world.join(kFirst, 3);
  const JobId job = world.submit(5);
  world.pool.on_started(kFirst, {{job, 0}, 1}, world.now);
  world.pool.on_offer(kFirst, {.terms = {cores(3), {}}, .closed = true}, world.now);
  world.settle();
  EXPECT_EQ(world.of<StopSend>().size(), 2u);
  EXPECT_EQ(world.view(job).running, 1u);
  EXPECT_EQ(world.cause(job), Cause::kNodesClosed);
  EXPECT_EQ(world.pool.why(job, world.now)->nodes, 1u);
  world.finish({{job, 0}, 1});
  EXPECT_EQ(world.leased(kFirst), 0u);
  world.pool.on_offer(kFirst, {{cores(3), {}}}, world.now);
  world.settle();
  EXPECT_EQ(world.leased(kFirst), 3u);
}

TEST(NodeEvents, ASmallerOfferTakesBackWhatCannotStartAnyMore) {
  World world;
  world.join(kFirst, 4);
  const JobId job = world.submit(4);
  world.pool.on_started(kFirst, {{job, 3}, 1}, world.now);
  world.pool.on_offer(kFirst, {{cores(2), {}}}, world.now);
  world.settle();
  EXPECT_EQ(world.leased(kFirst), 2u);
  EXPECT_TRUE(world.is_current({{job, 3}, 1}));
  EXPECT_EQ(world.pool.node(kFirst)->used, cores(2));
  world.pool.on_offer(kFirst, {{cores(4), {}}}, world.now);
  world.settle();
  EXPECT_EQ(world.leased(kFirst), 4u);
}

TEST(NodeEvents, ANodeThatComesBackClosedHasALeaseToSayWhatItRuns) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(2);
  const AttemptId runs{{job, 0}, 1};
  const AttemptId waits{{job, 1}, 1};
  world.join(kFirst, 2, {runs, waits}, true);
  world.pool.on_started(kFirst, runs, world.now);
  EXPECT_TRUE(world.is_current(waits));
  world.pass(seconds(13), {kFirst});
  EXPECT_TRUE(world.is_current(runs));
  EXPECT_FALSE(world.is_current(waits));
}

TEST(NodeEvents, WordsOfStrangersChangeNothing) {
  World world;
  world.pool.on_heartbeat({9}, world.now);
  world.pool.on_node_gone({9}, world.now);
  world.pool.on_started({9}, {{JobId{1}, 0}, 1}, world.now);
  world.pool.on_offer({9}, {{cores(4), {}}}, world.now);
  world.pool.on_cancel({9}, world.now);
  world.settle();
  EXPECT_TRUE(world.all.empty());
  EXPECT_FALSE(world.pool.node({9}));
  EXPECT_FALSE(world.pool.next_deadline());
}

TEST(NodeEvents, WhyNamesWhatIsMissing) {
  World world;
  const JobId job = world.submit(2, cores(4), kAnn);
  EXPECT_EQ(world.cause(job), Cause::kNoNode);
  world.join(kFirst, 2);
  EXPECT_EQ(world.cause(job), Cause::kTooLarge);
  EXPECT_EQ(world.pool.why(job, world.now)->largest_offer, cores(2));
  const JobId blocker = world.submit(1, cores(1), kBob);
  world.join(kSecond, 4);
  EXPECT_EQ(world.view(job).running, 1u);
  EXPECT_EQ(world.cause(job), Cause::kBusy);
  EXPECT_EQ(world.pool.why(job, world.now)->nodes, 1u);
  EXPECT_TRUE(world.pool.why(job, world.now)->jobs.empty()) << "it is its own task that runs there";
  EXPECT_EQ(world.cause(blocker), Cause::kRunning);
  world.finish(world.first_of(blocker));
  EXPECT_EQ(world.cause(blocker), Cause::kEnded);
  EXPECT_FALSE(world.pool.why({99}, world.now));
}

TEST(NodeEvents, ATaskGoesOnlyWhereItIsAdmitted) {
  World world;
  world.join(kFirst, 4);
  const JobId job{++world.last_job};
  constexpr Admission kListed(Ring::kHome, {Right::kRun, Right::kListedHosts});
  constexpr Admission kFull(Ring::kHome, {Right::kRun, Right::kFullNetwork});
  ASSERT_TRUE(world.pool.on_submit({job, kAnn, 2, cores(1), 0, {}, kListed}, world.now));
  world.settle();
  EXPECT_EQ(world.view(job).running, 0u);
  EXPECT_EQ(world.cause(job), Cause::kNotAdmitted);
  EXPECT_EQ(world.pool.why(job, world.now)->nodes, 1u);
  EXPECT_EQ(world.pool.why(job, world.now)->lacking, kListed);
  const JobId plain = world.submit(1);
  EXPECT_EQ(world.view(plain).running, 1u) << "nobody waits behind it";

  world.pool.on_offer(kFirst, {{cores(4), kListed}}, world.now);
  world.settle();
  EXPECT_EQ(world.view(job).running, 2u);
  // The owner takes it back: what has started runs on, the rest waits again.
  world.pool.on_started(kFirst, world.first_of(job), world.now);
  world.pool.on_offer(kFirst, {{cores(4), {}}}, world.now);
  world.settle();
  EXPECT_EQ(world.view(job).running, 1u);
  EXPECT_EQ(world.cause(job), Cause::kNotAdmitted);
  world.pool.on_node_hello(kSecond, {cores(1), false, {}, kFull}, world.now);
  world.settle();
  EXPECT_EQ(world.leased(kSecond), 0u) << "each is granted by itself";
  world.pool.on_node_hello(kSecond, {cores(1), false, {}, kListed | kFull}, world.now);
  world.settle();
  EXPECT_EQ(world.leased(kSecond), 1u);
}

TEST(NodeEvents, AStrangersTaskWaitsForANodeWhoseOwnerAdmitsStrangers) {
  World world;
  constexpr Admission kHome(Ring::kHome, {Right::kRun, Right::kHostFiles});
  constexpr Admission kStranger(Ring::kStranger, {Right::kRun});
  world.pool.on_node_hello(kFirst, {cores(4), false, {}, kHome}, world.now);
  const JobId job{++world.last_job};
  ASSERT_TRUE(world.pool.on_submit({job, kAnn, 1, cores(1), 0, {}, kStranger}, world.now));
  world.settle();
  EXPECT_EQ(world.leased(kFirst), 0u);
  EXPECT_EQ(world.cause(job), Cause::kNotAdmitted);
  EXPECT_EQ(world.pool.why(job, world.now)->lacking, kStranger);
  world.pool.on_node_hello(kSecond, {cores(1), false, {}, kHome | kStranger}, world.now);
  world.settle();
  EXPECT_EQ(world.leased(kSecond), 1u);
}

TEST(NodeEvents, BusyNamesTheJobsThatHoldTheNodes) {
  World world;
  world.join(kFirst, 2);
  const JobId holder = world.submit(2, cores(1), kBob);
  const JobId job = world.submit(1, cores(2), kAnn);
  EXPECT_EQ(world.cause(job), Cause::kBusy);
  EXPECT_EQ(world.pool.why(job, world.now)->jobs, (std::vector<JobId>{holder}));
}

}  // namespace
}  // namespace hearth::pool
