// Who runs where and when: conditions on nodes, classes, gangs, accounts; and what `hearth why` says of it.
#include <csignal>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "harness/proc.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class PlacementTest : public PoolFixture {
 protected:
  Ended hearth(std::vector<std::string> arguments) { return pool().cli(arguments); }
  std::uint64_t detach(const std::string& script, std::vector<std::string> options = {}) {
    options.insert(options.begin(), "run");
    options.insert(options.end(), {"--detach", "--", "sh", "-c", script});
    const Ended ended = pool().cli(options);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out.empty() ? 0 : std::stoull(ended.out);
  }
  std::string why(std::uint64_t job) { return hearth({"why", std::to_string(job)}).out; }
  std::uint32_t cores() {
    Api api(pool());
    const auto nodes = api.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
    return nodes && nodes->nodes_size() > 0 ? nodes->nodes(0).offered().cores() : 1;
  }
};

TEST_F(PlacementTest, JobsGoToNodesThatMeetTheirCondition) {
  ASSERT_EQ(hearth({"limit", "--label", "room=cellar", "--label", "quiet=true", "--watts", "65"}).exit_code, 0);
  EXPECT_THAT(hearth({"limit"}).out, AllOf(HasSubstr("room = cellar"), HasSubstr("65 W")));
  const auto attributes = [this] { return hearth({"nodes", "--attributes"}).out; };
  ASSERT_TRUE(eventually(seconds(30), [&] { return attributes().contains("label.room"); })) << attributes();
  ASSERT_TRUE(eventually(seconds(30), [&] { return attributes().contains("speed"); })) << "measured";
  EXPECT_THAT(attributes(), AllOf(HasSubstr("'cellar'"), HasSubstr("kernel"), HasSubstr("os"), HasSubstr("watts")));
  const Ended ran =
      hearth({"run", "--where", "label.room == 'cellar' && label.quiet && cores >= 1", "--", "echo", "here"});
  EXPECT_EQ(ran.out, "here\n") << ran.err;

  const std::uint64_t waits = detach("true", {"--where", "label.room == 'attic' && cores >= 1"});
  EXPECT_TRUE(eventually(seconds(30), [&] { return why(waits).contains("meets its condition"); })) << why(waits);
  EXPECT_THAT(why(waits), AllOf(HasSubstr("label.room == 'attic' on none"), Not(HasSubstr("cores >= 1 on"))));
  ASSERT_EQ(hearth({"limit", "--label", "room=attic"}).exit_code, 0);
  EXPECT_EQ(Api(pool()).wait(waits).state(), v1::JOB_STATE_SUCCEEDED) << "its owner moved the PC";
  ASSERT_EQ(hearth({"limit", "--label", "room="}).exit_code, 0);
  EXPECT_THAT(hearth({"limit"}).out, Not(HasSubstr("room")));
}

TEST_F(PlacementTest, OfNodesWithRoomThePreferredOneIsTaken) {
  Pool& second = add_pool("second");
  join(pool(), second, "second");
  write_text(pool().directory() / "tariff", "00:00-24:00 0.31\n");
  ASSERT_EQ(hearth({"limit", "--watts", "300", "--label", "rank=1", "--tariff", "tariff"}).exit_code, 0);
  ASSERT_EQ(second.cli({"limit", "--watts", "20", "--label", "rank=2"}).exit_code, 0);
  const auto attributes = [this] { return hearth({"nodes", "--attributes"}).out; };
  ASSERT_TRUE(eventually(seconds(30), [&] {
    const std::string all = attributes();
    return all.contains("watts        300\n") && all.contains("watts        20\n") && all.contains("0.31");
  })) << attributes();
  Api api(pool());
  const auto node_of = [&](const std::string& prefer) {
    const std::uint64_t job = detach("true", {"--prefer", prefer});
    EXPECT_EQ(api.wait(job).state(), v1::JOB_STATE_SUCCEEDED);
    return api.get(job, 1).tasks(0).node();
  };
  for (int i = 0; i < 3; ++i) EXPECT_EQ(node_of("-watts"), "second");
  for (int i = 0; i < 3; ++i) EXPECT_NE(node_of("-label.rank"), "second");
  for (int i = 0; i < 3; ++i) EXPECT_NE(node_of("-price"), "second") << "it does not say what its power costs";
}

TEST_F(PlacementTest, WrongValuesAreNamed) {
  const auto error = [this](std::vector<std::string> options) {
    options.insert(options.begin(), "run");
    options.insert(options.end(), {"--", "true"});
    const Ended ended = hearth(options);
    EXPECT_NE(ended.exit_code, 0);
    return ended.err;
  };
  EXPECT_THAT(error({"--where", "gpu.memry > 8G"}), HasSubstr("nodes have no attribute 'gpu.memry'"));
  EXPECT_THAT(error({"--where", "os == debian"}), HasSubstr("at character 7"));
  EXPECT_THAT(error({"--prefer", "quick"}), HasSubstr("prefer: 'quick' is no number that nodes have: write fast"));
  EXPECT_THAT(error({"--priority", "high"}), HasSubstr("scavenger, batch, normal or urgent"));
  EXPECT_THAT(error({"--deadline", "soon"}), HasSubstr("a span from now"));
  EXPECT_THAT(error({"--deadline", "2001-01-01 10:00"}), HasSubstr("that is over"));
  EXPECT_THAT(error({"--gang", "-n", "2000"}), HasSubstr("a gang has at most 1024"));
  EXPECT_THAT(error({"--gang", "--workspace", "w"}), HasSubstr("one task's at a time"));
  EXPECT_THAT(hearth({"limit", "--label", "Room"}).err, HasSubstr("NAME=VALUE"));
}

TEST_F(PlacementTest, OfANodeARingSaysWhatItFetches) {
  Pool& second = add_pool("second");
  join(pool(), second, "second");
  const Ended friends = hearth({"devices", "ring", "second", "friend"});
  EXPECT_EQ(friends.exit_code, 0);
  EXPECT_THAT(friends.err, HasSubstr("as a node it fetches what its tasks need, and nothing else"));
}

// The straggler is stopped by a signal that its node knows nothing of: it makes no progress, and has not failed.
TEST_F(PlacementTest, AStragglerGetsACopyAndWhicheverSucceedsFirstCounts) {
  Pool& second = add_pool("second");
  join(pool(), second, "second");
  const std::string script = "if [ {i} = 9 ]; then sleep 6.25; fi; echo {i} > out.{i}";
  const std::uint64_t job = detach(script, {"-n", "10", "--output", "out.{i}"});
  pid_t stopped = 0;
  const auto find = [&] {
    for (const pid_t node : {pool().node_process(), second.node_process()}) {
      for (const pid_t process : descendants_of(node)) {
        if (command_line(process).starts_with("sleep 6.25")) stopped = process;
      }
    }
    return stopped != 0;
  };
  ASSERT_TRUE(eventually(seconds(30), find)) << why(job);
  ASSERT_EQ(kill(stopped, SIGSTOP), 0);
  ASSERT_TRUE(eventually(seconds(90), [&] { return why(job).contains("copy"); })) << why(job);
  EXPECT_THAT(hearth({"job", std::to_string(job)}).out,
              AllOf(HasSubstr("a copy runs on "), HasSubstr("1 running (1 of them twice")));
  Api api(pool());
  const v1::Job ended = api.wait(job);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(ended.succeeded(), 10U);
  EXPECT_EQ(ended.copies(), 0U);
  EXPECT_TRUE(eventually(seconds(30), [&] { return !alive(stopped); })) << "the other one is ended";
  v1::GetJobRequest request;
  request.set_job_id(job);
  request.set_first_task(9);
  request.set_task_limit(1);
  const auto reply = api.call<v1::GetJobReply>("hearth.v1.JobService/Get", request);
  ASSERT_TRUE(reply && reply->tasks_size() == 1);
  EXPECT_EQ(reply->tasks(0).attempts(), 2U);
  EXPECT_TRUE(reply->tasks(0).copy_node().empty());
}

TEST_F(PlacementTest, UrgentWorkEndsWhatIsLeftOverAndThatRunsAgain) {
  const std::uint32_t all = cores();
  const std::uint64_t scavenger = detach("sleep 2", {"--priority", "scavenger", "-n", std::to_string(all)});
  Api api(pool());
  ASSERT_TRUE(eventually(seconds(30), [&] { return api.job(scavenger).running() == all; }));
  const Ended urgent = hearth({"run", "--priority", "urgent", "--", "echo", "now"});
  EXPECT_EQ(urgent.out, "now\n") << urgent.err;
  const v1::Job ended = api.wait(scavenger);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED) << "without a retry being asked for";
  EXPECT_EQ(ended.succeeded(), all);
}

TEST_F(PlacementTest, OnlyHomeHasUrgentWork) {
  Api friends(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  Api owner(pool());
  v1::SetRingRequest ring;
  const auto devices = friends.call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  for (const v1::Device& device : devices->devices()) {
    if (device.is_this()) ring.set_device_id(device.id());
  }
  ring.set_ring(v1::RING_FRIEND);
  ASSERT_TRUE(owner.call<v1::SetRingReply>("hearth.v1.DeviceService/SetRing", ring));
  v1::JobSpec spec = shell("true");
  spec.set_priority(v1::PRIORITY_CLASS_URGENT);
  Api again(pool().directory() / "device-phone");
  const auto refused = again.submit(spec);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
  EXPECT_THAT(refused.error().message, HasSubstr("ring friend"));
}

TEST_F(PlacementTest, AGangStartsAsAWholeAndEndsAsAWhole) {
  const std::uint32_t all = cores();
  if (all < 2) GTEST_SKIP() << "SKIPPED: a gang of two needs two cores";
  const std::uint64_t filler = detach("sleep 600");
  Api api(pool());
  api.wait_until_running(filler);
  const std::uint64_t gang = detach("echo member {i}; sleep 0.{i}", {"--gang", "-n", std::to_string(all)});
  EXPECT_TRUE(eventually(seconds(30), [&] { return why(gang).contains("all at once"); })) << why(gang);
  EXPECT_EQ(api.job(gang).running(), 0U);
  ASSERT_EQ(hearth({"cancel", std::to_string(filler)}).exit_code, 0);
  const v1::Job ended = api.wait(gang);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_SUCCEEDED) << ended.DebugString();
  const v1::GetJobReply tasks = api.get(gang, all);
  for (const v1::Task& task : tasks.tasks()) {
    EXPECT_EQ(api.log_text(task.outcome()), fmt::format("member {}\n", task.index())) << "each has its own outcome";
  }
}

TEST_F(PlacementTest, AGangThatLosesOneRunsAgainOrFailsAsAWhole) {
  const std::uint32_t all = cores();
  if (all < 2) GTEST_SKIP() << "SKIPPED: a gang of two needs two cores";
  Api api(pool());
  const std::uint64_t gang = detach("[ {i} = 0 ] && exit 3; sleep 600", {"--gang", "-n", "2", "--retries", "1"});
  const v1::Job ended = api.wait(gang);
  EXPECT_EQ(ended.state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(ended.failed(), 1U);
  EXPECT_EQ(ended.cancelled(), 1U);
  EXPECT_EQ(ended.first_failure().exit_code(), 3);
  const v1::GetJobReply tasks = api.get(gang, 2);
  EXPECT_EQ(tasks.tasks(0).attempts(), 2U);
  EXPECT_EQ(tasks.tasks(1).outcome().reason(), v1::FAILURE_REASON_GANG);
}

TEST_F(PlacementTest, GangsSurviveTheHub) {
  const std::uint32_t all = cores();
  if (all < 2) GTEST_SKIP() << "SKIPPED: a gang of two needs two cores";
  const std::uint64_t gang = detach("echo member {i}; [ {i} = 0 ] || sleep 5", {"--gang", "-n", "2"});
  {
    Api api(pool());
    api.wait_until_running(gang);
  }
  const pid_t hub = pool().endpoint().process;
  ::kill(hub, SIGKILL);
  ASSERT_TRUE(eventually(seconds(30), [&] { return pool().endpoint().process != hub; }));
  Api api(pool());
  EXPECT_EQ(api.wait(gang).state(), v1::JOB_STATE_SUCCEEDED);
  const v1::GetJobReply tasks = api.get(gang, 2);
  for (const v1::Task& task : tasks.tasks()) {
    EXPECT_EQ(api.log_text(task.outcome()), fmt::format("member {}\n", task.index()));
  }
}

TEST_F(PlacementTest, AccountsHaveWhatTheyMay) {
  Api phone(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  ASSERT_EQ(hearth({"account", "set", "school", "--weight", "300", "--cores", "1"}).exit_code, 0);
  ASSERT_EQ(hearth({"account", "assign", "phone", "school"}).exit_code, 0);
  const auto job = phone.submit([] {
    v1::JobSpec spec = shell("sleep 600");
    spec.set_tasks(2);
    return spec;
  }());
  ASSERT_TRUE(job);
  phone.wait_until_running(*job);
  EXPECT_EQ(phone.job(*job).running(), 1U);
  EXPECT_EQ(phone.job(*job).account(), "school");
  EXPECT_THAT(why(*job), HasSubstr("account school uses as much as it may"));
  EXPECT_THAT(hearth({"account"}).out, AllOf(HasSubstr("school"), HasSubstr("1 of 1"), HasSubstr("phone")));
  const json listed = json::parse(hearth({"account", "--json"}).out);
  EXPECT_EQ(listed["accounts"][0]["name"], "school");
  EXPECT_EQ(listed["accounts"][0]["waits"], true);

  ASSERT_EQ(hearth({"account", "set", "school", "--cores", "0", "--memory", "1M"}).exit_code, 0);
  EXPECT_THAT(why(*job), AllOf(HasSubstr("a task needs 1 core"), HasSubstr("account school may use 1 MiB of memory"),
                               HasSubstr("hearth account set school")));
  ASSERT_EQ(hearth({"account", "set", "school", "--memory", "0"}).exit_code, 0);
  if (cores() >= 2) {
    EXPECT_TRUE(eventually(seconds(30), [&] { return phone.job(*job).running() == 2; })) << why(*job);
  }
  EXPECT_THAT(hearth({"account", "assign", "phone", "schol"}).err, HasSubstr("there are: school"));
  EXPECT_THAT(hearth({"account", "set", "school", "--weight", "0"}).err, HasSubstr("--weight"));
  EXPECT_THAT(hearth({"account", "set", "none"}).err, HasSubstr("of no account"));
  ASSERT_EQ(hearth({"account", "rm", "school"}).exit_code, 0);
  EXPECT_NE(hearth({"account", "rm", "school"}).exit_code, 0);
  EXPECT_EQ(phone.job(*job).account(), "");
  phone.cancel(*job);
}

TEST_F(PlacementTest, AccountsAreKept) {
  ASSERT_EQ(hearth({"account", "set", "firm", "--weight", "42", "--memory", "8G"}).exit_code, 0);
  pool().down();
  pool().up();
  pool().await_node();
  EXPECT_THAT(hearth({"account"}).out, AllOf(HasSubstr("firm"), HasSubstr("42"), HasSubstr("8 GiB")));
}

}  // namespace
}  // namespace hearth::e2e
