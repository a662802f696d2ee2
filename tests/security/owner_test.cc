// The owner comes first: what a guest's program does when its PC's owner returns, leaves, or says stop. Real programs;
// the owner is a mock of logind.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pool.h"
#include "presence/mock_bus.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr milliseconds kLimit = seconds(60);

class OwnerTest : public PoolFixture {
 protected:
  void SetUp() override {
    ASSERT_TRUE(mocks_.runs()) << "dbus-daemon does not start; is the package dbus installed?";
    ASSERT_TRUE(mocks_.add("logind", presence::kLogind)) << "is the package python3-dbusmock installed?";
    mocks_.add_session();
    leave();
    Pool& main = add_pool("main");
    main.set_env("DBUS_SYSTEM_BUS_ADDRESS", mocks_.address());
    main.up();
    if (HasFatalFailure()) return;
    main.await_node();
    limit({"--owner-first", "auto", "--quiet", "1s", "--busy", "yes"});  // the PC that tests may be
  }

  void come() { mocks_.set_idle(false); }
  void leave() { mocks_.set_idle(true); }

  void limit(std::vector<std::string> options) {
    options.insert(options.begin(), "limit");
    const Ended ended = pool().cli(options);
    ASSERT_EQ(ended.exit_code, 0) << ended.err;
  }

  json status() {
    json file = json::parse(read_text(pool().home() / "node" / "status.json"), nullptr, false);
    return file.is_object() ? file : json::object();
  }
  bool is_frozen() {
    const json now = status();
    return now.value("frozen", false) && now.contains("tasks") && now["tasks"].size() == 1 &&
           now["tasks"][0].value("frozen", false);
  }

  // A program that computes until it is ended, once it does.
  std::uint64_t start_spinning(Api& api) {
    const auto job = api.submit(shell("while :; do :; done"));
    EXPECT_TRUE(job);
    api.wait_until_running(*job);
    EXPECT_TRUE(eventually(kLimit, [&] { return status().value("running", 0) == 1; }));
    return *job;
  }

  // Clock ticks that the guests of this pool's node have used. Its own helpers, such as its swarm, stay in its groups.
  std::uint64_t guests_ticks() {
    std::uint64_t ticks = 0;
    const std::string own_groups = read_text("/proc/" + std::to_string(pool().node_process()) + "/cgroup");
    for (const pid_t process : descendants_of(pool().node_process())) {
      if (read_text("/proc/" + std::to_string(process) + "/cgroup") == own_groups) continue;
      const std::string stat = read_text("/proc/" + std::to_string(process) + "/stat");
      std::istringstream fields(stat.substr(std::min(stat.rfind(')'), stat.size() - 1) + 1));
      std::string word;
      for (int field = 3; field <= 15 && fields >> word; ++field) {
        if (field >= 14) ticks += std::strtoull(word.c_str(), nullptr, 10);
      }
    }
    return ticks;
  }
  bool guests_compute() {
    const std::uint64_t before = guests_ticks();
    return eventually(kLimit, [&] { return guests_ticks() > before; });
  }

 private:
  presence::MockBus mocks_;
};

TEST_F(OwnerTest, GuestsStandStillWhileTheOwnerIsThere) {
  Api api(pool());
  const std::uint64_t job = start_spinning(api);
  EXPECT_TRUE(guests_compute());
  come();
  ASSERT_TRUE(eventually(kLimit, [&] { return is_frozen(); })) << status().dump(1);
  const std::uint64_t before = guests_ticks();
  pause_for(milliseconds(500));
  EXPECT_EQ(guests_ticks(), before) << "a frozen guest used the processor";
  EXPECT_GE(status().value("freeze_millis", -1), 0);
  std::cout << "frozen " << status().value("freeze_millis", -1) << " ms after the owner's return, at most\n";

  const Ended told = pool().cli({"status"});
  EXPECT_THAT(told.out, HasSubstr("guests are frozen: its owner is at the PC"));
  EXPECT_THAT(told.out, HasSubstr("job " + std::to_string(job)));
  const auto late = api.submit(shell("true"));
  ASSERT_TRUE(late);
  EXPECT_THAT(pool().cli({"why", std::to_string(*late)}).out, HasSubstr("closed"));
  EXPECT_EQ(api.job(*late).state(), v1::JOB_STATE_QUEUED) << "a frozen node takes nothing new";

  leave();
  ASSERT_TRUE(eventually(kLimit, [&] { return status().contains("frozen") && !status()["frozen"].get<bool>(); }));
  EXPECT_TRUE(guests_compute()) << "it does not go on";
  EXPECT_EQ(api.wait(*late).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_TRUE(api.cancel(job));
}

TEST_F(OwnerTest, ImpatienceSendsATaskBackToTheQueueAndCountsAsNothing) {
  limit({"--patience", "1s"});
  Api api(pool());
  const std::uint64_t job = start_spinning(api);
  come();
  ASSERT_TRUE(eventually(kLimit, [&] { return api.get(job, 1).tasks(0).state() == v1::TASK_STATE_PENDING; }));
  const v1::Task task = api.get(job, 1).tasks(0);
  EXPECT_EQ(task.outcome().reason(), v1::FAILURE_REASON_OWNER) << task.ShortDebugString();
  EXPECT_EQ(task.attempts(), 0U) << "the job has no retries, and none was used";
  EXPECT_THAT(pool().cli({"job", std::to_string(job)}).out, HasSubstr("from what it saved in its workspace"));
  leave();
  ASSERT_TRUE(eventually(kLimit, [&] { return status().value("running", 0) == 1; })) << "it does not run again";
  EXPECT_TRUE(api.cancel(job));
}

TEST_F(OwnerTest, ATaskThatWasGivenBackGoesOnFromItsWorkspace) {
  limit({"--patience", "1s"});
  Api api(pool());
  v1::JobSpec spec =
      shell("[ -e $HEARTH_WORKSPACE/half ] && exit 0; touch $HEARTH_WORKSPACE/half; while :; do :; done");
  spec.mutable_workspace()->set_name("work");
  const auto job = api.submit(spec);
  ASSERT_TRUE(job) << text_of(job.error());
  ASSERT_TRUE(eventually(kLimit, [&] { return status().value("running", 0) == 1 && guests_compute(); }));
  come();
  ASSERT_TRUE(eventually(kLimit, [&] { return api.get(*job, 1).tasks(0).state() == v1::TASK_STATE_PENDING; }));
  leave();
  EXPECT_EQ(api.wait(*job).state(), v1::JOB_STATE_SUCCEEDED) << "what it had done is lost";
}

TEST_F(OwnerTest, StopEverythingWorksWithoutTheHub) {
  Api api(pool());
  const std::uint64_t job = start_spinning(api);
  const pid_t hub = pool().hub_process();
  ::kill(hub, SIGSTOP);
  const Ended stopped = pool().cli({"stop-everything"});
  EXPECT_EQ(stopped.exit_code, 0) << stopped.err;
  const bool ended = eventually(kLimit, [&] { return status().value("running", 1) == 0; });
  ::kill(hub, SIGCONT);
  EXPECT_TRUE(ended) << status().dump(1);
  EXPECT_TRUE(status().value("stopped", false));
  ASSERT_TRUE(eventually(kLimit, [&] { return api.get(job, 1).tasks(0).state() == v1::TASK_STATE_PENDING; }));
  EXPECT_EQ(api.job(job).failed(), 0U);
  ::kill(pool().node_process(), SIGKILL);
  pause_for(seconds(1));
  pool().await_node();
  EXPECT_EQ(status().value("running", 1), 0) << "a crash does not resume what its owner stopped";
  EXPECT_EQ(pool().cli({"resume"}).exit_code, 0);
  EXPECT_TRUE(eventually(kLimit, [&] { return status().value("running", 0) == 1; }));
  EXPECT_TRUE(api.cancel(job));
}

TEST_F(OwnerTest, AnOwnersDeviceStopsAndResumesANode) {
  Api api(pool());
  const std::uint64_t job = start_spinning(api);
  const auto nodes = api.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
  ASSERT_TRUE(nodes && nodes->nodes_size() == 1);
  ASSERT_EQ(nodes->nodes(0).running_size(), 1) << nodes->nodes(0).ShortDebugString();
  EXPECT_EQ(nodes->nodes(0).running(0).job_id(), job);
  EXPECT_FALSE(nodes->nodes(0).running(0).owner().empty());
  v1::StopEverythingRequest request;
  request.set_node_id(nodes->nodes(0).id());
  const auto say = [&] { return api.call<v1::StopEverythingReply>("hearth.v1.NodeService/StopEverything", request); };
  ASSERT_TRUE(say());
  EXPECT_TRUE(eventually(kLimit, [&] { return status().value("running", 1) == 0; }));
  request.set_resume(true);
  ASSERT_TRUE(say());
  EXPECT_TRUE(eventually(kLimit, [&] { return status().value("running", 0) == 1; }));
  request.set_node_id(4711);
  const auto unknown = say();
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  EXPECT_TRUE(api.cancel(job));
}

}  // namespace
}  // namespace hearth::e2e
