// The tests of control groups once more, in an emulated machine whose kernel has them in version 2 alone, as most PCs
// do; where tests run there may be version 1 or none. The machine's root is busybox, bubblewrap and this very program.
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "sandbox/fd.h"
#include "sandbox/microvm/testing.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

// What the machine runs: what a control group is needed for, and what must be gone afterwards. It has no gocryptfs.
constexpr const char* kTests =
    "Cgroups*:Levels/SandboxConformance.*/fence:Levels/Leftovers.NoneAfterTheProcessWasKilled/fence:ArmedProgram.*:"
    "-*OnTheDisk*";

// As the machine's first process: loads the modules and goes to the root that lies on the disk.
constexpr const char* kFirst = R"(#!/busybox sh
/busybox mount -t devtmpfs dev /dev
while read module; do /busybox insmod /modules/$module; done < /modules/order
until /busybox mount -t squashfs -o ro /dev/vda /new; do /busybox sleep 0.1; done
exec /busybox switch_root /new /usr/bin/sh /start
)";

// Then: what a system has mounted, the tests, their exit status.
constexpr const char* kThen = R"(
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir /dev/shm
for place in /tmp /run /dev/shm; do mount -t tmpfs -o mode=1777 tmp $place; done
mount -t cgroup2 -o nsdelegate cgroup2 /sys/fs/cgroup
cd /tmp
/usr/bin/tests --gtest_color=no --gtest_filter=$(cat /filter)
echo "exit status $?"
reboot -f
)";

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
  fs::permissions(path, fs::perms::owner_all | fs::perms::group_exec | fs::perms::others_exec | fs::perms::group_read |
                            fs::perms::others_read);
}

std::string output_of(const std::string& command) {
  std::string text;
  FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe == nullptr) return text;
  std::string piece(64 * kKiB, '\0');
  for (std::size_t count = 0; (count = ::fread(piece.data(), 1, piece.size(), pipe)) > 0;) text.append(piece, 0, count);
  ::pclose(pipe);
  return text;
}

// A program of this machine's, at the same place, with the libraries that it needs.
void take_program(const fs::path& program, const fs::path& root, const fs::path& where) {
  fs::copy_file(program, root / where.relative_path());
  std::istringstream words(output_of("ldd " + program.string()));
  for (std::string word; words >> word;) {
    if (!word.starts_with("/")) continue;
    // "/lib" is a link into "/usr" there as it is here.
    const fs::path to = root / (word.starts_with("/usr/") ? word.substr(1) : "usr" + word);
    fs::create_directories(to.parent_path());
    fs::copy_file(word, to, fs::copy_options::skip_existing);
  }
}

fs::path make_disk(const fs::path& directory) {
  const fs::path root = directory / "root";
  make_environment(root);
  for (const char* name : {"dev", "proc", "sys", "tmp", "run", "srv"}) fs::create_directory(root / name);
  for (const char* name : {"lib", "lib64"}) fs::create_directory_symlink(std::string("usr/") + name, root / name);
  fs::create_symlink("busybox", root / "usr/bin/reboot");
  take_program(find_program("bwrap"), root, "/usr/bin/bwrap");
  take_program(fs::read_symlink("/proc/self/exe"), root, "/usr/bin/tests");
  write(root / "start", kThen);
  write(root / "filter", kTests);
  pack_image(root, directory / "disk");
  return directory / "disk";
}

// The first files of a microVM, and more on top.
fs::path make_first_files(const fs::path& directory, const Kernel& kernel) {
  Result<std::string> files = build_initramfs(kernel);
  EXPECT_TRUE(files) << files.error().message;
  const fs::path more = directory / "first";
  for (const char* name : {"dev", "new"}) fs::create_directories(more / name);
  fs::copy_file("/bin/busybox", more / "busybox");
  write(more / "first", kFirst);
  std::ofstream(directory / "initramfs") << files.value_or("")
                                         << output_of("cd " + more.string() +
                                                      " && find . | busybox cpio -o -H newc 2>/dev/null");
  return directory / "initramfs";
}

// ctest takes a test that prints this for a skipped one, even if it fails.
std::string soften(std::string text) {
  constexpr std::string_view kWord = "SKIPPED";
  for (std::size_t at = text.find(kWord); at != std::string::npos; at = text.find(kWord, at)) {
    text.replace(at, kWord.size(), "skipped");
  }
  return text;
}

// All that it printed, until its end or for six minutes.
std::string run_on_machine(const fs::path& directory, const Kernel& kernel) {
  std::ostringstream command;
  command << "timeout -k 5 360 qemu-system-x86_64 -M q35 -accel tcg,thread=multi -cpu max -smp 2 -m 1536 -nodefaults"
          << " -no-user-config -display none -no-reboot -nic none -serial stdio -kernel " << kernel.image.string()
          << " -initrd " << make_first_files(directory, kernel).string()
          << " -drive if=virtio,format=raw,readonly=on,file=" << make_disk(directory).string()
          << " -append 'console=ttyS0 loglevel=0 panic=-1 random.trust_cpu=on rdinit=/first'"
          << " </dev/null 2>&1";
  return soften(output_of(command.str()));
}

TEST(MachineOfVersion2, HoldsGuestsAsThisOneDoes) {
  if (std::string missing = why_no_machine(); !missing.empty()) GTEST_SKIP() << "SKIPPED: " << missing;
  TemporaryDirectory directory;
  const std::string printed = run_on_machine(directory.path(), *find_kernel(kernel_directory()));
  EXPECT_TRUE(printed.contains("exit status 0")) << printed;
  for (const char* test : {"CgroupsOfVersion2.GiveEveryLimit", "SandboxConformance.EndsAProgramThatNeedsTooMuchMemory",
                           "SandboxConformance.FreezesAndThaws", "Leftovers.NoneAfterTheProcessWasKilled"}) {
    EXPECT_TRUE(printed.contains(std::string(" OK ] ") + test) || printed.contains(std::string(" OK ] Levels/") + test))
        << test;
  }
  EXPECT_FALSE(printed.contains("skipped")) << printed;
}

}  // namespace
}  // namespace hearth::sandbox
