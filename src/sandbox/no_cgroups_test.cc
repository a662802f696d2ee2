// What holds where there are no control groups to be had, say in a container: each process has its limits, nobody holds
// all of them together, and the Host says so.
#include <algorithm>
#include <csignal>
#include <optional>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "sandbox/cgroup.h"
#include "sandbox/fd.h"
#include "sandbox/testing.h"

namespace hearth::sandbox {
namespace {

// In a mount namespace that shows no hierarchy, until the test's end.
class WithoutControlGroups : public testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: only root can hide this machine's control groups";
    before_.reset(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
    directory_ = std::filesystem::current_path();
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0);
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    for (const Hierarchy& hierarchy : parse_hierarchies(read_text("/proc/self/mountinfo", 16 * kMiB), "")) {
      ::umount2(hierarchy.mount_point.c_str(), MNT_DETACH);
    }
    host_.emplace();
  }

  void TearDown() override {
    host_.reset();
    if (!before_) return;
    EXPECT_EQ(::setns(before_.get(), CLONE_NEWNS), 0);
    std::filesystem::current_path(directory_);
  }

  TestHost& host() { return *host_; }

 private:
  Fd before_;
  std::filesystem::path directory_;
  std::optional<TestHost> host_;
};

TEST_F(WithoutControlGroups, TheHostSaysWhatItCannotHold) {
  EXPECT_EQ(host()->description(), "fence (L1), no cgroup");
  const std::vector<Check> checks = host()->self_test();
  for (const char* name : {"memory limit", "process limit", "processor share", "freezer"}) {
    const auto check = std::ranges::find(checks, name, &Check::name);
    ASSERT_NE(check, checks.end()) << name;
    EXPECT_FALSE(check->ok) << name;
    EXPECT_TRUE(check->remedy.contains("Delegate=yes")) << check->remedy;
  }
  const auto memory = std::ranges::find(checks, "memory limit", &Check::name);
  EXPECT_EQ(memory->detail, "a guest may use more than it was given: only its own data and files are bounded");
}

TEST_F(WithoutControlGroups, EachProcessHasItsMemoryAndFilesTheirSpace) {
  Limits limits = small_limits();
  limits.memory_bytes = 32 * kMiB;
  limits.scratch_bytes = 8 * kMiB;
  Ran ran = host().run({"/bin/sh", "-c", "x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo survived"}, limits);
  EXPECT_NE(ran.exit.exit_code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_LT(ran.exit.peak_memory_bytes, 2 * limits.memory_bytes) << "the node's own memory is not the program's";
  Ran files = host().run({"/bin/sh", "-c", "head -c 20000000 /dev/zero > big"}, limits);
  EXPECT_NE(files.exit.exit_code, 0);
  EXPECT_TRUE(files.err.contains("No space left")) << files.err;
}

TEST_F(WithoutControlGroups, ProcessesAreCountedAndTheirTimeIsLimited) {
  Limits limits = small_limits();
  limits.max_processes = 40;
  limits.cpu_seconds = 1;
  Ran many = host().run({"/bin/sh", "-c", "for i in $(seq 100); do sleep 1000 & done; echo all"}, limits);
  EXPECT_EQ(many.out, "");
  EXPECT_TRUE(many.err.contains("fork")) << many.err << many.exit.message;
  Ran busy = host().run({"/bin/sh", "-c", "while :; do :; done"}, limits);
  EXPECT_TRUE(busy.exit.exit_code == 128 + SIGXCPU || busy.exit.exit_code == 128 + SIGKILL) << busy.exit.exit_code;
}

TEST_F(WithoutControlGroups, SignalsHoldAndEndEveryProcess) {
  std::unique_ptr<Sandbox> box = host().prepare();
  Running running(*box, {.argv = {"/bin/sh", "-c", "setsid sleep 1000 & echo up; sleep 0.2; echo down; sleep 1000"}});
  running.wait_for_output("up");
  ASSERT_TRUE(box->freeze());
  ASSERT_TRUE(box->thaw());
  running.wait_for_output("down");
  ASSERT_TRUE(box->freeze());
  box->kill();
  EXPECT_EQ(running.wait().exit.exit_code, 128 + SIGKILL) << "a held program can be ended";
  box.reset();
  EXPECT_EQ(host()->traces("test-1"), std::vector<std::string>());
}

// Nothing would hold it back if this process died.
TEST_F(WithoutControlGroups, NoProgramIsMadeReadyAhead) {
  std::unique_ptr<Sandbox> box = host().prepare();
  Result<void> armed = box->arm({.argv = {"/bin/true"}}, [](Stream, std::string_view) {}, [](const Exit&) {});
  ASSERT_FALSE(armed);
  EXPECT_EQ(armed.error().code, Code::kUnimplemented);
  EXPECT_EQ(host().run({"/bin/true"}).exit.exit_code, 0);
}

}  // namespace
}  // namespace hearth::sandbox
