#include <gtest/gtest.h>

#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

JobRequest own(NodeId node) {
  JobRequest job{.id = {77}, .owner = kAnn};
  job.own_of = node;
  return job;
}

class OwnPrograms : public testing::Test {
 protected:
  void submit(const JobRequest& job) {
    submitted_ = world_.pool.on_submit(job, world_.now);
    world_.settle();
  }
  World world_;
  Result<void> submitted_;
  const AttemptId attempt_{{{77}, 0}, 1};
};

TEST_F(OwnPrograms, AreThereAtOnceWhateverIsLent) {
  world_.join(kFirst, 0, {}, true);
  world_.pool.on_duty(kFirst, Duty::kCordoned, {}, world_.now);
  submit(own(kFirst));
  ASSERT_TRUE(submitted_);
  ASSERT_EQ(world_.of<AssignSend>().size(), 1U);
  EXPECT_EQ(world_.of<AssignSend>()[0].attempt, attempt_);
  EXPECT_EQ(world_.of<AssignSend>()[0].node, kFirst);
  EXPECT_EQ(world_.view({77}).state, JobState::kRunning);
  EXPECT_EQ(world_.pool.pending_tasks(), 0U);
}

TEST_F(OwnPrograms, TakeNothingOfWhatIsLent) {
  world_.join(kFirst, 2);
  submit(own(kFirst));
  const JobId others = world_.submit(2);
  EXPECT_EQ(world_.view(others).running, 2U);
  EXPECT_EQ(world_.pool.node(kFirst)->used, cores(2));
}

TEST_F(OwnPrograms, AreNoMatterOfTheirAccount) {
  world_.join(kFirst, 2);
  submit(own(kFirst));
  EXPECT_TRUE(world_.pool.accounts().empty());
  world_.finish(world_.first_of(world_.submit(1)));
  world_.pool.on_offer(kFirst, {.terms = {cores(2), {}}, .closed = true, .frozen = true}, world_.now);
  world_.settle();
  world_.pool.move_jobs(kAnn, {7}, world_.now);
  world_.finish(attempt_);
  EXPECT_EQ(world_.view({77}).state, JobState::kSucceeded);
}

TEST_F(OwnPrograms, GoOnWhileTheirNodeTakesNothingOrIsFrozen) {
  world_.join(kFirst, 2);
  submit(own(kFirst));
  world_.pool.on_offer(kFirst, {.terms = {cores(0), {}}, .closed = true, .frozen = true}, world_.now);
  world_.pass(seconds(60), {kFirst});
  EXPECT_EQ(world_.view({77}).running, 1U);
  EXPECT_TRUE(world_.of<StopSend>().empty());
}

TEST_F(OwnPrograms, AreOverWithTheirNode) {
  world_.join(kFirst, 2);
  world_.join(kSecond, 2);
  submit(own(kFirst));
  world_.pool.on_node_gone(kFirst, world_.now);
  world_.pass(seconds(60), {kSecond});
  EXPECT_EQ(world_.view({77}).state, JobState::kFailed);
  EXPECT_EQ(world_.of<LeaseRecord>().size(), 1U);
}

class OwnProgramsFail : public OwnPrograms, public testing::WithParamInterface<Failure> {};

TEST_P(OwnProgramsFail, AndAreNotTriedAgain) {
  world_.join(kFirst, 2);
  submit(own(kFirst));
  world_.finish(attempt_, GetParam());
  EXPECT_EQ(world_.view({77}).state, JobState::kFailed);
  EXPECT_EQ(world_.of<EndRecord>().at(0).why, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Whyever, OwnProgramsFail, testing::Values(Failure::kStart, Failure::kOwner));

TEST_F(OwnPrograms, EndWellAndAtAnOrder) {
  world_.join(kFirst, 2);
  submit(own(kFirst));
  world_.pool.on_cancel({77}, world_.now);
  world_.settle();
  EXPECT_EQ(world_.view({77}).state, JobState::kCancelled);
  EXPECT_EQ(world_.of<StopSend>().size(), 1U);
}

TEST_F(OwnPrograms, AreRefusedElsewhere) {
  submit(own(kFirst));
  EXPECT_EQ(submitted_.error().code, Code::kFailedPrecondition) << "no such node";
  world_.join(kFirst, 2);
  world_.pool.on_node_gone(kFirst, world_.now);
  submit(own(kFirst));
  EXPECT_EQ(submitted_.error().code, Code::kFailedPrecondition);
  world_.join(kFirst, 2);
  JobRequest two = own(kFirst);
  two.tasks = 2;
  submit(two);
  EXPECT_EQ(submitted_.error().code, Code::kInvalidArgument);
  JobRequest hungry = own(kFirst);
  hungry.per_task = cores(1);
  submit(hungry);
  EXPECT_EQ(submitted_.error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace hearth::pool
