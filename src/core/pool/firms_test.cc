// Several firms on one pool: shares first between them, then within each.
#include <gtest/gtest.h>

#include <map>

#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

constexpr AccountId kAcme{901};
constexpr AccountId kBolt{902};
constexpr AccountId kPhysics{911};  // of Acme
constexpr AccountId kSales{912};    // of Acme
constexpr AccountId kDesign{921};   // of Bolt

class FirmsInPool : public testing::Test {
 protected:
  FirmsInPool() {
    world.pool.set_account({.id = kAcme});
    world.pool.set_account({.id = kBolt});
    world.pool.set_account({.id = kPhysics, .firm = kAcme});
    world.pool.set_account({.id = kSales, .firm = kAcme});
    world.pool.set_account({.id = kDesign, .firm = kBolt});
  }
  JobId submit(AccountId account, std::uint32_t tasks = 100) {
    return world.submit({.owner = {account.value + 1000}, .tasks = tasks, .account = account});
  }
  std::uint32_t running(JobId job) const { return world.view(job).running; }
  AccountView view(AccountId id) const {
    for (const AccountView& account : world.pool.accounts()) {
      if (account.terms.id == id) return account;
    }
    return {};
  }

  World world;
};

TEST_F(FirmsInPool, DivideItFirstBetweenFirmsThenWithinEach) {
  const JobId physics = submit(kPhysics);
  const JobId sales = submit(kSales);
  const JobId design = submit(kDesign);
  const JobId bobs = world.submit(100, cores(1), kBob);  // of no firm, so beside them
  world.join(kFirst, 60);
  EXPECT_EQ(running(physics), 10u);
  EXPECT_EQ(running(sales), 10u);
  EXPECT_EQ(running(design), 20u) << "a firm has no more by having more accounts";
  EXPECT_EQ(running(bobs), 20u);
  EXPECT_EQ(view(kAcme).used.cores, 20u);
  EXPECT_GT(view(kAcme).queues, 0u);
}

TEST_F(FirmsInPool, WeighFirmsAgainstFirmsAndAccountsWithin) {
  world.pool.set_account({.id = kAcme, .weight = 300});
  world.pool.set_account({.id = kPhysics, .weight = 200, .firm = kAcme});
  const JobId physics = submit(kPhysics);
  const JobId sales = submit(kSales);
  const JobId design = submit(kDesign);
  world.join(kFirst, 80);
  EXPECT_EQ(running(physics), 40u);
  EXPECT_EQ(running(sales), 20u);
  EXPECT_EQ(running(design), 20u);
}

TEST_F(FirmsInPool, WhatOneAccountDoesNotNeedItsFirmsOthersHave) {
  const JobId physics = submit(kPhysics, 3);
  const JobId sales = submit(kSales);
  const JobId design = submit(kDesign);
  world.join(kFirst, 40);
  EXPECT_EQ(running(physics), 3u);
  EXPECT_EQ(running(sales), 17u);
  EXPECT_EQ(running(design), 20u);
}

TEST_F(FirmsInPool, AFirmHoldsNoMoreThanItMayAndNobodyWaitsBehindIt) {
  world.pool.set_account({.id = kAcme, .most = {.cores = 5}});
  world.join(kFirst, 20);
  const JobId physics = submit(kPhysics);
  const JobId sales = submit(kSales);
  EXPECT_EQ(running(physics), 5u);
  EXPECT_EQ(running(sales), 0u);
  EXPECT_EQ(world.cause(sales), Cause::kQuota);
  EXPECT_EQ(world.pool.why(sales, world.now)->full, kAcme);
  const JobId design = submit(kDesign);
  EXPECT_EQ(running(design), 15u);
  world.finish(world.first_of(physics));
  EXPECT_EQ(running(physics) + running(sales), 5u);
  EXPECT_EQ(running(sales), 1u) << "within the firm it is next";
  world.pool.set_account({.id = kAcme});
  world.finish(world.first_of(design));
  EXPECT_EQ(running(physics) + running(sales), 6u);
}

TEST_F(FirmsInPool, AnAccountThatMovesTakesWhatItHoldsAlong) {
  const JobId physics = submit(kPhysics, 10);
  const JobId sales = submit(kSales, 4);
  world.join(kFirst, 14);
  EXPECT_EQ(view(kAcme).used.cores, 14u);
  world.pool.set_account({.id = kPhysics, .firm = kBolt});
  world.settle();
  EXPECT_EQ(view(kAcme).used.cores, 4u);
  EXPECT_EQ(view(kBolt).used.cores, 10u);
  world.pool.forget_account(kPhysics);
  world.settle();
  EXPECT_EQ(view(kBolt).used.cores, 0u);
  EXPECT_EQ(view(kPhysics).used.cores, 10u) << "it is on its own";
  const JobId more = submit(kSales, 20);
  const JobId still = submit(kPhysics, 20);
  world.join(kSecond, 16);
  EXPECT_EQ(running(sales) + running(more), 15u);
  EXPECT_EQ(running(physics) + running(still), 15u);
}

TEST_F(FirmsInPool, AreKnownInWhateverOrderTheyAreToldOf) {
  World other;
  other.pool.set_account({.id = kPhysics, .firm = kAcme});
  other.pool.set_account({.id = kSales, .firm = kAcme});
  const JobId physics = other.submit({.owner = {1}, .tasks = 50, .account = kPhysics});
  const JobId sales = other.submit({.owner = {2}, .tasks = 50, .account = kSales});
  const JobId bobs = other.submit(50, cores(1), kBob);
  other.pool.set_account({.id = kAcme, .weight = 200});
  other.join(kFirst, 30);
  EXPECT_EQ(other.view(physics).running + other.view(sales).running, 20u);
  EXPECT_EQ(other.view(bobs).running, 10u);
}

TEST_F(FirmsInPool, ClassesGoBeforeShares) {
  const JobId physics =
      world.submit({.owner = {1}, .tasks = 30, .priority = PriorityClass::kUrgent, .account = kPhysics});
  const JobId sales = submit(kSales);
  const JobId design = submit(kDesign);
  world.join(kFirst, 40);
  EXPECT_EQ(running(physics), 30u);
  EXPECT_EQ(running(sales), 0u) << "its firm has more than its part";
  EXPECT_EQ(running(design), 10u);
}

// Rooms become free so seldom that an account of little weight has its turn only after more than the starvation bound.
TEST(FairShare, ASlowPoolIsSharedByWeightToo) {
  World world;
  world.pool.set_account({.id = AccountId{1}, .weight = 300});
  world.pool.set_account({.id = AccountId{2}, .weight = 100});
  world.join(kFirst, 16);
  const JobId large = world.submit(JobRequest{.tasks = 10'000, .account = AccountId{1}});
  const JobId little = world.submit(JobRequest{.tasks = 10'000, .account = AccountId{2}});
  std::uint32_t runs = 0;
  for (int i = 0; i < 400; ++i) {
    world.pass(seconds(30), {kFirst});
    // What began first ends first.
    const auto first = [&](JobId job) {
      return world.pool.leased_tasks(job).empty() ? 0 : world.first_of(job).task.index;
    };
    const bool ends_large = first(large) / 3 <= first(little);
    world.finish(world.first_of(ends_large ? large : little));
    if (i >= 200) runs += world.view(little).running;
  }
  EXPECT_GE(runs, 200 * 7 / 2);
  EXPECT_LE(runs, 200 * 9 / 2) << "a quarter of 16 cores is due to it";
}

// Rooms of one core become free, one after the other: nobody else's tasks may take all of them.
TEST(FairShare, AnAccountOfLargeTasksHasItsPartToo) {
  World world;
  for (std::uint64_t node = 1; node <= 8; ++node) world.join(NodeId{node}, 8);
  const JobId small = world.submit(JobRequest{.tasks = 10'000, .account = AccountId{1}});
  const JobId large = world.submit(JobRequest{.tasks = 10'000, .per_task = cores(4), .account = AccountId{2}});
  ASSERT_EQ(world.view(small).running, 64u);
  std::map<AttemptId, Time> ends;
  std::uint32_t runs = 0;
  for (int i = 0; i < 600; ++i) {
    world.pass(seconds(1), {NodeId{1}, NodeId{2}, NodeId{3}, NodeId{4}, NodeId{5}, NodeId{6}, NodeId{7}, NodeId{8}});
    for (const JobId job : {small, large}) {
      for (const AttemptId attempt : world.pool.leased_tasks(job)) {
        // The first ones end one after the other, all others after a minute.
        const auto length = seconds(attempt.task.index < 64 && job == small ? 1 + attempt.task.index : 60);
        if (ends.try_emplace(attempt, world.now + length).first->second <= world.now) world.finish(attempt);
      }
    }
    if (i >= 300) runs += world.view(large).running;
  }
  EXPECT_GE(runs, 300 * 7) << "half of 64 cores is due to it, which is 8 of its tasks";
  EXPECT_LE(runs, 300 * 9);
}

}  // namespace
}  // namespace hearth::pool
