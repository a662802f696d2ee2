// `hearth run --disk`: a task's files on its node's disk, under a key that nothing keeps.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pool.h"
#include "harness/proc.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class TaskDiskTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    const json nodes = json::parse(pool().cli({"nodes", "--json"}).out, nullptr, false);
    if (!nodes["nodes"][0]["offered"].contains("disk_bytes")) {
      GTEST_SKIP() << "SKIPPED: this machine has no encrypted directories: " << pool().cli({"doctor"}).out;
    }
  }

  Ended run(const std::string& disk, const std::string& script) {
    return pool().cli({"run", "--memory", "64M", "--disk", disk, "--output", "*.out", "--", "sh", "-c", script});
  }
};

TEST_F(TaskDiskTest, HoldsMoreThanMemoryDoes) {
  const std::string script = "head -c 200M /dev/zero > x && wc -c < x; echo kept > kept.out; touch /tmp/t";
  const Ended in_memory = pool().cli({"run", "--memory", "64M", "--", "sh", "-c", script});
  EXPECT_THAT(in_memory.out, testing::Not(HasSubstr("209715200")));
  const Ended on_disk = run("400M", script);
  EXPECT_EQ(on_disk.exit_code, 0) << on_disk.err;
  EXPECT_EQ(on_disk.out, "209715200\n");
  EXPECT_EQ(read_text(pool().directory() / "kept.out"), "kept\n");
  EXPECT_THAT(pool().cli({"verify-wipe", "2"}).out, HasSubstr("a key that existed in memory only"));
}

TEST_F(TaskDiskTest, MoreThanItAskedForEndsTheTask) {
  const Ended filled = run("2M", "head -c 32M /dev/zero > large; sleep 100");
  EXPECT_EQ(filled.exit_code, 1);
  EXPECT_THAT(filled.err, HasSubstr("its files take "));
  EXPECT_THAT(filled.err, HasSubstr("more than the 2 MiB that it asked for"));
  EXPECT_THAT(filled.err, HasSubstr("hearth run --disk SIZE"));
}

TEST_F(TaskDiskTest, WhatNoPcLendsIsWaitedForWithAReason) {
  ASSERT_EQ(pool().cli({"run", "--detach", "--disk", "60T", "--", "true"}).exit_code, 0);
  EXPECT_THAT(pool().cli({"why", "1"}).out, HasSubstr("60 TiB of disk"));
  EXPECT_THAT(pool().cli({"why", "1"}).out, HasSubstr("hearth limit --disk SIZE"));
}

// Nothing could be read or written any more: the node begins anew, and its tasks with it.
TEST_F(TaskDiskTest, IsHadAgainAfterTheProgramThatEncryptsDied) {
  const Ended started = pool().cli({"run", "--detach", "--disk", "8M", "--", "sh", "-c", "echo x > x; sleep 2; cat x"});
  ASSERT_EQ(started.exit_code, 0) << started.err;
  Api api(pool());
  api.wait_until_running(1);
  const pid_t node = pool().node_process();
  pid_t keeper = 0;
  for (const pid_t process : descendants_of(node)) {
    if (command_line(process).starts_with("gocryptfs")) keeper = process;
  }
  ASSERT_NE(keeper, 0);
  ::kill(keeper, SIGKILL);
  EXPECT_TRUE(eventually(seconds(60), [&] { return pool().node_process() != node && pool().node_connected(); }));
  EXPECT_EQ(api.wait(1).state(), v1::JOB_STATE_SUCCEEDED);
}

}  // namespace
}  // namespace hearth::e2e
