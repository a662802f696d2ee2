#include <gtest/gtest.h>

#include "core/pool/pool.h"
#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

TEST(Dependencies, DependantsStartWhenAllTheyWaitForHaveSucceeded) {
  World world;
  world.join(kFirst, 4);
  const JobId first = world.submit(1);
  const JobId second = world.submit(1);
  const JobId last = world.submit(2, cores(1), kAnn, {first, second, first});
  EXPECT_EQ(world.view(last).state, JobState::kWaiting);
  EXPECT_EQ(world.cause(last), Cause::kWaitsForJobs);
  EXPECT_EQ(world.pool.why(last, world.now)->jobs, (std::vector<JobId>{first, second}));
  world.finish({{first, 0}, 1});
  EXPECT_EQ(world.view(last).state, JobState::kWaiting);
  EXPECT_EQ(world.pool.why(last, world.now)->jobs, (std::vector<JobId>{second}));
  world.finish({{second, 0}, 1});
  EXPECT_EQ(world.view(last).state, JobState::kRunning);
  EXPECT_EQ(world.view(last).running, 2u);
  const JobId after_the_end = world.submit(1, cores(1), kAnn, {first});
  EXPECT_EQ(world.view(after_the_end).state, JobState::kRunning);
}

TEST(Dependencies, AFailureFailsAllThatComesAfterIt) {
  World world;
  world.join(kFirst, 4);
  const JobId first = world.submit(1);
  const JobId second = world.submit(3, cores(1), kAnn, {first});
  const JobId third = world.submit(2, cores(1), kAnn, {first, second});
  std::vector<JobId> chain{third};
  for (int i = 0; i < 2'000; ++i) chain.push_back(world.submit(1, cores(1), kAnn, {chain.back()}));
  world.all.clear();
  world.finish({{first, 0}, 1}, Failure::kExitCode);
  EXPECT_EQ(world.view(second).state, JobState::kFailed);
  EXPECT_EQ(world.view(second).failed, 3u);
  EXPECT_EQ(world.view(third).failed, 2u);
  EXPECT_EQ(world.view(chain.back()).state, JobState::kFailed);
  EXPECT_EQ(world.of<EndRangeRecord>().size(), 2'002u);
  for (const auto& range : world.of<EndRangeRecord>()) EXPECT_EQ(range.why, Failure::kDependency);
  EXPECT_EQ(world.pool.pending_tasks(), 0u);
}

TEST(Dependencies, ACancelledJobFailsItsDependants) {
  World world;
  const JobId first = world.submit(1);
  const JobId second = world.submit(1, cores(1), kAnn, {first});
  world.pool.on_cancel(first, world.now);
  world.settle();
  EXPECT_EQ(world.view(second).state, JobState::kFailed);
}

TEST(Dependencies, AJobForAnyEndRunsOnceAllHaveEnded) {
  World world;
  world.join(kFirst, 4);
  const JobId bad = world.submit(1);
  const JobId good = world.submit(1);
  const JobId stopped = world.submit(1);
  const JobId last = world.submit_when(When::kAlways, {bad, good, stopped});
  world.finish({{bad, 0}, 1}, Failure::kExitCode);
  world.pool.on_cancel(stopped, world.now);
  world.settle();
  EXPECT_EQ(world.view(last).state, JobState::kWaiting) << "one of them goes on";
  world.finish({{good, 0}, 1});
  EXPECT_EQ(world.view(last).state, JobState::kRunning);
}

TEST(Dependencies, AJobForAFailureRunsOnceAllHaveEndedAndOneFailed) {
  World world;
  world.join(kFirst, 4);
  const JobId bad = world.submit(1);
  const JobId good = world.submit(1);
  const JobId mend = world.submit_when(When::kFailure, {bad, good});
  world.finish({{bad, 0}, 1}, Failure::kExitCode);
  EXPECT_EQ(world.view(mend).state, JobState::kWaiting);
  world.finish({{good, 0}, 1});
  EXPECT_EQ(world.view(mend).state, JobState::kRunning);
}

TEST(Dependencies, WithoutAFailureItIsSkippedAndWhatNeedsItToo) {
  World world;
  world.join(kFirst, 4);
  const JobId good = world.submit(1);
  const JobId stopped = world.submit(1);
  const JobId mend = world.submit_when(When::kFailure, {good, stopped});
  const JobId after_mending = world.submit(1, cores(1), kAnn, {mend});
  const JobId mend_that = world.submit_when(When::kFailure, {mend});
  const JobId report = world.submit_when(When::kAlways, {mend, after_mending});
  world.all.clear();
  world.pool.on_cancel(stopped, world.now);
  world.settle();
  EXPECT_EQ(world.view(mend).state, JobState::kWaiting);
  world.finish({{good, 0}, 1});
  for (const JobId skipped : {mend, after_mending, mend_that}) {
    EXPECT_EQ(world.view(skipped).state, JobState::kCancelled) << skipped.value;
  }
  EXPECT_EQ(world.view(report).state, JobState::kRunning) << "being skipped is an end too";
  std::size_t skips = 0;
  for (const EndRangeRecord& range : world.of<EndRangeRecord>()) skips += range.why == Failure::kSkipped ? 1U : 0U;
  EXPECT_EQ(skips, 3U);
}

TEST(Dependencies, AFailureWeighsMoreThanASkip) {
  World world;
  world.join(kFirst, 4);
  const JobId good = world.submit(1);
  const JobId bad = world.submit(1);
  const JobId mend = world.submit_when(When::kFailure, {good});
  const JobId last = world.submit(1, cores(1), kAnn, {bad, mend});
  world.finish({{bad, 0}, 1}, Failure::kExitCode);
  EXPECT_EQ(world.view(last).state, JobState::kFailed);
  world.finish({{good, 0}, 1});
  EXPECT_EQ(world.view(last).state, JobState::kFailed);
}

TEST(Dependencies, WhatWouldNeverRunIsRefused) {
  World world;
  world.join(kFirst, 4);
  const JobId good = world.submit(1);
  const JobId bad = world.submit(1);
  world.finish({{good, 0}, 1});
  world.finish({{bad, 0}, 1}, Failure::kExitCode);
  world.submit_when(When::kSuccess, {good, bad});
  ASSERT_FALSE(world.submitted);
  EXPECT_EQ(world.submitted.error().code, Code::kFailedPrecondition);
  EXPECT_NE(world.submitted.error().message.find("job 2"), std::string::npos) << world.submitted.error().message;
  world.submit_when(When::kFailure, {good});
  ASSERT_FALSE(world.submitted);
  EXPECT_EQ(world.submitted.error().code, Code::kFailedPrecondition);
  EXPECT_EQ(world.view(world.submit_when(When::kFailure, {good, bad})).state, JobState::kRunning);
  EXPECT_EQ(world.view(world.submit_when(When::kAlways, {good, bad})).state, JobState::kRunning);
}

TEST(Dependencies, OneOfAPlanIsTakenAndEndsAtOnce) {
  World world;
  world.join(kFirst, 4);
  const JobId good = world.submit(1);
  const JobId bad = world.submit(1);
  world.finish({{good, 0}, 1});
  world.finish({{bad, 0}, 1}, Failure::kExitCode);
  const JobId lost = world.submit_when(When::kSuccess, {bad}, true);
  ASSERT_TRUE(world.submitted) << world.submitted.error().message;
  EXPECT_EQ(world.view(lost).state, JobState::kFailed);
  EXPECT_EQ(world.view(lost).failed, 1U);
  const JobId skipped = world.submit_when(When::kFailure, {good}, true);
  EXPECT_EQ(world.view(skipped).state, JobState::kCancelled);
  EXPECT_EQ(world.view(world.submit_when(When::kSuccess, {skipped}, true)).state, JobState::kCancelled);
  EXPECT_EQ(world.pool.pending_tasks(), 0U);
  world.submit_when(When::kAlways, {JobId{77}}, true);
  ASSERT_FALSE(world.submitted) << "there is no such job";
  EXPECT_EQ(world.submitted.error().code, Code::kNotFound);
}

TEST(Dependencies, ThatAJobWasSkippedIsRestored) {
  World world;
  world.join(kFirst, 1);
  const JobRequest past{{1}, kAnn, 1, cores(1), 0, {}};
  world.pool.restore_job(past, JobState::kCancelled, {}, world.now, Failure::kSkipped);
  world.last_job = 1;
  EXPECT_EQ(world.view(world.submit_when(When::kSuccess, {{1}}, true)).state, JobState::kCancelled);
  EXPECT_EQ(world.view(world.submit_when(When::kAlways, {{1}})).state, JobState::kRunning);
}

}  // namespace
}  // namespace hearth::pool
