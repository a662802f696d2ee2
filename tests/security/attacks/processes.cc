// Other people's processes: their memory, their words, their descriptors, their end; and the PC's processor, taken
// first.
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

// The victim, and where that cannot be named, the first process that there is: a sandbox's own keeper.
template <class Try>
int on_others(const World& world, Try attempt) {
  const int refusal = attempt(world.victim);
  if (refusal == 0 || ::kill(world.victim, 0) == 0) return refusal;
  return attempt(1);
}

int find_in_processes(const World& world, const std::string& file) {
  int refusal = ENOENT;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", error)) {
    if (entry.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    const int found = find_mark(world, entry.path().string() + "/" + file);
    if (found == 0) return 0;
    if (found != ENOENT) refusal = found;
  }
  return refusal;
}

int read_others_arguments(const World& world) { return find_in_processes(world, "cmdline"); }
int read_others_variables(const World& world) { return find_in_processes(world, "environ"); }

int trace_another(const World& world) {
  return on_others(world, [](pid_t other) { return outcome_of(::ptrace(PTRACE_SEIZE, other, nullptr, nullptr)); });
}

int read_others_memory(const World& world) {
  return on_others(world, [](pid_t other) { return open_only("/proc/" + std::to_string(other) + "/mem", O_RDONLY); });
}

int read_others_memory_by_call(const World& world) {
  return on_others(world, [](pid_t other) {
    char here = 0;
    const iovec to{.iov_base = &here, .iov_len = 1};
    const iovec from{.iov_base = nullptr, .iov_len = 1};
    return outcome_of(::process_vm_readv(other, &to, 1, &from, 1, 0), EFAULT);  // who may read is asked first
  });
}

int write_others_memory_by_call(const World& world) {
  return on_others(world, [](pid_t other) {
    char here = 0;
    const iovec from{.iov_base = &here, .iov_len = 1};
    const iovec to{.iov_base = nullptr, .iov_len = 1};
    return outcome_of(::process_vm_writev(other, &from, 1, &to, 1, 0), EFAULT);
  });
}

int take_others_descriptor(const World& world) {
  return on_others(world, [](pid_t other) {
    const int process = static_cast<int>(::syscall(SYS_pidfd_open, other, 0));
    if (process < 0) return errno;
    return outcome_of(::syscall(SYS_pidfd_getfd, process, 1, 0));
  });
}

int signal_another(const World& world) { return outcome_of(::kill(world.victim, 0)); }

int signal_another_by_pidfd(const World& world) {
  const int process = static_cast<int>(::syscall(SYS_pidfd_open, world.victim, 0));
  if (process < 0) return errno;
  return outcome_of(::syscall(SYS_pidfd_send_signal, process, 0, nullptr, 0));
}

int limit_another(const World& world) {
  rlimit limit{};
  const int asked = outcome_of(::prlimit(world.victim, RLIMIT_NOFILE, nullptr, &limit));
  return asked != 0 ? asked : outcome_of(::prlimit(world.victim, RLIMIT_NOFILE, &limit, nullptr));
}

int move_another(const World& world) {
  cpu_set_t cores;
  const int asked = outcome_of(::sched_getaffinity(world.victim, sizeof cores, &cores));
  return asked != 0 ? asked : outcome_of(::sched_setaffinity(world.victim, sizeof cores, &cores));
}

int run_before_everybody(const World& /*world*/) {
  const sched_param order{.sched_priority = 1};
  return outcome_of(::sched_setscheduler(0, SCHED_FIFO, &order));
}

int run_by_deadline(const World& /*world*/) {
  struct {
    std::uint32_t size = 48;
    std::uint32_t policy = 6;  // SCHED_DEADLINE
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 1'000'000;
    std::uint64_t deadline = 10'000'000;
    std::uint64_t period = 10'000'000;
  } order;
  return outcome_of(::syscall(SYS_sched_setattr, 0, &order, 0));
}

int be_less_nice(const World& /*world*/) { return outcome_of(::setpriority(PRIO_PROCESS, 0, -10)); }

int read_disk_before_everybody(const World& /*world*/) {
  return outcome_of(::syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 0)));
}

constexpr Entry kEntries[] = {
    {"read_others_arguments", read_others_arguments},
    {"read_others_variables", read_others_variables},
    {"trace_another", trace_another},
    {"read_others_memory", read_others_memory},
    {"read_others_memory_by_call", read_others_memory_by_call},
    {"write_others_memory_by_call", write_others_memory_by_call},
    {"take_others_descriptor", take_others_descriptor},
    {"signal_another", signal_another},
    {"signal_another_by_pidfd", signal_another_by_pidfd},
    {"limit_another", limit_another},
    {"move_another", move_another},
    {"run_before_everybody", run_before_everybody},
    {"run_by_deadline", run_by_deadline},
    {"be_less_nice", be_less_nice},
    {"read_disk_before_everybody", read_disk_before_everybody},
};

}  // namespace

const Class kProcesses = {"processes", kEntries};

}  // namespace hearth::attacks
