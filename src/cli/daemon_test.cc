#include "cli/daemon.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "cli/temp_directory.h"

namespace hearth::cli {
namespace {

// Waits for something that must come true; the test's own limit ends it if it does not.
template <class Condition>
void wait_until(Condition condition) {
  while (!condition()) std::this_thread::sleep_for(std::chrono::milliseconds(5));
}

Child shell(const std::string& name, const std::string& script) {
  return {.name = name, .arguments = {"sh", "-c", script}};
}

class SupervisorTest : public testing::Test {
 protected:
  // Starts supervise() in a child process.
  void start(std::vector<Child> children) {
    SupervisorOptions options = {.program = "/bin/sh", .children = std::move(children)};
    options.first_delay = milliseconds(10);
    options.longest_delay = milliseconds(40);
    options.errand_delay = milliseconds(10);
    options.stop_limit = milliseconds(300);
    supervisor_ = ::fork();
    ASSERT_GE(supervisor_, 0);
    if (supervisor_ == 0) ::_exit(supervise(options));
  }

  int wait_for_end() {
    int status = 0;
    ::waitpid(supervisor_, &status, 0);
    supervisor_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  void TearDown() override {
    if (supervisor_ == 0) return;
    ::kill(supervisor_, SIGTERM);
    wait_for_end();
  }

  // A file to which children append a line when they start.
  std::string file(const std::string& name) const { return (directory_.path() / name).string(); }
  std::size_t lines(const std::string& name) const {
    const std::string text = directory_.read(name);
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
  }

  TempDirectory directory_;
  pid_t supervisor_ = 0;
};

bool is_running(pid_t process) {
  // A zombie that nobody of ours can reap has ended all the same.
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text);
  return !text.empty() && text.substr(text.rfind(')') + 2, 1) != "Z";
}

TEST_F(SupervisorTest, RunsAnErrandFromTimeToTimeAndDoesNotLiveForIt) {
  Child errand = shell("errand", "echo >> " + file("errands"));
  errand.every = milliseconds(10);
  start({shell("works", "while ! test -e " + file("enough") + "; do sleep 0.01; done; exit 3"), errand});
  wait_until([this] { return lines("errands") >= 3; });
  directory_.write("enough", "");
  EXPECT_EQ(wait_for_end(), 1);
}

TEST_F(SupervisorTest, StartsAgainWhatDies) {
  start({shell("dies", "echo >> " + file("starts") + "; exit 1")});
  wait_until([this] { return lines("starts") >= 4; });
  ::kill(supervisor_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(SupervisorTest, OneChildsDeathLeavesTheOtherAlone) {
  start({shell("dies", "echo >> " + file("deaths") + "; kill -9 $$"),
         shell("lives", "echo >> " + file("lives") + "; exec sleep 1000")});
  wait_until([this] { return lines("deaths") >= 4; });
  EXPECT_EQ(lines("lives"), 1U);
}

TEST_F(SupervisorTest, ExitCodeThreeIsFinal) {
  start({shell("revoked", "echo >> " + file("revoked") + "; exit 3"),
         shell("other", "echo >> " + file("other") + "; exit 1")});
  wait_until([this] { return lines("other") >= 4; });
  EXPECT_EQ(lines("revoked"), 1U);
}

TEST_F(SupervisorTest, EndsWhenNobodyWantsToBeStartedAgain) {
  start({shell("revoked", "exit 3")});
  EXPECT_EQ(wait_for_end(), 1);
}

TEST_F(SupervisorTest, PassesTermOnAndWaits) {
  start({shell("clean", "trap 'echo >> " + file("ended") + "; exit 0' TERM; echo >> " + file("ready") +
                            "; while :; do sleep 0.01; done")});
  wait_until([this] { return lines("ready") >= 1; });
  ::kill(supervisor_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
  EXPECT_EQ(lines("ended"), 1U);
}

TEST_F(SupervisorTest, KillsWhatDoesNotEnd) {
  start({shell("deaf", "trap '' TERM; echo $$ >> " + file("pid") + "; while :; do sleep 0.01; done")});
  wait_until([this] { return lines("pid") >= 1; });
  const pid_t child = std::stoi(directory_.read("pid"));
  ::kill(supervisor_, SIGTERM);
  EXPECT_EQ(wait_for_end(), 0);
  EXPECT_FALSE(is_running(child));
}

TEST_F(SupervisorTest, AKilledSupervisorLeavesNoOrphan) {
  start({shell("child", "echo $$ >> " + file("pid") + "; exec sleep 1000")});
  wait_until([this] { return lines("pid") >= 1; });
  const pid_t child = std::stoi(directory_.read("pid"));
  ::kill(supervisor_, SIGKILL);
  EXPECT_EQ(wait_for_end(), 1000 + SIGKILL);
  wait_until([child] { return !is_running(child); });
}

TEST(StartDetached, RunsAwayFromTheTerminalAndLogs) {
  const TempDirectory directory;
  const std::filesystem::path log = directory.path() / "log";
  ASSERT_TRUE(start_detached(log, [] {
    const std::string text = "session " + std::to_string(::getsid(0)) + "\n";
    return ::write(STDERR_FILENO, text.data(), text.size()) > 0 ? 0 : 1;
  }));
  wait_until([&] { return directory.read("log").ends_with('\n'); });
  EXPECT_NE(directory.read("log"), "session " + std::to_string(::getsid(0)) + "\n");
}

TEST(StartDetached, ALargeLogIsSetAside) {
  const TempDirectory directory;
  const std::filesystem::path log = directory.write("log", std::string(4 * kMiB + 1, 'x'));
  ASSERT_TRUE(start_detached(log, [] { return 0; }));
  EXPECT_TRUE(std::filesystem::exists(directory.path() / "log.1"));
  EXPECT_EQ(std::filesystem::file_size(log), 0U);
}

TEST(LastLines, GivesTheTail) {
  const TempDirectory directory;
  const std::filesystem::path file = directory.write("log", "1\n2\n3\n");
  EXPECT_EQ(last_lines(file, 2), "2\n3\n");
  EXPECT_EQ(last_lines(file, 10), "1\n2\n3\n");
  EXPECT_EQ(last_lines(directory.path() / "absent", 2), "");
}

TEST(StopSupervisor, SaysThatNothingWasUp) {
  const TempDirectory directory;
  const Result<bool> stopped = stop_supervisor(Home{directory.path()}, seconds(1));
  ASSERT_TRUE(stopped);
  EXPECT_FALSE(*stopped);
}

TEST(StopSupervisor, EndsTheOneThatHoldsTheLock) {
  const TempDirectory directory;
  const Home home{directory.path()};
  {
    Result<std::optional<Lock>> lock = Lock::take(home);
    ASSERT_TRUE(lock && lock->has_value());
    ASSERT_TRUE(start_detached(home.log(), [&lock] {
      if (!(*lock)->sign()) return 1;
      const SupervisorOptions options = {.program = "/bin/sh", .children = {shell("child", "exec sleep 1000")}};
      return supervise(options);
    }));
  }
  wait_until([&home] { return Lock::holder(home) && Lock::holder(home)->process > 0; });
  const Result<bool> stopped = stop_supervisor(home, seconds(60));
  ASSERT_TRUE(stopped) << stopped.error().message;
  EXPECT_TRUE(*stopped);
  EXPECT_FALSE(Lock::holder(home));
}

}  // namespace
}  // namespace hearth::cli
