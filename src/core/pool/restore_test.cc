#include <gtest/gtest.h>

#include "core/pool/pool.h"
#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

RestoredTask leased(std::uint32_t index, std::uint32_t epoch, NodeId node) {
  return {index, TaskState::kLeased, epoch, epoch, 0, node};
}

TEST(Restore, GoesOnWhereTheStoreEnds) {
  World world;
  const JobId job{5};
  world.pool.restore_job({job, kAnn, 10, cores(1), 1, {}}, JobState::kRunning,
                         {{0, TaskState::kSucceeded, 1, 1, 0, {}},
                          {1, TaskState::kFailed, 2, 2, 2, {}},
                          {2, TaskState::kPending, 3, 3, 1, {}},
                          leased(3, 4, kFirst),
                          leased(4, 1, kFirst)},
                         world.now);
  const JobView view = world.view(job);
  EXPECT_EQ(view.succeeded, 1u);
  EXPECT_EQ(view.failed, 1u);
  EXPECT_EQ(view.running, 2u);
  EXPECT_EQ(view.pending, 6u);
  EXPECT_EQ(world.pool.pending_tasks(), 6u);
  EXPECT_TRUE(world.is_current({{job, 3}, 4}));
  world.join(kFirst, 2, {{{job, 3}, 4}, {{job, 4}, 1}});
  EXPECT_TRUE(world.of<LeaseRecord>().empty());
  EXPECT_EQ(world.pool.node(kFirst)->used, cores(2));
  world.finish({{job, 3}, 4});
  ASSERT_EQ(world.of<LeaseRecord>().size(), 1u);
  EXPECT_EQ(world.of<LeaseRecord>()[0].attempt, (AttemptId{{job, 2}, 4})) << "epochs go on";
  EXPECT_EQ(world.of<LeaseRecord>()[0].attempts, 4u);
  world.finish({{job, 2}, 4}, Failure::kExitCode);
  EXPECT_EQ(world.view(job).failed, 2u) << "so do the counts of failures";
}

TEST(Restore, LeasesRunForOneMoreLease) {
  World world;
  const JobId job{1};
  world.pool.restore_job({job, kAnn, 1, cores(1), 0, {}}, JobState::kRunning, {leased(0, 1, kFirst)}, world.now);
  world.pass(seconds(11));
  EXPECT_TRUE(world.is_current({{job, 0}, 1}));
  world.pass(seconds(2));
  EXPECT_FALSE(world.is_current({{job, 0}, 1}));
  EXPECT_EQ(world.of<RequeueRecord>().size(), 1u);
}

TEST(Restore, WaitingJobsWaitOnAndEndedOnesStayEnded) {
  World world;
  world.pool.restore_job({{1}, kAnn, 2, cores(1), 0, {}}, JobState::kSucceeded, {}, world.now);
  world.pool.restore_job({{2}, kAnn, 1, cores(1), 0, {}}, JobState::kQueued, {}, world.now);
  world.pool.restore_job({{3}, kAnn, 1, cores(1), 0, {{1}, {2}}}, JobState::kWaiting, {}, world.now);
  EXPECT_EQ(world.view({1}).succeeded, 2u);
  EXPECT_EQ(world.cause({3}), Cause::kWaitsForJobs);
  world.join(kFirst, 4);
  EXPECT_EQ(world.view({3}).running, 0u);
  world.finish({{{2}, 0}, 1});
  EXPECT_EQ(world.view({3}).running, 1u);
  EXPECT_EQ(world.pool.pending_tasks(), 0u);
}

TEST(Restore, AnEndedJobIsRestoredToBeRunAfterOrRemoved) {
  World world;
  world.last_job = 2;
  for (const JobId id : {JobId{1}, JobId{2}}) {
    world.pool.restore_job({id, kAnn, 2, cores(1), 0, {}}, JobState::kSucceeded, {}, world.now);
  }
  const JobId later = world.submit(1, cores(1), kAnn, {{1}});
  ASSERT_TRUE(world.submitted);
  EXPECT_EQ(world.view(later).state, JobState::kQueued);
  EXPECT_FALSE(world.pool.on_remove({1}, world.now)) << "its results are needed";
  EXPECT_TRUE(world.pool.on_remove({2}, world.now));
  EXPECT_EQ(world.pool.pending_tasks(), 1U);
}

TEST(Restore, MendsAJobThatNeedNotWaitOrCannotRun) {
  World world;
  world.pool.restore_job({{1}, kAnn, 1, cores(1), 0, {}}, JobState::kFailed, {}, world.now);
  world.pool.restore_job({{2}, kAnn, 1, cores(1), 0, {{1}}}, JobState::kWaiting, {}, world.now);
  world.pool.restore_job({{3}, kAnn, 1, cores(1), 0, {{77}}}, JobState::kWaiting, {}, world.now);
  world.pool.restore_job({{4}, kAnn, 1, cores(1), 0, {}}, JobState::kRunning, {{0, TaskState::kSucceeded, 1, 1, 0, {}}},
                         world.now);
  EXPECT_EQ(world.view({2}).state, JobState::kFailed);
  EXPECT_EQ(world.view({3}).state, JobState::kQueued);
  EXPECT_EQ(world.view({4}).state, JobState::kSucceeded);
  world.settle();
  EXPECT_EQ(world.of<JobRecord>().size(), 3u);
  EXPECT_EQ(world.of<EndRangeRecord>().size(), 1u);
}

}  // namespace
}  // namespace hearth::pool
