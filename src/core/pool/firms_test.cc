// Several firms on one pool: shares first between them, then within each.
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace hearth::pool
