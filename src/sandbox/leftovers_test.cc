// Nothing is left of a sandbox: not after its end, not after the node's, whoever the node runs as.
#include <csignal>
#include <fstream>
#include <functional>
#include <set>
#include <sstream>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "sandbox/fd.h"
#include "sandbox/levels_testing.h"

namespace hearth::sandbox {
namespace {

class Leftovers : public AtLevel {};
class OrdinaryUser : public AtLevel {};

// Everything on this machine that carries the state directory's mark.
std::string traces(const std::filesystem::path& state_directory) {
  std::string found;
  for (const char* file : {"/proc/self/mountinfo", "/proc/1/mountinfo"}) {
    std::istringstream lines(read_text(file, 16 * kMiB));
    for (std::string line; std::getline(lines, line);) {
      if (line.contains(state_directory.string())) found += line + "\n";
    }
  }
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(state_directory, error)) {
    if (entry.path().filename() != "lock" && !std::filesystem::is_empty(entry.path(), error))
      found += entry.path().string() + "\n";
  }
  return found;
}

// Seconds that no other test's sleep sleeps, also where the tests of several levels run at once.
std::string own_seconds() { return std::to_string(900'000'000 + ::getpid()); }

bool someone_runs(const std::string& argument) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    if (read_text(entry.path() / "cmdline").contains(argument)) return true;
  }
  return false;
}

// The group that the node made for itself, "/hearth-TAG", of whoever runs with this argument; empty if it has none.
std::string group_of(const std::string& argument) {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    if (!read_text(entry.path() / "cmdline").contains(argument)) continue;
    std::string groups = read_text(entry.path() / "cgroup");
    std::size_t begin = groups.find("/hearth-");
    if (begin != std::string::npos) return groups.substr(begin, groups.find_first_of("/\n", begin + 1) - begin);
  }
  return "";
}

TEST_P(Leftovers, NoneAfterwards) {
  const std::string seconds = own_seconds();
  TestHost host(ground().options);
  host.set_up(ground().setup);
  host.shell("echo x > f; sleep " + seconds + " & exit 0");
  EXPECT_EQ(traces(host.directory() / "state"), "");
  std::string group;
  {
    std::unique_ptr<Sandbox> box = host.prepare();
    Running running(*box, {.argv = {"/bin/sh", "-c", "echo up; sleep " + seconds + "; true"}});
    running.wait_for_output("up");
    group = group_of(seconds);
    box.reset();
  }
  EXPECT_EQ(traces(host.directory() / "state"), "");
  EXPECT_FALSE(someone_runs(seconds));
  host.close();
  if (group.empty()) GTEST_SKIP() << "SKIPPED: this machine gives no control groups; nothing else is left";
  for (const std::string& left : hearth_groups()) EXPECT_FALSE(left.ends_with(group)) << left;
}

// Opens a Host in a child process and runs `body` there; the child's exit code.
int in_child(const std::function<int()>& body) {
  pid_t pid = ::fork();
  if (pid == 0) ::_exit(body());
  int status = 0;
  ::waitpid(pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST_P(Leftovers, NoneAfterTheProcessWasKilled) {
  const std::filesystem::path state = directory() / "state";
  const std::string seconds = own_seconds();
  const std::string script = "echo x > f; setsid sleep " + seconds + " & echo up; sleep " + seconds;
  int ready[2];
  ASSERT_EQ(::pipe2(ready, O_CLOEXEC), 0);
  pid_t pid = ::fork();
  if (pid == 0) {
    auto host = Host::open({.state_directory = state, .cpu_weight = 100});
    if (!host) ::_exit(1);
    auto box = (*host)->prepare("doomed", small_limits(), ground().setup);
    if (!box) ::_exit(2);
    Running running(**box, {.argv = {"/bin/sh", "-c", script}});
    running.wait_for_output("up");
    static_cast<void>(::write(ready[1], "!", 1));
    ::pause();
    ::_exit(3);
  }
  char byte = 0;
  ::close(ready[1]);
  ASSERT_EQ(::read(ready[0], &byte, 1), 1);
  ::close(ready[0]);
  ASSERT_TRUE(someone_runs(seconds));
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  // The next process of the same directory sweeps, and works.
  EXPECT_EQ(in_child([&] {
              auto host = Host::open({.state_directory = state, .cpu_weight = 100});
              if (!host) return 1;
              if (someone_runs(seconds)) return 2;
              auto box = (*host)->prepare("doomed", small_limits(), ground().setup);
              if (!box) return 3;
              return Running(**box, {.argv = {"/bin/sh", "-c", "test ! -e f"}}).wait().exit.exit_code;
            }),
            0);
  EXPECT_EQ(traces(state), "");
}

TEST_P(OrdinaryUser, HasTheSameSandbox) {
  if (::geteuid() != 0) GTEST_SKIP() << "SKIPPED: all tests of this run are an ordinary user's";
  ASSERT_EQ(::chown(directory().c_str(), 12345, 12345), 0);
  std::string report = directory() / "report";
  int code = in_child([&] {
    if (::setresgid(12345, 12345, 12345) != 0 || ::setresuid(12345, 12345, 12345) != 0) return 99;
    ::prctl(PR_SET_DUMPABLE, 1);
    auto host = Host::open({.state_directory = directory() / "state"});
    if (!host) {
      std::ofstream(report) << host.error().message;
      return 98;
    }
    auto box = (*host)->prepare("mine", small_limits(), ground().setup);
    if (!box) {
      std::ofstream(report) << box.error().message;
      return 97;
    }
    put(**box, "in", "input");
    std::string blob = directory() / "blob";
    std::ofstream(blob) << "blob";
    Ran ran =
        Running(**box,
                {.argv = {"/bin/bash", "-c",
                          "cat in big; touch /usr/x 2>/dev/null && echo usr; ls -d /home /tmp/hearth* 2>/dev/null;"
                          "unshare -U true 2>/dev/null && echo userns; echo result > out; id -u"},
                 .variables = {},
                 .bound_files = {{.source = blob, .path = "big"}}})
            .wait();
    auto outputs = (*box)->collect({"*"}, {});
    std::ofstream(report) << ran.out << ran.err << ran.exit.message << (outputs ? outputs->size() : 0)
                          << traces(directory() / "state");
    Limits tight = small_limits();
    tight.memory_bytes = 64 * kMiB;
    auto small = (*host)->prepare("small", tight, ground().setup);
    Ran greedy = Running(**small, {.argv = {"/usr/bin/python3", "-c", "x = bytearray(300 << 20)"}}).wait();
    return greedy.exit.exit_code != 0 ? 0 : 96;
  });
  std::string text = read_text(report);
  EXPECT_EQ(code, 0) << text;
  EXPECT_TRUE(text.starts_with("inputblob65534\n1")) << text;
}

std::size_t count_of(const std::string& argument) {
  std::size_t count = 0;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    if (read_text(entry.path() / "cmdline").contains(argument)) ++count;
  }
  return count;
}

// Nobody sweeps here: an armed sandbox ends by itself, and its program never runs.
TEST(ArmedProgram, NeverRunsAndLeavesNothingIfItsProcessIsKilled) {
  TemporaryDirectory directory;
  std::filesystem::path state = directory.path() / "state";
  pid_t pid = ::fork();
  if (pid == 0) {
    auto host = Host::open({.state_directory = state, .cpu_weight = 100});
    if (!host) ::_exit(1);
    auto box = (*host)->prepare("doomed", small_limits(), {});
    if (!box) ::_exit(1);
    auto armed = (*box)->arm({.argv = {"/bin/sleep", "765432"}}, [](Stream, std::string_view) {}, [](const Exit&) {});
    if (!armed) ::_exit(armed.error().code == Code::kUnimplemented ? 2 : 1);
    ::pause();
    ::_exit(3);
  }
  int status = 0;
  // Bubblewrap and the sandbox's process 1, and no third: the program.
  while (count_of("765432") < 2) {
    if (::waitpid(pid, &status, WNOHANG) != 0) break;
    ::usleep(10'000);
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2) GTEST_SKIP() << "SKIPPED: processes cannot be counted here";
  ::usleep(100'000);  // let bubblewrap come to its gate
  EXPECT_EQ(count_of("765432"), 2U);
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  for (int waited = 0; waited < 3'000 && count_of("765432") > 0; ++waited) ::usleep(10'000);
  EXPECT_EQ(count_of("765432"), 0U);
  EXPECT_EQ(in_child([&] { return Host::open({.state_directory = state, .cpu_weight = 100}) ? 0 : 1; }), 0);
  EXPECT_EQ(traces(state), "");
}

const auto kLevels = testing::Values(Level::kFence, Level::kOci);
INSTANTIATE_TEST_SUITE_P(Levels, Leftovers, kLevels, &AtLevel::name);
INSTANTIATE_TEST_SUITE_P(Levels, OrdinaryUser, kLevels, &AtLevel::name);

}  // namespace
}  // namespace hearth::sandbox
