// A Slurm cluster as a node of a pool: Debian's own Slurm, with a controller and machines that the test starts.
#include <csignal>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "harness/slurm.h"

namespace hearth::e2e {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr int kMachines = 2;
constexpr int kCores = 2;  // of each

class SlurmTest : public PoolFixture {
 protected:
  void SetUp() override {
    if (const std::string lack = SlurmCluster::lack(); !lack.empty()) GTEST_SKIP() << "SKIPPED: " << lack;
    cluster_ = std::make_unique<SlurmCluster>(scratch(), kMachines, kCores);
    ASSERT_FALSE(HasFailure()) << "the cluster did not start";
    PoolFixture::SetUp();
    close_own_node(pool());
    login_ = &add_pool("login");
    login_->set_env("SLURM_CONF", cluster_->configuration());
  }
  void TearDown() override {
    PoolFixture::TearDown();
    if (HasFailure() && cluster_) std::cerr << cluster_->logs();
  }

  // `hearth node slurm` there, allowed by the pool's owner.
  void join(const std::vector<std::string>& options = {}) {
    Api owner(pool());
    std::vector<std::string> words = {"node", "slurm", invite(owner).links(0), "--name", "farm"};
    words.insert(words.end(), options.begin(), options.end());
    Process joining = login_->start_cli(words);
    ASSERT_TRUE(eventually(seconds(60), [&] { return joining.err().find("shows") != std::string::npos; }))
        << joining.err() << cluster_->logs();
    const Ended allowed = pool().cli({"devices", "allow", "farm"});
    ASSERT_EQ(allowed.exit_code, 0) << allowed.err;
    const Ended joined = joining.wait(seconds(60));
    ASSERT_EQ(joined.exit_code, 0) << joined.err;
    login_->await_node();
  }

  v1::Node farm() {
    Api api(pool());
    const auto nodes = api.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
    for (const v1::Node& node : nodes->nodes()) {
      if (node.name() == "farm") return node;
    }
    return {};
  }
  std::uint64_t detach(const std::string& script, std::vector<std::string> options = {}) {
    options.insert(options.begin(), "run");
    options.insert(options.end(), {"--detach", "--", "sh", "-c", script});
    const Ended ended = pool().cli(options);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out.empty() ? 0 : std::stoull(ended.out);
  }
  // Where the cluster runs a job of ours now; empty: nowhere.
  std::string running_on() const {
    for (const std::string& line : cluster_->jobs("%T %N")) {
      if (line.starts_with("RUNNING ")) return line.substr(8);
    }
    return "";
  }

  std::unique_ptr<SlurmCluster> cluster_;
  Pool* login_ = nullptr;
};

TEST_F(SlurmTest, AnArrayRunsAsJobsOfTheClusterWithItsInputsLogsAndOutputs) {
  ASSERT_NO_FATAL_FAILURE(join());
  EXPECT_EQ(farm().offered().cores(), kMachines * kCores);
  EXPECT_THAT(pool().cli({"nodes"}).out, HasSubstr("Slurm 22.05"));
  EXPECT_THAT(farm().isolation(), HasSubstr("each task a job of the Slurm cluster"));

  write_text(pool().directory() / "small.txt", "small");
  write_text(pool().directory() / "large.txt", std::string(3 << 20, 'x'));
  const Ended ran = pool().cli(
      {"run", "-n", "6", "--memory", "200M", "--input", "small.txt", "--input", "large.txt", "--output", "r-{i}.txt",
       "--", "sh", "-c",
       "echo printed {i}; echo said {i} >&2; (cat small.txt; wc -c <large.txt; echo $HEARTH_TASK_INDEX) >r-{i}.txt"},
      {.limit = seconds(120)});
  EXPECT_EQ(ran.exit_code, 0) << ran.err << cluster_->logs();
  for (int i = 0; i < 6; ++i) {
    EXPECT_THAT(ran.out, HasSubstr(fmt::format("printed {}", i)));
    EXPECT_EQ(read_text(pool().directory() / fmt::format("r-{}.txt", i)), fmt::format("small{}\n{}\n", 3 << 20, i));
  }
  EXPECT_EQ(cluster_->ask({"squeue", "-h", "-t", "all", "-o", "%T"}).out.find("CANCELLED"), std::string::npos);
  EXPECT_TRUE(std::filesystem::is_empty(login_->home() / "node" / "slurm" / "attempts")) << "files of a task are left";

  // What fails is the task's own doing, and its time is counted from its start.
  EXPECT_EQ(pool().cli({"run", "--", "sh", "-c", "exit 7"}).exit_code, 7);
  Api api(pool());
  const std::uint64_t slow = detach("echo begun; sleep 100", {"--time", "1s"});
  const std::uint64_t wide = detach("true", {"--cores", std::to_string(kCores + 1)});
  const std::uint64_t linked = detach("ln -s /etc/passwd r", {"--output", "r"});
  const v1::GetJobReply timed = (api.wait(slow), api.get(slow, 1));
  EXPECT_EQ(timed.tasks(0).outcome().reason(), v1::FAILURE_REASON_TIME_LIMIT) << timed.DebugString();
  EXPECT_EQ(api.log_text(timed.tasks(0).outcome()), "begun\n");
  const v1::GetJobReply refused = (api.wait(wide), api.get(wide, 1));
  EXPECT_THAT(refused.tasks(0).outcome().message(), HasSubstr("no single machine of its cluster's partition"));
  const v1::GetJobReply unsafe = (api.wait(linked), api.get(linked, 1));
  EXPECT_EQ(unsafe.tasks(0).outcome().reason(), v1::FAILURE_REASON_OUTPUT) << unsafe.DebugString();
}

TEST_F(SlurmTest, CancellingEndsTheClustersJobs) {
  ASSERT_NO_FATAL_FAILURE(join({"--cores", "2"}));
  EXPECT_EQ(farm().offered().cores(), 2U);
  const std::uint64_t job = detach("echo begun; sleep 100", {"-n", "3"});
  ASSERT_TRUE(eventually(seconds(60), [&] { return cluster_->jobs("%T").size() == 2; })) << "no more than was allowed";
  const Process logs = pool().start_cli({"logs", "--follow", std::to_string(job)});
  EXPECT_TRUE(eventually(seconds(60), [&] { return logs.out().contains("begun"); })) << "while its task runs";
  EXPECT_EQ(pool().cli({"cancel", std::to_string(job)}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(60), [&] { return cluster_->jobs("%T").empty(); })) << cluster_->logs();
  EXPECT_TRUE(eventually(seconds(60),
                         [&] { return std::filesystem::is_empty(login_->home() / "node" / "slurm" / "attempts"); }));
}

TEST_F(SlurmTest, AMachineThatDiesCostsAnAttemptAndNotTheTask) {
  ASSERT_NO_FATAL_FAILURE(join());
  const std::uint64_t job = detach("echo begun; sleep 3; echo done");
  {
    const Process logs = pool().start_cli({"logs", "--follow", std::to_string(job)});
    ASSERT_TRUE(eventually(seconds(60), [&] { return logs.out().contains("begun"); }));
  }
  const std::string machine = running_on();
  cluster_->lose(machine);
  Api api(pool());
  EXPECT_EQ(api.wait(job, seconds(120)).state(), v1::JOB_STATE_SUCCEEDED) << cluster_->logs();
  const v1::GetJobReply reply = api.get(job, 1);
  EXPECT_EQ(reply.tasks(0).attempts(), 2U);
  EXPECT_EQ(api.log_text(reply.tasks(0).outcome()), "begun\ndone\n");
  EXPECT_TRUE(eventually(seconds(60), [&] { return farm().offered().cores() == kCores; })) << "the other one's";
}

TEST_F(SlurmTest, ANodeThatStartsAgainEndsWhatItHadThereAndTheTasksRunAgain) {
  ASSERT_NO_FATAL_FAILURE(join());
  const std::uint64_t job = detach("sleep 4; echo done");
  ASSERT_TRUE(eventually(seconds(60), [&] { return !running_on().empty(); }));
  const std::string first = cluster_->jobs("%A").front();
  const pid_t node = login_->node_process();
  ::kill(node, SIGKILL);
  ASSERT_TRUE(eventually(seconds(60), [&] { return !alive(node); }));
  Api api(pool());
  EXPECT_EQ(api.wait(job, seconds(120)).state(), v1::JOB_STATE_SUCCEEDED) << cluster_->logs();
  EXPECT_THAT(cluster_->ask({"squeue", "-h", "-t", "all", "-j", first, "-o", "%T"}).out, HasSubstr("CANCELLED"));

  cluster_->stop_controller();
  EXPECT_TRUE(eventually(seconds(60), [&] { return farm().closed_reason().contains("its cluster does not answer"); }))
      << farm().DebugString();
  cluster_->start_controller();
  EXPECT_TRUE(eventually(seconds(60), [&] { return !farm().closed(); })) << farm().DebugString();
  EXPECT_EQ(pool().cli({"run", "--", "echo", "again"}).out, "again\n");
  login_->down();
  cluster_.reset();  // the fixture knows no controller but the first
}

TEST_F(SlurmTest, WhatIsWrongIsSaidBeforeAnybodyIsAsked) {
  Api owner(pool());
  const std::string link = "https://127.0.0.1:1/#pair=1.AAECAwQFBgcICQoLDA0ODw.AAECAwQFBgcICQ";
  const auto error = [&](const std::vector<std::string>& options, const std::string& path = "") {
    std::vector<std::string> words = {"node", "slurm", link};
    words.insert(words.end(), options.begin(), options.end());
    RunOptions run;
    if (!path.empty()) run.env = {{"PATH", path}};
    const Ended ended = login_->cli(words, run);
    EXPECT_NE(ended.exit_code, 0);
    return ended.err;
  };
  EXPECT_THAT(error({"--partition", "nights"}), HasSubstr("no partition 'nights'; it has work, closed"));
  EXPECT_THAT(error({"--partition", "closed"}), HasSubstr("takes no jobs now"));
  EXPECT_THAT(error({"--cores", "0"}), HasSubstr("--cores"));
  EXPECT_THAT(error({}, "/nonexistent"), AllOf(HasSubstr("no program sinfo"), HasSubstr("apt install slurm-client")));
  cluster_->stop_controller();
  EXPECT_THAT(error({}), AllOf(HasSubstr("Unable to contact slurm controller"), HasSubstr("where sinfo answers")));
  EXPECT_THAT(login_->cli({"node", "slurm", "nowhere"}).err, HasSubstr("is no pairing link"));
}

}  // namespace
}  // namespace hearth::e2e
