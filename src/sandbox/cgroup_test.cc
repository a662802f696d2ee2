#include "sandbox/cgroup.h"

#include <algorithm>
#include <filesystem>

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "sandbox/testing.h"

namespace hearth::sandbox {
namespace {

TEST(Hierarchies, OfVersion2) {
  auto found = parse_hierarchies("30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
                                 "0::/user.slice/user-1000.slice/session-2.scope\n");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(found[0].v2);
  EXPECT_EQ(found[0].mount_point, "/sys/fs/cgroup");
  EXPECT_EQ(found[0].own_path, "/user.slice/user-1000.slice/session-2.scope");
}

TEST(Hierarchies, OfVersion1AndHybrid) {
  auto found = parse_hierarchies(
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"
      "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
      "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
      "27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n",
      "4:memory:/docker/abc/inner\n1:cpu,cpuacct:/x\n0::/\n");
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].own_path, "/x");
  EXPECT_FALSE(found[0].v2);
  EXPECT_NE(std::ranges::find(found[0].controllers, "cpu"), found[0].controllers.end());
  EXPECT_EQ(found[1].own_path, "/inner") << "as seen in a mount that shows only /docker/abc";
  EXPECT_TRUE(found[2].v2);
  EXPECT_EQ(found[2].own_path, "/");
}

TEST(Hierarchies, OfNonsense) {
  EXPECT_TRUE(parse_hierarchies("", "").empty());
  EXPECT_TRUE(parse_hierarchies("a b c\n - \n1 2 3 4 5 6 - cgroup\n", "x\n:\n::\n").empty());
}

// As root of a machine with control groups; elsewhere there is nothing to make one in.
TEST(Cgroups, GoWithTheGroupsThatWereMadeWithin) {
  std::unique_ptr<CgroupTree> tree = CgroupTree::open("cgroup-test", 100);
  if (tree->version() == "no cgroup") GTEST_SKIP() << "SKIPPED: this machine gives no control groups";
  Result<std::unique_ptr<Cgroup>> group = tree->create("box", {.memory_bytes = 64 << 20, .max_processes = 8});
  ASSERT_TRUE(group) << group.error().message;
  for (const std::string& directory : tree->groups_named("box")) {
    std::filesystem::create_directories(directory + "/runtime/container");
  }
  group->reset();
  EXPECT_TRUE(tree->groups_named("box").empty());
}

TEST(Cgroups, LetGuestsYieldToTheOwner) {
  TemporaryDirectory directory;
  auto host = Host::open({.state_directory = directory.path() / "state", .cpu_weight = 1});
  ASSERT_TRUE(host) << host.error().message;
  if (!(*host)->description().contains("cgroup v")) GTEST_SKIP() << "SKIPPED: this machine gives no control groups";
  std::size_t idle = 0;
  for (const std::string& group : hearth_groups()) {
    if (read_text(group + "/cpu.idle") == "1\n") ++idle;
  }
  EXPECT_GE(idle, 1U);
}

// What a person watches gets the processor as if it were the owner's own, and the other guests do not.
TEST(Cgroups, GiveMoreToWhatIsWatched) {
  const auto tree = CgroupTree::open("cgroup-test", 1, 100);
  if (!tree->has(Controller::kCpu)) GTEST_SKIP() << "SKIPPED: this machine weighs no processor time";
  const auto make = [&](const std::string& name, bool foreground) {
    auto group = tree->create(name, {.memory_bytes = 64 << 20, .max_processes = 8, .foreground = foreground});
    EXPECT_TRUE(group) << group.error().message;
    return std::move(*group);
  };
  const auto weight_of = [](const std::string& directory) {
    const std::string two = read_text(directory + "/cpu.weight");
    return two.empty() ? std::stoi(read_text(directory + "/cpu.shares")) * 100 / 1'024 : std::stoi(two);
  };
  const auto place_of = [&](const std::string& name) {
    for (const std::string& group : tree->groups_named(name)) {
      if (!read_text(group + "/cpu.idle").empty()) return group;
    }
    return std::string();
  };
  const auto batch = make("batch", false);
  const std::string all = std::filesystem::path(place_of("batch")).parent_path();
  EXPECT_EQ(read_text(all + "/cpu.idle"), "1\n");
  auto first = make("first", true);
  auto second = make("second", true);
  EXPECT_EQ(read_text(all + "/cpu.idle"), "0\n");
  EXPECT_EQ(weight_of(all), 100);
  EXPECT_EQ(weight_of(place_of("first")), 2'000);
  EXPECT_EQ(weight_of(place_of("batch")), 100);
  first.reset();
  EXPECT_EQ(weight_of(all), 100);
  second.reset();
  EXPECT_EQ(read_text(all + "/cpu.idle"), "1\n");
}

// A group that may make groups, as systemd delegates one to a user: all of it is his but its limits. Removed with the
// object.
class DelegatedGroup {
 public:
  explicit DelegatedGroup(uid_t user) {
    std::filesystem::create_directory(path_);
    for (const char* file : {"", "/cgroup.procs", "/cgroup.subtree_control"}) {
      EXPECT_EQ(::chown((path_ + file).c_str(), user, user), 0) << file;
    }
  }
  ~DelegatedGroup() {
    remove_groups_in(path_);
    EXPECT_EQ(::rmdir(path_.c_str()), 0);
  }
  DelegatedGroup(const DelegatedGroup&) = delete;
  DelegatedGroup& operator=(const DelegatedGroup&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_ = "/sys/fs/cgroup/hearth-test-" + std::to_string(::getpid());
};

// Here if it is the machine's only one, and in an emulated machine (cgroup_machine_test.cc).
class CgroupsOfVersion2 : public testing::Test {
 protected:
  void SetUp() override {
    tree_ = CgroupTree::open("cgroup-test", 1);
    if (tree_->version() != "cgroup v2") GTEST_SKIP() << "SKIPPED: this machine has " << tree_->version();
  }

  std::unique_ptr<CgroupTree> tree_;
};

TEST_F(CgroupsOfVersion2, GiveEveryLimit) {
  Result<std::unique_ptr<Cgroup>> group =
      tree_->create("box", {.memory_bytes = 64 << 20, .max_processes = 8, .cores = 2});
  ASSERT_TRUE(group) << group.error().message;
  ASSERT_EQ(tree_->groups_named("box").size(), 1U);
  const std::string place = tree_->groups_named("box")[0];
  const std::string parent = std::filesystem::path(place).parent_path();
  EXPECT_EQ(read_text(place + "/memory.max"), std::to_string(64 << 20) + "\n");
  EXPECT_EQ(read_text(place + "/memory.oom.group"), "1\n");
  EXPECT_EQ(read_text(place + "/pids.max"), "8\n");
  EXPECT_EQ(read_text(place + "/cpu.max"), "200000 100000\n");
  EXPECT_EQ(read_text(parent + "/cpu.idle"), "1\n");
  // Without a disk that has the controller's scheduler there is no such file, and no guest to hold back.
  if (tree_->has(Controller::kDisk) && std::filesystem::exists(parent + "/io.weight")) {
    EXPECT_EQ(read_text(parent + "/io.weight"), "default 10\n");
  }
  if (tree_->keeps_memory_from_swap()) EXPECT_EQ(read_text(place + "/memory.swap.max"), "0\n");
  Result<Fd> birthplace = (*group)->birthplace();
  ASSERT_TRUE(birthplace);
  EXPECT_TRUE(*birthplace) << "processes are made in the group";
}

TEST_F(CgroupsOfVersion2, FreezeAndKillWhatWasMadeInThem) {
  Result<std::unique_ptr<Cgroup>> group = tree_->create("box", {.memory_bytes = 64 << 20, .max_processes = 8});
  ASSERT_TRUE(group) << group.error().message;
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::execlp("sleep", "sleep", "1000", nullptr);
    ::_exit(127);
  }
  Result<std::vector<Fd>> entries = (*group)->entries();
  ASSERT_TRUE(entries);
  const std::string text = std::to_string(pid);
  ASSERT_EQ(::write(entries->front().get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
  EXPECT_TRUE((*group)->freeze());
  EXPECT_FALSE((*group)->empty());
  (*group)->kill_all();  // a frozen one ends too
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_TRUE(WIFSIGNALED(status));
  EXPECT_TRUE((*group)->thaw());
  EXPECT_TRUE((*group)->empty());
}

TEST_F(CgroupsOfVersion2, AreMadeByAnOrdinaryUserWhereOneIsDelegatedToHim) {
  constexpr uid_t kUser = 12345;
  tree_.reset();
  TemporaryDirectory directory;
  ASSERT_EQ(::chown(directory.path().c_str(), kUser, kUser), 0);
  DelegatedGroup delegated(kUser);
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (!write_text(delegated.path() + "/cgroup.procs", "0")) ::_exit(90);
    if (::setresgid(kUser, kUser, kUser) != 0 || ::setresuid(kUser, kUser, kUser) != 0) ::_exit(91);
    ::prctl(PR_SET_DUMPABLE, 1);
    auto host = Host::open({.state_directory = directory.path() / "state"});
    if (!host || (*host)->description() != "fence (L1), cgroup v2") ::_exit(92);
    Limits limits = small_limits();
    limits.memory_bytes = 64 << 20;
    auto box = (*host)->prepare("small", limits, {});
    if (!box) ::_exit(93);
    const Command greedy{.argv = {"/bin/sh", "-c", "head -c 100000000 /dev/zero > big"}};
    const bool ended = Running(**box, greedy).wait().exit.out_of_memory;
    (*box)->kill();
    ::_exit(ended ? 0 : 94);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace hearth::sandbox
