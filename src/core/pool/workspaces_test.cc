#include <gtest/gtest.h>

#include "core/pool/pool.h"
#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

constexpr std::uint64_t kSmall = kMiB;

class PoolWorkspaces : public testing::Test {
 protected:
  JobId submit(const std::string& workspace, std::uint32_t tasks = 1, std::uint64_t bytes = kSmall,
               const Resources& needs = cores(1), DeviceId owner = kAnn, std::vector<JobId> after = {}) {
    const JobId id{++world_.last_job};
    world_.submitted = world_.pool.on_submit(
        {id, owner, tasks, needs, 0, std::move(after), Admission().with_workspaces(bytes), workspace}, world_.now);
    world_.settle();
    return id;
  }
  void join(NodeId node, std::uint32_t count, std::uint64_t bytes, std::vector<AttemptId> held = {}) {
    world_.pool.on_node_hello(node, {cores(count), false, std::move(held), Admission().with_workspaces(bytes)},
                              world_.now);
    world_.settle();
  }
  NodeId place_of(JobId job) { return world_.pool.node_of(world_.first_of(job).task).value_or(NodeId{}); }
  Why why(JobId job) { return *world_.pool.why(job, world_.now); }
  Result<void> remove(const std::string& workspace, DeviceId owner = kAnn) {
    Result<void> done = world_.pool.on_remove_workspace({owner, workspace}, world_.now);
    world_.settle();
    return done;
  }
  // Whatever was committed last.
  WorkspaceRecord last_record() { return world_.of<WorkspaceRecord>().back(); }

  World world_;
};

TEST_F(PoolWorkspaces, ItsJobsGoWhereItLies) {
  join(kFirst, 4, kGiB);
  const JobId first = submit("x");
  EXPECT_EQ(place_of(first), kFirst);
  EXPECT_EQ(last_record().node, kFirst);
  EXPECT_EQ(last_record().bytes, kSmall);
  world_.finish(world_.first_of(first));
  join(kSecond, 64, kGiB);
  const JobId next = submit("x");
  const JobId other = submit("y");
  EXPECT_EQ(place_of(next), kFirst);
  EXPECT_NE(place_of(other), NodeId{});
}

TEST_F(PoolWorkspaces, OneTaskAtATimeHasItInTheOrderOfSubmission) {
  join(kFirst, 8, kGiB);
  const JobId first = submit("x", 3);
  const JobId second = submit("x", 1, kSmall, cores(2));
  const JobId third = submit("x");
  const JobId free = submit("y");
  EXPECT_EQ(world_.view(first).running, 1U);
  EXPECT_EQ(world_.view(free).running, 1U) << "nobody else waits";
  EXPECT_EQ(why(second).cause, Cause::kWorkspaceInUse);
  EXPECT_EQ(why(second).jobs, (std::vector<JobId>{first}));
  EXPECT_EQ(why(first).cause, Cause::kWorkspaceInUse) << "its own tasks come one after the other";
  EXPECT_EQ(world_.pool.user_of({kAnn, "x"}), first);
  for (int task = 0; task < 3; ++task) {
    EXPECT_EQ(world_.view(second).running + world_.view(third).running, 0U);
    world_.finish(world_.first_of(first));
  }
  EXPECT_EQ(world_.view(second).running, 1U);
  EXPECT_EQ(world_.view(third).running, 0U);
  world_.finish(world_.first_of(second));
  EXPECT_EQ(world_.view(third).running, 1U);
  world_.pool.on_cancel(third, world_.now);
  EXPECT_EQ(world_.pool.user_of({kAnn, "x"}), std::nullopt);
}

TEST_F(PoolWorkspaces, NamesAreTheirDevicesOwn) {
  join(kFirst, 4, kGiB);
  const JobId anns = submit("x");
  const JobId bobs = submit("x", 1, kSmall, cores(1), kBob);
  EXPECT_EQ(world_.view(anns).running + world_.view(bobs).running, 2U);
  EXPECT_EQ(remove("z").error().code, Code::kNotFound);
}

TEST_F(PoolWorkspaces, ItWaitsForItsNodeAndForNoOther) {
  join(kFirst, 4, kGiB);
  const JobId first = submit("x");
  world_.finish(world_.first_of(first));
  world_.pool.on_node_gone(kFirst, world_.now);
  join(kSecond, 64, kGiB);
  const JobId next = submit("x");
  EXPECT_EQ(world_.view(next).running, 0U);
  EXPECT_EQ(why(next).cause, Cause::kWorkspaceAway);
  EXPECT_EQ(why(next).node, kFirst);
  world_.pass(seconds(200), {kSecond});
  EXPECT_EQ(world_.view(next).running, 0U) << "however long it has waited";
  EXPECT_EQ(world_.view(world_.submit(1, cores(64))).running, 1U) << "and keeps nobody from a node";
  join(kFirst, 4, kGiB);
  EXPECT_EQ(place_of(next), kFirst);
}

TEST_F(PoolWorkspaces, ALostTaskGoesOnInItsWorkspaceAndABusyNodeDrainsForIt) {
  join(kFirst, 2, kGiB);
  const JobId job = submit("x", 1, kSmall, cores(2));
  world_.pass(seconds(13));  // the node is silent for a lease
  EXPECT_EQ(world_.view(job).pending, 1U);
  join(kSecond, 2, kGiB);
  EXPECT_EQ(world_.view(job).running, 0U);
  const JobId filler = world_.submit(40, cores(1), kBob);
  join(kFirst, 2, kGiB);
  for (int i = 0; i < 200 && world_.view(job).running == 0; ++i) {
    world_.pass(seconds(1), {kFirst, kSecond});
    const std::vector<AttemptId> running = world_.pool.leased_tasks(filler);
    if (!running.empty()) world_.finish(running.front());
  }
  EXPECT_EQ(place_of(job), kFirst);
}

TEST_F(PoolWorkspaces, ANewOneGoesWhereMostIsLeftAndNoOwnerKeepsMoreThanAdmitted) {
  join(kFirst, 8, 2 * kSmall);
  join(kSecond, 2, 5 * kSmall);
  EXPECT_EQ(place_of(submit("a", 1, 2 * kSmall)), kSecond);
  EXPECT_EQ(place_of(submit("b", 1, 2 * kSmall)), kSecond);
  EXPECT_EQ(place_of(submit("c", 1, kSmall)), kFirst);
  const JobId too_large = submit("d", 1, 2 * kSmall);
  EXPECT_EQ(why(too_large).cause, Cause::kNotAdmitted);
  const JobId small = submit("e", 1, kSmall);
  EXPECT_EQ(place_of(small), kFirst);
  // It may not grow there either, until something goes.
  world_.finish(world_.first_of(small));
  const JobId grown = submit("e", 1, 2 * kSmall);
  EXPECT_EQ(why(grown).cause, Cause::kNotAdmitted);
  world_.finish(world_.first_of(JobId{3}));
  ASSERT_TRUE(remove("c"));
  EXPECT_EQ(world_.view(grown).running, 0U) << "it is there until its node says otherwise";
  world_.pool.on_workspace_wiped(kFirst, {kAnn, "c"}, world_.now);
  world_.settle();
  EXPECT_EQ(world_.view(grown).running, 1U);
  EXPECT_EQ(last_record().bytes, 2 * kSmall);
}

TEST_F(PoolWorkspaces, OnlyWhereTheOwnerAdmitsWorkspaces) {
  join(kFirst, 4, 0);
  const JobId job = submit("x");
  EXPECT_EQ(why(job).cause, Cause::kNotAdmitted);
  world_.pool.on_offer(kFirst, {{cores(4), Admission().with_workspaces(kGiB)}}, world_.now);
  world_.settle();
  EXPECT_EQ(world_.view(job).running, 1U);
  world_.finish(world_.first_of(job));
  world_.pool.on_offer(kFirst, {{cores(4), {}}}, world_.now);
  world_.settle();
  EXPECT_EQ(why(submit("x")).cause, Cause::kNotAdmitted) << "taken back, though it lies there";
}

TEST_F(PoolWorkspaces, IsRemovedOnceNobodyNeedsItAndItsNodeHasWipedIt) {
  join(kFirst, 1, kGiB);
  const JobId job = submit("x");
  const JobId later = submit("x", 1, kSmall, cores(1), kAnn, {job});
  Result<void> refused = remove("x");
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("in use by job 1"), std::string::npos) << refused.error().message;
  world_.pool.on_cancel(job, world_.now);
  EXPECT_EQ(world_.view(later).state, JobState::kFailed);
  world_.all.clear();
  ASSERT_TRUE(remove("x"));
  EXPECT_TRUE(last_record().leaving);
  EXPECT_EQ(world_.of<WipeWorkspaceSend>().size(), 1U);
  submit("x");
  EXPECT_EQ(world_.submitted.error().code, Code::kFailedPrecondition);
  // Its node missed that.
  world_.pool.on_node_gone(kFirst, world_.now);
  world_.all.clear();
  join(kFirst, 1, kGiB);
  EXPECT_EQ(world_.of<WipeWorkspaceSend>().size(), 1U);
  world_.pool.on_workspace_wiped(kSecond, {kAnn, "x"}, world_.now);
  world_.settle();
  EXPECT_TRUE(world_.of<WorkspaceRecord>().empty()) << "another node's word counts for nothing";
  world_.pool.on_workspace_wiped(kFirst, {kAnn, "x"}, world_.now);
  world_.settle();
  EXPECT_EQ(last_record().node, NodeId{});
  EXPECT_EQ(remove("x").error().code, Code::kNotFound);
  submit("x");
  EXPECT_TRUE(world_.submitted);
}

TEST_F(PoolWorkspaces, WhatNobodyKnowsOfIsWiped) {
  join(kFirst, 1, kGiB);
  world_.finish(world_.first_of(submit("x")));
  world_.all.clear();
  const std::vector<WorkspaceId> there{{kAnn, "x"}, {kBob, "x"}};
  world_.pool.on_node_hello(kFirst, {cores(1), false, {}, Admission().with_workspaces(kGiB), there}, world_.now);
  world_.settle();
  ASSERT_EQ(world_.of<WipeWorkspaceSend>().size(), 1U);
  EXPECT_EQ(world_.of<WipeWorkspaceSend>()[0].id.owner, kBob);
  world_.pool.on_workspace_wiped(kFirst, {kBob, "x"}, world_.now);
  world_.settle();
  EXPECT_TRUE(world_.of<WorkspaceRecord>().empty());
}

TEST_F(PoolWorkspaces, AWaitingJobKeepsItFromBeingRemoved) {
  const JobId job = submit("x");
  EXPECT_EQ(remove("x").error().code, Code::kFailedPrecondition) << "it has yet to be made";
  world_.pool.on_cancel(job, world_.now);
  EXPECT_EQ(remove("x").error().code, Code::kNotFound) << "it never was";
}

TEST_F(PoolWorkspaces, GoWithTheirNodeAndAreMadeAnew) {
  join(kFirst, 1, kGiB);
  const JobId job = submit("x", 2);
  const JobId next = submit("x");
  join(kSecond, 1, kGiB);
  world_.pool.on_node_removed(kFirst, world_.now);
  world_.settle();
  EXPECT_EQ(place_of(job), kSecond);
  EXPECT_EQ(last_record().node, kSecond);
  EXPECT_EQ(world_.view(next).running, 0U);
}

TEST_F(PoolWorkspaces, AreTakenUpAfterARestart) {
  world_.pool.restore_workspace({{kAnn, "x"}, kFirst, kGiB, false});
  world_.pool.restore_workspace({{kAnn, "gone"}, kFirst, kGiB, true});
  const JobRequest request{{1}, kAnn, 2, cores(1), 0, {}, Admission().with_workspaces(kSmall), "x"};
  world_.pool.restore_job(request, JobState::kRunning, {{0, TaskState::kLeased, 1, 1, 0, kFirst}}, world_.now);
  JobRequest later = request;
  later.id = {2};
  world_.pool.restore_job(later, JobState::kQueued, {}, world_.now);
  world_.last_job = 2;
  join(kSecond, 8, 4 * kGiB);
  EXPECT_EQ(world_.of<LeaseRecord>().size(), 0U);
  EXPECT_EQ(why({2}).jobs, (std::vector<JobId>{{1}}));
  join(kFirst, 8, 4 * kGiB, {{{{1}, 0}, 1}});
  EXPECT_EQ(world_.of<WipeWorkspaceSend>().size(), 1U);
  world_.finish({{{1}, 0}, 1});
  EXPECT_EQ(place_of({1}), kFirst);
  world_.finish({{{1}, 1}, 1});
  EXPECT_EQ(place_of({2}), kFirst);
  EXPECT_EQ(last_record().bytes, kGiB);
}

}  // namespace
}  // namespace hearth::pool
