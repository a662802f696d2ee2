// A stranger's program, through a whole pool, in a machine of its own. By emulation, so slow; see HACKING.md for the
// kernel that it needs.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class MicroVmTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    const fs::path kernel = HEARTH_TEST_KERNEL;
    if (!fs::exists(kernel / "boot")) {
      GTEST_SKIP() << "SKIPPED: no kernel in " << kernel << "; fetch one with: hearth microvm fetch --into "
                   << kernel.string();
    }
    fs::create_directory_symlink(kernel, pool().home() / "node" / "microvm");
    pool().down();
    pool().set_env("HEARTH_INSECURE_TCG_FOR_TESTS", "1");
    pool().up();
    pool().await_node();
  }

  void make_environment() {
    const fs::path tree = pool().directory() / "tree";
    fs::create_directories(tree / "bin");
    fs::copy_file("/bin/busybox", tree / "bin" / "busybox");
    for (const char* link : {"sh", "cat", "uname"}) fs::create_symlink("busybox", tree / "bin" / link);
    ASSERT_EQ(pool().cli({"env", "build", "tiny", "--from-dir", "tree"}).exit_code, 0);
  }
};

TEST_F(MicroVmTest, AStrangersProgramRunsUnderAKernelOfItsOwn) {
  make_environment();
  Pool& laptop = add_pool("laptop");
  const Ended invitation = pool().cli({"invite", "--ring", "stranger", "--no-wait", "--json"});
  const std::size_t begin = invitation.out.find("https://");
  Process pairing = laptop.start_cli({"pair", invitation.out.substr(begin, invitation.out.find('"', begin) - begin)});
  ASSERT_TRUE(eventually(seconds(20), [&] { return pairing.err().find("shows") != std::string::npos; }));
  const std::string said = pairing.err();
  const std::size_t code = said.find("hearth devices allow ") + std::string("hearth devices allow ").size();
  ASSERT_EQ(pool().cli({"devices", "allow", said.substr(code, 6)}).exit_code, 0) << said;
  ASSERT_EQ(pairing.wait(seconds(30)).exit_code, 0);

  fs::create_directories(laptop.directory());
  std::ofstream(laptop.directory() / "question.txt") << "six by nine\n";
  // An emulated machine is slow, and the node tries one first.
  const RunOptions patient{.limit = seconds(240)};
  const std::string script = "cat question.txt; uname -r; echo 42 > answer.txt; exit 3";
  const Ended ran = laptop.cli({"run", "--env", "tiny", "--input", "question.txt", "--output", "answer.txt", "--memory",
                                "256M", "--", "sh", "-c", script},
                               patient);
  EXPECT_EQ(ran.exit_code, 3) << ran.err << pool().cli({"why", "1"}).out;
  EXPECT_THAT(ran.out, HasSubstr("six by nine\n"));
  EXPECT_THAT(ran.out, HasSubstr("cloud")) << "the guest's kernel is not this machine's";
  const Ended record = laptop.cli({"verify-wipe", "1"});
  EXPECT_EQ(record.exit_code, 0) << record.err;
  EXPECT_THAT(record.out, HasSubstr("a key that existed in the virtual machine only"));
}

}  // namespace
}  // namespace hearth::e2e
