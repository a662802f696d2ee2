// Up, down, join, leave, limits, doctor: what a PC's owner does.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <nlohmann/json.hpp>

#include "base/sizes.h"
#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class LifecycleTest : public PoolFixture {
 protected:
  v1::ListNodesReply nodes() {
    Api api(pool());
    const auto reply = api.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
    EXPECT_TRUE(reply) << text_of(reply.error());
    return reply ? *reply : v1::ListNodesReply();
  }

  v1::Node own_node() {
    for (const v1::Node& node : nodes().nodes()) {
      if (node.name() != "second") return node;
    }
    return {};
  }
};

TEST_F(LifecycleTest, UpTwiceAndDownTwice) {
  const pid_t supervisor = pool().supervisor();
  ASSERT_NE(supervisor, 0);
  const Ended again = pool().cli({"up"});
  EXPECT_EQ(again.exit_code, 0);
  EXPECT_THAT(again.err, HasSubstr("up already"));
  EXPECT_EQ(pool().supervisor(), supervisor);
  EXPECT_EQ(pool().cli({"down"}).exit_code, 0);
  EXPECT_FALSE(alive(supervisor));
  EXPECT_EQ(pool().supervisor(), 0);
  const Ended down = pool().cli({"down"});
  EXPECT_EQ(down.exit_code, 0);
  EXPECT_THAT(down.err, HasSubstr("not up"));
}

TEST_F(LifecycleTest, IdentityPortAndJobsOutliveARestart) {
  Api api(pool());
  const auto job = api.submit(shell("echo kept"));
  ASSERT_TRUE(job);
  api.wait(*job);
  const Endpoint before = pool().endpoint();
  pool().down();
  pool().up();
  EXPECT_EQ(pool().endpoint().identity, before.identity);
  EXPECT_EQ(pool().endpoint().port, before.port) << "links and pinned addresses go on working";
  const Ended logs = pool().cli({"logs", std::to_string(*job)});
  EXPECT_EQ(logs.out, "kept\n") << logs.err;
}

TEST_F(LifecycleTest, HomeCanBeGivenAndIsPrivate) {
  const Ended status = pool().cli({"status", "--home", pool().home().string()}, {.env = {{"HEARTH_HOME", "/nowhere"}}});
  EXPECT_EQ(status.exit_code, 0) << status.err;
  for (const auto& entry : fs::recursive_directory_iterator(pool().home())) {
    if (entry.path().extension() != ".pem") continue;
    const auto open_to_others = fs::perms::group_all | fs::perms::others_all;
    EXPECT_EQ(entry.status().permissions() & open_to_others, fs::perms::none) << entry.path();
  }
}

TEST_F(LifecycleTest, AKilledSupervisorLeavesNoOrphans) {
  const pid_t supervisor = pool().supervisor();
  const std::vector<pid_t> daemons = children_of(supervisor);
  EXPECT_EQ(daemons.size(), 2U);
  ::kill(supervisor, SIGKILL);
  EXPECT_TRUE(eventually(seconds(20), [&] {
    for (const pid_t daemon : daemons) {
      if (alive(daemon)) return false;
    }
    return true;
  })) << "the daemons go on without their supervisor";
  pool().up();
  pool().await_node();
  const Ended ended = pool().cli({"run", "--", "echo", "again"});
  EXPECT_EQ(ended.out, "again\n") << ended.err;
}

TEST_F(LifecycleTest, EachDaemonIsStartedAgain) {
  const pid_t hub = pool().hub_process();
  const pid_t node = pool().node_process();
  ::kill(node, SIGKILL);
  ASSERT_TRUE(eventually(seconds(30), [&] { return pool().node_process() != node; }));
  EXPECT_EQ(pool().hub_process(), hub) << "the hub died with its node";
  ::kill(hub, SIGKILL);
  ASSERT_TRUE(eventually(seconds(30), [&] { return pool().hub_process() != hub; }));
  const Ended ended = pool().cli({"run", "--", "echo", "again"});
  EXPECT_EQ(ended.out, "again\n") << ended.err;
}

TEST_F(LifecycleTest, TwoPoolsNeverMeet) {
  Pool& other = add_pool("other");
  other.up();
  other.await_node();
  EXPECT_NE(other.endpoint().port, pool().endpoint().port);
  EXPECT_NE(other.endpoint().identity, pool().endpoint().identity);
  ASSERT_EQ(other.cli({"run", "--name", "theirs", "--", "true"}).exit_code, 0);
  EXPECT_THAT(pool().cli({"jobs"}).out, Not(HasSubstr("theirs")));
  EXPECT_EQ(nodes().nodes_size(), 1);
  other.down();
  EXPECT_EQ(pool().cli({"run", "--", "true"}).exit_code, 0) << "one pool's end is another's";
}

TEST_F(LifecycleTest, ATakenPortIsNamed) {
  Pool& other = add_pool("other");
  const std::string port = std::to_string(pool().endpoint().port);
  const Ended ended = other.cli({"up", "--address", "127.0.0.1", "--port", port, "--no-invite"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, HasSubstr(port));
  EXPECT_EQ(other.supervisor(), 0);
}

TEST_F(LifecycleTest, TheOwnersLimitsHold) {
  ASSERT_EQ(pool().cli({"limit", "--cores", "1", "--memory", "512M"}).exit_code, 0);
  ASSERT_TRUE(eventually(seconds(20), [&] { return own_node().offered().cores() == 1; }));
  EXPECT_EQ(own_node().offered().memory_bytes(), 512 * kMiB);
  Api api(pool());
  v1::JobSpec spec = shell("sleep 1");
  spec.set_tasks(4);
  const auto job = api.submit(spec);
  ASSERT_TRUE(job);
  std::uint32_t most = 0;
  eventually(seconds(30), [&] {
    most = std::max(most, own_node().used().cores());
    return api.job(*job).state() == v1::JOB_STATE_SUCCEEDED;
  });
  EXPECT_EQ(most, 1U);

  // Hours that are over: nothing new starts, and everybody is told when it opens again.
  const std::time_t now = std::time(nullptr);
  std::tm local{};
  localtime_r(&now, &local);
  const std::string hours = std::to_string((local.tm_hour + 2) % 24) + "-" + std::to_string((local.tm_hour + 3) % 24);
  ASSERT_EQ(pool().cli({"limit", "--hours", hours}).exit_code, 0);
  ASSERT_TRUE(eventually(seconds(20), [&] { return own_node().closed(); }));
  EXPECT_THAT(own_node().closed_reason(), HasSubstr("open again at"));
  const auto waiting = api.submit(shell("true"));
  ASSERT_TRUE(waiting);
  EXPECT_THAT(pool().cli({"why", std::to_string(*waiting), "--json"}).out, HasSubstr("CAUSE_NODES_CLOSED"));
  EXPECT_EQ(api.job(*waiting).state(), v1::JOB_STATE_QUEUED);
  ASSERT_EQ(pool().cli({"limit", "--none"}).exit_code, 0);
  EXPECT_EQ(api.wait(*waiting).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(LifecycleTest, ANodeThatIsEndedWhileItBeginsLeavesNothing) {
  for (int round = 0; round < 3; ++round) {
    pool().down();
    Process coming = pool().start_cli({"up", "--address", "127.0.0.1", "--port", "0", "--no-invite"});
    const auto begins = [&] { return !cgroups_of_node(pool().home() / "node" / "sandbox").empty(); };
    if (!eventually(seconds(20), begins)) GTEST_SKIP() << "SKIPPED: this machine gives no control groups";
    ::kill(pool().supervisor(), SIGTERM);
    coming.wait(seconds(60));
    EXPECT_TRUE(eventually(seconds(30), [&] { return pool().supervisor() == 0; }));
    EXPECT_FALSE(begins()) << "its control groups are left";
  }
}

TEST_F(LifecycleTest, ASecondPcJoinsAndLeaves) {
  Pool& second = add_pool("second");
  join(pool(), second, "second");
  EXPECT_EQ(nodes().nodes_size(), 2);
  const Ended status = second.cli({"status"});
  EXPECT_EQ(status.exit_code, 0);
  EXPECT_THAT(status.err,
              HasSubstr("this PC works for the pool at 127.0.0.1:" + std::to_string(pool().endpoint().port)));
  close_own_node(pool());
  Api api(pool());
  const auto running = api.submit(shell("sleep 5; echo finished"));
  ASSERT_TRUE(running);
  ASSERT_TRUE(eventually(seconds(30), [&] { return api.get(*running, 1).tasks(0).node() == "second"; }));
  api.wait_until_running(*running);

  Process leaving = second.start_cli({"leave"});
  ASSERT_TRUE(eventually(seconds(20), [&] {
    for (const v1::Node& node : nodes().nodes()) {
      if (node.name() == "second") return node.closed();
    }
    return true;
  }));
  const auto late = api.submit(shell("true"));
  ASSERT_TRUE(late);
  EXPECT_EQ(api.wait(*running).state(), v1::JOB_STATE_SUCCEEDED) << "what runs is finished first";
  const Ended left = leaving.wait(seconds(60));
  EXPECT_EQ(left.exit_code, 0) << left.err;
  EXPECT_EQ(api.job(*late).state(), v1::JOB_STATE_QUEUED) << "a node that leaves takes nothing new";
  EXPECT_THAT(pool().cli({"devices"}).out, Not(HasSubstr("second")));
  EXPECT_EQ(second.supervisor(), 0);
  pool().cli({"limit", "--none"});
  EXPECT_EQ(api.wait(*late).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(LifecycleTest, ALaptopPairsAndRuns) {
  Pool& laptop = add_pool("laptop");
  Api owner(pool());
  Process pairing = laptop.start_cli({"pair", invite(owner).links(0), "--name", "laptop"});
  ASSERT_TRUE(eventually(seconds(20), [&] { return pairing.err().find("shows") != std::string::npos; }))
      << pairing.err();
  ASSERT_EQ(pool().cli({"devices", "allow", "laptop"}).exit_code, 0);
  ASSERT_EQ(pairing.wait(seconds(30)).exit_code, 0);
  const Ended ended = laptop.cli({"run", "--", "echo", "from the laptop"});
  EXPECT_EQ(ended.out, "from the laptop\n") << ended.err;
  ASSERT_EQ(pool().cli({"devices", "revoke", "laptop"}).exit_code, 0);
  const Ended refused = laptop.cli({"run", "--", "true"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("hearth pair"));
}

TEST_F(LifecycleTest, DoctorSaysWhatWorks) {
  const Ended text = pool().cli({"doctor"});
  const json report = json::parse(pool().cli({"doctor", "--json"}).out, nullptr, false);
  ASSERT_TRUE(report.is_object());
  bool sandbox = false;
  for (const json& finding : report["findings"]) {
    const std::string name = finding["name"];
    EXPECT_THAT(text.out, HasSubstr(name));
    if (!finding["ok"].get<bool>()) {
      EXPECT_FALSE(finding["remedy"].get<std::string>().empty()) << name << " fails and no way to mend it is told";
      EXPECT_FALSE(finding["required"].get<bool>()) << finding.dump();
    }
    sandbox = sandbox || finding["detail"].get<std::string>().find("cgroup") != std::string::npos;
  }
  EXPECT_EQ(text.exit_code, 0) << text.out;
  EXPECT_TRUE(sandbox) << "nothing is said about control groups: " << report.dump(1);
}

TEST_F(LifecycleTest, UpPrintsLinkAndCode) {
  pool().down();
  const Ended up = pool().cli({"up", "--port", "0"});
  EXPECT_EQ(up.exit_code, 0) << up.err;
  EXPECT_THAT(up.out, HasSubstr("https://"));
  EXPECT_THAT(up.out, HasSubstr("#pair=1."));
  EXPECT_THAT(up.out, testing::AnyOf(HasSubstr("█"), HasSubstr("▄"), HasSubstr("##"))) << "there is no QR code";
}

}  // namespace
}  // namespace hearth::e2e
