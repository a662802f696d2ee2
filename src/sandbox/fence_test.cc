// What guests must not be able to do, behind the fence and in a runtime's container alike.
#include <algorithm>
#include <csignal>
#include <fstream>
#include <set>
#include <thread>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "sandbox/fd.h"
#include "sandbox/levels_testing.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {
namespace {

class Fence : public HostAtLevel {};
class GuestLimits : public HostAtLevel {};

TEST_P(Fence, HidesTheHost) {
  std::string secret = host().directory() / "secret";
  std::ofstream(secret) << "x";
  Ran ran = host().shell("ls -d /home /root /opt /boot /mnt /srv /media /etc/shadow /etc/ssh /var/lib " + secret +
                         " 2>/dev/null; ls /run /sys /tmp");
  EXPECT_EQ(ran.out, "/run:\ngpu\nhearth\n\n/sys:\n\n/tmp:\n");
  Ran self = host().shell("hostname; id -un; set -- /proc/[0-9]*; echo $#");
  EXPECT_EQ(self.out, "job\njob\n2\n") << "sees its own processes alone";
}

TEST_P(Fence, CannotWriteOutsideItsOwn) {
  Ran ran = host().shell(
      "for d in / /usr /usr/bin /etc /dev /proc /proc/sys/kernel /var /run; do "
      "touch $d/x 2>/dev/null && echo wrote $d; done; "
      "echo 1 2>/dev/null > /proc/sys/kernel/panic && echo sysctl; "
      "echo a > /job/x && echo b > /tmp/x && echo c > /dev/shm/x && echo own");
  EXPECT_EQ(ran.out, "own\n");
}

TEST_P(Fence, HasNoNetwork) {
  Ran ran = host().run({"/usr/bin/python3", "-c",
                        "import socket\n"
                        "def tries(f):\n"
                        "  try: f(); print('reached')\n"
                        "  except OSError as e: print('refused')\n"
                        "tries(lambda: socket.create_connection(('1.1.1.1', 80), 2))\n"
                        "tries(lambda: socket.create_connection(('127.0.0.1', 22), 2))\n"
                        "tries(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW))\n"
                        "tries(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW))\n"
                        "tries(lambda: socket.socket(40, socket.SOCK_STREAM))\n"
                        "print([n for _, n in socket.if_nameindex()] if False else '')\n"});
  EXPECT_EQ(ran.out, "refused\nrefused\nrefused\nrefused\nrefused\n\n") << ran.err;
}

// As libzmq asks, and with it Jupyter's kernels: any other error than this ends them.
TEST_P(Fence, SaysThatItCannotTellItsDevices) {
  Ran ran = host().run({"/usr/bin/python3", "-c",
                        "import ctypes, errno\n"
                        "libc = ctypes.CDLL(None, use_errno=True)\n"
                        "found = ctypes.c_void_p()\n"
                        "print(libc.getifaddrs(ctypes.byref(found)), ctypes.get_errno() == errno.EOPNOTSUPP)\n"});
  EXPECT_EQ(ran.out, "-1 True\n") << ran.err;
}

TEST_P(Fence, GivesNoPrivileges) {
  Ran ran = host().shell(
      "unshare -U true && echo userns; unshare -m true && echo mountns; unshare -n true && echo netns; "
      "mount -t tmpfs x /tmp && echo mounted; chroot / true && echo chroot; "
      "nsenter -t 1 -m true && echo entered; "
      "grep -E '^(CapEff|CapBnd|CapPrm):' /proc/self/status | grep -v 0000000000000000; "
      "grep -q '^NoNewPrivs:.1' /proc/self/status || echo new-privileges; "
      "grep -q '^Seccomp:.2' /proc/self/status || echo unfiltered; echo end");
  EXPECT_EQ(ran.out, "end\n");
}

// Calls by number, as an attacker makes them: (number, arguments, allowed errors).
TEST_P(Fence, RefusesDangerousSystemCalls) {
  Ran ran = host().run({"/usr/bin/python3", "-c",
                        "import ctypes, errno\n"
                        "libc = ctypes.CDLL(None, use_errno=True)\n"
                        "def call(name, number, *args):\n"
                        "  ctypes.set_errno(0)\n"
                        "  r = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) for a in args])\n"
                        "  print(name, errno.errorcode.get(ctypes.get_errno(), 'OK') if r < 0 else 'OK')\n"
                        "call('ptrace', 101, 0, 0, 0, 0)\n"
                        "call('bpf', 321, 0, 0, 0)\n"
                        "call('perf_event_open', 298, 0, 0, 0, 0, 0)\n"
                        "call('userfaultfd', 323, 0)\n"
                        "call('keyctl', 250, 0, 0, 0)\n"
                        "call('add_key', 248, 0, 0, 0, 0, 0)\n"
                        "call('mount', 165, 0, 0, 0, 0, 0)\n"
                        "call('umount2', 166, 0, 0)\n"
                        "call('fsopen', 430, 0, 0)\n"
                        "call('open_tree', 428, 0, 0, 0)\n"
                        "call('move_mount', 429, 0, 0, 0, 0, 0)\n"
                        "call('mount_setattr', 442, 0, 0, 0, 0, 0)\n"
                        "call('pivot_root', 155, 0, 0)\n"
                        "call('unshare', 272, 0)\n"
                        "call('setns', 308, 0, 0)\n"
                        "call('clone newuser', 56, 0x10000000 | 17, 0, 0, 0, 0)\n"
                        "call('process_vm_readv', 310, 1, 0, 0, 0, 0, 0)\n"
                        "call('open_by_handle_at', 304, 0, 0, 0)\n"
                        "call('kexec_load', 246, 0, 0, 0, 0)\n"
                        "call('init_module', 175, 0, 0, 0)\n"
                        "call('reboot', 169, 0, 0, 0, 0)\n"
                        "call('personality', 135, 0x0400000)\n"
                        "call('TIOCSTI', 16, 0, 0x5412, 0)\n"
                        "call('TIOCSTI high', 16, 0, 0x100005412, 0)\n"
                        "call('TIOCLINUX', 16, 0, 0x541c, 0)\n"});
  std::istringstream lines(ran.out);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) EXPECT_TRUE(line.ends_with(" EPERM")) << line;
  EXPECT_EQ(count, 25) << ran.err;
  Ran absent = host().run({"/usr/bin/python3", "-c",
                           "import ctypes, errno\n"
                           "libc = ctypes.CDLL(None, use_errno=True)\n"
                           "for number in (435, 425, 426, 427, 470):\n"
                           "  r = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(0)] * 6)\n"
                           "  print(errno.errorcode[ctypes.get_errno()])\n"});
  EXPECT_EQ(absent.out, "ENOSYS\nENOSYS\nENOSYS\nENOSYS\nENOSYS\n") << absent.err;
}

TEST_P(Fence, LeaksNoDescriptor) {
  int leaky = ::open("/etc/passwd", O_RDONLY);  // without O_CLOEXEC, on purpose
  Ran ran = host().shell("ls /proc/self/fd | tr '\\n' ' '");
  ::close(leaky);
  EXPECT_EQ(ran.out, "0 1 2 3 ") << "the last is ls's own";
}

TEST_P(Fence, KeepsGuestsApart) {
  std::unique_ptr<Sandbox> first = host().prepare();
  Running running(*first, {.argv = {"/bin/bash", "-c",
                                    "echo mine > file; echo x > /tmp/t; echo x > /dev/shm/t; echo up; sleep 1000"}});
  running.wait_for_output("up");
  Ran ran = host().shell("ls /job /tmp /dev/shm; ls /proc | grep -c '^[0-9]'; kill -9 -1; ls /boot 2>&1 | head -c 0");
  EXPECT_EQ(ran.out.find("file"), std::string::npos);
  EXPECT_EQ(running.exits(), 0);
}

TEST_P(GuestLimits, OfScratchSpace) {
  Limits limits = small_limits();
  limits.scratch_bytes = 8 * kMiB;
  Ran ran = host().shell(
      "for d in /job /tmp /dev/shm; do head -c 20M /dev/zero > $d/x && echo fits; done; ls -s --block-size=1M /job/x",
      limits);
  EXPECT_EQ(ran.out, "8 /job/x\n");
  EXPECT_NE(ran.err.find("No space left"), std::string::npos);
  std::unique_ptr<Sandbox> box = host().prepare(limits);
  Result<int> file = box->create_file("input", false);
  ASSERT_TRUE(file);
  std::string piece(kMiB, 'x');
  int written = 0;
  while (written < 20 && ::write(*file, piece.data(), piece.size()) == ssize_t{kMiB}) ++written;
  ::close(*file);
  EXPECT_LE(written, 8);
}

TEST_P(GuestLimits, OfProcessesHoldAForkBomb) {
  Limits limits = small_limits();
  limits.max_processes = 40;
  std::unique_ptr<Sandbox> box = host().prepare(limits);
  Running running(*box, {.argv = {"/usr/bin/python3", "-c",
                                  "import os, time\n"
                                  "n = 0\n"
                                  "try:\n"
                                  "  while n < 1000:\n"
                                  "    if os.fork() == 0: time.sleep(1000)\n"
                                  "    n += 1\n"
                                  "except OSError: print('held at', n, flush=True)\n"}});
  Ran ran = running.wait();
  EXPECT_TRUE(ran.out.starts_with("held at ")) << ran.out << ran.err;
  int count = std::atoi(ran.out.c_str() + 8);
  EXPECT_LE(count, 40);
}

TEST_P(GuestLimits, OfOpenFiles) {
  Limits limits = small_limits();
  limits.max_open_files = 64;
  Ran ran = host().shell("ulimit -n; ulimit -c", limits);
  EXPECT_EQ(ran.out, "64\n0\n");
}

// A limit of zero would not stop dumps that go to a program, so the guest must not be able to set it.
TEST_P(GuestLimits, OfCoreDumpsCannotBeChanged) {
  Ran ran =
      host().run({"/usr/bin/python3", "-c",
                  "import resource, ctypes\n"
                  "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
                  "buffer = (ctypes.c_uint64 * 2)(0, 0)\n"
                  "libc = ctypes.CDLL(None)\n"
                  "libc.syscall(ctypes.c_long(160), ctypes.c_long(4), buffer)\n"
                  "libc.syscall(ctypes.c_long(302), ctypes.c_long(0), ctypes.c_long(0x100000004), buffer, None)\n"
                  "resource.setrlimit(resource.RLIMIT_NOFILE, (32, 32))\n"
                  "print(resource.getrlimit(resource.RLIMIT_CORE), resource.getrlimit(resource.RLIMIT_NOFILE))\n"});
  EXPECT_EQ(ran.out, "(1, 1) (32, 32)\n") << ran.err;
}

std::string error_of(const Result<std::vector<Output>>& outputs) { return outputs ? "" : outputs.error().message; }

TEST(Outputs, APatternOfWildcardsAloneMayMatchNothing) {
  TestHost host;
  std::unique_ptr<Sandbox> box = host.prepare();
  Running(*box, {.argv = {"/bin/true"}}).wait();
  for (const char* pattern : {"*", "**", "**/*"}) {
    Result<std::vector<Output>> outputs = box->collect({pattern}, {});
    ASSERT_TRUE(outputs) << outputs.error().message;
    EXPECT_TRUE(outputs->empty());
  }
}

TEST(Outputs, ThatAreNoFilesAreRefused) {
  TestHost host;
  std::unique_ptr<Sandbox> box = host.prepare();
  Ran ran =
      Running(
          *box,
          {.argv = {"/bin/bash", "-c",
                    "echo ok > good.txt; ln -s /etc/passwd link.txt; mkfifo fifo.out; mkdir -p d; ln -s / d/rootdir;"
                    "ln -s ../good.txt d/inner; mknod dev.out c 1 3 2>/dev/null && echo made a device;"
                    "ln -s d dirlink; echo deep > d/file; python3 -c 'import socket; "
                    "socket.socket(socket.AF_UNIX).bind(\"sock.out\")'; printf x > $'new\\nline.bad'; printf x > "
                    "$'\\xff.bad'"}})
          .wait();
  EXPECT_EQ(ran.out, "");
  EXPECT_TRUE(box->collect({"good.txt"}, {}));
  EXPECT_NE(error_of(box->collect({"*.txt"}, {})).find("'link.txt' is a symbolic link"), std::string::npos);
  EXPECT_NE(error_of(box->collect({"link.txt"}, {})).find("symbolic link"), std::string::npos);
  EXPECT_NE(error_of(box->collect({"fifo.out"}, {})).find("a FIFO"), std::string::npos);
  EXPECT_NE(error_of(box->collect({"sock*"}, {})).find("a socket"), std::string::npos);
  EXPECT_NE(error_of(box->collect({"*.bad"}, {})).find("name that is not allowed"), std::string::npos);
  EXPECT_NE(error_of(box->collect({"dirlink/file"}, {})).find("symbolic link"), std::string::npos);
  EXPECT_NE(error_of(box->collect({"d/rootdir/etc/passwd"}, {})).find("symbolic link"), std::string::npos);
  EXPECT_EQ(error_of(box->collect({"dirlink/*"}, {})), "output pattern 'dirlink/*' matches no file");
  EXPECT_NE(error_of(box->collect({"../../etc/passwd"}, {})).find("no path in the working directory"),
            std::string::npos);
  EXPECT_NE(error_of(box->collect({"/etc/passwd"}, {})).find("no path in the working directory"), std::string::npos);
  EXPECT_EQ(error_of(box->collect({"absent*.png"}, {})), "output pattern 'absent*.png' matches no file");
  EXPECT_TRUE(box->collect({"absent*.png", "absent"}, {.may_lack = true}));
  EXPECT_NE(error_of(box->collect({"d"}, {})).find("it is a folder"), std::string::npos);
  const auto fitting = box->collect({"link.txt", "**", "absent", "../x", "dirlink/file"}, {.takes_what_fits = true});
  ASSERT_TRUE(fitting);
  ASSERT_EQ(fitting->size(), 3U);
  EXPECT_EQ((*fitting)[0].path, "d/file");
  EXPECT_EQ((*fitting)[1].path, "d/inner");
  EXPECT_EQ((*fitting)[2].path, "good.txt");
  for (const char* path : {"link.txt", "fifo.out", "dirlink/file", "d", "../x", "/etc/passwd", "sock.out", "absent"}) {
    EXPECT_FALSE(box->open_output(path)) << path;
  }
}

TEST(Outputs, AreBounded) {
  TestHost host;
  std::unique_ptr<Sandbox> box = host.prepare();
  Ran ran = Running(*box, {.argv = {"/usr/bin/python3", "-c",
                                    "for i in range(20000): open(f'{i}.out', 'w').close()\n"
                                    "open('sparse', 'w').truncate(1 << 40)\n"
                                    "import os\n"
                                    "for i in range(3000): os.mkdir('d'); os.chdir('d')\n"}})
                .wait();
  EXPECT_EQ(ran.exit.exit_code, 0) << ran.err;
  EXPECT_EQ(box->collect({"*.out"}, {}).error().code, Code::kResourceExhausted);
  EXPECT_EQ(box->collect({"sparse"}, {}).error().code, Code::kResourceExhausted);
  auto all = box->collect({"*.out"}, {.max_files = 20'000, .max_bytes = 0});
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_EQ(all->size(), 20'000U);
  EXPECT_TRUE(std::ranges::is_sorted(*all, {}, &Output::path));
  EXPECT_FALSE(box->collect({"**/deepest"}, {}));
}

const auto kLevels = testing::Values(Level::kFence, Level::kOci);
INSTANTIATE_TEST_SUITE_P(Levels, Fence, kLevels, &AtLevel::name);
INSTANTIATE_TEST_SUITE_P(Levels, GuestLimits, kLevels, &AtLevel::name);

}  // namespace
}  // namespace hearth::sandbox
