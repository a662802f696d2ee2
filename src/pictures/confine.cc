#include "pictures/confine.h"

#include <cerrno>
#include <cstdint>
#include <initializer_list>
#include <memory>

#include <fcntl.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

namespace hearth::pictures {
namespace {

constexpr rlim_t kMemory = 512ULL << 20;      // what it writes to
constexpr rlim_t kAddresses = 2048ULL << 20;  // with the libraries
constexpr rlim_t kSeconds = 15;
constexpr rlim_t kStack = 2ULL << 20;

bool limit(__rlimit_resource resource, rlim_t most) {
  const rlimit value{.rlim_cur = most, .rlim_max = most};
  return ::setrlimit(resource, &value) == 0;
}

bool limit_all() {
  return limit(RLIMIT_CORE, 0) && limit(RLIMIT_FSIZE, 0) && limit(RLIMIT_STACK, kStack) &&
         limit(RLIMIT_CPU, kSeconds) && limit(RLIMIT_AS, kAddresses) && limit(RLIMIT_DATA, kMemory);
}

// What libvips and its libraries need while they decode. A call that is not here fails with EPERM.
constexpr std::initializer_list<int> kAllowed = {SCMP_SYS(read),
                                                 SCMP_SYS(pread64),
                                                 SCMP_SYS(readv),
                                                 SCMP_SYS(lseek),
                                                 SCMP_SYS(fstat),
                                                 SCMP_SYS(write),
                                                 SCMP_SYS(close),
                                                 SCMP_SYS(dup),
                                                 SCMP_SYS(brk),
                                                 SCMP_SYS(munmap),
                                                 SCMP_SYS(mremap),
                                                 SCMP_SYS(madvise),
                                                 SCMP_SYS(futex),
                                                 SCMP_SYS(rt_sigprocmask),
                                                 SCMP_SYS(rt_sigaction),
                                                 SCMP_SYS(rt_sigreturn),
                                                 SCMP_SYS(sigaltstack),
                                                 SCMP_SYS(set_robust_list),
                                                 SCMP_SYS(rseq),
                                                 SCMP_SYS(gettid),
                                                 SCMP_SYS(getpid),
                                                 SCMP_SYS(sched_yield),
                                                 SCMP_SYS(sched_getaffinity),
                                                 SCMP_SYS(clock_gettime),
                                                 SCMP_SYS(gettimeofday),
                                                 SCMP_SYS(clock_nanosleep),
                                                 SCMP_SYS(nanosleep),
                                                 SCMP_SYS(getrandom),
                                                 SCMP_SYS(sysinfo),
                                                 SCMP_SYS(exit),
                                                 SCMP_SYS(exit_group),
                                                 SCMP_SYS(restart_syscall),
                                                 SCMP_SYS(membarrier)};

// What a program needs besides to be started: its libraries are read, and what they ask is answered.
constexpr std::initializer_list<int> kAllowedToProgram = {
    SCMP_SYS(execve),     SCMP_SYS(access),          SCMP_SYS(newfstatat), SCMP_SYS(statfs), SCMP_SYS(readlink),
    SCMP_SYS(arch_prctl), SCMP_SYS(set_tid_address), SCMP_SYS(uname),      SCMP_SYS(getuid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid),     SCMP_SYS(getegid),         SCMP_SYS(getrusage),  SCMP_SYS(fcntl),  SCMP_SYS(poll),
    SCMP_SYS(select)};

scmp_arg_cmp masked(unsigned argument, std::uint64_t mask, std::uint64_t value) {
  return {.arg = argument, .op = SCMP_CMP_MASKED_EQ, .datum_a = mask, .datum_b = value};
}

enum class For : std::uint8_t { kReader, kProgram };

bool filter_calls(For whom) {
  constexpr std::uint64_t kWritable = 2;    // PROT_WRITE
  constexpr std::uint64_t kExecutable = 4;  // PROT_EXEC
  const std::unique_ptr<void, decltype(&seccomp_release)> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)), &seccomp_release);
  if (!filter) return false;
  bool good = true;
  const auto rule = [&](std::uint32_t action, int call, auto... conditions) {
    good = good && seccomp_rule_add(filter.get(), action, call, sizeof...(conditions), conditions...) == 0;
  };
  for (const int call : kAllowed) rule(SCMP_ACT_ALLOW, call);
  rule(SCMP_ACT_ALLOW, SCMP_SYS(mmap), masked(2, kExecutable, 0));
  rule(SCMP_ACT_ALLOW, SCMP_SYS(mprotect), masked(2, kExecutable, 0));
  // A thread of its own, which the C library asks for by clone() where there is no clone3().
  rule(SCMP_ACT_ALLOW, SCMP_SYS(clone), masked(0, CLONE_THREAD | CLONE_VM, CLONE_THREAD | CLONE_VM));
  rule(SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3));
  if (whom == For::kProgram) {
    for (const int call : kAllowedToProgram) rule(SCMP_ACT_ALLOW, call);
    rule(SCMP_ACT_ALLOW, SCMP_SYS(openat), masked(2, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY));
    rule(SCMP_ACT_ALLOW, SCMP_SYS(mmap), masked(2, kWritable, 0));
  }
  return good && seccomp_load(filter.get()) == 0;
}

bool shut_off(For whom) { return limit_all() && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && filter_calls(whom); }

}  // namespace

bool confine() { return shut_off(For::kReader); }

bool confine_program() { return shut_off(For::kProgram); }

}  // namespace hearth::pictures
