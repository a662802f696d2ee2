// What a sandbox stands on: a root of its own, a directory that outlives it.
#include <fstream>

#include <sys/stat.h>

#include <gtest/gtest.h>

#include "sandbox/levels_testing.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

class SandboxSetup : public HostAtLevel {
 protected:
  Ran run_on(const std::string& name, const struct Setup& setup, const std::string& script) {
    Result<std::unique_ptr<Sandbox>> box = host()->prepare(name, small_limits(), setup);
    if (!box) return {.exit = {.message = box.error().message}, .out = "", .err = ""};
    return Running(**box, {.argv = {"/bin/sh", "-c", script}, .variables = {}, .bound_files = {}, .gpus = {}}).wait();
  }
  static struct Setup with_workspace(const fs::path& directory) {
    return {.level = GetParam(), .workspace = directory};
  }
};

TEST_P(SandboxSetup, AWorkspaceIsWritableAndOutlivesTheSandbox) {
  const fs::path work = host().directory() / "work";
  fs::create_directory(work);
  const auto setup = with_workspace(work);
  EXPECT_EQ(run_on("first", setup, "cat /workspace/x; echo kept > /workspace/x").out, "");
  EXPECT_EQ(run_on("second", setup, "cat /workspace/x").out, "kept\n");
  EXPECT_TRUE(fs::exists(work / "x"));
  EXPECT_EQ(run_on("third", {.level = GetParam()}, "ls /workspace; touch /workspace/x 2>/dev/null && echo written").out,
            "");
}

TEST_P(SandboxSetup, AWorkspaceGivesNoPrivileges) {
  const fs::path work = host().directory() / "work";
  fs::create_directory(work);
  fs::copy_file("/bin/sleep", work / "set");
  ASSERT_EQ(::chmod((work / "set").c_str(), 06755), 0);
  const Ran ran = run_on("plain", with_workspace(work), "grep ' /workspace ' /proc/self/mountinfo");
  EXPECT_NE(ran.out.find("nosuid"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("nodev"), std::string::npos) << ran.out;
}

TEST_P(SandboxSetup, ALinkOrAFileIsNoDirectoryToShow) {
  std::ofstream(host().directory() / "file") << "x";
  fs::create_symlink("/etc", host().directory() / "link");
  for (const char* name : {"file", "link", "absent"}) {
    const fs::path path = host().directory() / name;
    EXPECT_FALSE(host()->prepare("as-root", small_limits(), {.level = GetParam(), .root = path})) << name;
    EXPECT_FALSE(host()->prepare("as-workspace", small_limits(), with_workspace(path))) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Levels, SandboxSetup, testing::Values(Level::kFence, Level::kOci), &AtLevel::name);

}  // namespace
}  // namespace hearth::sandbox
