// Emulated machines for tests. What they need is not everywhere: a Debian kernel package, unpacked (the environment's
// or the build's HEARTH_TEST_KERNEL names the directory, see HACKING.md), QEMU, mksquashfs.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

#include <gtest/gtest.h>

#include "sandbox/microvm/initramfs.h"
#include "sandbox/program.h"
#include "sandbox/testing.h"

namespace hearth::sandbox {

inline std::filesystem::path kernel_directory() {
  const char* path = std::getenv("HEARTH_TEST_KERNEL");
  return path != nullptr ? path : HEARTH_TEST_KERNEL;
}

// What this PC lacks for a machine; empty if nothing.
inline std::string why_no_machine() {
  if (Result<Kernel> kernel = find_kernel(kernel_directory()); !kernel) return kernel.error().message;
  for (const char* program : {"qemu-system-x86_64", "mksquashfs", "/bin/busybox"}) {
    if (find_program(program).empty()) return std::string(program) + " is not here";
  }
  return "";
}

inline Options options_with_tcg() {
  return {.microvm = {.directory = kernel_directory(), .insecure_tcg_for_tests = true}};
}

// A directory as a squashfs image.
inline void pack_image(const std::filesystem::path& root, const std::filesystem::path& image) {
  std::string command = "mksquashfs " + root.string() + " " + image.string() + " -quiet -no-progress >/dev/null 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

// Fills a directory with busybox.
inline void make_environment(const std::filesystem::path& root) {
  std::filesystem::create_directories(root / "usr/bin");
  std::filesystem::create_directories(root / "etc");
  std::filesystem::copy_file("/bin/busybox", root / "usr/bin/busybox");
  std::filesystem::create_directory_symlink("usr/bin", root / "bin");
  for (const char* name : {"cat",   "chmod", "cp",  "echo",   "env", "grep",  "head",  "id", "ls",   "mkdir",
                           "mount", "rm",    "seq", "setsid", "sh",  "sleep", "touch", "tr", "true", "wc"}) {
    std::filesystem::create_symlink("busybox", root / "usr/bin" / name);
  }
}

// A squashfs image with busybox in it.
inline std::filesystem::path make_image(const std::filesystem::path& directory) {
  std::filesystem::path image = directory / "image.squashfs";
  make_environment(directory / "environment");
  pack_image(directory / "environment", image);
  return image;
}

// Emulated machines hang now and then before they reach process 1: once more.
inline Ran run_machine(const std::function<Ran()>& run) {
  Ran ran = run();
  return ran.exit.started || !ran.exit.message.contains("virtual machine") ? ran : run();
}

}  // namespace hearth::sandbox
