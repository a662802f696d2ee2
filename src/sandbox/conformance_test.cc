// What every level of isolation promises, tried at each that this machine offers. A new level joins with one row.
#include <csignal>
#include <fstream>
#include <future>
#include <thread>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "sandbox/directory_tree.h"
#include "sandbox/levels_testing.h"

namespace hearth::sandbox {
namespace {

class SandboxConformance : public HostAtLevel {};

// A program that waits for its release.
class Armed {
 public:
  Armed(Sandbox& box, const Command& command) {
    Result<void> armed = box.arm(
        command, [this](Stream, std::string_view piece) { out += piece; },
        [this](const Exit& exit) { ended.set_value(exit); });
    supported = armed || armed.error().code != Code::kUnimplemented;
    if (!armed && supported) ADD_FAILURE() << armed.error().message;
  }
  std::promise<Exit> ended;
  std::string out;
  bool supported = false;
};

TEST_P(SandboxConformance, TellsTheExitCode) {
  Ran ran = sh("exit 7");
  EXPECT_TRUE(ran.exit.started);
  EXPECT_EQ(ran.exit.exit_code, 7);
  EXPECT_FALSE(ran.exit.signalled);
  EXPECT_GT(ran.exit.wall_micros, 0U);
  EXPECT_GT(ran.exit.cpu_micros, 0U);
  EXPECT_GT(ran.exit.peak_memory_bytes, 0U);
  constexpr std::uint64_t kPlenty = 32 * kMiB;
  if (GetParam() != Level::kMicroVm) EXPECT_LT(ran.exit.peak_memory_bytes, kPlenty) << "not the node's own memory";
  EXPECT_EQ(host().run({"/bin/true"}).exit.exit_code, 0);
  EXPECT_EQ(sh("exit 255").exit.exit_code, 255);
}

TEST_P(SandboxConformance, TellsTheSignal) {
  Ran ran = sh("kill -SEGV $$");
  EXPECT_TRUE(ran.exit.signalled);
  EXPECT_EQ(ran.exit.exit_code, 128 + SIGSEGV);
}

TEST_P(SandboxConformance, KeepsTheStreamsApartAndWhole) {
  Ran ran = sh("seq 1 100000; echo bwrap: not from bubblewrap >&2; echo end >&2");
  std::string expected;
  for (int i = 1; i <= 100'000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_TRUE(ran.out == expected) << ran.out.size() << " bytes";
  EXPECT_EQ(ran.err, "bwrap: not from bubblewrap\nend\n");
}

TEST_P(SandboxConformance, SaysWhatCouldNotBeStarted) {
  Ran absent = host().run({"no-such-program"});
  EXPECT_FALSE(absent.exit.started);
  EXPECT_TRUE(absent.exit.message.starts_with("the program 'no-such-program' was not found ")) << absent.exit.message;
  EXPECT_EQ(absent.err, "");
  Ran absent_file = host().run({"./missing"});
  EXPECT_FALSE(absent_file.exit.started);
  EXPECT_NE(absent_file.exit.message.find("'./missing' was not found"), std::string::npos) << absent_file.exit.message;
  std::unique_ptr<Sandbox> box = host().prepare();
  put(*box, "plain.txt", "text");
  Ran plain = Running(*box, {.argv = {"./plain.txt"}}).wait();
  EXPECT_FALSE(plain.exit.started);
  EXPECT_EQ(plain.exit.message, "the program './plain.txt' is not executable");
}

TEST_P(SandboxConformance, GivesVariablesAndArguments) {
  std::unique_ptr<Sandbox> box = host().prepare();
  Ran ran = Running(*box, {.argv = {"/bin/sh", "-c", "env; echo \"[$1]\"", "sh", "a  b\n'\""},
                           .variables = {{"HEARTH_TEST", "1 2"}, {"PATH", "/usr/bin"}}})
                .wait();
  EXPECT_NE(ran.out.find("HEARTH_TEST=1 2\n"), std::string::npos);
  EXPECT_NE(ran.out.find("PATH=/usr/bin\n"), std::string::npos);
  EXPECT_NE(ran.out.find("[a  b\n'\"]"), std::string::npos);
  EXPECT_EQ(ran.out.find("HOME="), std::string::npos) << "only what was given";
}

TEST_P(SandboxConformance, PassesAnyBytesOn) {
  const std::string odd = "\x01 \xff\xc3\x28 \"'\\{}\n$(id)\x1e";
  std::unique_ptr<Sandbox> box = host().prepare();
  Ran ran =
      Running(*box, {.argv = {"/bin/sh", "-c", "printf %s \"$1$ODD\"", "sh", odd}, .variables = {{"ODD", odd}}}).wait();
  EXPECT_EQ(ran.out, odd + odd) << ran.err << ran.exit.message;
}

TEST_P(SandboxConformance, TakesInputsAndGivesOutputs) {
  std::unique_ptr<Sandbox> box = host().prepare();
  put(*box, "in/data.txt", "forty-two");
  put(*box, "run.sh",
      "#!/bin/sh\nmkdir out; cp in/data.txt out/copy.txt; echo x >> in/data.txt; echo tool > out/t; chmod +x out/t",
      true);
  EXPECT_EQ(box->create_file("in/data.txt", false).error().code, Code::kAlreadyExists);
  EXPECT_EQ(box->create_file("../x", false).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(box->create_file("in/data.txt/below", false));
  Ran ran = Running(*box, {.argv = {"./run.sh"}}).wait();
  ASSERT_EQ(ran.exit.exit_code, 0) << ran.err << ran.exit.message;
  auto outputs = box->collect({"**"}, {});
  ASSERT_TRUE(outputs) << outputs.error().message;
  // run.sh is an unchanged input; in/data.txt was changed.
  ASSERT_EQ(outputs->size(), 3U);
  EXPECT_EQ((*outputs)[0].path, "in/data.txt");
  EXPECT_EQ((*outputs)[1].path, "out/copy.txt");
  EXPECT_EQ((*outputs)[1].size, 9U);
  EXPECT_FALSE((*outputs)[1].executable);
  EXPECT_EQ((*outputs)[2].path, "out/t");
  EXPECT_TRUE((*outputs)[2].executable);
  auto named = box->collect({"run.sh"}, {});
  ASSERT_TRUE(named) << "an input that is asked for by name is given";
  auto file = box->open_output("out/copy.txt");
  ASSERT_TRUE(file);
  char text[16] = {};
  EXPECT_EQ(::read(*file, text, sizeof text), 9);
  EXPECT_STREQ(text, "forty-two");
  ::close(*file);
}

TEST_P(SandboxConformance, ShowsLargeInputsInPlaceAndReadOnly) {
  std::filesystem::path source = host().directory() / "blob";
  std::string big(3 * kMiB, 'b');
  ASSERT_EQ(::system(("head -c 3145728 /dev/zero | tr '\\0' b > " + source.string()).c_str()), 0);
  ::chmod(source.c_str(), 0555);
  std::unique_ptr<Sandbox> box = host().prepare();
  Ran ran = Running(*box, {.argv = {"/bin/sh", "-c",
                                    "wc -c < deep/big; echo x >> deep/big || echo refused; rm -f deep/big || echo kept;"
                                    "echo o > out"},
                           .variables = {},
                           .bound_files = {{.source = source, .path = "deep/big"}}})
                .wait();
  EXPECT_EQ(ran.out, "3145728\nrefused\nkept\n") << ran.err << ran.exit.message;
  auto outputs = box->collect({"**"}, {});
  ASSERT_TRUE(outputs);
  ASSERT_EQ(outputs->size(), 1U);
  EXPECT_EQ((*outputs)[0].path, "out");
  box.reset();
  EXPECT_EQ(std::filesystem::file_size(source), 3 * kMiB);
}

// More than memory may hold, and readable nowhere.
TEST_P(SandboxConformance, PutsFilesOnTheDiskWhereThatIsAskedFor) {
  Result<std::filesystem::path> vault = host()->encrypted_directory();
  if (!vault) GTEST_SKIP() << "SKIPPED: " << vault.error().message;
  Limits limits = small_limits();
  limits.scratch_bytes = 4 * kMiB;
  limits.disk_bytes = 256 * kMiB;
  Result<std::unique_ptr<Sandbox>> box = host()->prepare("disk", limits, ground().setup);
  ASSERT_TRUE(box) << box.error().message;
  Result<int> input = (*box)->create_file("deep/in", false);
  ASSERT_TRUE(input) << input.error().message;
  ASSERT_EQ(::write(*input, "given", 5), 5);
  ::close(*input);
  const std::string canary = "a canary that no disk may hold";
  Ran ran =
      Running(**box, {.argv = {"/bin/sh", "-c",
                               "cat deep/in; head -c 16777216 /dev/zero > large && wc -c < large; "
                               "head -c 8388608 /dev/zero > /tmp/t && wc -c < /tmp/t; echo '" +
                                   canary + "' > out; mkdir -p a/b/c; cp out a/b/c/$(printf 'n%.0s' $(seq 200))"}})
          .wait();
  EXPECT_EQ(ran.out, "given16777216\n8388608\n") << ran.err << ran.exit.message;
  EXPECT_EQ(ran.exit.exit_code, 0) << ran.exit.message << ran.exit.out_of_memory;
  auto outputs = (*box)->collect({"out", "large"}, {});
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(outputs->size(), 2U);
  EXPECT_EQ(::system(("grep -rqF '" + canary + "' " + (host().directory() / "state" / "vault").string()).c_str()) >> 8,
            1);
  const std::filesystem::path disk = (*box)->disk();
  Result<TreeSize> size = measure_tree(disk);
  ASSERT_TRUE(size) << size.error().message;
  EXPECT_GT(size->bytes, (GetParam() == Level::kMicroVm ? 16 : 24) * kMiB) << "a machine's /tmp is its own";
  box->reset();
  EXPECT_FALSE(std::filesystem::exists(disk));
  EXPECT_EQ(host()->traces("disk"), std::vector<std::string>());
}

// A file system's program that takes its caller's place with all its threads refuses others meanwhile.
TEST_P(SandboxConformance, LetsManyProcessesMakeFilesOnTheDiskAtOnce) {
  Result<std::filesystem::path> vault = host()->encrypted_directory();
  if (!vault) GTEST_SKIP() << "SKIPPED: " << vault.error().message;
  Limits limits = small_limits();
  limits.disk_bytes = 64 * kMiB;
  Result<std::unique_ptr<Sandbox>> box = host()->prepare("many", limits, ground().setup);
  ASSERT_TRUE(box) << box.error().message;
  Ran ran = Running(**box, {.argv = {"/bin/sh", "-c",
                                     "work() { for i in $(seq 25); do mkdir $1.$i && echo x > $1.$i/f && "
                                     "cat $1.$i/f >/dev/null && chmod 600 $1.$i/f && echo y >> $1.$i/f || echo lost; "
                                     "done; }; for n in 1 2 3 4 5 6 7 8; do work $n & done; wait; "
                                     "cat */f | wc -l; find . -user $(id -u) -name f | wc -l"}})
                .wait();
  EXPECT_EQ(ran.out, "400\n200\n") << ran.err << ran.exit.message;
}

TEST_P(SandboxConformance, RunsAnArmedProgramWhenItIsReleased) {
  if (GetParam() == Level::kMicroVm) GTEST_SKIP() << "SKIPPED: a machine has its files from when it was armed";
  std::unique_ptr<Sandbox> box = host().prepare();
  Armed armed(*box, {.argv = {"/bin/sh", "-c", "cat late; (true) & wait; exit 7"}});
  if (!armed.supported) GTEST_SKIP() << "SKIPPED: processes cannot be counted here";
  EXPECT_FALSE(box->create_file("in", false)) << "inputs come first";
  std::ofstream(box->directory() / "late") << "made before the release";
  ASSERT_TRUE(box->release());
  Exit exit = armed.ended.get_future().get();
  EXPECT_EQ(armed.out, "made before the release");
  EXPECT_EQ(exit.exit_code, 7);
}

TEST_P(SandboxConformance, EndsAnArmedProgramThatIsNeverReleased) {
  std::unique_ptr<Sandbox> box = host().prepare();
  Armed armed(*box, {.argv = {"/bin/echo", "ran"}});
  if (!armed.supported) GTEST_SKIP() << "SKIPPED: processes cannot be counted here";
  box.reset();
  EXPECT_FALSE(armed.ended.get_future().get().started);
  EXPECT_EQ(armed.out, "");
}

TEST_P(SandboxConformance, SaysWhatCouldNotBeStartedWhenItIsReleased) {
  std::unique_ptr<Sandbox> box = host().prepare();
  Armed armed(*box, {.argv = {"/nonexistent"}});
  if (!armed.supported) GTEST_SKIP() << "SKIPPED: processes cannot be counted here";
  ASSERT_TRUE(box->release());
  Exit exit = armed.ended.get_future().get();
  EXPECT_FALSE(exit.started);
  EXPECT_TRUE(exit.message.contains("was not found")) << exit.message;
}

TEST_P(SandboxConformance, EndsWhenKilled) {
  std::unique_ptr<Sandbox> box = host().prepare();
  Running running(*box,
                  {.argv = {"/bin/sh", "-c", "trap '' TERM INT HUP; (sleep 1000 & sleep 1000) & echo up; sleep 1000"}});
  running.wait_for_output("up");
  box->kill();
  Ran ran = running.wait();
  EXPECT_EQ(ran.exit.exit_code, 128 + SIGKILL);
  EXPECT_EQ(running.exits(), 1);
  box->kill();
}

TEST_P(SandboxConformance, EndsWhenKilledAtOnce) {
  for (int i = 0; i < 20; ++i) {
    std::unique_ptr<Sandbox> box = host().prepare();
    Running running(*box, {.argv = {"/bin/sleep", "1000"}});
    std::this_thread::sleep_for(std::chrono::microseconds(i * 300));
    box->kill();
    EXPECT_NE(running.wait().exit.exit_code, 0);
  }
}

TEST_P(SandboxConformance, EndsBackgroundProcessesWithTheProgram) {
  Ran ran = sh("setsid sleep 1000 & setsid sh -c 'sleep 1000 & sleep 1000' & echo done");
  EXPECT_EQ(ran.exit.exit_code, 0);
  EXPECT_EQ(ran.out, "done\n");
}

TEST_P(SandboxConformance, EndsWithItsObject) {
  auto box = host().prepare();
  auto running = std::make_unique<Running>(*box, Command{.argv = {"/bin/sh", "-c", "echo up; sleep 1000"}});
  running->wait_for_output("up");
  box.reset();
  EXPECT_EQ(running->exits(), 1) << "the destructor returns after the exit was told";
}

TEST_P(SandboxConformance, FreezesAndThaws) {
  std::unique_ptr<Sandbox> box = host().prepare();
  Running running(*box, {.argv = {"/bin/sh", "-c", "echo up; sleep 0.2; echo down"}});
  running.wait_for_output("up");
  Result<void> frozen = box->freeze();
  if (!frozen) {
    EXPECT_EQ(frozen.error().code, Code::kUnimplemented);
    return;
  }
  EXPECT_EQ(running.exits(), 0);
  ASSERT_TRUE(box->thaw());
  Ran ran = running.wait();
  EXPECT_NE(ran.out.find("down"), std::string::npos);

  std::unique_ptr<Sandbox> frozen_box = host().prepare();
  Running sleeping(*frozen_box, {.argv = {"/bin/sh", "-c", "echo up; sleep 1000"}});
  sleeping.wait_for_output("up");
  ASSERT_TRUE(frozen_box->freeze());
  frozen_box->kill();
  EXPECT_NE(sleeping.wait().exit.exit_code, 0) << "a frozen program can be ended";
}

TEST_P(SandboxConformance, EndsAProgramThatNeedsTooMuchMemory) {
  if (!host()->description().contains("cgroup v")) FAIL() << "this machine gives no control groups";
  Limits limits = small_limits();
  limits.memory_bytes = 32 * kMiB;
  Ran ran = sh("x=$(head -c 100000000 /dev/zero | tr '\\0' x); echo survived", limits);
  EXPECT_TRUE(ran.exit.out_of_memory);
  EXPECT_NE(ran.exit.exit_code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_FALSE(sh("true", limits).exit.out_of_memory);
  if (GetParam() == Level::kMicroVm) return;  // whose files may fill its own disk
  Ran files = sh("head -c 100000000 /dev/zero > /job/big", limits);
  EXPECT_TRUE(files.exit.out_of_memory) << "files of the working directory count";
}

TEST_P(SandboxConformance, HoldsTheNumberOfProcesses) {
  Limits limits = small_limits();
  limits.max_processes = 40;
  Ran ran = sh("for i in $(seq 100); do sleep 1000 & done; echo all", limits);
  EXPECT_NE(ran.exit.exit_code, 0);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.err.find("fork"), std::string::npos) << ran.err << ran.exit.message;
}

TEST_P(SandboxConformance, EndsAProgramThatUsesUpItsProcessorTime) {
  Limits limits = small_limits();
  limits.cpu_seconds = 1;
  Ran ran = sh("while :; do :; done", limits);
  EXPECT_TRUE(ran.exit.signalled);
  EXPECT_TRUE(ran.exit.exit_code == 128 + SIGXCPU || ran.exit.exit_code == 128 + SIGKILL) << ran.exit.exit_code;
}

TEST_P(SandboxConformance, LeavesNothing) {
  std::unique_ptr<Sandbox> box = host().prepare();
  Running running(*box, {.argv = {"/bin/sh", "-c", "echo x > f; setsid sleep 1000 & echo up; sleep 1000"}});
  running.wait_for_output("up");
  EXPECT_FALSE(host()->traces("test-1").empty());
  box.reset();
  EXPECT_EQ(host()->traces("test-1"), std::vector<std::string>());
}

INSTANTIATE_TEST_SUITE_P(Levels, SandboxConformance, testing::Values(Level::kFence, Level::kOci, Level::kMicroVm),
                         &AtLevel::name);

}  // namespace
}  // namespace hearth::sandbox
