// Real programs in real sandboxes.
#include "sandbox/sandbox.h"

#include <fstream>
#include <future>
#include <thread>

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "sandbox/fd.h"
#include "sandbox/testing.h"

namespace hearth::sandbox {
namespace {

TEST(Sandbox, RefusesCommandsThatMakeNoSense) {
  TestHost host;
  auto nothing = [](auto&&...) {};
  std::unique_ptr<Sandbox> box = host.prepare();
  EXPECT_EQ(box->start({}, nothing, nothing).error().code, Code::kInvalidArgument);
  EXPECT_EQ(box->start({.argv = {std::string("a\0b", 3)}}, nothing, nothing).error().code, Code::kInvalidArgument);
  EXPECT_EQ(box->start({.argv = {"x"}, .variables = {{"A=B", "c"}}}, nothing, nothing).error().code,
            Code::kInvalidArgument);
  EXPECT_EQ(box->start({.argv = {"x", std::string(2 * kMiB, 'x')}}, nothing, nothing).error().code,
            Code::kResourceExhausted);
  EXPECT_EQ(box->collect({}, {}).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(host->prepare("../x", {}, {}).error().code, Code::kInvalidArgument);
  EXPECT_EQ(host->prepare("", {}, {}).error().code, Code::kInvalidArgument);
  EXPECT_FALSE(host->prepare("test-1", {}, {})) << "the name is taken";
}

TEST(Sandbox, RefusesToShowWhatIsNoFile) {
  TestHost host;
  auto nothing = [](auto&&...) {};
  for (const char* source : {"/etc", "/dev/null", "/no/such/file"}) {
    std::unique_ptr<Sandbox> box = host.prepare();
    EXPECT_FALSE(
        box->start({.argv = {"/bin/true"}, .bound_files = {{.source = source, .path = "x"}}}, nothing, nothing))
        << source;
  }
}

TEST(Sandbox, ReleasesNothingThatIsNotArmed) {
  TestHost host;
  EXPECT_EQ(host.prepare()->release().error().code, Code::kFailedPrecondition);
}

TEST(Sandbox, RunsManyAtOnce) {
  TestHost host;
  std::vector<std::unique_ptr<Sandbox>> boxes;
  std::vector<std::unique_ptr<Running>> runs;
  for (int i = 0; i < 30; ++i) {
    boxes.push_back(host.prepare());
    runs.push_back(
        std::make_unique<Running>(*boxes.back(), Command{.argv = {"/bin/sh", "-c", "echo " + std::to_string(i)}}));
  }
  for (int i = 0; i < 30; ++i) EXPECT_EQ(runs[static_cast<std::size_t>(i)]->wait().out, std::to_string(i) + "\n");
}

TEST(Sandbox, RunsPythonWithThreadsAndProcesses) {
  TestHost host;
  Ran ran = host.run({"/usr/bin/python3", "-c",
                      "import threading, multiprocessing, subprocess, os, socket, tempfile\n"
                      "t = [threading.Thread(target=lambda: None) for _ in range(8)]\n"
                      "[x.start() for x in t]; [x.join() for x in t]\n"
                      "if __name__ == '__main__':\n"
                      "  with multiprocessing.Pool(3) as pool: print(sum(pool.map(abs, range(-10, 0))))\n"
                      "  print(subprocess.run(['echo', 'child'], capture_output=True).stdout.decode().strip())\n"
                      "  s = socket.socket(); s.bind(('127.0.0.1', 0)); print('loopback', flush=True)\n"
                      "  open('/dev/stdout', 'w').write('by name\\n')\n"});
  EXPECT_EQ(ran.exit.exit_code, 0) << ran.err;
  EXPECT_EQ(ran.out, "55\nchild\nloopback\nby name\n");
}

TEST(Sandbox, CompilesAndRunsCpp) {
  TestHost host;
  std::unique_ptr<Sandbox> box = host.prepare();
  put(*box, "main.cc",
      "#include <iostream>\n#include <thread>\nint main() { std::thread([] { std::cout << \"from a thread\\n\"; "
      "}).join(); }\n");
  Ran ran = Running(*box, {.argv = {"/bin/sh", "-c", "g++ -O2 -std=c++20 -pthread main.cc -o main && ./main"}}).wait();
  EXPECT_EQ(ran.out, "from a thread\n") << ran.err << ran.exit.message;
}

TEST(Sandbox, RendersAndEncodes) {
  TestHost host;
  std::unique_ptr<Sandbox> box = host.prepare();
  put(*box, "scene.pov",
      "#include \"colors.inc\"\ncamera { location <0,1,-4> look_at 0 } light_source { <5,5,-5> White }\n"
      "sphere { 0, 1 pigment { Red } }\n");
  Ran ran =
      Running(*box, {.argv = {"/bin/sh", "-c",
                              "for i in 1 2 3; do povray -D -W64 -H48 +Iscene.pov +Of$i.png || exit 1; done; "
                              "ffmpeg -loglevel error -threads 2 -framerate 3 -i f%d.png -pix_fmt yuv420p out.mp4"},
                     .variables = {{"HOME", "/job"}}})
          .wait();
  EXPECT_EQ(ran.exit.exit_code, 0) << ran.err;
  auto outputs = box->collect({"*.png", "out.mp4"}, {});
  ASSERT_TRUE(outputs) << outputs.error().message;
  EXPECT_EQ(outputs->size(), 4U);
}

TEST(Host, TriesNothingAnyMoreOnceItIsToEnd) {
  TestHost host;
  host->stop_trying();
  EXPECT_TRUE(host->levels().empty());
}

TEST(Host, ExaminesItself) {
  TestHost host;
  for (const Check& check : host->self_test()) {
    EXPECT_TRUE(check.ok || !check.required) << check.name << ": " << check.detail << "; " << check.remedy;
    EXPECT_NE(check.ok, !check.remedy.empty()) << check.name;
  }
  EXPECT_NE(host->description().find("fence (L1), "), std::string::npos);
}

TEST(Host, TriesEachLevel) {
  TestHost host;
  std::vector<LevelReport> reports = host->levels();
  ASSERT_FALSE(reports.empty());
  EXPECT_EQ(reports[0].level, Level::kFence);
  EXPECT_TRUE(reports[0].passed) << reports[0].detail;
  for (const LevelReport& report : reports) {
    EXPECT_NE(report.passed, !report.remedy.empty()) << name_of(report.level);
    EXPECT_EQ(level_named(name_of(report.level)), report.level);
    if (report.passed) continue;
    Result<std::unique_ptr<Sandbox>> box = host->prepare("refused", small_limits(), {.level = report.level});
    ASSERT_FALSE(box);
    EXPECT_EQ(box.error().code, Code::kFailedPrecondition);
  }
  EXPECT_EQ(level_named("none"), std::nullopt);
}

TEST(Host, SaysThatBubblewrapIsMissing) {
  TemporaryDirectory directory;
  auto host = Host::open({.state_directory = directory.path(), .bwrap = "/no/such/bwrap"});
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().code, Code::kFailedPrecondition);
  EXPECT_NE(host.error().message.find("apt install bubblewrap"), std::string::npos) << host.error().message;
}

// How often the words are found in the files below a directory, in names and contents.
int hits(const std::filesystem::path& directory, const std::string& words) {
  int count = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(directory)) {
    count += entry.path().string().find(words) != std::string::npos;
    if (entry.is_regular_file()) count += read_text(entry.path(), 16 * kMiB).find(words) != std::string::npos;
  }
  return count;
}

TEST(Host, HasOneDirectoryOnTheDiskThatNobodyElseCanRead) {
  TestHost host;
  Result<std::filesystem::path> directory = host->encrypted_directory();
  if (!directory && directory.error().code == Code::kFailedPrecondition)
    GTEST_SKIP() << "SKIPPED: " << directory.error().message;
  ASSERT_TRUE(directory) << directory.error().message;
  EXPECT_EQ(*host->encrypted_directory(), *directory);
  const std::filesystem::path disk = host.directory() / "state" / "vault";
  const std::filesystem::path control = host.directory() / "control";
  std::filesystem::create_directory(control);
  std::ofstream(control / "canary") << "a canary" << std::flush;
  EXPECT_EQ(hits(control, "canary"), 2) << "the search sees";
  std::ofstream(*directory / "canary") << "a canary " << std::string(kMiB, 'x') << std::flush;
  std::filesystem::permissions(*directory / "canary", std::filesystem::perms(0555));
  EXPECT_FALSE(std::filesystem::is_empty(disk));
  EXPECT_EQ(hits(disk, "canary"), 0);
  EXPECT_EQ(hits(disk, "EncryptedKey"), 0) << "not even gocryptfs's own key lies there";
  EXPECT_EQ(read_text("/proc/1/mountinfo", kMiB).find(directory->string()), std::string::npos) << "others see it";
  std::unique_ptr<Sandbox> box = host.prepare();
  Ran ran = Running(*box, {.argv = {"/usr/bin/head", "-c", "8", "in"},
                           .bound_files = {{.source = *directory / "canary", .path = "in"}}})
                .wait();
  EXPECT_EQ(ran.out, "a canary") << ran.err << ran.exit.message;
  box.reset();
  host.close();
  EXPECT_FALSE(std::filesystem::exists(disk));
}

TEST(Host, HasOneDirectoryInMemoryWhichEndsWithIt) {
  TestHost host;
  Result<std::filesystem::path> directory = host->memory_directory(2 * kMiB);
  ASSERT_TRUE(directory) << directory.error().message;
  EXPECT_EQ(*host->memory_directory(kMiB), *directory);
  std::ofstream(*directory / "file") << std::string(3 * kMiB, 'x') << std::flush;
  EXPECT_LE(std::filesystem::file_size(*directory / "file"), 2 * kMiB) << "it holds no more than was said";
  std::filesystem::remove(*directory / "file");
  EXPECT_NE(read_text("/proc/self/mountinfo", kMiB).find(directory->string()), std::string::npos);
  EXPECT_EQ(read_text("/proc/1/mountinfo", kMiB).find(directory->string()), std::string::npos) << "others see it";
  std::unique_ptr<Sandbox> box = host.prepare();
  std::ofstream(*directory / "shown") << "in memory" << std::flush;
  Ran ran = Running(*box, {.argv = {"/bin/cat", "in"}, .bound_files = {{.source = *directory / "shown", .path = "in"}}})
                .wait();
  EXPECT_EQ(ran.out, "in memory") << ran.err;
  box.reset();
  host.close();
  EXPECT_FALSE(std::filesystem::exists(*directory));
}

TEST(Host, IsOpenedOncePerDirectory) {
  TestHost host;
  auto second = Host::open({.state_directory = host.directory() / "state"});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kFailedPrecondition);
}

TEST(Host, RefusesAProcessWithThreads) {
  TemporaryDirectory directory;
  std::atomic<bool> stop = false;
  std::thread other([&] { stop.wait(false); });
  auto host = Host::open({.state_directory = directory.path()});
  stop = true;
  stop.notify_all();
  other.join();
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().code, Code::kFailedPrecondition);
}

TEST(Machine, IsRead) {
  Machine machine = read_machine();
  EXPECT_GE(machine.cores, 1U);
  EXPECT_GT(machine.memory_bytes, 64 * kMiB);
  EXPECT_NE(machine.system.find("Linux"), std::string::npos);
  LoadMeter meter;
  Load first = meter.read();
  EXPECT_GT(first.memory_used_bytes, 0U);
  Load second = meter.read();
  EXPECT_GE(second.cpu, 0.0);
  EXPECT_LE(second.cpu, 1.0);
}

}  // namespace
}  // namespace hearth::sandbox
