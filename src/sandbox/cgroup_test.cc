#include "sandbox/cgroup.h"

#include <algorithm>
#include <filesystem>

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
  if (tree->version() == "no cgroup") GTEST_SKIP() << "this machine gives no control groups";
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
  if (!(*host)->description().contains("cgroup v")) GTEST_SKIP() << "this machine gives no control groups";
  std::size_t idle = 0;
  for (const std::string& group : hearth_groups()) {
    if (read_text(group + "/cpu.idle") == "1\n") ++idle;
  }
  EXPECT_GE(idle, 1U);
}

}  // namespace
}  // namespace hearth::sandbox
