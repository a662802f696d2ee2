// What must hold when processes die: an acknowledged job is never lost, and a task has one accepted result.
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/api.h"
#include "harness/load.h"
#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

class FireTest : public PoolFixture {
 protected:
  void kill_hub() { ::kill(pool().hub_process(), SIGKILL); }
  void kill_node() { ::kill(pool().node_process(), SIGKILL); }
};

TEST_F(FireTest, HubIsKilledAgainAndAgainUnderLoad) {
  std::mt19937 random(20261123);
  std::uniform_int_distribution<int> moment(0, 1500);
  Api api(pool());
  const auto steady = api.submit(shell("sleep 15; echo survived"));
  ASSERT_TRUE(steady) << text_of(steady.error());
  api.wait_until_running(*steady);
  const pid_t node = pool().node_process();

  Load load(pool());
  for (int i = 0; i < kills(6); ++i) {
    pause_for(milliseconds(moment(random)));
    kill_hub();
    pool().endpoint();
  }
  load.stop();
  EXPECT_GT(load.repeated(), 0) << "the hub was never away when a job was submitted: nothing was tested";
  EXPECT_EQ(pool().node_process(), node) << "the node died with its hub";

  const v1::Job survived = api.wait(*steady);
  EXPECT_EQ(survived.state(), v1::JOB_STATE_SUCCEEDED) << survived.DebugString();
  const v1::Task task = api.get(*steady, 1).tasks(0);
  EXPECT_EQ(task.attempts(), 1U) << "it was started again though its node went on";
  EXPECT_EQ(api.log_text(task.outcome()), "survived\n");
  EXPECT_GE(task.outcome().wall_micros(), 14'000'000U);
  EXPECT_LE(task.outcome().wall_micros(), 30'000'000U) << "it did not go on while the hub was away";

  const std::set<std::uint64_t> distinct(load.acknowledged().begin(), load.acknowledged().end());
  EXPECT_EQ(distinct.size(), load.acknowledged().size()) << "two requests were given one job";
  EXPECT_EQ(all_jobs(api).size(), distinct.size() + 1) << "a repeated request made a second job";
  for (const std::uint64_t id : distinct) expect_finished_once(api, id);
}

TEST_F(FireTest, NodeIsKilledAndItsTasksRunAgain) {
  Api api(pool());
  v1::JobSpec spec = shell("sleep 6; echo done");
  spec.set_tasks(2);
  const auto job = api.submit(spec);
  ASSERT_TRUE(job) << text_of(job.error());
  api.wait_until_running(*job);
  ASSERT_TRUE(eventually(seconds(20), [&] { return !guests_of(pool().node_process()).empty(); }));
  const std::vector<pid_t> before = descendants_of(pool().node_process());
  kill_node();
  EXPECT_TRUE(eventually(seconds(5), [&] {
    for (const pid_t process : before) {
      if (alive(process)) return false;
    }
    return true;
  })) << "the dead node's tasks go on without it";

  const bool again = eventually(seconds(20), [&] {
    const v1::GetJobReply reply = api.get(*job, 2);
    return reply.tasks_size() == 2 && reply.tasks(0).attempts() >= 2 &&
           reply.tasks(0).state() != v1::TASK_STATE_PENDING;
  });
  EXPECT_TRUE(again) << api.get(*job, 2).DebugString();
  const v1::Job ended = api.wait(*job);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED) << "an attempt lost with its node counts against nothing";
  EXPECT_EQ(ended.succeeded(), 2U);
}

TEST_F(FireTest, AnotherNodeTakesTheTasksOfADeadOne) {
  Api api(pool());
  Pool& second = add_pool("second");
  join(pool(), second, "second");

  close_own_node(pool());
  v1::JobSpec spec = shell("sleep 5; echo done");
  const auto submitted = api.submit(spec);
  ASSERT_TRUE(submitted) << text_of(submitted.error());
  const std::uint64_t job = *submitted;
  ASSERT_TRUE(eventually(seconds(20), [&] { return api.get(job, 1).tasks(0).state() == v1::TASK_STATE_RUNNING; }));
  pool().cli({"limit", "--none"});
  ASSERT_EQ(api.get(job, 1).tasks(0).node(), "second");
  const pid_t node = second.node_process();
  ::kill(second.supervisor(), SIGKILL);
  ::kill(node, SIGKILL);
  EXPECT_TRUE(eventually(seconds(20), [&] {
    const v1::Task task = api.get(job, 1).tasks(0);
    return task.node() != "second" && task.state() != v1::TASK_STATE_PENDING;
  })) << api.get(job, 1).DebugString();
  const v1::Job ended = api.wait(job);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ended.succeeded(), 1U);
  // The dead PC comes back: its next start clears away what the crash left, as the end of the test checks.
  EXPECT_EQ(second.cli({"up"}).exit_code, 0);
}

// As after a router that starts again: it is the hub that hears nobody any more, but for the node beside it.
TEST_F(FireTest, WhereMostNodesFallSilentAtOnceTheirTasksGoOn) {
  Api api(pool());
  std::vector<pid_t> nodes;
  for (const std::string name : {"second", "third"}) {
    Pool& other = add_pool(name);
    join(pool(), other, name);
    nodes.push_back(other.node_process());
  }
  close_own_node(pool());
  v1::JobSpec spec = shell("sleep 24; echo done");
  spec.set_tasks(2);
  const auto job = api.submit(spec);
  ASSERT_TRUE(job) << text_of(job.error());
  ASSERT_TRUE(eventually(seconds(20), [&] { return api.job(*job).running() == 2; }));
  pool().cli({"limit", "--none"});
  for (const pid_t node : nodes) ::kill(node, SIGSTOP);
  pause_for(seconds(18));
  EXPECT_EQ(api.job(*job).running(), 2U) << "a lease and a half later";
  EXPECT_THAT(pool().cli({"status"}).out, testing::HasSubstr("2 fell silent at once"));
  EXPECT_THAT(pool().cli({"nodes"}).out, testing::HasSubstr("away, keeps its tasks"));
  for (const pid_t node : nodes) ::kill(node, SIGCONT);
  EXPECT_EQ(api.wait(*job).succeeded(), 2U);
  for (const v1::Task& task : api.get(*job, 2).tasks()) EXPECT_EQ(task.attempts(), 1U) << task.DebugString();
}

TEST_F(FireTest, FollowedRunSurvivesTheHub) {
  Process run = pool().start_cli(
      {"run", "--output", "r", "--", "sh", "-c", "echo one; sleep 8; echo two; echo result > r; exit 3"});
  ASSERT_TRUE(eventually(seconds(30), [&] { return run.out() == "one\n"; })) << run.err();
  kill_hub();
  const Ended ended = run.wait(seconds(60));
  EXPECT_EQ(ended.exit_code, 3) << ended.err;
  EXPECT_EQ(ended.out, "one\ntwo\n");
  // A task that failed hands its results over all the same.
  EXPECT_TRUE(ended.err.find("could not be fetched") == std::string::npos) << ended.err;
}

}  // namespace
}  // namespace hearth::e2e
