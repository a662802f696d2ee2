#include "sandbox/launch.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdint>

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hearth::sandbox {
namespace {

// The child of clone() shares this process's memory until exec: only system calls there, and raw ones where the library
// would do more (its setresuid() changes every thread).
struct Orders {
  const char* program = nullptr;
  char* const* argv = nullptr;
  const int* files = nullptr;
  std::size_t file_count = 0;
  const int* cgroup_entries = nullptr;
  std::size_t cgroup_count = 0;
  bool born_in_cgroup = false;
  const std::pair<int, rlimit>* limits = nullptr;
  std::size_t limit_count = 0;
  GuestUser user;
  int network = -1;
  bool may_mount = false;
  bool stays_user = false;
  gid_t group = 0;
  pid_t parent = 0;
  int error = 0;  // set by the child if it could not exec
};

constexpr std::size_t kStackBytes = 64 << 10;

#define HEARTH_CHILD_CODE __attribute__((noinline, no_sanitize("address", "undefined", "thread")))

HEARTH_CHILD_CODE void reset_signals() {
  struct sigaction standard{};
  standard.sa_handler = SIG_DFL;
  for (int number = 1; number < 32; ++number) ::sigaction(number, &standard, nullptr);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// When the whole machine runs out of memory, guests go first.
HEARTH_CHILD_CODE void volunteer_for_the_oom_killer() {
  int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file >= 0) static_cast<void>(::write(file, "800", 3));
}

HEARTH_CHILD_CODE bool enter_cgroups(const Orders& orders) {
  for (std::size_t i = 0; i < orders.cgroup_count && !orders.born_in_cgroup; ++i) {
    if (::write(orders.cgroup_entries[i], "0", 1) != 1) return false;
  }
  return true;
}

HEARTH_CHILD_CODE bool become_guest(const GuestUser& user, const gid_t& group) {
  if (!user.drop) return true;
  return ::syscall(SYS_setgroups, group != 0 ? 1 : 0, &group) == 0 &&
         ::syscall(SYS_setresgid, user.gid, user.gid, user.gid) == 0 &&
         ::syscall(SYS_setresuid, user.uid, user.uid, user.uid) == 0;
}

// For programs of this architecture; others have other numbers for their calls.
HEARTH_CHILD_CODE bool stay_user() {
  constexpr std::uint16_t kLoad = BPF_LD | BPF_W | BPF_ABS;
  constexpr std::uint16_t kSkipIfEqual = BPF_JMP | BPF_JEQ | BPF_K;
  constexpr std::uint16_t kReturn = BPF_RET | BPF_K;
  sock_filter program[] = {
      {.code = kLoad, .jt = 0, .jf = 0, .k = offsetof(seccomp_data, nr)},
      {.code = kSkipIfEqual, .jt = 3, .jf = 0, .k = SYS_setreuid},
      {.code = kSkipIfEqual, .jt = 2, .jf = 0, .k = SYS_setregid},
      {.code = kSkipIfEqual, .jt = 1, .jf = 0, .k = SYS_setgroups},
      {.code = kReturn, .jt = 0, .jf = 0, .k = SECCOMP_RET_ALLOW},
      {.code = kReturn, .jt = 0, .jf = 0, .k = SECCOMP_RET_ERRNO},  // of no error
  };
  sock_fprog filter{.len = sizeof program / sizeof program[0], .filter = program};
  return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

// An ordinary user's node has its rights in a user namespace of its own, and would lose them by exec.
HEARTH_CHILD_CODE bool keep(unsigned capability) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2];
  if (::syscall(SYS_capget, &header, data) != 0) return false;
  data[0].inheritable |= 1U << capability;
  return ::syscall(SYS_capset, &header, data) == 0 &&
         ::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0;
}

HEARTH_CHILD_CODE bool administer(int network) {
  return network < 0 || (::setns(network, CLONE_NEWNET) == 0 && keep(CAP_NET_ADMIN));
}

HEARTH_CHILD_CODE bool place_files(const Orders& orders) {
  for (std::size_t i = 0; i < orders.file_count; ++i) {
    if (::dup2(orders.files[i], static_cast<int>(i)) < 0) return false;
  }
  return ::syscall(SYS_close_range, orders.file_count, ~0U, 0) == 0;
}

HEARTH_CHILD_CODE int child_main(void* argument) {
  auto& orders = *static_cast<Orders*>(argument);
  reset_signals();
  if (!orders.may_mount) volunteer_for_the_oom_killer();
  bool done = enter_cgroups(orders);
  for (std::size_t i = 0; done && i < orders.limit_count; ++i) {
    auto resource = static_cast<__rlimit_resource_t>(orders.limits[i].first);
    done = ::setrlimit(resource, &orders.limits[i].second) == 0;
  }
  // The signal is asked for after the change of user, which forgets it.
  done = done && administer(orders.network) && (!orders.may_mount || keep(CAP_SYS_ADMIN)) &&
         become_guest(orders.user, orders.group) && ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0;
  done = done && (!orders.stays_user || stay_user());
  if (done && ::getppid() == orders.parent && place_files(orders)) {
    char* const no_variables[] = {nullptr};
    ::execve(orders.program, orders.argv, no_variables);
  }
  orders.error = errno;
  ::_exit(127);
}

constexpr std::uint64_t kCloneFlags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD;

// Starts the child in the control group, which only clone3() can do: a process that moves itself there waits until no
// process of the machine is being started or ended (a grace period of RCU, about 10 ms). The C library has no clone3()
// with a stack of the child's own. Gives the process's number, or a negative error number.
long clone_into([[maybe_unused]] int cgroup, [[maybe_unused]] std::vector<char>& stack, [[maybe_unused]] Orders& orders,
                [[maybe_unused]] int& pidfd) {
#if defined(__x86_64__)
  clone_args arguments{.flags = kCloneFlags | CLONE_INTO_CGROUP,
                       .pidfd = reinterpret_cast<std::uintptr_t>(&pidfd),
                       .exit_signal = SIGCHLD,
                       .stack = reinterpret_cast<std::uintptr_t>(stack.data()),
                       .stack_size = stack.size(),
                       .cgroup = static_cast<std::uint64_t>(cgroup)};
  long result = SYS_clone3;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "mov %[orders], %%rdi\n\t"
      "call *%[child]\n\t"
      "ud2\n"
      "1:"
      : "+a"(result)
      : "D"(&arguments), "S"(sizeof arguments), [child] "r"(&child_main), [orders] "r"(&orders)
      : "rcx", "r11", "cc", "memory");
  return result;
#else
  return -ENOSYS;
#endif
}

// Gives the process's number, or a negative error number.
long clone_child(int cgroup, std::vector<char>& stack, Orders& orders, int& pidfd) {
  if (cgroup >= 0) {
    orders.born_in_cgroup = true;
    long pid = clone_into(cgroup, stack, orders, pidfd);
    if (pid > 0) return pid;
    orders.born_in_cgroup = false;
  }
  long pid =
      ::clone(&child_main, stack.data() + stack.size(), static_cast<int>(kCloneFlags) | SIGCHLD, &orders, &pidfd);
  return pid < 0 ? -errno : pid;
}

// A copy above all the numbers that the child's descriptors will have, so that placing one overwrites no other.
Result<Fd> lifted(const Fd& file, std::size_t above) {
  Fd copy(::fcntl(file.get(), F_DUPFD_CLOEXEC, static_cast<int>(above)));
  if (!copy) return fail_errno(errno, "copying a descriptor");
  return copy;
}

Result<std::vector<Fd>> lift_all(const std::vector<Fd>& files, std::size_t above) {
  std::vector<Fd> copies;
  for (const Fd& file : files) {
    Result<Fd> copy = lifted(file, above);
    if (!copy) return std::unexpected(copy.error());
    copies.push_back(std::move(*copy));
  }
  return copies;
}

std::vector<int> numbers(const std::vector<Fd>& files) {
  std::vector<int> list(files.size());
  std::ranges::transform(files, list.begin(), [](const Fd& file) { return file.get(); });
  return list;
}

}  // namespace

Result<Started> launch(Launch& plan) {
  Result<std::vector<Fd>> files = lift_all(plan.files, plan.files.size());
  if (!files) return std::unexpected(files.error());
  Result<std::vector<Fd>> entries = lift_all(plan.cgroup_entries, plan.files.size());
  if (!entries) return std::unexpected(entries.error());
  std::vector<int> file_numbers = numbers(*files);
  std::vector<int> entry_numbers = numbers(*entries);
  std::vector<char*> argv;
  argv.reserve(plan.argv.size() + 1);
  for (std::string& argument : plan.argv) argv.push_back(argument.data());
  argv.push_back(nullptr);

  Orders orders{.program = plan.program.c_str(),
                .argv = argv.data(),
                .files = file_numbers.data(),
                .file_count = file_numbers.size(),
                .cgroup_entries = entry_numbers.data(),
                .cgroup_count = entry_numbers.size(),
                .limits = plan.limits.data(),
                .limit_count = plan.limits.size(),
                .user = plan.user,
                .network = plan.network,
                .may_mount = plan.may_mount,
                .stays_user = plan.stays_user,
                .group = plan.group,
                .parent = ::getpid(),
                .error = 0};
  std::vector<char> stack(kStackBytes);
  sigset_t all;
  sigset_t before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  int pidfd = -1;
  // CLONE_VFORK: this thread sleeps until the child has left our memory, so the stack and the orders outlive its use.
  long pid = clone_child(plan.birthplace.get(), stack, orders, pidfd);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) return fail_errno(static_cast<int>(-pid), "starting a process");
  Started started{.pidfd = Fd(pidfd), .pid = static_cast<pid_t>(pid)};
  if (orders.error == 0) return started;
  ::waitpid(started.pid, nullptr, 0);
  return fail_errno(orders.error, "starting " + plan.program);
}

}  // namespace hearth::sandbox
