// What the tests of one level of isolation stand on, and tests that are the same at each.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include "sandbox/microvm/initramfs.h"
#include "sandbox/program.h"
#include "sandbox/testing.h"

namespace hearth::sandbox {

struct Ground {
  Options options;
  Setup setup;
  std::string lack;  // why there are no such sandboxes here; empty if there are
};

// A squashfs image with busybox in it.
inline std::filesystem::path make_busybox_image(const std::filesystem::path& directory) {
  std::filesystem::path root = directory / "environment";
  std::filesystem::create_directories(root / "usr/bin");
  std::filesystem::create_directories(root / "etc");
  std::filesystem::copy_file("/bin/busybox", root / "usr/bin/busybox");
  std::filesystem::create_directory_symlink("usr/bin", root / "bin");
  for (const char* name : {"cat",   "chmod", "cp",  "echo",   "env", "grep",  "head",  "id", "ls",   "mkdir",
                           "mount", "rm",    "seq", "setsid", "sh",  "sleep", "touch", "tr", "true", "wc"}) {
    std::filesystem::create_symlink("busybox", root / "usr/bin" / name);
  }
  std::filesystem::path image = directory / "image.squashfs";
  std::string command = "mksquashfs " + root.string() + " " + image.string() + " -quiet -no-progress >/dev/null 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
  return image;
}

// Real machines, by emulation. What they need is not everywhere: a Debian kernel package, unpacked (HEARTH_TEST_KERNEL
// names the directory, see tools/fetch_kernel), QEMU, mksquashfs.
inline Ground ground_of_machines(const std::filesystem::path& directory) {
  const char* named = std::getenv("HEARTH_TEST_KERNEL");
  const std::filesystem::path kernel_directory = named != nullptr ? named : HEARTH_TEST_KERNEL;
  Ground ground{.options = {.microvm = {.directory = kernel_directory, .insecure_tcg_for_tests = true}},
                .setup = {.level = Level::kMicroVm},
                .lack = ""};
  if (Result<Kernel> kernel = find_kernel(kernel_directory); !kernel) ground.lack = kernel.error().message;
  for (const char* program : {"qemu-system-x86_64", "mksquashfs", "/bin/busybox"}) {
    if (find_program(program).empty()) ground.lack = std::string(program) + " is not here";
  }
  if (ground.lack.empty()) ground.setup.image = make_busybox_image(directory);
  return ground;
}

// `directory`: for what the level needs.
inline Ground ground_of(Level level, const std::filesystem::path& directory) {
  if (level == Level::kMicroVm) {
    if (std::getenv("HEARTH_INSECURE_TCG_FOR_TESTS") != nullptr) return ground_of_machines(directory);
    return {.lack = "machines by emulation take minutes; HEARTH_INSECURE_TCG_FOR_TESTS=1 lets them"};
  }
  Ground ground{.options = {}, .setup = {.level = level}, .lack = ""};
  if (level == Level::kOci && find_program("crun").empty()) ground.lack = "crun is not here";
  return ground;
}

// A test of one level, skipped where that cannot be had.
class AtLevel : public testing::TestWithParam<Level> {
 public:
  static std::string name(const testing::TestParamInfo<Level>& info) { return std::string(name_of(info.param)); }

 protected:
  void SetUp() override {
    ground_ = ground_of(GetParam(), directory_.path());
    if (!ground_.lack.empty()) GTEST_SKIP() << ground_.lack;
  }

  const Ground& ground() const { return ground_; }
  const std::filesystem::path& directory() const { return directory_.path(); }

 private:
  TemporaryDirectory directory_;
  Ground ground_;
};

// With a Host whose sandboxes are of that level. Scripts of sh() keep to what busybox has.
class HostAtLevel : public AtLevel {
 protected:
  void SetUp() override {
    AtLevel::SetUp();
    if (IsSkipped()) return;
    host_.emplace(ground().options);
    host_->set_up(ground().setup);
  }

  TestHost& host() { return *host_; }
  Ran sh(const std::string& script, const Limits& limits = small_limits()) {
    return host().run({"/bin/sh", "-c", script}, limits);
  }

 private:
  std::optional<TestHost> host_;
};

}  // namespace hearth::sandbox
