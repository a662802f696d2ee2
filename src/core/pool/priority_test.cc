// Classes and accounts: who goes first, and who makes room.
#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

using testing::IsEmpty;

JobRequest job(PriorityClass priority, std::uint32_t tasks, std::uint32_t each = 1, DeviceId owner = kAnn) {
  return {.owner = owner, .tasks = tasks, .per_task = cores(each), .priority = priority};
}

TEST(Priority, AHigherClassGoesFirstWhoeversItIs) {
  World world;
  const JobId batch = world.submit(job(PriorityClass::kBatch, 10));
  const JobId normal = world.submit(job(PriorityClass::kNormal, 2, 1, kBob));
  const JobId scavenger = world.submit(job(PriorityClass::kScavenger, 10, 1, kBob));
  world.join(kFirst, 3);
  EXPECT_EQ(world.view(normal).running, 2u);
  EXPECT_EQ(world.view(batch).running, 1u);
  EXPECT_EQ(world.view(scavenger).running, 0u);
}

TEST(Priority, EndsThoseBelowForIt) {
  World world;
  world.join(kFirst, 4);
  const JobId scavenger = world.submit(job(PriorityClass::kScavenger, 4));
  EXPECT_EQ(world.view(scavenger).running, 4u);
  world.all.clear();
  const JobId normal = world.submit(job(PriorityClass::kNormal, 1, 2));
  EXPECT_EQ(world.view(normal).running, 1u);
  EXPECT_EQ(world.view(scavenger).running, 2u);
  ASSERT_EQ(world.of<StopSend>().size(), 2u);
  for (const RequeueRecord& requeue : world.of<RequeueRecord>()) {
    EXPECT_EQ(requeue.why, Failure::kPreempted);
    EXPECT_EQ(requeue.attempts, 0u) << "it counts as no attempt";
  }
  world.finish(world.first_of(normal));
  EXPECT_EQ(world.view(scavenger).running, 4u);
}

TEST(Priority, NormalTasksAreNeverEndedAndBatchOnesForUrgentOnesAlone) {
  World world;
  world.join(kFirst, 2);
  const JobId normal = world.submit(job(PriorityClass::kNormal, 1));
  const JobId batch = world.submit(job(PriorityClass::kBatch, 1));
  const JobId other = world.submit(job(PriorityClass::kNormal, 1));
  EXPECT_EQ(world.view(other).running, 0u);
  EXPECT_EQ(world.cause(other), Cause::kBusy);
  const JobId urgent = world.submit(job(PriorityClass::kUrgent, 2));
  EXPECT_EQ(world.view(urgent).running, 1u);
  EXPECT_EQ(world.view(batch).running, 0u);
  EXPECT_EQ(world.view(normal).running, 1u);
}

TEST(Priority, FreeRoomIsTakenBeforeAnybodys) {
  World world;
  world.join(kFirst, 2);
  const JobId scavenger = world.submit(job(PriorityClass::kScavenger, 2));
  world.join(kSecond, 2);
  world.submit(job(PriorityClass::kUrgent, 2));
  EXPECT_EQ(world.view(scavenger).running, 2u);
  EXPECT_THAT(world.of<StopSend>(), IsEmpty());
}

TEST(Priority, TheLowestClassMakesRoomFirstAndOfItWhatWasPlacedLast) {
  World world;
  world.join(kFirst, 3);
  const JobId batch = world.submit(job(PriorityClass::kBatch, 1));
  world.now = world.now + seconds(1);
  const JobId first = world.submit(job(PriorityClass::kScavenger, 1));
  world.now = world.now + seconds(1);
  const JobId second = world.submit(job(PriorityClass::kScavenger, 1));
  world.submit(job(PriorityClass::kUrgent, 1));
  EXPECT_EQ(world.view(batch).running, 1u);
  EXPECT_EQ(world.view(first).running, 1u);
  EXPECT_EQ(world.view(second).running, 0u);
}

TEST(Priority, FreedRoomBesideWhatMayBeEndedIsEnough) {
  World world;
  world.join(kFirst, 4);
  const JobId normal = world.submit(job(PriorityClass::kNormal, 3));
  const JobId large = world.submit(job(PriorityClass::kNormal, 1, 2));
  const JobId scavenger = world.submit(job(PriorityClass::kScavenger, 1));
  EXPECT_EQ(world.view(scavenger).running, 1u);
  EXPECT_EQ(world.view(large).running, 0u);
  world.finish(world.first_of(normal));
  EXPECT_EQ(world.view(large).running, 1u);
  EXPECT_EQ(world.view(scavenger).running, 0u);
}

TEST(Priority, ALargeOneOfALowerClassReservesNothingWhileOthersWait) {
  World world;
  world.join(kFirst, 4);
  const JobId stream = world.submit(job(PriorityClass::kNormal, 1'000'000));
  const JobId large = world.submit(job(PriorityClass::kBatch, 1, 4));
  for (int i = 0; i < 100; ++i) {
    world.pass(seconds(1), {kFirst});
    world.finish(world.first_of(stream));
  }
  EXPECT_EQ(world.view(stream).running, 4u);
  EXPECT_EQ(world.view(large).running, 0u);
}

TEST(Priority, WithinAnAccountTheEarliestDeadlineGoesFirst) {
  World world;
  const JobId plain = world.submit(1);
  const JobId late = world.submit({.tasks = 1, .deadline_millis = 2'000});
  const JobId soon = world.submit({.tasks = 1, .deadline_millis = 1'000});
  world.join(kFirst, 1);
  EXPECT_EQ(world.view(soon).running, 1u);
  world.finish(world.first_of(soon));
  EXPECT_EQ(world.view(late).running, 1u);
  world.finish(world.first_of(late));
  EXPECT_EQ(world.view(plain).running, 1u);
}

TEST(AccountsInPool, DivideByWeight) {
  World world;
  world.pool.set_account({.id = {kAnn.value}, .weight = 300});
  const JobId anns = world.submit(100, cores(1), kAnn);
  const JobId bobs = world.submit(100, cores(1), kBob);
  world.join(kFirst, 40);
  EXPECT_EQ(world.view(anns).running, 30u);
  EXPECT_EQ(world.view(bobs).running, 10u);
}

// Ann's tasks want memory, Bob's want cores: each gets the same part of what it wants most.
TEST(AccountsInPool, DivideByTheDominantResource) {
  World world;
  const JobId anns = world.submit(100, {1, 4 * kGiB, 0}, kAnn);
  const JobId bobs = world.submit(100, {3, 1 * kGiB, 0}, kBob);
  world.join_as(kFirst, {9, 18 * kGiB, 0}, {});
  EXPECT_EQ(world.view(anns).running, 3u);
  EXPECT_EQ(world.view(bobs).running, 2u);
}

TEST(AccountsInPool, DevicesOfOneShareAsOne) {
  World world;
  constexpr AccountId kFirm{900};
  const JobId first = world.submit({.owner = kAnn, .tasks = 100, .account = kFirm});
  const JobId second = world.submit({.owner = {103}, .tasks = 100, .account = kFirm});
  const JobId bobs = world.submit(100, cores(1), kBob);
  world.join(kFirst, 40);
  EXPECT_EQ(world.view(first).running + world.view(second).running, 20u);
  EXPECT_EQ(world.view(bobs).running, 20u);
  world.pool.move_jobs(kAnn, {}, world.now);
  world.settle();
  const std::vector<AccountView> accounts = world.pool.accounts();
  ASSERT_EQ(accounts.size(), 3u) << "Ann, Bob and the firm";
  EXPECT_EQ(accounts[0].used.cores, world.view(first).running);
}

// All of Ann's tasks stand still on a PC that its owner came back to: elsewhere she gets as much as Bob.
TEST(AccountsInPool, AreNotBehindForWhatIsFrozen) {
  World world;
  world.join(kFirst, 10);
  const JobId anns = world.submit(100, cores(1), kAnn);
  for (const AttemptId attempt : world.pool.leased_tasks(anns)) world.pool.on_started(kFirst, attempt, world.now);
  world.pool.on_offer(kFirst, {.terms = {cores(10), {}}, .closed = true, .frozen = true}, world.now);
  const JobId bobs = world.submit(100, cores(1), kBob);
  world.join(kSecond, 10);
  EXPECT_EQ(world.view(bobs).running, 5u);
  EXPECT_EQ(world.view(anns).running, 15u);
  world.pool.on_offer(kFirst, {.terms = {cores(10), {}}}, world.now);
  for (int i = 0; i < 4; ++i) world.finish(world.first_of(anns));
  EXPECT_EQ(world.view(anns).running, 11u);
  EXPECT_EQ(world.view(bobs).running, 9u) << "what goes on counts again";
}

// Whatever becomes of frozen tasks, and of whose they are: none of them is left over in anybody's share.
TEST(AccountsInPool, AreRidOfWhatIsFrozenOnceItEnds) {
  World world;
  world.join(kFirst, 10);
  const JobId anns = world.submit(8, cores(1), kAnn);
  for (const AttemptId attempt : world.pool.leased_tasks(anns)) world.pool.on_started(kFirst, attempt, world.now);
  world.pool.on_offer(kFirst, {.terms = {cores(10), {}}, .closed = true, .frozen = true}, world.now);
  world.finish(world.first_of(anns), Failure::kOwner);
  world.pool.move_jobs(kAnn, {900}, world.now);
  for (int i = 0; i < 3; ++i) world.finish(world.first_of(anns));
  world.join(kFirst, 10, {world.first_of(anns)});
  world.pass(seconds(60), {kFirst});
  world.finish(world.first_of(anns));
  const JobId more = world.submit({.owner = kAnn, .tasks = 100, .account = {900}});
  const JobId bobs = world.submit(100, cores(1), kBob);
  world.join(kSecond, 10);
  EXPECT_EQ(world.view(bobs).running + world.view(more).running + world.view(anns).running, 20u);
  EXPECT_EQ(world.view(bobs).running, 10u);
}

TEST(AccountsInPool, HaveNoMoreThanTheyMay) {
  World world;
  world.join(kFirst, 10);
  world.pool.set_account({.id = {kAnn.value}, .most = {.cores = 3}});
  const JobId anns = world.submit(10, cores(1), kAnn);
  const JobId large = world.submit(1, cores(2), kAnn);
  EXPECT_EQ(world.view(anns).running, 3u);
  EXPECT_EQ(world.cause(anns), Cause::kQuota);
  EXPECT_EQ(world.cause(large), Cause::kQuota);
  const JobId bobs = world.submit(20, cores(1), kBob);
  EXPECT_EQ(world.view(bobs).running, 7u) << "nobody waits behind one who may have no more";
  world.finish(world.first_of(anns));
  EXPECT_EQ(world.view(anns).running, 3u);
  world.pool.forget_account({kAnn.value});
  world.finish(world.first_of(bobs));
  EXPECT_EQ(world.view(anns).running, 4u);
}

TEST(AccountsInPool, WhoHadMuchLatelyWaitsForWhoHadLittle) {
  World world{{.starvation_bound = seconds(100'000), .usage_half_life = seconds(640)}};
  world.join(kFirst, 10);
  const JobId anns = world.submit(10'000, cores(1), kAnn);
  for (int i = 0; i < 64; ++i) world.pass(seconds(10), {kFirst});
  const JobId bobs = world.submit(10'000, cores(1), kBob);
  for (int i = 0; i < 5; ++i) world.finish(world.first_of(anns));
  EXPECT_EQ(world.view(bobs).running, 5u);
  for (int i = 0; i < 2; ++i) world.finish(world.first_of(anns));
  EXPECT_EQ(world.view(bobs).running, 7u) << "more than half: Ann had all of it for half an hour";
  std::uint32_t bobs_in_all = 0;
  for (int i = 0; i < 1'024; ++i) {
    world.pass(seconds(10), {kFirst});
    world.finish(world.first_of(anns));
    world.finish(world.first_of(bobs));
    if (i >= 512) bobs_in_all += world.view(bobs).running;
  }
  EXPECT_NEAR(bobs_in_all / 512.0, 5, 0.25) << "which is forgotten by now";
}

TEST(AccountsInPool, AreForgottenOnceIdle) {
  World world{{.usage_half_life = seconds(64)}};
  world.join(kFirst, 1);
  const JobId job = world.submit(1);
  world.pass(seconds(30), {kFirst});
  world.finish(world.first_of(job));
  EXPECT_EQ(world.pool.accounts().size(), 1u);
  world.pass(seconds(64 * 40), {kFirst});
  EXPECT_THAT(world.pool.accounts(), IsEmpty());
}

}  // namespace
}  // namespace hearth::pool
