// Doors of the kernel that a guest has no need for: each is code with a history, or changes the whole PC.
#include <cerrno>
#include <cstring>
#include <ctime>

#include <linux/bpf.h>
#include <linux/io_uring.h>
#include <linux/perf_event.h>
#include <sys/fanotify.h>
#include <sys/io.h>
#include <sys/klog.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timex.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

int make_io_uring(const World& /*world*/) {
  io_uring_params order{};
  return outcome_of(::syscall(SYS_io_uring_setup, 1, &order));
}

int take_page_faults(const World& /*world*/) { return outcome_of(::syscall(SYS_userfaultfd, 0)); }

int make_bpf_map(const World& /*world*/) {
  bpf_attr order{};
  order.map_type = BPF_MAP_TYPE_ARRAY;
  order.key_size = 4;
  order.value_size = 4;
  order.max_entries = 1;
  return outcome_of(::syscall(SYS_bpf, BPF_MAP_CREATE, &order, sizeof order));
}

int load_bpf_program(const World& /*world*/) {
  bpf_insn program[2] = {};
  program[0].code = BPF_ALU64 | BPF_MOV | BPF_K;  // return 0
  program[1].code = BPF_JMP | BPF_EXIT;
  bpf_attr order{};
  order.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  order.insns = reinterpret_cast<std::uint64_t>(program);
  order.insn_cnt = 2;
  order.license = reinterpret_cast<std::uint64_t>("GPL");
  return outcome_of(::syscall(SYS_bpf, BPF_PROG_LOAD, &order, sizeof order));
}

int count_events(const World& /*world*/) {
  perf_event_attr order{};
  order.type = PERF_TYPE_SOFTWARE;
  order.size = sizeof order;
  order.config = PERF_COUNT_SW_CPU_CLOCK;
  return outcome_of(::syscall(SYS_perf_event_open, &order, 0, -1, -1, 0));
}

int add_key(const World& /*world*/) {
  constexpr int kProcessKeyring = -2;
  return outcome_of(::syscall(SYS_add_key, "user", "hearth-attack", "x", 1, kProcessKeyring));
}

int join_session_keyring(const World& /*world*/) {
  constexpr int kJoin = 1;
  return outcome_of(::syscall(SYS_keyctl, kJoin, nullptr));
}

int search_keys(const World& /*world*/) {
  return outcome_of(::syscall(SYS_request_key, "user", "hearth-attack", nullptr, 0), ENOKEY);
}

// Given nonsense, so that what answers is whoever reads it, past the question of who may.
int load_module(const World& /*world*/) { return outcome_of(::syscall(SYS_init_module, "nonsense", 8, ""), ENOEXEC); }
int load_module_of_file(const World& /*world*/) { return outcome_of(::syscall(SYS_finit_module, -1, "", 0), EBADF); }
int unload_module(const World& /*world*/) { return outcome_of(::syscall(SYS_delete_module, "hearth", 0), ENOENT); }
int replace_kernel(const World& /*world*/) {
  return outcome_of(::syscall(SYS_kexec_load, 0, 1'000, nullptr, 0), EINVAL);
}
int restart(const World& /*world*/) { return outcome_of(::syscall(SYS_reboot, 0, 0, 0, nullptr), EINVAL); }
int swap_on(const World& /*world*/) { return outcome_of(::syscall(SYS_swapon, "/nowhere", 0), ENOENT); }
int swap_off(const World& /*world*/) { return outcome_of(::syscall(SYS_swapoff, "/nowhere"), ENOENT); }
int account_processes(const World& /*world*/) { return outcome_of(::syscall(SYS_acct, "/nowhere"), ENOENT); }

int read_kernel_log(const World& /*world*/) {
  constexpr int kSizeOfBuffer = 10;
  return outcome_of(::klogctl(kSizeOfBuffer, nullptr, 0));
}

int use_ports(const World& /*world*/) { return outcome_of(::ioperm(0x80, 1, 1)); }
int use_all_ports(const World& /*world*/) { return outcome_of(::iopl(3)); }

// In the namespace of names that the control gets.
int rename_host(const World& /*world*/) { return outcome_of(::sethostname("hostile", 7)); }
int rename_domain(const World& /*world*/) { return outcome_of(::setdomainname("hostile", 7)); }

int set_clock(const World& /*world*/) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return outcome_of(::clock_settime(CLOCK_REALTIME, &now));
}

int set_time_of_day(const World& /*world*/) {
  timeval now{};
  ::gettimeofday(&now, nullptr);
  return outcome_of(::settimeofday(&now, nullptr));
}

int tune_clock(const World& /*world*/) {
  timex order{};
  if (::syscall(SYS_adjtimex, &order) < 0) return errno;
  order.modes = ADJ_FREQUENCY;  // to what it is
  return outcome_of(::syscall(SYS_adjtimex, &order));
}

int watch_all_files(const World& /*world*/) { return outcome_of(::fanotify_init(FAN_CLASS_CONTENT, 0)); }

int make_memory_executable(const World& /*world*/) { return outcome_of(::personality(READ_IMPLIES_EXEC)); }

int change_segments(const World& /*world*/) {
  char table[16] = {};
  return outcome_of(::syscall(SYS_modify_ldt, 0, table, sizeof table));
}

#if defined(__x86_64__)
// The other two ways into this processor's kernel have numbers of their own, which a filter must know of.
int call_as_32_bit_program(const World& /*world*/) {
  constexpr long kGetPid32 = 20;
  long result = kGetPid32;
  asm volatile("int $0x80" : "+a"(result) : : "memory", "r8", "r9", "r10", "r11");
  return result > 0 ? 0 : static_cast<int>(-result);
}

int call_by_x32_number(const World& /*world*/) {
  constexpr long kX32 = 0x40000000;
  return outcome_of(::syscall(kX32 | SYS_getpid));
}
#endif

constexpr Entry kEntries[] = {
    {"make_io_uring", make_io_uring},
    {"take_page_faults", take_page_faults},
    {"make_bpf_map", make_bpf_map},
    {"load_bpf_program", load_bpf_program},
    {"count_events", count_events},
    {"add_key", add_key},
    {"join_session_keyring", join_session_keyring},
    {"search_keys", search_keys},
    {"load_module", load_module},
    {"load_module_of_file", load_module_of_file},
    {"unload_module", unload_module},
    {"replace_kernel", replace_kernel},
    {"restart", restart},
    {"swap_on", swap_on},
    {"swap_off", swap_off},
    {"account_processes", account_processes},
    {"read_kernel_log", read_kernel_log},
    {"use_ports", use_ports},
    {"use_all_ports", use_all_ports},
    {"rename_host", rename_host},
    {"rename_domain", rename_domain},
    {"set_clock", set_clock},
    {"set_time_of_day", set_time_of_day},
    {"tune_clock", tune_clock},
    {"watch_all_files", watch_all_files},
    {"make_memory_executable", make_memory_executable},
    {"change_segments", change_segments},
#if defined(__x86_64__)
    {"call_as_32_bit_program", call_as_32_bit_program},
    {"call_by_x32_number", call_by_x32_number},
#endif
};

}  // namespace

const Class kKernel = {"kernel", kEntries};

}  // namespace hearth::attacks
