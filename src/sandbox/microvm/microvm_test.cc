// Real machines, by emulation: slow, so there are few. What they need is not everywhere: a Debian kernel package,
// unpacked (HEARTH_TEST_KERNEL names the directory, see HACKING.md), QEMU, mksquashfs. KVM is not tested.
#include <cstdlib>
#include <fstream>

#include <gtest/gtest.h>

#include "sandbox/microvm/initramfs.h"
#include "sandbox/program.h"
#include "sandbox/testing.h"

namespace hearth::sandbox {
namespace {

std::filesystem::path kernel_directory() {
  const char* path = std::getenv("HEARTH_TEST_KERNEL");
  return path != nullptr ? path : HEARTH_TEST_KERNEL;
}

std::string why_not() {
  if (Result<Kernel> kernel = find_kernel(kernel_directory()); !kernel) return kernel.error().message;
  for (const char* program : {"qemu-system-x86_64", "mksquashfs", "/bin/busybox"}) {
    if (find_program(program).empty()) return std::string(program) + " is not here";
  }
  return "";
}

Options options_with_tcg() { return {.microvm = {.directory = kernel_directory(), .insecure_tcg_for_tests = true}}; }

// A squashfs image with busybox in it.
std::filesystem::path make_image(const std::filesystem::path& directory) {
  std::filesystem::path root = directory / "environment";
  std::filesystem::create_directories(root / "usr/bin");
  std::filesystem::create_directories(root / "etc");
  std::filesystem::copy_file("/bin/busybox", root / "usr/bin/busybox");
  std::filesystem::create_directory_symlink("usr/bin", root / "bin");
  for (const char* name : {"sh", "cat", "ls", "id", "mkdir", "rm", "touch", "mount", "sleep", "grep", "seq"}) {
    std::filesystem::create_symlink("busybox", root / "usr/bin" / name);
  }
  std::filesystem::path image = directory / "image.squashfs";
  std::string command = "mksquashfs " + root.string() + " " + image.string() + " -quiet -no-progress >/dev/null 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0);
  return image;
}

// Emulated machines hang now and then before they reach process 1: once more.
Ran run_with_one_retry(TestHost& host, const std::function<Ran()>& run) {
  static_cast<void>(host);
  Ran ran = run();
  return ran.exit.started || !ran.exit.message.contains("virtual machine") ? ran : run();
}

TEST(MicroVm, RunsAProgramOfAnEnvironment) {
  if (std::string missing = why_not(); !missing.empty()) GTEST_SKIP() << missing;
  TestHost host(options_with_tcg());
  host.set_up({.level = Level::kMicroVm, .image = make_image(host.directory())});
  Limits limits{.cores = 1, .memory_bytes = 192ULL << 20, .scratch_bytes = 32ULL << 20};
  std::unique_ptr<Sandbox> box;
  Ran ran = run_with_one_retry(host, [&] {
    box.reset();
    box = host.prepare(limits);
    put(*box, "in/data.txt", "forty-two");
    put(*box, "in/old.txt", "old");
    put(*box, "run.sh",
        "#!/bin/sh\ncat in/data.txt; echo; id -u; ls /; echo $MARK; mkdir out; echo result > out/r.txt; rm in/old.txt;"
        "echo changed >> in/data.txt; touch /usr/x || echo read-only >&2; mount -t tmpfs x /tmp || echo no-mount;"
        "grep -E '^(CapEff|CapBnd|NoNewPrivs|Seccomp):' /proc/self/status; seq 1 20000; grep -c dm-0 /proc/swaps; exit "
        "7\n",
        true);
    return Running(*box, {.argv = {"./run.sh"}, .variables = {{"MARK", "here"}}}).wait();
  });
  ASSERT_TRUE(ran.exit.started) << ran.exit.message;
  EXPECT_EQ(ran.exit.exit_code, 7);
  EXPECT_TRUE(ran.out.starts_with("forty-two\n65534\nbin\ndev\netc\njob\nproc\ntmp\nusr\nhere\nno-mount\n")) << ran.out;
  EXPECT_NE(ran.err.find("read-only"), std::string::npos) << ran.err;
  EXPECT_NE(ran.out.find("CapBnd:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n1\n"), std::string::npos) << ran.out;
  EXPECT_TRUE(ran.out.ends_with("\n20000\n1\n")) << "output is whole, and the swap space is the encrypted disk";
  auto outputs = box->collect({"**"}, {});
  ASSERT_TRUE(outputs) << outputs.error().message;
  ASSERT_EQ(outputs->size(), 2U);
  EXPECT_EQ((*outputs)[0].path, "in/data.txt");
  EXPECT_EQ((*outputs)[1].path, "out/r.txt");
  EXPECT_FALSE(box->open_output("in/old.txt"));
}

}  // namespace
}  // namespace hearth::sandbox
