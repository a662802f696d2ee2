#include "sandbox/launch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/cgroup.h"

namespace hearth::sandbox {
namespace {

// A group of version 2 that any privileged process can make, with or without controllers. Empty where there is none.
std::string make_group() {
  for (const Hierarchy& hierarchy :
       parse_hierarchies(read_text("/proc/self/mountinfo"), read_text("/proc/self/cgroup"))) {
    std::string group = hierarchy.mount_point + "/hearth-test-" + std::to_string(::getpid());
    if (hierarchy.v2 && ::mkdir(group.c_str(), 0755) == 0) return group;
  }
  return {};
}

std::string run(Launch& plan) {
  Result<Pipe> output = make_pipe(O_CLOEXEC);
  EXPECT_TRUE(output);
  for (int i = 0; i < 3; ++i) plan.files.emplace_back(::open("/dev/null", O_RDWR | O_CLOEXEC));
  plan.files[1] = std::move(output->write_end);
  Result<Started> started = launch(plan);
  plan.files.clear();
  if (!started) return started.error().message;
  std::string text = read_text("/proc/self/fd/" + std::to_string(output->read_end.get()));
  int status = -1;
  EXPECT_EQ(::waitpid(started->pid, &status, 0), started->pid);
  EXPECT_EQ(status, 0);
  return text;
}

TEST(Launch, MakesTheProcessInItsGroup) {
  const std::string group = make_group();
  if (group.empty()) GTEST_SKIP() << "SKIPPED: no group of version 2 can be made here";
  Launch plan{.program = "/bin/cat", .argv = {"cat", "/proc/self/cgroup"}};
  plan.birthplace.reset(::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  EXPECT_TRUE(run(plan).contains(group.substr(group.rfind('/')) + "\n"));
  EXPECT_EQ(::rmdir(group.c_str()), 0);
}

TEST(Launch, EntersTheGroupItselfWhereItCannotBeMadeInIt) {
  const std::string group = make_group();
  if (group.empty()) GTEST_SKIP() << "SKIPPED: no group of version 2 can be made here";
  Launch plan{.program = "/bin/cat", .argv = {"cat", "/proc/self/cgroup"}};
  plan.birthplace.reset(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));  // no group
  plan.cgroup_entries.emplace_back(::open((group + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
  EXPECT_TRUE(run(plan).contains(group.substr(group.rfind('/')) + "\n"));
  EXPECT_EQ(::rmdir(group.c_str()), 0);
}

TEST(Launch, SaysWhatCannotBeStarted) {
  Launch plan{.program = "/nonexistent", .argv = {"x"}};
  EXPECT_TRUE(run(plan).contains("starting /nonexistent"));
}

}  // namespace
}  // namespace hearth::sandbox
