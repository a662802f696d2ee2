// Conditions in the pool: tasks go to nodes that meet them alone.
#include "core/pool/condition_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

using testing::ElementsAre;
using testing::Pair;

TEST(Conditions, TasksGoWhereTheyAreMet) {
  World world;
  world.join_as(kFirst, cores(4), {{"os", "debian"}});
  world.join_as(kSecond, cores(4), {{"os", "arch"}, {"label.room", "cellar"}});
  const JobId job = world.submit({.tasks = 8, .where = "os == 'arch'"});
  EXPECT_EQ(world.leased(kFirst), 0u);
  EXPECT_EQ(world.leased(kSecond), 4u);
  EXPECT_EQ(world.cause(job), Cause::kBusy);
  EXPECT_EQ(world.pool.why(job, world.now)->nodes, 1u);
  const JobId nowhere = world.submit({.tasks = 1, .where = "os == 'debian' && label.room == 'cellar'"});
  const Why why = *world.pool.why(nowhere, world.now);
  EXPECT_EQ(why.cause, Cause::kNotMet);
  EXPECT_THAT(why.unmet, ElementsAre(Pair("os == 'debian'", 1u), Pair("label.room == 'cellar'", 1u)));
}

TEST(Conditions, ANodeThatMeetsThemAndIsTooSmallIsTheReason) {
  World world;
  world.join_as(kFirst, cores(1), {{"os", "debian"}});
  world.join_as(kSecond, cores(8), {{"os", "arch"}});
  const JobId job = world.submit({.tasks = 1, .per_task = cores(2), .where = "os == 'debian'"});
  const Why why = *world.pool.why(job, world.now);
  EXPECT_EQ(why.cause, Cause::kTooLarge);
  EXPECT_EQ(why.nodes, 1u);
  EXPECT_EQ(why.largest_offer.cores, 1u);
}

TEST(Conditions, ChangesOfANodeCount) {
  World world;
  world.join_as(kFirst, cores(4), {});
  const JobId job = world.submit({.tasks = 1, .where = "label.fast"});
  EXPECT_EQ(world.view(job).running, 0u);
  world.pool.on_attributes(kFirst, {{"label.fast", true}}, world.now);
  world.settle();
  EXPECT_EQ(world.view(job).running, 1u);
  world.pool.on_attributes(kFirst, {}, world.now);
  world.settle();
  EXPECT_EQ(world.view(job).running, 1u) << "what runs goes on";
}

TEST(Conditions, ABitIsFreeAgainOnceNobodyAsks) {
  World world;
  world.join_as(kFirst, cores(1), {{"speed", 5.0}});
  for (std::size_t i = 0; i < 2 * ConditionTable::kMost; ++i) {
    const JobId job = world.submit({.tasks = 1, .where = "speed == 5 && cores != " + std::to_string(i)});
    ASSERT_TRUE(world.submitted);
    world.finish(world.first_of(job));
  }
  for (std::size_t i = 0; i < ConditionTable::kMost; ++i) {
    world.submit({.tasks = 1, .where = "speed > " + std::to_string(i)});
    ASSERT_TRUE(world.submitted) << i;
  }
  world.submit({.tasks = 1, .where = "speed > 10000"});
  EXPECT_EQ(world.submitted.error().code, Code::kResourceExhausted);
  world.submit({.tasks = 1, .where = "speed > 1"});
  EXPECT_TRUE(world.submitted) << "others ask the same";
  world.submit({.tasks = 1, .where = "speed >"});
  EXPECT_EQ(world.submitted.error().code, Code::kInvalidArgument);
}

TEST(Conditions, WhatCannotBeReadAnyMoreIsNeverMet) {
  World world;
  const JobRequest request{.id = {1}, .owner = kAnn, .per_task = cores(1), .where = "an older one's"};
  world.pool.restore_job(request, JobState::kQueued, {}, world.now);
  world.join_as(kFirst, cores(1), {});
  EXPECT_EQ(world.view(request.id).running, 0u);
  EXPECT_EQ(world.cause(request.id), Cause::kNotMet);
}

}  // namespace
}  // namespace hearth::pool
