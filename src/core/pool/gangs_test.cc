#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

using testing::Contains;
using testing::Each;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

constexpr NodeId kThird{3};

JobRequest gang(std::uint32_t tasks, std::uint32_t each = 1, DeviceId owner = kAnn) {
  return {.owner = owner, .tasks = tasks, .per_task = cores(each), .gang = true};
}

AttemptId attempt(JobId job, std::uint32_t index, std::uint32_t epoch = 1) { return {{job, index}, epoch}; }

TEST(Gangs, StartAllAtOnceOrNotAtAll) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(gang(4));
  EXPECT_EQ(world.view(job).running, 0u);
  EXPECT_EQ(world.cause(job), Cause::kGang);
  EXPECT_EQ(world.pool.why(job, world.now)->room_for, 2u);
  world.join(kSecond, 2);
  world.pass(seconds(1), {kFirst, kSecond});
  EXPECT_EQ(world.view(job).running, 4u);
}

TEST(Gangs, DoNotKeepOthersWaiting) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(gang(4));
  const JobId small = world.submit(2);
  EXPECT_EQ(world.view(small).running, 2u);
  EXPECT_EQ(world.view(job).running, 0u);
}

TEST(Gangs, GatherOnFewNodes) {
  World world;
  world.join(kFirst, 3);
  world.join(kSecond, 8);
  world.join(kThird, 3);
  const JobId job = world.submit(gang(9));
  EXPECT_EQ(world.view(job).running, 9u);
  EXPECT_EQ(world.leased(kSecond), 8u);
}

TEST(Gangs, HeedNoOthersWordOnAResultThatIsHeld) {
  World world;
  world.join(kFirst, 1);
  world.join(kSecond, 1);
  const JobId job = world.submit(gang(2));
  const NodeId other = *world.pool.node_of({job, 0}) == kFirst ? kSecond : kFirst;
  world.finish(attempt(job, 0));
  world.all.clear();
  EXPECT_FALSE(world.pool.is_leased_to(other, attempt(job, 0)));
  world.pool.on_finished(other, attempt(job, 0), Failure::kExitCode, world.now);
  world.settle();
  ASSERT_THAT(world.of<AcknowledgeSend>(), SizeIs(1)) << "it is answered, or it would ask for ever";
  EXPECT_EQ(world.of<AcknowledgeSend>()[0].node, other);
  EXPECT_TRUE(world.pool.is_held(attempt(job, 0)));
}

TEST(Gangs, EndTogether) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(gang(2));
  world.all.clear();
  world.finish(attempt(job, 0));
  world.finish(attempt(job, 0));  // said again, since nobody answered
  EXPECT_TRUE(world.pool.is_held(attempt(job, 0)));
  EXPECT_THAT(world.of<EndRecord>(), IsEmpty());
  EXPECT_THAT(world.of<AcknowledgeSend>(), IsEmpty());
  EXPECT_EQ(world.view(job).running, 2u);
  world.finish(attempt(job, 1));
  EXPECT_THAT(world.of<EndRecord>(), SizeIs(2));
  EXPECT_THAT(world.of<AcknowledgeSend>(), SizeIs(2));
  EXPECT_EQ(world.view(job).state, JobState::kSucceeded);
  EXPECT_EQ(world.leased(kFirst), 0u);
}

TEST(Gangs, RunAgainAsAWholeWhenOneIsLost) {
  World world;
  world.join(kFirst, 1);
  world.join(kSecond, 1);
  world.join(kThird, 2);
  const JobId filler = world.submit(1, cores(2));
  const JobId job = world.submit(gang(2));
  ASSERT_EQ(world.view(job).running, 2u);
  const bool first_runs_first = world.pool.node_of({job, 0}) == kFirst;
  world.finish(attempt(job, first_runs_first ? 0 : 1));  // kFirst's has succeeded
  world.all.clear();
  world.pool.on_node_removed(kSecond, world.now);
  world.settle();
  EXPECT_THAT(world.of<StopSend>(), Contains(Field(&StopSend::node, kFirst))) << "its own had succeeded";
  EXPECT_THAT(world.of<RequeueRecord>(), SizeIs(2));
  EXPECT_EQ(world.view(job).running, 0u);
  EXPECT_EQ(world.view(job).pending, 2u);
  world.finish(world.first_of(filler));
  world.pass(seconds(2), {kFirst, kThird});
  EXPECT_EQ(world.view(job).running, 2u);
  EXPECT_EQ(world.first_of(job).epoch, 2u);
}

TEST(Gangs, RunAgainWhenWhatTheyShareIsGone) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(gang(2));
  world.finish(attempt(job, 0));
  world.pool.on_gang_broken(job, world.now);
  world.settle();
  EXPECT_THAT(world.of<EndRecord>(), IsEmpty());
  EXPECT_THAT(world.pool.leased_tasks(job), Each(Field(&AttemptId::epoch, 2u)));
  EXPECT_EQ(world.view(job).running, 2u);
  world.all.clear();
  const JobId alone = world.submit(1);
  world.pool.on_gang_broken(alone, world.now);
  world.settle();
  EXPECT_THAT(world.of<RequeueRecord>(), IsEmpty()) << "it is no gang";
}

TEST(Gangs, RetryTogetherAfterAFailure) {
  World world;
  world.join(kFirst, 3);
  JobRequest request = gang(3);
  request.retries = 1;
  const JobId job = world.submit(request);
  world.finish(attempt(job, 1), Failure::kExitCode);
  EXPECT_EQ(world.view(job).pending, 3u);
  EXPECT_EQ(world.cause(job), Cause::kBackoff);
  world.pass(seconds(2), {kFirst});
  EXPECT_EQ(world.view(job).running, 3u);
  world.all.clear();
  world.finish(attempt(job, 1, 2), Failure::kExitCode);
  EXPECT_EQ(world.view(job).state, JobState::kFailed);
  EXPECT_EQ(world.view(job).failed, 1u);
  EXPECT_EQ(world.view(job).cancelled, 2u);
  EXPECT_THAT(world.of<StopSend>(), SizeIs(2));
  EXPECT_EQ(world.leased(kFirst), 0u);
}

TEST(Gangs, AreEndedAsAWholeForAHigherClass) {
  World world;
  world.join(kFirst, 3);
  JobRequest request = gang(3);
  request.priority = PriorityClass::kScavenger;
  const JobId job = world.submit(request);
  ASSERT_EQ(world.view(job).running, 3u);
  const JobId normal = world.submit(1);
  world.pass(milliseconds(1));
  EXPECT_EQ(world.view(normal).running, 1u);
  EXPECT_EQ(world.view(job).running, 0u);
  EXPECT_EQ(world.leased(kFirst), 1u);
  world.finish(world.first_of(normal));
  world.pass(seconds(1), {kFirst});
  EXPECT_EQ(world.view(job).running, 3u);
}

TEST(Gangs, MakeRoomAsAWhole) {
  World world;
  world.join(kFirst, 2);
  world.join(kSecond, 2);
  const JobId scavenger = world.submit({.tasks = 4, .priority = PriorityClass::kScavenger});
  const JobId job = world.submit(gang(3));
  EXPECT_EQ(world.view(job).running, 3u);
  EXPECT_EQ(world.view(scavenger).running, 1u);
}

// Each of two would take half and wait for the other's half.
TEST(Gangs, OfManyOneAfterTheOtherDrainsWhatItNeeds) {
  World world;
  world.join(kFirst, 4);
  world.join(kSecond, 4);
  const JobId stream = world.submit(1'000'000);
  const JobId first = world.submit(gang(4, 2));
  const JobId second = world.submit(gang(4, 2, kBob));
  std::uint32_t most_at_once = 0;
  bool first_ran = false;
  bool second_ran = false;
  for (int i = 0; i < 600 && !(first_ran && second_ran); ++i) {
    world.pass(seconds(1), {kFirst, kSecond});
    if (!world.pool.leased_tasks(stream).empty()) world.finish(world.first_of(stream));
    for (const auto& [job, ran] : {std::pair(first, &first_ran), std::pair(second, &second_ran)}) {
      const std::vector<AttemptId> leased = world.pool.leased_tasks(job);
      EXPECT_TRUE(leased.empty() || leased.size() == 4u);
      *ran = *ran || !leased.empty();
      for (const AttemptId& one : leased) world.finish(one);
    }
    most_at_once = std::max(most_at_once, world.view(stream).running);
  }
  EXPECT_TRUE(first_ran);
  EXPECT_TRUE(second_ran);
  EXPECT_EQ(most_at_once, 8u);
}

TEST(Gangs, AreRestored) {
  World world;
  JobRequest request = gang(2);
  request.id = {1};
  request.owner = kAnn;
  request.per_task = cores(1);
  world.pool.restore_job(request, JobState::kRunning,
                         {{.index = 0, .state = TaskState::kLeased, .epoch = 1, .attempts = 1, .node = kFirst},
                          {.index = 1, .state = TaskState::kLeased, .epoch = 1, .attempts = 1, .node = kSecond}},
                         world.now);
  world.join(kFirst, 1, {attempt(request.id, 0)});
  world.join(kSecond, 1, {attempt(request.id, 1)});
  world.finish(attempt(request.id, 0));
  world.finish(attempt(request.id, 1));
  EXPECT_EQ(world.view(request.id).state, JobState::kSucceeded);
}

// The hub died between the loss of one and the restart of the others.
TEST(Gangs, OfWhichAPartWasLostRunAgainAfterARestart) {
  World world;
  JobRequest request = gang(2);
  request.id = {1};
  world.pool.restore_job(request, JobState::kRunning,
                         {{.index = 0, .state = TaskState::kLeased, .epoch = 1, .attempts = 1, .node = kFirst},
                          {.index = 1, .state = TaskState::kPending, .epoch = 1, .attempts = 1}},
                         world.now);
  world.join(kFirst, 2, {attempt(request.id, 0)});
  world.pass(seconds(1), {kFirst});
  EXPECT_EQ(world.view(request.id).running, 2u);
  EXPECT_THAT(world.pool.leased_tasks(request.id), Each(Field(&AttemptId::epoch, 2u)));
}

TEST(Gangs, HaveLimits) {
  World world;
  world.submit(gang(kMaxGang + 1));
  EXPECT_EQ(world.submitted.error().code, Code::kInvalidArgument);
  JobRequest with_workspace = gang(2);
  with_workspace.workspace = "w";
  world.submit(with_workspace);
  EXPECT_EQ(world.submitted.error().code, Code::kInvalidArgument);
}

TEST(Gangs, AreCancelledWithWhatHadSucceeded) {
  World world;
  world.join(kFirst, 2);
  const JobId job = world.submit(gang(2));
  world.finish(attempt(job, 0));
  world.all.clear();
  world.pool.on_cancel(job, world.now);
  world.settle();
  EXPECT_THAT(world.of<EndRecord>(), Each(Field(&EndRecord::state, TaskState::kCancelled)));
  EXPECT_THAT(world.of<EndRecord>(), SizeIs(2));
  EXPECT_EQ(world.view(job).cancelled, 2u);
}

}  // namespace
}  // namespace hearth::pool
