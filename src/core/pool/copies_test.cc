#include <gtest/gtest.h>

#include "core/pool/pool.h"
#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

// An array of ten on two nodes, of which all but the last have ended after a second each.
class Copies : public testing::Test {
 protected:
  void start(JobRequest request = {}) {
    request.tasks = 10;
    world_.join(kFirst, 5);
    world_.join(kSecond, 5);
    job_ = world_.submit(request);
    world_.pass(seconds(1), kBoth);
    std::vector<AttemptId> attempts = world_.pool.leased_tasks(job_);
    ASSERT_EQ(attempts.size(), 10u);
    last_ = attempts.back();
    attempts.pop_back();
    for (const AttemptId attempt : attempts) world_.finish(attempt);
    first_node_ = *world_.pool.node_of(last_.task);
    other_node_ = first_node_ == kFirst ? kSecond : kFirst;
  }
  // Lets it take so long that it gets a copy, and gives that.
  AttemptId await_copy() {
    world_.pass(seconds(12), kBoth);
    const auto copies = world_.of<CopyRecord>();
    EXPECT_EQ(copies.size(), 1u);
    return copies.empty() ? AttemptId{} : copies.front().attempt;
  }
  void finish_copy(AttemptId copy, Failure failure = Failure::kNone) {
    world_.pool.on_finished(other_node_, copy, failure, world_.now);
    world_.settle();
  }

  const std::vector<NodeId> kBoth = {kFirst, kSecond};
  World world_;
  JobId job_;
  AttemptId last_;
  NodeId first_node_;
  NodeId other_node_;
};

TEST_F(Copies, OneThatTakesFarLongerGetsOneElsewhere) {
  start();
  world_.pass(seconds(8), kBoth);
  EXPECT_TRUE(world_.of<CopyRecord>().empty()) << "not before the floor";
  const AttemptId copy = await_copy();
  EXPECT_EQ(copy, (AttemptId{last_.task, 2}));
  EXPECT_EQ(world_.of<CopyRecord>()[0].node, other_node_);
  EXPECT_EQ(world_.of<CopyRecord>()[0].attempts, 2u);
  EXPECT_EQ(world_.view(job_).running, 1u) << "it is one task";
  EXPECT_EQ(world_.view(job_).copies, 1u);
  EXPECT_EQ(world_.pool.why(job_, world_.now)->copies, 1u);
  EXPECT_EQ(world_.leased(other_node_), 1u);
  EXPECT_TRUE(world_.pool.is_copy(copy) && world_.is_current(last_));
  world_.pass(seconds(600), kBoth);
  EXPECT_EQ(world_.of<CopyRecord>().size(), 1u) << "and never another";
}

class CopiesRace : public Copies, public testing::WithParamInterface<bool> {};

TEST_P(CopiesRace, WhicheverSucceedsFirstIsTheEndAndTheOtherIsEnded) {
  const bool copy_wins = GetParam();
  start();
  const AttemptId copy = await_copy();
  world_.all.clear();
  if (copy_wins) {
    finish_copy(copy);
  } else {
    world_.finish(last_);
  }
  const auto ends = world_.of<EndRecord>();
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends[0].attempt, copy_wins ? copy : last_);
  const auto stops = world_.of<StopSend>();
  ASSERT_EQ(stops.size(), 1u);
  EXPECT_EQ(stops[0].attempt, copy_wins ? last_ : copy);
  EXPECT_EQ(stops[0].node, copy_wins ? first_node_ : other_node_);
  EXPECT_EQ(world_.view(job_).state, JobState::kSucceeded);
  EXPECT_EQ(world_.view(job_).succeeded, 10u);
  // The other one had ended already when it was told to.
  world_.all.clear();
  world_.pool.on_finished(stops[0].node, stops[0].attempt, Failure::kNone, world_.now);
  world_.settle();
  EXPECT_TRUE(world_.of<EndRecord>().empty());
  EXPECT_EQ(world_.of<AcknowledgeSend>().size(), 1u) << "it is forgotten there";
  for (const NodeId node : kBoth) EXPECT_EQ(world_.pool.node(node)->used, Resources{});
  EXPECT_EQ(world_.pool.leased_tasks(), 0u);
}

INSTANTIATE_TEST_SUITE_P(EitherWay, CopiesRace, testing::Bool());

TEST_F(Copies, WhereOneOfTheTwoFailsTheOtherGoesOnAlone) {
  start();
  const AttemptId copy = await_copy();
  world_.finish(last_, Failure::kExitCode);
  ASSERT_EQ(world_.of<DropRecord>().size(), 1u);
  EXPECT_EQ(world_.of<DropRecord>()[0].attempt, last_);
  EXPECT_TRUE(world_.of<RequeueRecord>().empty());
  EXPECT_EQ(world_.view(job_).running, 1u);
  EXPECT_EQ(world_.view(job_).copies, 0u);
  EXPECT_EQ(*world_.pool.node_of(last_.task), other_node_);
  EXPECT_FALSE(world_.pool.is_copy(copy)) << "it is the task's one attempt now";
  EXPECT_FALSE(world_.is_current(last_));
  finish_copy(copy, Failure::kExitCode);
  EXPECT_EQ(world_.view(job_).failed, 1u) << "none goes on, and no retry is left";
  EXPECT_EQ(world_.view(job_).state, JobState::kFailed);
}

TEST_F(Copies, WhereTheCopyIsLostEpochsGoOn) {
  start();
  const AttemptId copy = await_copy();
  world_.pass(seconds(20), {first_node_});
  ASSERT_EQ(world_.of<DropRecord>().size(), 1u);
  EXPECT_EQ(world_.of<DropRecord>()[0].attempt, copy);
  EXPECT_EQ(world_.of<DropRecord>()[0].attempts, 2u);
  world_.all.clear();
  world_.pass(seconds(20), {other_node_});
  ASSERT_EQ(world_.of<RequeueRecord>().size(), 1u);
  ASSERT_EQ(world_.of<LeaseRecord>().size(), 1u);
  EXPECT_EQ(world_.of<LeaseRecord>()[0].attempt.epoch, 3u) << "an epoch is given once";
  EXPECT_EQ(world_.of<LeaseRecord>()[0].attempts, 3u);
}

TEST_F(Copies, GiveWayToOthers) {
  start();
  const AttemptId copy = await_copy();
  world_.submit(9);
  ASSERT_EQ(world_.of<DropRecord>().size(), 1u);
  EXPECT_EQ(world_.of<DropRecord>()[0].attempt, copy);
  EXPECT_EQ(world_.of<DropRecord>()[0].why, Failure::kPreempted);
  EXPECT_EQ(world_.of<DropRecord>()[0].attempts, 1u) << "that counts as no attempt";
  EXPECT_EQ(world_.view(job_).running, 1u);
}

TEST_F(Copies, TakeRoomThatNobodyWaitsForAlone) {
  start();
  world_.submit(JobRequest{.tasks = 9, .per_task = cores(1)});
  world_.pass(seconds(60), kBoth);
  EXPECT_TRUE(world_.of<CopyRecord>().empty());
}

TEST_F(Copies, OfOnePromotedToTheOnlyAttemptNobodyTakesTheRoom) {
  start();
  await_copy();
  world_.finish(last_, Failure::kExitCode);
  world_.submit(10);
  EXPECT_EQ(world_.of<DropRecord>().size(), 1u);
  EXPECT_TRUE(world_.of<RequeueRecord>().empty());
}

TEST_F(Copies, NotForJobsThatWantNone) {
  start(JobRequest{.no_copies = true});
  world_.pass(seconds(60), kBoth);
  EXPECT_TRUE(world_.of<CopyRecord>().empty());
}

TEST_F(Copies, CancelledWithTheirTask) {
  start();
  await_copy();
  world_.all.clear();
  world_.pool.on_cancel(job_, world_.now);
  world_.settle();
  EXPECT_EQ(world_.of<EndRecord>().size(), 1u);
  EXPECT_EQ(world_.of<StopSend>().size(), 2u);
  EXPECT_EQ(world_.view(job_).cancelled, 1u);
}

TEST(CopiesRestored, BothGoOnAndTheCopysEndCounts) {
  World world;
  const JobId job{5};
  std::vector<RestoredTask> tasks;
  for (std::uint32_t i = 0; i < 9; ++i) tasks.push_back({i, TaskState::kSucceeded, 1, 1, 0, {}});
  tasks.push_back({9, TaskState::kLeased, 1, 2, 0, kFirst, 2, kSecond});
  const AttemptId first{{job, 9}, 1};
  const AttemptId copy{{job, 9}, 2};
  world.pool.restore_job({job, kAnn, 10, cores(1), 1, {}}, JobState::kRunning, tasks, world.now);
  EXPECT_EQ(world.view(job).running, 1u);
  EXPECT_EQ(world.view(job).copies, 1u);
  world.join(kFirst, 2, {first});
  world.join(kSecond, 2, {copy});
  EXPECT_EQ(world.pool.node(kSecond)->used, cores(1));
  world.pool.on_finished(kSecond, copy, Failure::kNone, world.now);
  world.settle();
  ASSERT_EQ(world.of<EndRecord>().size(), 1u);
  EXPECT_EQ(world.of<EndRecord>()[0].attempt, copy);
  EXPECT_EQ(world.view(job).state, JobState::kSucceeded);
}

TEST(CopiesRestored, OneThatHadACopyGetsNoOtherAndNoEpochTwice) {
  World world;
  const JobId job{5};
  std::vector<RestoredTask> tasks;
  for (std::uint32_t i = 0; i < 9; ++i) {
    tasks.push_back({i, TaskState::kSucceeded, 1, 1, 0, {}, 0, {}, seconds(1)});
  }
  tasks.push_back({9, TaskState::kLeased, 1, 2, 0, kFirst, 2, {}});
  world.pool.restore_job({job, kAnn, 10, cores(1), 1, {}}, JobState::kRunning, tasks, world.now);
  world.join(kFirst, 2, {{{job, 9}, 1}});
  world.join(kSecond, 2);
  world.pass(seconds(60), {kFirst, kSecond});
  EXPECT_TRUE(world.of<CopyRecord>().empty());
  world.pass(seconds(20), {kSecond});
  ASSERT_EQ(world.of<LeaseRecord>().size(), 1u);
  EXPECT_EQ(world.of<LeaseRecord>()[0].attempt.epoch, 3u);
}

// What the tasks before the restart took is known from the store.
TEST(CopiesRestored, StragglersAreFoundAfterARestart) {
  World world;
  const JobId job{5};
  std::vector<RestoredTask> tasks;
  for (std::uint32_t i = 0; i < 9; ++i) {
    tasks.push_back({i, TaskState::kSucceeded, 1, 1, 0, {}, 0, {}, seconds(1)});
  }
  tasks.push_back({9, TaskState::kLeased, 1, 1, 0, kFirst});
  world.pool.restore_job({job, kAnn, 10, cores(1), 1, {}}, JobState::kRunning, tasks, world.now);
  world.join(kFirst, 2, {{{job, 9}, 1}});
  world.join(kSecond, 2);
  world.pass(seconds(12), {kFirst, kSecond});
  EXPECT_EQ(world.of<CopyRecord>().size(), 1u);
}

}  // namespace
}  // namespace hearth::pool
