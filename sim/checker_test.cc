// That the checker complains when it should: each invariant is broken on purpose once.
#include "sim/checker.h"

#include <gtest/gtest.h>

namespace hearth::sim {
namespace {

using pool::JobState;
using pool::TaskState;

constexpr NodeId kNode{3};
constexpr JobId kJob{1};
constexpr Duration kHour = seconds(3'600);

class CheckerTest : public testing::Test {
 protected:
  CheckerTest() {
    StoredJob job;
    job.request = {kJob, DeviceId{9}, 3, {1, 0, 0}, 1, {}};
    job.state = JobState::kRunning;
    job.set(0, {TaskState::kLeased, 2, 2, 0, kNode});
    job.set(1, {TaskState::kSucceeded, 1, 1, 0, kNode});
    store_.jobs[kJob] = job;
  }
  // Whether the record is found to be good.
  bool accepts(const pool::Effect& record) {
    universe_.failure.clear();
    checker_.check_record(store_, record);
    return universe_.failure.empty();
  }
  static AttemptId attempt(std::uint32_t index, std::uint32_t epoch) { return {{kJob, index}, epoch}; }

  Universe universe_{Scenario{}, 1};
  Checker checker_{universe_};
  Store store_;
};

TEST_F(CheckerTest, EndsAreAcceptedOnceAndFromTheNewestAttempt) {
  checker_.note_outcome(attempt(0, 2), Failure::kNone);
  checker_.note_outcome(attempt(0, 1), Failure::kNone);
  checker_.note_outcome(attempt(1, 1), Failure::kNone);
  EXPECT_TRUE(accepts(pool::EndRecord{attempt(0, 2), TaskState::kSucceeded, Failure::kNone}));
  EXPECT_FALSE(accepts(pool::EndRecord{attempt(0, 1), TaskState::kSucceeded, Failure::kNone}));
  EXPECT_FALSE(accepts(pool::EndRecord{attempt(1, 1), TaskState::kSucceeded, Failure::kNone}));
  EXPECT_FALSE(accepts(pool::EndRecord{attempt(2, 1), TaskState::kSucceeded, Failure::kNone}));
}

TEST_F(CheckerTest, EndsMustBeTrue) {
  EXPECT_FALSE(accepts(pool::EndRecord{attempt(0, 2), TaskState::kSucceeded, Failure::kNone}));
  checker_.note_outcome(attempt(0, 2), Failure::kSignal);
  EXPECT_FALSE(accepts(pool::EndRecord{attempt(0, 2), TaskState::kSucceeded, Failure::kNone}));
  EXPECT_FALSE(accepts(pool::EndRecord{attempt(0, 2), TaskState::kFailed, Failure::kSignal})) << "a retry is left";
  EXPECT_FALSE(accepts(pool::EndRecord{attempt(0, 2), TaskState::kFailed, Failure::kNodeLost})) << "too early";
  EXPECT_TRUE(accepts(pool::RequeueRecord{attempt(0, 2), 2, 1, Failure::kSignal}));
  EXPECT_FALSE(accepts(pool::RequeueRecord{attempt(0, 2), 2, 0, Failure::kSignal})) << "a failure that does not count";
  EXPECT_FALSE(accepts(pool::RequeueRecord{attempt(0, 2), 2, 1, Failure::kNodeLost})) << "a loss that counts";
}

TEST_F(CheckerTest, LeasesFollowOnEachOther) {
  EXPECT_TRUE(accepts(pool::LeaseRecord{attempt(2, 1), kNode, 1}));
  EXPECT_FALSE(accepts(pool::LeaseRecord{attempt(2, 2), kNode, 1}));
  EXPECT_FALSE(accepts(pool::LeaseRecord{attempt(0, 3), kNode, 3})) << "is leased";
  EXPECT_FALSE(accepts(pool::LeaseRecord{attempt(1, 2), kNode, 2})) << "has ended";
  store_.jobs[kJob].state = JobState::kWaiting;
  EXPECT_FALSE(accepts(pool::LeaseRecord{attempt(2, 1), kNode, 1}));
}

TEST_F(CheckerTest, OfATaskThatRunsTwiceOneEndCounts) {
  EXPECT_FALSE(accepts(pool::CopyRecord{attempt(0, 3), kNode, 3})) << "on its own node";
  EXPECT_FALSE(accepts(pool::CopyRecord{attempt(0, 2), NodeId{4}, 3}));
  EXPECT_FALSE(accepts(pool::CopyRecord{attempt(1, 2), NodeId{4}, 2})) << "has ended";
  EXPECT_FALSE(accepts(pool::DropRecord{attempt(0, 2), 2, Failure::kNodeLost})) << "nothing goes on";
  EXPECT_TRUE(accepts(pool::CopyRecord{attempt(0, 3), NodeId{4}, 3}));
  store_.apply(pool::CopyRecord{attempt(0, 3), NodeId{4}, 3});
  EXPECT_FALSE(accepts(pool::CopyRecord{attempt(0, 4), NodeId{5}, 4})) << "a second copy";
  EXPECT_FALSE(accepts(pool::RequeueRecord{attempt(0, 2), 3, 0, Failure::kNodeLost})) << "the copy runs";
  EXPECT_TRUE(accepts(pool::DropRecord{attempt(0, 2), 3, Failure::kNodeLost}));
  EXPECT_FALSE(accepts(pool::StopSend{NodeId{4}, attempt(0, 3)})) << "it is leased";
  for (const std::uint32_t epoch : {2U, 3U}) checker_.note_outcome(attempt(0, epoch), Failure::kNone);
  EXPECT_TRUE(accepts(pool::EndRecord{attempt(0, 2), TaskState::kSucceeded, Failure::kNone}));
  EXPECT_TRUE(accepts(pool::EndRecord{attempt(0, 3), TaskState::kSucceeded, Failure::kNone}));
  store_.apply(pool::EndRecord{attempt(0, 3), TaskState::kSucceeded, Failure::kNone});
  EXPECT_FALSE(accepts(pool::EndRecord{attempt(0, 2), TaskState::kSucceeded, Failure::kNone})) << "ends twice";
  EXPECT_FALSE(accepts(pool::EndRecord{attempt(0, 2), TaskState::kCancelled, Failure::kCancelled})) << "ends twice";
}

TEST_F(CheckerTest, JobsEndWithTheirTasks) {
  EXPECT_FALSE(accepts(pool::JobRecord{kJob, JobState::kSucceeded}));
  store_.apply(pool::EndRecord{attempt(0, 2), TaskState::kSucceeded, Failure::kNone});
  EXPECT_FALSE(accepts(pool::EndRangeRecord{kJob, 0, 3, TaskState::kFailed, Failure::kDependency}));
  const pool::EndRangeRecord rest{kJob, 2, 1, TaskState::kFailed, Failure::kDependency};
  EXPECT_TRUE(accepts(rest));
  store_.apply(rest);
  EXPECT_FALSE(accepts(pool::JobRecord{kJob, JobState::kSucceeded}));
  EXPECT_TRUE(accepts(pool::JobRecord{kJob, JobState::kFailed}));
  store_.apply(pool::JobRecord{kJob, JobState::kFailed});
  EXPECT_FALSE(accepts(pool::JobRecord{kJob, JobState::kFailed})) << "twice";
}

TEST_F(CheckerTest, OnlyEndedJobsThatNobodyNeedsAreRemovedAndOnce) {
  EXPECT_FALSE(accepts(pool::RemoveRecord{kJob})) << "it has not ended";
  store_.jobs[kJob].state = JobState::kSucceeded;
  StoredJob later;
  later.request = {JobId{2}, DeviceId{9}, 1, {1, 0, 0}, 0, {kJob}};
  store_.jobs[JobId{2}] = later;
  EXPECT_FALSE(accepts(pool::RemoveRecord{kJob})) << "another needs it";
  store_.jobs[JobId{2}].state = JobState::kCancelled;
  EXPECT_TRUE(accepts(pool::RemoveRecord{kJob}));
  store_.apply(pool::RemoveRecord{kJob});
  EXPECT_FALSE(accepts(pool::RemoveRecord{kJob})) << "twice";
  EXPECT_FALSE(accepts(pool::JobRecord{kJob, JobState::kFailed}));
  store_.apply(pool::RemoveRecord{JobId{2}});
  EXPECT_EQ(store_.last_id(), JobId{2}) << "no number is given again";
}

TEST_F(CheckerTest, NothingIsSaidThatIsNotCommitted) {
  EXPECT_TRUE(accepts(pool::AssignSend{kNode, attempt(0, 2)}));
  EXPECT_FALSE(accepts(pool::AssignSend{kNode, attempt(2, 1)}));
  EXPECT_FALSE(accepts(pool::AssignSend{NodeId{4}, attempt(0, 2)}));
  EXPECT_TRUE(accepts(pool::StopSend{kNode, attempt(0, 1)}));
  EXPECT_FALSE(accepts(pool::StopSend{kNode, attempt(0, 2)}));
  EXPECT_TRUE(accepts(pool::AcknowledgeSend{kNode, attempt(1, 1)}));
  EXPECT_FALSE(accepts(pool::AcknowledgeSend{kNode, attempt(0, 2)}));
}

TEST_F(CheckerTest, ARestoredPoolMustKnowWhatTheStoreKnows) {
  pool::Pool pool{pool::Options{}};
  checker_.check_restored(pool, store_);
  EXPECT_NE(universe_.failure, "") << "the job is lost";
  universe_.failure.clear();
  store_.restore(pool, universe_.now(), {});
  checker_.check_restored(pool, store_);
  checker_.check_sums(pool, {kJob}, store_);
  EXPECT_EQ(universe_.failure, "");
  store_.jobs[kJob].request.tasks = 4;
  checker_.check_sums(pool, {kJob}, store_);
  EXPECT_NE(universe_.failure, "");
}

TEST_F(CheckerTest, AWorkspaceLiesOnOneNodeAndOneTaskHasIt) {
  StoredJob& job = store_.jobs[kJob];
  job.request.workspace = "x";
  const WorkspaceId id{DeviceId{9}, "x"};
  EXPECT_FALSE(accepts(pool::LeaseRecord{attempt(2, 1), kNode, 1})) << "it lies nowhere";
  store_.apply(pool::WorkspaceRecord{id, kNode, 1, false});
  EXPECT_FALSE(accepts(pool::LeaseRecord{attempt(2, 1), kNode, 1})) << "task 0 has it";
  EXPECT_FALSE(accepts(pool::WorkspaceRecord{id, {}, 0, false})) << "task 0 has it";
  job.set(0, {TaskState::kSucceeded, 2, 2, 0, kNode});
  EXPECT_TRUE(accepts(pool::LeaseRecord{attempt(2, 1), kNode, 1}));
  EXPECT_FALSE(accepts(pool::LeaseRecord{attempt(2, 1), NodeId{4}, 1}));
  EXPECT_FALSE(accepts(pool::WorkspaceRecord{id, NodeId{4}, 1, false})) << "it moves";
  EXPECT_FALSE(accepts(pool::WipeWorkspaceSend{kNode, id})) << "nobody removed it";
  store_.apply(pool::WorkspaceRecord{id, kNode, 1, true});
  EXPECT_TRUE(accepts(pool::WipeWorkspaceSend{kNode, id}));
  EXPECT_FALSE(accepts(pool::LeaseRecord{attempt(2, 1), kNode, 1})) << "it is leaving";
}

TEST_F(CheckerTest, ANodeMayNotRunMoreThanItOffersNorStartWhileClosed) {
  node::Agent agent{{}, {2, 0, 0}};
  checker_.check_start(kNode, agent, {2, 0, 0});
  EXPECT_EQ(universe_.failure, "");
  checker_.check_start(kNode, agent, {3, 0, 0});
  EXPECT_NE(universe_.failure, "");
  universe_.failure.clear();
  agent.on_policy({.limit = {2, 0, 0}, .draining = true}, universe_.now());
  checker_.check_start(kNode, agent, {1, 0, 0});
  EXPECT_NE(universe_.failure, "");
}

TEST_F(CheckerTest, ACordonedNodeIsGivenNothingAndADrainedOneHoldsNothing) {
  EXPECT_FALSE(accepts(pool::RequeueRecord{attempt(0, 2), 1, 0, Failure::kDrained})) << "nobody spoke of it";
  EXPECT_FALSE(accepts(pool::RequeueRecord{attempt(0, 2), 1, 0, Failure::kBooked})) << "nor booked it";
  store_.duties[kNode] = {pool::Duty::kCordoned, {}};
  EXPECT_FALSE(accepts(pool::LeaseRecord{attempt(2, 1), kNode, 1}));
  EXPECT_TRUE(accepts(pool::LeaseRecord{attempt(2, 1), NodeId{4}, 1}));
  EXPECT_TRUE(accepts(pool::RequeueRecord{attempt(0, 2), 1, 0, Failure::kDrained}));
  EXPECT_FALSE(accepts(pool::RequeueRecord{attempt(0, 2), 2, 0, Failure::kDrained})) << "it counts";
  universe_.failure.clear();
  checker_.check_drained(store_);
  EXPECT_EQ(universe_.failure, "") << "what runs there goes on";
  store_.duties[kNode] = {pool::Duty::kDraining, universe_.now() - seconds(2)};
  checker_.check_drained(store_);
  EXPECT_NE(universe_.failure, "") << "task 0 is still leased to it";
}

TEST_F(CheckerTest, ABookedNodeHasNobodyElsesWork) {
  pool::Pool pool{pool::Options{}};
  store_.restore(pool, universe_.now(), {});
  pool.on_node_hello(kNode, {{1, 0, 0}, false, {attempt(0, 2)}}, universe_.now());
  const pool::BookingTerms terms{.id = {1}, .account = {9}, .from = universe_.now(), .until = universe_.now() + kHour};
  ASSERT_TRUE(pool.on_book(terms, universe_.now()));
  store_.bookings[terms.id] = terms;
  pool.tick(universe_.now());
  checker_.check_booked(pool, store_);
  EXPECT_EQ(universe_.failure, "") << "its own may be there";
  store_.jobs[kJob].request.owner = DeviceId{8};
  checker_.check_booked(pool, store_);
  EXPECT_NE(universe_.failure, "");
}

TEST_F(CheckerTest, AnIdleNodeIsSeen) {
  pool::Pool pool{pool::Options{}};
  store_.jobs[kJob].tasks.clear();
  store_.jobs[kJob].counts = {};
  store_.restore(pool, universe_.now(), {});
  pool.on_node_hello(kNode, {{1, 0, 0}, false, {}}, universe_.now());
  checker_.check_nobody_idles(pool, universe_.now(), {kJob}, store_,
                              {kNode});  // nothing is placed before take_effects()
  EXPECT_NE(universe_.failure, "");
  universe_.failure.clear();
  pool.take_effects();
  checker_.check_nobody_idles(pool, universe_.now(), {kJob}, store_, {kNode});
  EXPECT_EQ(universe_.failure, "");
}

}  // namespace
}  // namespace hearth::sim
