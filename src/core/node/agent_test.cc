#include "core/node/agent.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/sizes.h"

namespace hearth::node {
namespace {

Resources cores(std::uint32_t count) { return {count, kGiB * count, 0}; }

AttemptId task(std::uint32_t index, std::uint32_t epoch = 1) { return {{JobId{1}, index}, epoch}; }

class World {
 public:
  explicit World(std::uint32_t machine_cores = 4, const Options& options = {})
      : agent(options, {machine_cores, kGiB * machine_cores, 1}) {
    agent.on_session_open(now);
  }
  void assign(AttemptId attempt, std::uint32_t needs = 1, Duration limit = {}) {
    agent.on_assign({attempt, cores(needs), limit}, now);
    settle();
  }
  void assign_with_gpu(std::uint32_t index) {
    agent.on_assign({task(index), {1, kGiB, 1}, {}}, now);
    agent.on_prepared(task(index), true, now);
    settle();
  }
  void prepare_all() {
    for (const auto& order : take<Prepare>()) agent.on_prepared(order.attempt, true, now);
    settle();
  }
  void pass(Duration span) {
    now = now + span;
    while (agent.next_deadline() && *agent.next_deadline() <= now) agent.tick(now);
    settle();
  }
  void settle() {
    for (const Effect& effect : agent.take_effects()) all.push_back(effect);
  }
  template <class T>
  std::vector<T> take() {
    settle();
    std::vector<T> found;
    std::erase_if(all, [&](const Effect& effect) {
      const T* it = std::get_if<T>(&effect);
      if (it != nullptr) found.push_back(*it);
      return it != nullptr;
    });
    return found;
  }
  template <class T>
  std::vector<std::uint32_t> take_indices() {
    std::vector<std::uint32_t> found;
    for (const T& effect : take<T>()) found.push_back(effect.attempt.task.index);
    return found;
  }

  Time now{5'000'000};
  Agent agent;
  std::vector<Effect> all;
};

using Indices = std::vector<std::uint32_t>;
using Start = node::Run;  // testing::Test has a Run of its own

TEST(Agent, AnAttemptGoesThroughItsLife) {
  World world;
  world.assign(task(0));
  EXPECT_EQ(world.take_indices<Prepare>(), Indices{0});
  world.agent.on_prepared(task(0), true, world.now);
  EXPECT_EQ(world.take_indices<Start>(), Indices{0});
  EXPECT_EQ(world.take_indices<SendStarted>(), Indices{0});
  EXPECT_EQ(world.agent.running(), 1u);
  world.agent.on_exited(task(0), world.now);
  EXPECT_EQ(world.take_indices<Collect>(), Indices{0});
  EXPECT_EQ(world.agent.running(), 0u);
  world.agent.on_collected(task(0), world.now);
  EXPECT_EQ(world.take_indices<SendFinished>(), Indices{0});
  EXPECT_EQ(world.agent.held(), std::vector{task(0)});
  world.agent.on_acknowledged(task(0), world.now);
  EXPECT_EQ(world.take_indices<Wipe>(), Indices{0});
  EXPECT_TRUE(world.agent.held().empty());
}

TEST(Agent, StartsInOrderWhatFits) {
  World world;
  world.assign(task(0), 3);
  world.assign(task(1), 2);
  world.assign(task(2), 1);
  world.prepare_all();
  EXPECT_EQ(world.take_indices<Start>(), Indices{0}) << "the third fits, but is not to overtake the second";
  world.agent.on_exited(task(0), world.now);
  EXPECT_EQ(world.take_indices<Start>(), (Indices{1, 2}));
}

TEST(Agent, WhatStillPreparesHoldsNobodyUp) {
  World world;
  world.assign(task(0), 4);
  world.assign(task(1), 1);
  world.agent.on_prepared(task(1), true, world.now);
  EXPECT_EQ(world.take_indices<Start>(), Indices{1});
  world.agent.on_prepared(task(0), true, world.now);
  EXPECT_TRUE(world.take<Start>().empty());
  world.agent.on_exited(task(1), world.now);
  EXPECT_EQ(world.take_indices<Start>(), Indices{0});
}

TEST(Agent, PreparesAheadUpToALimit) {
  World world(1, {.max_preparing = 2});
  for (std::uint32_t i = 0; i < 5; ++i) world.assign(task(i));
  EXPECT_EQ(world.take_indices<Prepare>(), (Indices{0, 1}));
  world.agent.on_prepared(task(1), true, world.now);
  EXPECT_EQ(world.take_indices<Prepare>(), Indices{2});
}

TEST(Agent, KeepsFewPreparedThatHaveNoRoom) {
  World world(1, {.max_preparing = 2, .max_ready = 2});
  for (std::uint32_t index = 0; index < 5; ++index) world.assign(task(index));
  world.prepare_all();
  EXPECT_EQ(world.take_indices<Start>(), Indices{0});
  EXPECT_EQ(world.take_indices<Prepare>(), Indices{2}) << "1 is ready and waits";
  world.agent.on_prepared(task(2), true, world.now);
  EXPECT_TRUE(world.take<Prepare>().empty()) << "1 and 2 wait";
  world.agent.on_exited(task(0), world.now);
  EXPECT_EQ(world.take_indices<Start>(), Indices{1});
  EXPECT_EQ(world.take_indices<Prepare>(), Indices{3});
}

TEST(Agent, FailedPreparationIsReported) {
  World world;
  world.assign(task(0));
  world.agent.on_prepared(task(0), false, world.now);
  EXPECT_TRUE(world.take<Start>().empty());
  EXPECT_EQ(world.take_indices<SendFinished>(), Indices{0});
}

TEST(Agent, KillsOnceWhenTheTimeIsUp) {
  World world;
  world.assign(task(0), 1, seconds(60));
  world.prepare_all();
  world.pass(seconds(59));
  EXPECT_TRUE(world.take<Kill>().empty());
  world.pass(seconds(1));
  const auto kills = world.take<Kill>();
  ASSERT_EQ(kills.size(), 1u);
  EXPECT_EQ(kills[0].reason, KillReason::kTimeLimit);
  world.pass(seconds(600));
  EXPECT_TRUE(world.take<Kill>().empty());
  EXPECT_EQ(world.agent.running(), 1u) << "until it has exited";
  world.agent.on_exited(task(0), world.now);
  EXPECT_EQ(world.take_indices<Collect>(), Indices{0});
}

TEST(Agent, AStopWipesFromAnyStageAndMakesRoom) {
  World world(1, {.max_preparing = 2});
  for (std::uint32_t i = 0; i < 4; ++i) world.assign(task(i));
  world.agent.on_prepared(task(0), true, world.now);  // 0 runs, 1 and 2 prepare, 3 waits
  world.agent.on_prepared(task(1), true, world.now);  // 1 is ready, 2 and 3 prepare
  world.take<Start>();
  world.agent.on_stop(task(2), world.now);
  world.agent.on_stop(task(0), world.now);
  EXPECT_EQ(world.take_indices<Wipe>(), (Indices{2, 0}));
  EXPECT_EQ(world.take_indices<Start>(), Indices{1});
  world.agent.on_exited(task(1), world.now);
  world.agent.on_stop(task(1), world.now);  // collecting
  world.agent.on_prepared(task(3), false, world.now);
  world.agent.on_stop(task(3), world.now);  // finished
  EXPECT_EQ(world.take_indices<Wipe>(), (Indices{1, 3}));
  EXPECT_TRUE(world.agent.held().empty());
  EXPECT_EQ(world.agent.running(), 0u);
}

TEST(Agent, WordsAboutStrangersAreIgnored) {
  World world;
  world.agent.on_prepared(task(9), true, world.now);
  world.agent.on_exited(task(9), world.now);
  world.agent.on_collected(task(9), world.now);
  world.agent.on_stop(task(9), world.now);
  world.agent.on_acknowledged(task(9), world.now);
  world.assign(task(0));
  world.agent.on_exited(task(0), world.now);  // has not run
  world.agent.on_collected(task(0), world.now);
  world.agent.on_prepared(task(0), true, world.now);
  world.agent.on_prepared(task(0), true, world.now);
  EXPECT_EQ(world.take_indices<Start>(), Indices{0});
  EXPECT_TRUE(world.take<Collect>().empty());
}

TEST(Agent, ABrokenSessionChangesNothingButWhatIsSaid) {
  World world;
  world.assign(task(0));
  world.assign(task(1));
  world.prepare_all();
  world.agent.on_session_lost(world.now);
  world.all.clear();
  world.agent.on_exited(task(0), world.now);
  world.agent.on_collected(task(0), world.now);
  world.pass(seconds(100));
  EXPECT_EQ(world.take_indices<Collect>(), Indices{0});
  EXPECT_TRUE(world.take<SendFinished>().empty());
  EXPECT_TRUE(world.take<SendHeartbeat>().empty());
  EXPECT_EQ(world.agent.held().size(), 2u);
  world.agent.on_session_open(world.now);
  EXPECT_EQ(world.take_indices<SendFinished>(), Indices{0});
  EXPECT_EQ(world.take_indices<SendStarted>(), Indices{1});
}

TEST(Agent, FinishedAttemptsAreRepeatedUntilAcknowledged) {
  World world;
  world.assign(task(0));
  world.agent.on_prepared(task(0), false, world.now);
  world.take<SendFinished>();
  for (int i = 0; i < 11; ++i) world.pass(seconds(1));
  EXPECT_TRUE(world.take<SendFinished>().empty());
  for (int i = 0; i < 4; ++i) world.pass(seconds(1));
  EXPECT_EQ(world.take_indices<SendFinished>(), Indices{0});
  world.assign(task(0));
  EXPECT_EQ(world.take_indices<SendFinished>(), Indices{0}) << "the hub seems not to know";
  world.agent.on_acknowledged(task(0), world.now);
  for (int i = 0; i < 30; ++i) world.pass(seconds(1));
  EXPECT_TRUE(world.take<SendFinished>().empty());
}

TEST(Agent, HeartbeatsAreRegular) {
  World world;
  for (int i = 0; i < 30; ++i) world.pass(seconds(1));
  EXPECT_EQ(world.take<SendHeartbeat>().size(), 10u);
}

TEST(Agent, ANewerAttemptReplacesAnOlderOne) {
  World world;
  world.assign(task(0, 1));
  world.prepare_all();
  world.assign(task(0, 3));
  EXPECT_EQ(world.take<Wipe>()[0].attempt, task(0, 1));
  world.assign(task(0, 2));
  world.assign(task(0, 3));
  EXPECT_EQ(world.agent.held(), std::vector{task(0, 3)});
}

TEST(Agent, TooManyAttemptsAreRefused) {
  World world(1, {.max_held = 2});
  for (std::uint32_t i = 0; i < 3; ++i) world.assign(task(i));
  EXPECT_EQ(world.take_indices<SendFinished>(), Indices{2});
  EXPECT_EQ(world.agent.held().size(), 2u);
}

TEST(Agent, ASmallerLimitKillsNothingAndStartsNothingUntilItFits) {
  World world;
  for (std::uint32_t i = 0; i < 5; ++i) world.assign(task(i));
  for (std::uint32_t i = 0; i < 5; ++i) world.agent.on_prepared(task(i), true, world.now);
  EXPECT_EQ(world.take<Start>().size(), 4u);
  world.agent.on_policy({.limit = cores(2)}, world.now);
  const auto offers = world.take<SendOffer>();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].offered, cores(2));
  EXPECT_FALSE(offers[0].closed);
  EXPECT_TRUE(world.take<Kill>().empty());
  world.agent.on_exited(task(0), world.now);
  world.agent.on_exited(task(1), world.now);
  EXPECT_TRUE(world.take<Start>().empty());
  world.agent.on_exited(task(2), world.now);
  EXPECT_EQ(world.take<Start>().size(), 1u);
  world.agent.on_policy({.limit = cores(64)}, world.now);
  EXPECT_EQ(world.agent.offered(), cores(4)) << "never more than the machine has";
  world.agent.on_policy({.limit = cores(32)}, world.now);
  EXPECT_EQ(world.take<SendOffer>().size(), 1u) << "the same is not said again";
}

TEST(Agent, SaysWhatTheOwnerAdmits) {
  World world;
  constexpr Admission kFriends(Ring::kFriend, {Right::kRun, Right::kListedHosts});
  EXPECT_EQ(world.agent.admits(), Admission{}) << "nothing unless the owner says so";
  world.agent.on_policy({.limit = cores(4), .admits = kFriends}, world.now);
  const auto offers = world.take<SendOffer>();
  ASSERT_EQ(offers.size(), 1u);
  EXPECT_EQ(offers[0].admits, kFriends);
  EXPECT_EQ(world.agent.admits(), kFriends);
}

TEST(Agent, HoursWrapPastMidnight) {
  World world;
  const Policy night{.limit = cores(4), .has_hours = true, .from_minute = 22 * 60, .to_minute = 7 * 60};
  world.agent.on_policy(night, world.now);
  EXPECT_TRUE(world.agent.closed()) << "nobody has said what time it is";
  struct Case {
    std::uint16_t minute;
    bool closed;
  };
  for (const Case& at : {Case{22 * 60, false}, Case{0, false}, Case{7 * 60 - 1, false}, Case{7 * 60, true},
                         Case{12 * 60, true}, Case{22 * 60 - 1, true}, Case{1440 + 60, false}}) {
    world.agent.on_local_time(at.minute, world.now);
    EXPECT_EQ(world.agent.closed(), at.closed) << at.minute;
    EXPECT_EQ(world.agent.closed_reason(), at.closed ? "open again at 22:00" : "");
    EXPECT_EQ(world.agent.offered(), cores(4));
  }
}

TEST(Agent, HoursWithinADayAndAllDay) {
  World world;
  world.agent.on_local_time(8 * 60, world.now);
  world.agent.on_policy({.limit = cores(4), .has_hours = true, .from_minute = 545, .to_minute = 17 * 60}, world.now);
  EXPECT_EQ(world.agent.closed_reason(), "open again at 09:05");
  world.agent.on_local_time(545, world.now);
  EXPECT_FALSE(world.agent.closed());
  world.agent.on_policy({.limit = cores(4), .has_hours = true, .from_minute = 60, .to_minute = 60}, world.now);
  EXPECT_FALSE(world.agent.closed());
}

TEST(Agent, ANodeThatLacksWhatItsOwnerWantsTakesNothing) {
  World world;
  world.agent.on_policy({.limit = cores(4), .lack = "no microVMs here"}, world.now);
  EXPECT_TRUE(world.agent.closed());
  EXPECT_EQ(world.agent.closed_reason(), "no microVMs here");
  world.agent.on_policy({.limit = cores(4)}, world.now);
  EXPECT_FALSE(world.agent.closed());
}

TEST(Agent, AClosedNodeStartsNothingAndGoesOnWhenItOpens) {
  World world(1);
  world.agent.on_local_time(600, world.now);
  world.assign(task(0));
  world.assign(task(1));
  world.prepare_all();
  world.agent.on_policy({.limit = cores(1), .has_hours = true, .from_minute = 0, .to_minute = 60}, world.now);
  EXPECT_EQ(world.take<SendOffer>().size(), 1u);
  world.take<Start>();
  world.agent.on_exited(task(0), world.now);
  world.assign(task(2));
  EXPECT_TRUE(world.take<Start>().empty());
  EXPECT_TRUE(world.take<Prepare>().empty());
  world.agent.on_local_time(30, world.now);
  EXPECT_EQ(world.take_indices<Start>(), Indices{1});
  EXPECT_EQ(world.take_indices<Prepare>(), Indices{2});
}

TEST(Agent, LeavingFinishesWhatRuns) {
  World world(1);
  world.assign(task(0));
  world.assign(task(1));
  world.prepare_all();
  world.take<Start>();
  world.agent.on_policy({.limit = cores(1), .draining = true}, world.now);
  EXPECT_EQ(world.take<SendOffer>()[0].closed_reason, "leaving");
  world.agent.on_stop(task(1), world.now);  // the hub takes it back
  world.agent.on_exited(task(0), world.now);
  world.agent.on_collected(task(0), world.now);
  EXPECT_FALSE(world.agent.drained());
  world.agent.on_acknowledged(task(0), world.now);
  EXPECT_TRUE(world.agent.drained());
}

TEST(Agent, LeavingWithoutAHubDropsWhatHasNotStarted) {
  World world(1);
  world.assign(task(0));
  world.assign(task(1));
  world.assign(task(2));
  world.prepare_all();
  world.agent.on_policy({.limit = cores(1), .draining = true}, world.now);
  EXPECT_EQ(world.agent.held().size(), 3u);
  world.agent.on_session_lost(world.now);
  EXPECT_EQ(world.agent.held(), std::vector{task(0)});
  EXPECT_EQ(world.take_indices<Wipe>(), (Indices{1, 2}));
}

// --- the owner

class OwnerWorld : public World {
 public:
  explicit OwnerWorld(std::uint32_t machine_cores = 4, const OwnerFirst& owner = {}) : World(machine_cores) {
    policy.limit = cores(machine_cores);
    policy.limit.gpus = 1;
    policy.owner_first = owner;
    agent.on_policy(policy, now);
    leave();
  }
  void come() { agent.on_surroundings({.has_seat = true, .idle = Duration{}}, now); }
  void leave() { agent.on_surroundings({.has_seat = true, .idle = minutes(600)}, now); }
  // A span with looks that show that nobody is there.
  void pass_alone(Duration span) {
    for (const Time end = now + span; now < end;) {
      pass(std::min(seconds(5), end - now));
      leave();
    }
  }
  void run(std::uint32_t index, Duration limit = {}) {
    assign(task(index), 1, limit);
    agent.on_prepared(task(index), true, now);
    settle();
  }

  Policy policy;
};

TEST(AgentAndOwner, TheReturnFreezesWhatRunsAndClosesTheNode) {
  OwnerWorld world;
  world.run(0);
  world.run(1);
  world.assign(task(2));
  world.take<SendOffer>();
  world.come();
  EXPECT_EQ(world.take_indices<Freeze>(), (Indices{0, 1}));
  const auto offers = world.take<SendOffer>();
  ASSERT_EQ(offers.size(), 1U);
  EXPECT_TRUE(offers[0].closed);
  EXPECT_TRUE(offers[0].frozen);
  EXPECT_EQ(offers[0].closed_reason, "its owner is at the PC");
  EXPECT_TRUE(world.agent.frozen());
  world.agent.on_prepared(task(2), true, world.now);
  world.assign(task(3));
  EXPECT_EQ(world.take_indices<Start>(), (Indices{0, 1})) << "from before";
  world.come();
  EXPECT_TRUE(world.take<Freeze>().empty()) << "once";
}

TEST(AgentAndOwner, AQuietSpellThawsAndNewWorkStarts) {
  OwnerWorld world;
  world.run(0);
  world.come();
  world.assign(task(1));
  world.take<Prepare>();
  world.pass_alone(minutes(5) - seconds(1));
  EXPECT_TRUE(world.take<Thaw>().empty());
  world.pass_alone(seconds(1));
  EXPECT_EQ(world.take_indices<Thaw>(), Indices{0});
  EXPECT_EQ(world.take_indices<Prepare>(), Indices{1});
  EXPECT_FALSE(world.agent.closed());
}

TEST(AgentAndOwner, ImpatienceGivesAFrozenTaskBack) {
  OwnerWorld world(4, {.patience = minutes(30)});
  world.run(0);
  for (int i = 0; i < 30 * 12; ++i) {
    world.come();
    EXPECT_TRUE(world.take<Kill>().empty());
    world.pass(seconds(5));
  }
  const auto kills = world.take<Kill>();
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].reason, KillReason::kOwner);
  EXPECT_TRUE(world.take<Thaw>().empty()) << "it dies where it is";
  world.agent.on_exited(task(0), world.now);
  EXPECT_EQ(world.take_indices<Collect>(), Indices{0});
}

TEST(AgentAndOwner, ATaskWithAGpuIsEndedAfterTheGraceTime) {
  OwnerWorld world(4, {.grace = seconds(30)});
  world.assign_with_gpu(0);
  world.run(1);
  world.come();
  world.pass(seconds(9));
  world.come();
  EXPECT_TRUE(world.take<Kill>().empty());
  for (int i = 0; i < 3; ++i) {
    world.pass(seconds(7));
    world.come();
  }
  EXPECT_EQ(world.take_indices<Kill>(), Indices{0}) << "its memory on the GPU is the owner's again";
}

TEST(AgentAndOwner, FrozenTimeIsNotTheTasks) {
  OwnerWorld world(4, {.quiet = seconds(60)});
  world.run(0, seconds(100));
  world.pass_alone(seconds(50));
  world.come();
  world.pass_alone(seconds(60));
  EXPECT_EQ(world.take_indices<Thaw>(), Indices{0});
  world.pass_alone(seconds(49));
  EXPECT_TRUE(world.take<Kill>().empty());
  world.pass_alone(seconds(1));
  EXPECT_EQ(world.take_indices<Kill>(), Indices{0});
}

TEST(AgentAndOwner, WhatCannotBeFrozenIsEnded) {
  OwnerWorld world;
  world.run(0);
  world.come();
  world.agent.on_frozen(task(0), false, world.now);
  const auto kills = world.take<Kill>();
  ASSERT_EQ(kills.size(), 1U);
  EXPECT_EQ(kills[0].reason, KillReason::kOwner);
}

TEST(AgentAndOwner, TheTimeToFreezeIsMeasuredFromTheLastLookWithoutTheOwner) {
  OwnerWorld world;
  world.run(0);
  world.run(1);
  EXPECT_FALSE(world.agent.last_freeze());
  world.now = world.now + milliseconds(250);
  world.come();
  world.now = world.now + milliseconds(10);
  world.agent.on_frozen(task(0), true, world.now);
  EXPECT_FALSE(world.agent.last_freeze()) << "not all of them";
  world.now = world.now + milliseconds(5);
  world.agent.on_frozen(task(1), true, world.now);
  EXPECT_EQ(world.agent.last_freeze(), milliseconds(265));
}

TEST(AgentAndOwner, AProgramThatEndsWhileItIsFrozenIsCollected) {
  OwnerWorld world;
  world.run(0);
  world.come();
  world.agent.on_exited(task(0), world.now);
  EXPECT_EQ(world.take_indices<Collect>(), Indices{0});
  EXPECT_TRUE(world.agent.last_freeze());
  world.pass_alone(minutes(10));
  EXPECT_TRUE(world.take<Thaw>().empty());
}

TEST(AgentAndOwner, StopEndsEverythingUntilItIsTakenBack) {
  OwnerWorld world(1);
  world.run(0);
  world.assign(task(1));
  world.take<Prepare>();
  world.agent.on_session_lost(world.now);
  world.agent.on_stopped(true, world.now);
  const auto kills = world.take<Kill>();
  ASSERT_EQ(kills.size(), 1U) << "with or without a hub";
  EXPECT_EQ(kills[0].reason, KillReason::kOwner);
  EXPECT_EQ(world.agent.closed_reason(), "stopped by its owner");
  world.agent.on_exited(task(0), world.now);
  world.agent.on_prepared(task(1), true, world.now);
  world.take<Start>();
  world.pass_alone(minutes(60));
  EXPECT_TRUE(world.take<Start>().empty());
  world.agent.on_stopped(false, world.now);
  EXPECT_EQ(world.take_indices<Start>(), Indices{1});
  EXPECT_FALSE(world.agent.closed());
}

TEST(AgentAndOwner, StopEndsWhatIsFrozenToo) {
  OwnerWorld world;
  world.run(0);
  world.come();
  world.agent.on_stopped(true, world.now);
  EXPECT_EQ(world.take_indices<Kill>(), Indices{0});
}

TEST(Agent, TheOwnersOwnProgramRunsWhateverIsLentAndIsNoGuest) {
  World world;
  world.agent.on_policy({.limit = {}, .draining = false, .lack = "nothing is lent"}, world.now);
  ASSERT_TRUE(world.agent.closed());
  world.agent.on_assign({.attempt = task(0), .needs = {}, .time_limit = {}, .is_own = true}, world.now);
  world.prepare_all();
  EXPECT_EQ(world.take_indices<Start>(), Indices{0});
  EXPECT_EQ(world.agent.running(), 0U);
  EXPECT_TRUE(world.agent.running_attempts(10).empty());
  EXPECT_EQ(world.agent.held(), std::vector{task(0)});
}

TEST(Agent, TheOwnersOwnProgramIsNeverFrozenButHeedsStopEverything) {
  World world;
  world.assign(task(0));
  world.agent.on_assign({.attempt = task(1), .needs = {}, .time_limit = {}, .is_own = true}, world.now);
  world.prepare_all();
  EXPECT_EQ(world.take_indices<Start>().size(), 2U);
  world.agent.on_surroundings({.has_seat = true, .idle = Duration{}}, world.now);
  EXPECT_EQ(world.take_indices<Freeze>(), Indices{0});
  world.pass(seconds(3'600));
  EXPECT_EQ(world.take_indices<Kill>(), Indices{0});
  world.agent.on_stopped(true, world.now);
  EXPECT_EQ(world.take_indices<Kill>(), Indices{1});
}

}  // namespace
}  // namespace hearth::node
