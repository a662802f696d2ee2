// What is left of a guest's data on the PC that it ran on: nothing, however its task ended. The home of a node lies on
// a disk of its own, an image that is searched whole afterwards; so are /dev/shm, /tmp, /run and the logs. The guest's
// canary was in names and contents of files, in arguments and variables, on both streams, in every kind of memory, in
// its inputs, its results and its job's name. What the search would see is proven by what a plain program leaves.
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/sizes.h"
#include "base/walk.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "sandbox/microvm/testing.h"
#include "security/attack_world.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr milliseconds kLimit = seconds(60);
constexpr const char* kImageSize = "3G";  // sparse; a node keeps 1 GiB of its disk free

// Whether the text is in the file, holes left out.
bool file_holds(const fs::path& path, const std::string& text) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (file < 0) return false;
  std::string piece(256 * kKiB, '\0');
  bool found = false;
  for (off_t at = ::lseek(file, 0, SEEK_DATA); at >= 0 && !found;) {
    const ssize_t count = ::pread(file, piece.data(), piece.size(), at);
    if (count <= 0) break;
    found = ::memmem(piece.data(), static_cast<std::size_t>(count), text.data(), text.size()) != nullptr;
    const off_t next = ::lseek(file, at + count, SEEK_DATA);
    const auto overlap = static_cast<off_t>(text.size());
    at = next == at + count && count > overlap ? next - overlap : next;
  }
  ::close(file);
  return found;
}

// Files below the directory whose names or contents hold the text.
std::vector<std::string> find_in_tree(const fs::path& directory, const std::string& text, const fs::path& left_out) {
  std::vector<std::string> hits;
  walk_below(directory, [&](const fs::directory_entry& entry) {
    std::error_code gone;
    const bool is_file = entry.symlink_status(gone).type() == fs::file_type::regular;
    if (entry.path().filename().string().contains(text)) hits.push_back(entry.path());
    if (is_file && file_holds(entry.path(), text)) hits.push_back(entry.path());
    return entry.path() != left_out;
  });
  return hits;
}

class CanaryTest : public PoolFixture {
 protected:
  void SetUp() override {
    ASSERT_EQ(::unshare(CLONE_NEWNS), 0) << "no mount namespace of one's own: tests run as root";
    ASSERT_EQ(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    image_ = scratch().path() / "disk";
    const Ended made =
        run_program({"sh", "-c", "truncate -s \"$1\" \"$2\" && mkfs.ext4 -q \"$2\"", "sh", kImageSize, image_});
    ASSERT_EQ(made.exit_code, 0) << made.err;
    node_ = nullptr;
    fs::create_directories(scratch().path() / "second" / "home");
    const Ended mounted = mount_image();
    if (mounted.exit_code != 0) GTEST_SKIP() << "SKIPPED: this machine mounts no image: " << mounted.err;
    PoolFixture::SetUp();
    close_own_node(pool());
    node_ = &add_pool("second");
    join(pool(), *node_, "second");
    ASSERT_EQ(node_->cli({"limit", "--owner-first", "off"}).exit_code, 0);
  }

  void TearDown() override {
    if (node_ != nullptr) {
      node_->down();
      EXPECT_EQ(read_text(home() / "log").find("Sanitizer"), std::string::npos) << read_text(home() / "log");
    }
    if (!image_.empty()) ::umount2(home().c_str(), MNT_DETACH);
    PoolFixture::TearDown();
  }

  fs::path home() const { return scratch().path() / "second" / "home"; }
  Pool& node() { return *node_; }

  Ended mount_image() { return run_program({"mount", "-o", "loop", image_, home()}); }

  // Starts a task that plants the canary: it stays, or ends by itself.
  Process start_planting(const std::string& canary, const std::vector<std::string>& options, bool stay) {
    const fs::path inputs = pool().directory() / canary;
    std::string large;
    while (large.size() < 3 * kMiB) large.append(canary).push_back('\n');
    write_text(inputs / ("small-" + canary), canary);
    write_text(inputs / ("large-" + canary), large);
    fs::copy_file(attacks_program(), inputs / "attacks", fs::copy_options::overwrite_existing);
    std::vector<std::string> argv = {
        "run",     "--name",          canary,    "--var",           "CANARY=" + canary, "--input", "attacks",
        "--input", "small-" + canary, "--input", "large-" + canary, "--output",         "result-*"};
    argv.insert(argv.end(), options.begin(), options.end());
    argv.emplace_back("--");
    const std::vector<std::string> words = program(canary, stay);
    argv.insert(argv.end(), words.begin(), words.end());
    return pool().start_cli(argv, {.cwd = inputs});
  }

  virtual std::vector<std::string> program(const std::string& canary, bool stay) const {
    return {"./attacks", "plant", canary, stay ? "stay" : "end"};
  }

  static bool planted(const Process& running, const std::string& canary, milliseconds limit = kLimit) {
    return eventually(limit, [&] { return running.out().find(canary + " planted") != std::string::npos; });
  }

  // Where on this PC the text is found, but for the hub's and the client's own files.
  std::vector<std::string> find_everywhere(const std::string& text, const fs::path& image) {
    EXPECT_EQ(run_program({"sync", "-f", home()}).exit_code, 0);
    std::vector<std::string> hits;
    if (file_holds(image, text)) hits.push_back(image);
    const fs::path hub = scratch().path() / "main";
    if (file_holds(hub / "home" / "log", text)) hits.push_back(hub / "home" / "log");
    for (const char* directory : {"/dev/shm", "/tmp", "/run", "/var/log", "/var/tmp"}) {
      const std::vector<std::string> found = find_in_tree(directory, text, hub);
      hits.insert(hits.end(), found.begin(), found.end());
    }
    return hits;
  }

  // The control: a plain program's file, removed as plain programs do it; and one in memory that is still there.
  void expect_that_the_search_sees() {
    const std::string removed = new_mark();
    std::ofstream(home() / "plain") << removed << std::flush;
    EXPECT_EQ(run_program({"sync", "-f", home()}).exit_code, 0);
    fs::remove(home() / "plain");
    EXPECT_THAT(find_everywhere(removed, image_), testing::Contains(image_.string()));
    const std::string kept = new_mark();
    const fs::path memory = fs::path("/dev/shm") / ("hearth-e2e-" + std::to_string(::getpid()));
    std::ofstream(memory) << kept << std::flush;
    EXPECT_THAT(find_everywhere(kept, image_), testing::ElementsAre(memory.string()));
    fs::remove(memory);
  }

  // The text in what the node keeps of inputs, in a directory that it alone sees.
  std::vector<std::string> find_in_nodes_inputs(const std::string& text) {
    const std::string process = "/proc/" + std::to_string(node().node_process());
    const fs::path root = process + "/root";
    std::istringstream mounts(read_text(process + "/mountinfo"));
    for (std::string line; std::getline(mounts, line);) {
      std::istringstream words(line);
      std::string where;
      for (int word = 0; word < 5; ++word) words >> where;
      const bool in_memory = line.contains(" - tmpfs hearth ") && where.ends_with("/memory");
      const bool encrypted = line.contains(" - fuse.gocryptfs ") && where.ends_with("/vault");
      if (in_memory || encrypted) return find_in_tree(root / where.substr(1), text, "");
    }
    ADD_FAILURE() << "the node has no such directory";
    return {};
  }

  // The guest's own process, not its keeper's.
  pid_t guest(const std::string& canary) {
    for (const pid_t process : descendants_of(node().node_process())) {
      if (command_line(process).starts_with("./attacks plant " + canary)) return process;
    }
    return 0;
  }

  fs::path image_;
  Pool* node_ = nullptr;
};

TEST_F(CanaryTest, NothingIsLeftOfATaskThatEnds) {
  expect_that_the_search_sees();
  const std::string ended = new_mark();
  const Ended whole = start_planting(ended, {}, false).wait(kLimit);
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  ASSERT_THAT(whole.out, HasSubstr(ended + " planted"));
  EXPECT_TRUE(fs::exists(pool().directory() / ended / ("result-" + ended))) << "its result came back";
  EXPECT_THAT(find_everywhere(ended, image_), IsEmpty());

  const std::string killed = new_mark();
  Process running = start_planting(killed, {"--disk", "64M"}, true);
  ASSERT_TRUE(planted(running, killed)) << running.err();
  EXPECT_THAT(find_in_nodes_inputs(killed), Not(IsEmpty()));
  ASSERT_NE(guest(killed), 0);
  ::kill(guest(killed), SIGKILL);
  EXPECT_EQ(running.wait(kLimit).exit_code, 128 + SIGKILL);
  EXPECT_THAT(find_everywhere(killed, image_), IsEmpty());
  EXPECT_TRUE(eventually(kLimit, [&] { return find_in_nodes_inputs(killed).empty(); })) << "its inputs stay";

  // Enough time to plant the canary, but no more; how much that is, is the machine's affair.
  bool was_planted = false;
  for (const char* time : {"5s", "20s", "80s"}) {
    const std::string late = new_mark();
    const Ended overdue = start_planting(late, {"--time", time}, true).wait(seconds(200));
    EXPECT_NE(overdue.exit_code, 0);
    EXPECT_THAT(find_everywhere(late, image_), IsEmpty());
    was_planted = overdue.out.find(late + " planted") != std::string::npos;
    if (was_planted) break;
  }
  EXPECT_TRUE(was_planted);
}

TEST_F(CanaryTest, NothingIsLeftAfterTheNodeWasKilled) {
  expect_that_the_search_sees();
  const std::string canary = new_mark();
  Process running = start_planting(canary, {}, true);
  ASSERT_TRUE(planted(running, canary)) << running.err();
  const pid_t process = node().node_process();
  ::kill(process, SIGKILL);
  ASSERT_TRUE(eventually(kLimit, [&] { return node().node_process() != process; }));
  EXPECT_EQ(pool().cli({"cancel", "1"}).exit_code, 0);
  running.wait(kLimit);
  node().await_node();
  EXPECT_THAT(find_everywhere(canary, image_), IsEmpty());
}

// The disk as it was at one moment, with all that had been written while the task ran; what runs goes with the power.
TEST_F(CanaryTest, NothingIsLeftAfterAPowerCut) {
  expect_that_the_search_sees();
  const std::string canary = new_mark();
  Process running = start_planting(canary, {"--disk", "64M"}, true);
  ASSERT_TRUE(planted(running, canary)) << running.err();
  EXPECT_THAT(find_everywhere(canary, image_), IsEmpty()) << "while the task runs";
  const fs::path disk = scratch().path() / "disk-after";
  ASSERT_EQ(run_program({"cp", "--sparse=always", image_, disk}).exit_code, 0);
  const std::vector<pid_t> processes = descendants_of(node().supervisor());
  ::kill(node().supervisor(), SIGKILL);
  for (const pid_t process : processes) ::kill(process, SIGKILL);
  ASSERT_EQ(::umount2(home().c_str(), MNT_DETACH), 0);
  EXPECT_EQ(pool().cli({"cancel", "1"}).exit_code, 0);
  running.wait(kLimit);

  fs::rename(disk, image_);
  ASSERT_EQ(mount_image().exit_code, 0);
  node().up();
  node().await_node();
  EXPECT_THAT(find_everywhere(canary, image_), IsEmpty()) << "once the PC is on again";
}

// The same in a machine, by emulation. Its files are more than fits into its memory, so its scratch disk, which lies on
// the node's, is in use.
class CanaryInMachineTest : public CanaryTest {
 protected:
  static constexpr milliseconds kPatience = seconds(240);

  void SetUp() override {
    if (const std::string missing = sandbox::why_no_machine(); !missing.empty()) GTEST_SKIP() << "SKIPPED: " << missing;
    CanaryTest::SetUp();
    if (IsSkipped() || HasFatalFailure()) return;
    sandbox::make_environment(pool().directory() / "tree");
    ASSERT_EQ(pool().cli({"env", "build", "tiny", "--from-dir", "tree"}).exit_code, 0);
    node().down();
    ASSERT_EQ(node().cli({"limit", "--for", "home", "--isolation", "microvm"}).exit_code, 0);
    fs::create_directory_symlink(sandbox::kernel_directory(), home() / "node" / "microvm");
    node().set_env("HEARTH_INSECURE_TCG_FOR_TESTS", "1");
    node().up();
    await_machines();
  }

  // Until the node has tried one. A guest's machine by emulation comes to nothing where others keep the processors
  // busy, so here guests are no less than anybody.
  void await_machines() {
    node().await_node();
    ASSERT_TRUE(eventually(kPatience, [&] {
      for (const std::string& group : cgroups_of_node(home() / "node" / "sandbox")) {
        for (const auto& [file, value] : {std::pair("cpu.idle", "0"), {"cpu.shares", "1024"}, {"cpu.weight", "100"}}) {
          if (fs::exists(fs::path(group) / file)) std::ofstream(fs::path(group) / file) << value;
        }
      }
      return node().cli({"status"}).out.find("is being tried") == std::string::npos;
    })) << node().cli({"status"}).out;
  }

  std::vector<std::string> program(const std::string& canary, bool stay) const override {
    constexpr const char* kFill =
        "for place in . /tmp /dev/shm; do for i in $(seq 14); do cp large-$1 $place/copy-$i-$1; done; done;"
        "{ read head; read disk kind size used rest; } < /proc/swaps; [ $used -gt 0 ] && echo to its disk;"
        "exec ./attacks plant $1 $2";
    return {"sh", "-c", kFill, "sh", canary, stay ? "stay" : "end"};
  }

  Process start_in_machine(const std::string& canary, bool stay) {
    return start_planting(canary, {"--env", "tiny", "--memory", "64M"}, stay);
  }

  // Its monitor, not the keeper of that.
  pid_t machine() {
    for (const pid_t process : descendants_of(node().node_process())) {
      if (command_line(process).find("qemu-system") == 0 || command_line(process).starts_with("/usr/bin/qemu-system")) {
        return process;
      }
    }
    return 0;
  }
};

TEST_F(CanaryInMachineTest, NothingIsLeftOfATaskThatEnds) {
  expect_that_the_search_sees();
  const std::string ended = new_mark();
  const Ended whole = start_in_machine(ended, false).wait(kPatience);
  ASSERT_EQ(whole.exit_code, 0) << whole.err << node().cli({"status"}).out;
  EXPECT_THAT(whole.out, HasSubstr("to its disk\n"));
  EXPECT_TRUE(fs::exists(pool().directory() / ended / ("result-" + ended))) << "its result came back";
  EXPECT_THAT(find_everywhere(ended, image_), IsEmpty());

  const std::string killed = new_mark();
  Process running = start_in_machine(killed, true);
  ASSERT_TRUE(planted(running, killed, kPatience)) << running.err();
  EXPECT_THAT(running.out(), HasSubstr("to its disk\n"));
  EXPECT_THAT(find_in_nodes_inputs(killed), Not(IsEmpty()));
  EXPECT_THAT(find_everywhere(killed, image_), IsEmpty()) << "while it runs";
  ASSERT_NE(machine(), 0);
  ::kill(machine(), SIGKILL);
  EXPECT_EQ(running.wait(kPatience).exit_code, 128 + SIGKILL);
  EXPECT_THAT(find_everywhere(killed, image_), IsEmpty());
  EXPECT_TRUE(eventually(kLimit, [&] { return find_in_nodes_inputs(killed).empty(); })) << "its inputs stay";
}

TEST_F(CanaryInMachineTest, NothingIsLeftAfterTheNodeWasKilled) {
  expect_that_the_search_sees();
  const std::string canary = new_mark();
  Process running = start_in_machine(canary, true);
  ASSERT_TRUE(planted(running, canary, kPatience)) << running.err();
  const pid_t process = node().node_process();
  ::kill(process, SIGKILL);
  ASSERT_TRUE(eventually(kLimit, [&] { return node().node_process() != process; }));
  EXPECT_EQ(pool().cli({"cancel", "1"}).exit_code, 0);
  running.wait(kLimit);
  await_machines();
  EXPECT_THAT(find_everywhere(canary, image_), IsEmpty());
}

class NodeMemoryTest : public PoolFixture {
 protected:
  void SetUp() override {
    rlimit limit{};
    ASSERT_EQ(::getrlimit(RLIMIT_CORE, &limit), 0);
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_CORE, &limit), 0);
    add_pool("main").set_env("ASAN_OPTIONS", "disable_coredump=0");  // the sanitizer forbids dumps itself
    pool().up();
    pool().await_node();
  }
};

// One byte is none, see src/node/node.cc; it is the most that others can raise it to.
TEST_F(NodeMemoryTest, IsNotDumped) {
  const std::string limits = read_text("/proc/" + std::to_string(pool().node_process()) + "/limits");
  EXPECT_THAT(limits, testing::ContainsRegex("Max core file size +1 +1 +bytes"));
}

}  // namespace
}  // namespace hearth::e2e
