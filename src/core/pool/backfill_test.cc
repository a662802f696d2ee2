// What goes on a node that drains for a large task: only what must have ended before that one can begin.
#include <gtest/gtest.h>

#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

class BackfillTest : public testing::Test, public World {
 protected:
  // Two tasks that run for at most 200 s on a node of 4 cores, and a large one that waits for all of it and has waited
  // for the starvation bound; the node drains.
  void SetUp() override {
    join(kFirst, 4);
    long_ = submit(JobRequest{.tasks = 2, .limit = seconds(200)});
    blocker_ = submit(JobRequest{.tasks = 1, .limit = seconds(200)});
    large_ = submit(JobRequest{.per_task = cores(4)});
    pass(seconds(70), {kFirst});
    finish(first_of(blocker_));
    ASSERT_EQ(leased(kFirst), 2U);
    ASSERT_EQ(view(submit(JobRequest{})).running, 0U) << "the node is kept for the large one";
  }

  JobId long_, blocker_, large_;
};

TEST_F(BackfillTest, WhatEndsInTimeRunsAndWhatMayNotWaits) {
  const JobId brief = submit(JobRequest{.limit = seconds(120)});
  EXPECT_EQ(view(brief).running, 1U);
  const JobId longer = submit(JobRequest{.limit = seconds(150)});
  EXPECT_EQ(view(longer).running, 0U);
  pass(seconds(60), {kFirst});
  const JobId too_late = submit(JobRequest{.limit = seconds(120)});
  EXPECT_EQ(view(too_late).running, 0U) << "the same limit, but now it would hold the large one up";
}

TEST_F(BackfillTest, TheLargeOneBeginsOnceThereIsRoomAndWhatWaitedGoesOn) {
  const JobId brief = submit(JobRequest{.tasks = 2, .limit = seconds(100)});
  EXPECT_EQ(view(brief).running, 2U);
  finish(first_of(brief));
  finish(first_of(brief));
  finish(first_of(long_));
  EXPECT_EQ(view(large_).running, 0U);
  finish(first_of(long_));
  EXPECT_EQ(view(large_).running, 1U);
}

TEST_F(BackfillTest, RoomThatComesFreeMeanwhileIsOffered) {
  const JobId brief = submit(JobRequest{.tasks = 4, .limit = seconds(60)});
  EXPECT_EQ(view(brief).running, 2U);
  pass(seconds(10), {kFirst});
  finish(first_of(brief));
  EXPECT_EQ(view(brief).running, 2U) << "the next one of it took the place";
}

TEST(Backfill, NothingIsKnownOfTasksWithoutALimit) {
  World world;
  world.join(kFirst, 4);
  world.submit(JobRequest{.tasks = 2});
  const JobId blocker = world.submit(JobRequest{});
  world.submit(JobRequest{.per_task = cores(4)});
  world.pass(seconds(70), {kFirst});
  world.finish(world.first_of(blocker));
  EXPECT_EQ(world.view(world.submit(JobRequest{.limit = seconds(1)})).running, 0U);
}

TEST(Backfill, AGangIsNotHeldUpEither) {
  World world;
  world.join(kFirst, 2);
  world.join(kSecond, 2);
  const JobId running = world.submit(JobRequest{.tasks = 3, .limit = seconds(200)});
  const JobId blocker = world.submit(JobRequest{.limit = seconds(200)});
  const JobId gang = world.submit(JobRequest{.tasks = 4, .gang = true});
  world.pass(seconds(70), {kFirst, kSecond});
  world.finish(world.first_of(blocker));
  EXPECT_EQ(world.view(world.submit(JobRequest{.limit = seconds(100)})).running, 1U);
  EXPECT_EQ(world.view(world.submit(JobRequest{.limit = seconds(140)})).running, 0U);
  EXPECT_EQ(world.view(gang).running, 0U);
  EXPECT_EQ(world.view(running).running, 3U);
}

}  // namespace
}  // namespace hearth::pool
