#include "sandbox/seccomp.h"

#include <cerrno>
#include <memory>
#include <set>
#include <string_view>

#include <fcntl.h>
#include <linux/netlink.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>

namespace hearth::sandbox {
namespace {

// What programs of a normal Linux system use. Names that this architecture lacks are skipped. Not here, on purpose:
// mounting in all its forms, namespaces, ptrace and process_vm_*, bpf, perf, keys, userfaultfd, modules, clocks,
// swapping, quotas, kexec, reboot, handles (open_by_handle_at), io_uring, vm86, personality but its harmless values.
constexpr const char* kAllowed[] = {
    // Files.
    "access", "chdir", "chmod", "chown", "chown32", "close", "close_range", "copy_file_range", "creat", "dup", "dup2",
    "dup3", "faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fchdir", "fchmod", "fchmodat",
    "fchown", "fchown32", "fchownat", "fcntl", "fcntl64", "fdatasync", "fgetxattr", "flistxattr", "flock",
    "fremovexattr", "fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
    "ftruncate64", "futimesat", "getcwd", "getdents", "getdents64", "getxattr", "inotify_add_watch", "inotify_init",
    "inotify_init1", "inotify_rm_watch", "lchown", "lchown32", "lgetxattr", "link", "linkat", "listxattr", "llistxattr",
    "_llseek", "lremovexattr", "lseek", "lsetxattr", "lstat", "lstat64", "mkdir", "mkdirat", "mknod", "mknodat",
    "newfstatat", "_newselect", "open", "openat", "openat2", "pipe", "pipe2", "pread64", "preadv", "preadv2",
    "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "removexattr", "rename",
    "renameat", "renameat2", "rmdir", "sendfile", "sendfile64", "setxattr", "splice", "stat", "stat64", "statfs",
    "statfs64", "statx", "symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "tee", "truncate", "truncate64",
    "umask", "unlink", "unlinkat", "utime", "utimensat", "utimensat_time64", "utimes", "vmsplice", "write", "writev",
    // Memory.
    "brk", "get_mempolicy", "madvise", "mbind", "membarrier", "memfd_create", "memfd_secret", "mincore", "mlock",
    "mlock2", "mlockall", "mmap", "mmap2", "mprotect", "mremap", "msync", "munlock", "munlockall", "munmap",
    "pkey_alloc", "pkey_free", "pkey_mprotect", "process_madvise", "process_mrelease", "remap_file_pages",
    "set_mempolicy", "set_mempolicy_home_node", "shmat", "shmctl", "shmdt", "shmget",
    // Processes, threads and signals.
    "alarm", "arch_prctl", "capget", "capset", "execve", "execveat", "exit", "exit_group", "fork", "futex",
    "futex_time64", "futex_waitv", "getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
    "getgroups32", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getresgid", "getresgid32", "getresuid",
    "getresuid32", "getrlimit", "get_robust_list", "getrusage", "getsid", "get_thread_area", "gettid", "getuid",
    "getuid32", "ioprio_get", "ioprio_set", "kill", "landlock_add_rule", "landlock_create_ruleset",
    "landlock_restrict_self", "pause", "pidfd_open", "pidfd_send_signal", "prctl", "restart_syscall", "rseq",
    "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend",
    "rt_sigtimedwait", "rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sched_getaffinity", "sched_getattr",
    "sched_getparam", "sched_get_priority_max", "sched_get_priority_min", "sched_getscheduler", "sched_rr_get_interval",
    "sched_rr_get_interval_time64", "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler",
    "sched_yield", "seccomp", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32", "setgid", "setgid32", "setgroups",
    "setgroups32", "setitimer", "setpgid", "setpriority", "setregid", "setregid32", "setresgid", "setresgid32",
    "setresuid", "setresuid32", "setreuid", "setreuid32", "set_robust_list", "setsid", "set_thread_area",
    "set_tid_address", "setuid", "setuid32", "sigaltstack", "signalfd", "signalfd4", "sigprocmask", "sigreturn",
    "tgkill", "tkill", "ugetrlimit", "vfork", "wait4", "waitid", "waitpid",
    // Waiting and time.
    "clock_getres", "clock_getres_time64", "clock_gettime", "clock_gettime64", "clock_nanosleep",
    "clock_nanosleep_time64", "epoll_create", "epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait",
    "epoll_pwait2", "epoll_wait", "epoll_wait_old", "eventfd", "eventfd2", "getitimer", "gettimeofday", "nanosleep",
    "poll", "ppoll", "ppoll_time64", "pselect6", "pselect6_time64", "select", "time", "timer_create", "timer_delete",
    "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime", "timer_settime64", "timerfd_create",
    "timerfd_gettime", "timerfd_gettime64", "timerfd_settime", "timerfd_settime64", "times",
    // Between processes.
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "ipc", "listen",
    "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
    "mq_timedsend_time64", "mq_unlink", "msgctl", "msgget", "msgrcv", "msgsnd", "recv", "recvfrom", "recvmmsg",
    "recvmmsg_time64", "recvmsg", "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "send", "sendmmsg",
    "sendmsg", "sendto", "setsockopt", "shutdown", "socketcall",
    // The machine.
    "getcpu", "getrandom", "sysinfo", "uname", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents",
    "io_pgetevents_time64", "io_setup", "io_submit"};

// Besides, for an OCI runtime.
constexpr const char* kAllowedToRuntimes[] = {"chroot",
                                              "clone",
                                              "fsconfig",
                                              "fsmount",
                                              "fsopen",
                                              "fspick",
                                              "mount",
                                              "mount_setattr",
                                              "move_mount",
                                              "open_tree",
                                              "pivot_root",
                                              "process_vm_readv",
                                              "process_vm_writev",
                                              "ptrace",
                                              "setdomainname",
                                              "sethostname",
                                              "setns",
                                              "umount",
                                              "umount2",
                                              "unshare"};

// Said not to exist to a runtime, which would make a keyring for the container and does without.
constexpr const char* kAbsentToRuntimes[] = {"add_key", "keyctl", "request_key"};

// Said not to exist: libraries that try them have another way.
constexpr const char* kAbsent[] = {"clone3", "io_uring_setup", "io_uring_enter", "io_uring_register"};

// Calls with larger numbers came after this list was made.
constexpr int kFirstUnknown = 451;
constexpr int kLastUnknown = 520;

constexpr std::uint64_t kNamespaceFlags =
    CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWCGROUP;

class Filter {
 public:
  Filter() : context_(seccomp_init(SCMP_ACT_ERRNO(EPERM)), &seccomp_release) {}

  bool ok() const { return context_ != nullptr && error_ == 0; }
  int error() const { return error_; }

  template <class... Conditions>
  void rule(std::uint32_t action, const char* name, Conditions... conditions) {
    int number = seccomp_syscall_resolve_name(name);
    if (number == __NR_SCMP_ERROR || number < 0) return;
    known_.insert(number);
    note(seccomp_rule_add(context_.get(), action, number, sizeof...(conditions), conditions...));
  }

  void absent_if_unknown(int number) {
    if (!known_.contains(number)) note(seccomp_rule_add(context_.get(), SCMP_ACT_ERRNO(ENOSYS), number, 0));
  }

  void attribute(scmp_filter_attr which, std::uint32_t value) { note(seccomp_attr_set(context_.get(), which, value)); }

  void write_to(int file) { note(seccomp_export_bpf(context_.get(), file)); }

 private:
  void note(int result) {
    if (result < 0 && error_ == 0) error_ = -result;
  }

  std::unique_ptr<void, decltype(&seccomp_release)> context_;
  std::set<int> known_;
  int error_ = 0;
};

scmp_arg_cmp equals(unsigned argument, std::uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_EQ, .datum_a = value, .datum_b = 0};
}

scmp_arg_cmp differs(unsigned argument, std::uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_NE, .datum_a = value, .datum_b = 0};
}

scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

void allow_to(Caller caller, Filter& filter) {
  for (const char* name : kAllowed) filter.rule(SCMP_ACT_ALLOW, name);
  if (caller == Caller::kRuntime) {
    for (const char* name : kAllowedToRuntimes) filter.rule(SCMP_ACT_ALLOW, name);
    for (const char* name : kAbsentToRuntimes) filter.rule(SCMP_ACT_ERRNO(ENOSYS), name);
  } else {
    // A process or thread of the same namespaces.
    filter.rule(SCMP_ACT_ALLOW, "clone", masked(0, kNamespaceFlags, 0));
  }
}

void add_conditional_rules(Filter& filter) {
  for (int family : {AF_UNIX, AF_INET, AF_INET6}) {
    filter.rule(SCMP_ACT_ALLOW, "socket", equals(0, static_cast<std::uint64_t>(family)));
  }

  filter.rule(SCMP_ACT_ALLOW, "socketpair", equals(0, AF_UNIX));

  // The limit on core dumps stays as it is, see Box: a guest that set it to zero would feed dumps to the host's handler
  // again. To lower it seems to succeed, for programs that insist.
  for (const char* name : {"setrlimit", "prlimit64"}) {
    unsigned resource = std::string_view(name) == "setrlimit" ? 0 : 1;
    unsigned value = resource + 1;
    // The kernel looks at the low half of the number only.
    for (std::uint64_t number = 0; number < RLIM_NLIMITS; ++number) {
      if (number != RLIMIT_CORE) filter.rule(SCMP_ACT_ALLOW, name, masked(resource, 0xFFFFFFFFULL, number));
    }
    scmp_arg_cmp is_core = masked(resource, 0xFFFFFFFFULL, RLIMIT_CORE);
    filter.rule(SCMP_ACT_ERRNO(0), name, is_core, differs(value, 0));
    if (resource == 1) filter.rule(SCMP_ACT_ALLOW, name, is_core, equals(value, 0));
  }

  // The values that Linux programs ask for; not READ_IMPLIES_EXEC, not compatibility with other systems. The last one
  // only asks.
  for (std::uint64_t persona : {std::uint64_t{PER_LINUX}, std::uint64_t{PER_LINUX32}, std::uint64_t{UNAME26},
                                std::uint64_t{ADDR_NO_RANDOMIZE}, std::uint64_t{0xFFFFFFFF}}) {
    filter.rule(SCMP_ACT_ALLOW, "personality", equals(0, persona));
  }
}

// Every ioctl but TIOCSTI (pushing input to a terminal) and TIOCLINUX (the console's selection). The kernel looks at
// the low half of the argument only, so only that may be compared (CVE-2019-10063); and as a rule cannot say "differs
// from both", there is one for each bit in which a number may differ from what the two share, and one for each other
// number that shares it.
void allow_ioctls(Filter& filter) {
  static_assert(TIOCSTI >> 4 == TIOCLINUX >> 4);
  for (unsigned bit = 4; bit < 32; ++bit) {
    std::uint64_t mask = 1ULL << bit;
    filter.rule(SCMP_ACT_ALLOW, "ioctl", masked(1, mask, ~std::uint64_t{TIOCSTI} & mask));
  }
  for (std::uint64_t last = 0; last < 16; ++last) {
    std::uint64_t number = (TIOCSTI & ~15ULL) | last;
    if (number == TIOCSTI || number == TIOCLINUX) continue;
    filter.rule(SCMP_ACT_ALLOW, "ioctl", masked(1, 0xFFFFFFFFULL, number));
  }
}

}  // namespace

Result<void> write_filter(const std::string& path, Caller caller) {
  Filter filter;
  if (!filter.ok()) return fail(Code::kInternal, "libseccomp could not be set up");
  filter.attribute(SCMP_FLTATR_CTL_OPTIMIZE, 2);  // a tree: a call passes about ten comparisons, not hundreds
  allow_to(caller, filter);
  for (const char* name : kAbsent) filter.rule(SCMP_ACT_ERRNO(ENOSYS), name);
  add_conditional_rules(filter);
  allow_ioctls(filter);
  if (caller == Caller::kMember) {
    filter.rule(SCMP_ACT_ALLOW, "socket", equals(0, AF_NETLINK), equals(2, NETLINK_ROUTE));
  } else if (caller == Caller::kProgram) {
    // What libraries take for a system that cannot tell its devices, and go on without; at EPERM ZeroMQ aborts.
    filter.rule(SCMP_ACT_ERRNO(EOPNOTSUPP), "socket", equals(0, AF_NETLINK));
  }
  for (int number = kFirstUnknown; number <= kLastUnknown; ++number) filter.absent_if_unknown(number);
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  // Whatever the umask: process 1 of a container reads it as the guests' user.
  if (!file || ::fchmod(file.get(), 0444) != 0) return fail_errno(errno, "writing the system call filter");
  filter.write_to(file.get());
  if (!filter.ok()) return fail_errno(filter.error(), "building the system call filter");
  return {};
}

}  // namespace hearth::sandbox
