#include "cli/tools.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/temp_directory.h"

namespace hearth::cli {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

TEST(Workshop, ShowsTheLastWordsOfWhatFailed) {
  const TempDirectory directory;
  const Result<Workshop> workshop = Workshop::open(directory.path());
  ASSERT_TRUE(workshop);
  const Result<void> failed = workshop->run("trying", {{{"sh", "-c", "echo one; echo two >&2; exit 3"}, "dash"}});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("sh failed with exit code 3"));
  EXPECT_THAT(failed.error().message, HasSubstr("\n  one\n  two"));
  EXPECT_TRUE(workshop->run(
      "trying", {{{"sh", "-c", "test \"$GIVEN\" = yes && test -z \"$HOME\""}, "dash", {"GIVEN=yes", "HOME"}}}));
  const Result<void> missing = workshop->run("trying", {{{"hearth-no-such-tool"}, "some-package"}});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("apt install some-package"));
}

TEST(Workshop, RunsToolsInARowAndEndsThemTogether) {
  const TempDirectory directory;
  const Result<Workshop> workshop = Workshop::open(directory.path());
  ASSERT_TRUE(workshop);
  const std::string out = (directory.path() / "out").string();
  EXPECT_TRUE(
      workshop->run("piping", {{{"sh", "-c", "echo through"}, "dash"}, {{"sh", "-c", "cat > " + out}, "dash"}}));
  EXPECT_EQ(directory.read("out"), "through\n");
  // The second would wait for ever.
  const Result<void> failed =
      workshop->run("piping", {{{"sh", "-c", "exit 7"}, "dash"}, {{"sleep", "3600"}, "coreutils"}});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("sh failed with exit code 7"));
  EXPECT_EQ(workshop->lines_of({{"printf", "a\\nb\\n"}, "coreutils"}), (std::vector<std::string>{"a", "b"}));
}

TEST(Workshop, AsksAToolWhateverItsExitCode) {
  const TempDirectory directory;
  const Result<Workshop> workshop = Workshop::open(directory.path());
  ASSERT_TRUE(workshop);
  ::setenv("HEARTH_TEST_LEAK_A", "a", 1);
  ::setenv("HEARTH_TEST_LEAK_B", "b", 1);
  const Result<Ran> ran = workshop->ask(
      "asking", {.argv = {"sh", "-c", "pwd; echo \"$HEARTH_TEST_LEAK_A|$HEARTH_TEST_LEAK_B\"; echo odd >&2; exit 3"},
                 .package = "dash",
                 .variables = {"HEARTH_TEST_LEAK*", "HEARTH_TEST_LEAK_B=given"},
                 .directory = "/usr"});
  ASSERT_TRUE(ran);
  EXPECT_EQ(ran->exit_code, 3);
  EXPECT_EQ(ran->printed, "/usr\n|given\n");
  EXPECT_EQ(ran->said, "odd\n");
  const Result<Ran> killed = workshop->ask("asking", {{"sh", "-c", "kill -9 $$"}, "dash"});
  ASSERT_FALSE(killed);
  EXPECT_THAT(killed.error().message, HasSubstr("sh was ended by signal 9"));
  EXPECT_EQ(workshop->ask("asking", {{"hearth-no-such-tool"}, "some-package"}).error().code, Code::kFailedPrecondition);
}

TEST(Workshop, IsGoneAfterwardsWhateverWasPutThere) {
  const TempDirectory directory;
  {
    const Result<Workshop> workshop = Workshop::open(directory.path() / "parent");
    ASSERT_TRUE(workshop);
    std::filesystem::create_directories(workshop->directory() / "a" / "b");
    std::ofstream(workshop->directory() / "a" / "b" / "c") << "x";
    std::filesystem::permissions(workshop->directory() / "a" / "b", std::filesystem::perms::none);
    std::filesystem::permissions(workshop->directory() / "a", std::filesystem::perms::none);
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path() / "parent"));
}

TEST(Workshop, ClearsWhatKilledOnesHaveLeftAndNothingOfTheLiving) {
  const TempDirectory directory;
  directory.write("work-killed/a/b", "x");
  directory.write("worked/a", "x");
  std::filesystem::permissions(directory.path() / "work-killed/a", std::filesystem::perms::none);
  const Result<Workshop> one = Workshop::open(directory.path());
  ASSERT_TRUE(one);
  EXPECT_FALSE(std::filesystem::exists(directory.path() / "work-killed"));
  EXPECT_TRUE(std::filesystem::exists(directory.path() / "worked"));
  const Result<Workshop> other = Workshop::open(directory.path());
  ASSERT_TRUE(other);
  EXPECT_TRUE(std::filesystem::exists(one->directory()));
}

TEST(Workshop, OneWhoseToolHasOutlivedItIsNotDeadYet) {
  const TempDirectory directory;
  const std::filesystem::path mark = directory.path() / "tool";
  const pid_t killed = ::fork();
  if (killed == 0) {
    const Result<Workshop> workshop = Workshop::open(directory.path());
    (void)workshop->run("waiting", {{{"sh", "-c", "echo $$ > " + mark.string() + "; exec sleep 100"}, "dash"}});
    ::_exit(1);
  }
  std::string tool;
  while (!tool.ends_with('\n')) {
    std::this_thread::sleep_for(milliseconds(5));
    tool = std::filesystem::exists(mark) ? directory.read("tool") : "";
  }
  ::kill(killed, SIGKILL);
  ::waitpid(killed, nullptr, 0);
  const auto left = [&] {
    const std::filesystem::directory_iterator all(directory.path());
    return std::count_if(begin(all), end(all), [](const auto& one) { return one.is_directory(); });
  };
  EXPECT_TRUE(Workshop::open(directory.path()));
  EXPECT_EQ(left(), 1);
  ::kill(std::stoi(tool), SIGKILL);
  while (left() > 0) {
    std::this_thread::sleep_for(milliseconds(5));
    ASSERT_TRUE(Workshop::open(directory.path()));
  }
}

// Of a shell, in a workshop of its own.
Result<Ran> ask(Tool tool) {
  const TempDirectory directory;
  tool.argv.insert(tool.argv.begin(), {"sh", "-c"});
  return Workshop::open(directory.path()).value().ask("asking", tool);
}

TEST(Workshop, EndsWhatIsHopelessAndTellsWhatItSaid) {
  const Result<Ran> ran = ask({.argv = {"echo the disk is full >&2; exec sleep 1000"},
                               .is_hopeless = [](std::string_view said) { return said.contains("full"); }});
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(ran->exit_code, 128 + 15);
  EXPECT_EQ(ran->said, "the disk is full\n");
}

TEST(Workshop, EndsWhatDoesNothingButPrint) {
  const char* program = "import time\nwhile True:\n  print('still waiting', flush=True)\n  time.sleep(0.05)";
  const Result<Ran> ran =
      ask({.argv = {fmt::format("exec python3 -c \"{}\"", program)}, .most_idle = milliseconds(500)});
  ASSERT_FALSE(ran);
  EXPECT_EQ(ran.error().code, Code::kDeadlineExceeded);
}

TEST(Workshop, LetsWhatReadsGoOn) {
  const Result<Ran> ran = ask({.argv = {"for i in $(seq 60); do while read -r line; do :; done < /etc/passwd; sleep "
                                        "0.05; done"},
                               .most_idle = milliseconds(2'000)});
  ASSERT_TRUE(ran) << ran.error().message;
  EXPECT_EQ(ran->exit_code, 0);
}

}  // namespace
}  // namespace hearth::cli
