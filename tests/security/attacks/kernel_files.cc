// The kernel's own files, /proc and /sys: switches that would change the PC, and what tells about it.
#include <cerrno>
#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

// Opened and not written: that it could be is the success.
template <const char* kPath>
int open_for_writing(const World& /*world*/) {
  return open_only(kPath, O_WRONLY);
}
template <const char* kPath>
int open_for_reading(const World& /*world*/) {
  return open_only(kPath, O_RDONLY);
}

// The same file of whichever hierarchy of control groups has it.
int open_in_control_groups(const std::string& name) {
  int refusal = open_only("/sys/fs/cgroup/" + name, O_WRONLY);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/fs/cgroup", error)) {
    if (refusal != 0) refusal = open_only(entry.path().string() + "/" + name, O_WRONLY);
  }
  return refusal;
}

int set_release_agent(const World& /*world*/) { return open_in_control_groups("release_agent"); }
int leave_control_group(const World& /*world*/) { return open_in_control_groups("cgroup.procs"); }

int be_spared_from_memory_shortage(const World& /*world*/) {
  const int file = ::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return errno;
  return outcome_of(::write(file, "-1000", 5));
}

// Where the kernel lies in memory: zeros are what everybody may know.
int learn_kernel_addresses(const World& /*world*/) {
  std::ifstream symbols("/proc/kallsyms");
  std::string address;
  symbols >> address;
  if (!symbols) return ENOENT;
  return address.find_first_not_of('0') == std::string::npos ? EPERM : 0;
}

constexpr char kCorePattern[] = "/proc/sys/kernel/core_pattern";
constexpr char kModprobe[] = "/proc/sys/kernel/modprobe";
constexpr char kRandomize[] = "/proc/sys/kernel/randomize_va_space";
constexpr char kOvercommit[] = "/proc/sys/vm/overcommit_memory";
constexpr char kFileMax[] = "/proc/sys/fs/file-max";
constexpr char kForwarding[] = "/proc/sys/net/ipv4/ip_forward";
constexpr char kSysrq[] = "/proc/sysrq-trigger";
constexpr char kUeventHelper[] = "/sys/kernel/uevent_helper";
constexpr char kPowerState[] = "/sys/power/state";
constexpr char kHugePages[] = "/sys/kernel/mm/transparent_hugepage/enabled";
constexpr char kRescan[] = "/sys/bus/pci/rescan";
constexpr char kKcore[] = "/proc/kcore";
constexpr char kPageFlags[] = "/proc/kpageflags";
constexpr char kDebug[] = "/sys/kernel/debug";
constexpr char kFirmware[] = "/sys/firmware";
constexpr char kDmi[] = "/sys/class/dmi/id";

constexpr Entry kEntries[] = {
    {"set_core_pattern", open_for_writing<kCorePattern>},
    {"set_module_loader", open_for_writing<kModprobe>},
    {"unset_randomization", open_for_writing<kRandomize>},
    {"set_overcommit", open_for_writing<kOvercommit>},
    {"set_most_files", open_for_writing<kFileMax>},
    {"set_forwarding", open_for_writing<kForwarding>},
    {"trigger_sysrq", open_for_writing<kSysrq>},
    {"set_uevent_helper", open_for_writing<kUeventHelper>},
    {"suspend", open_for_writing<kPowerState>},
    {"set_huge_pages", open_for_writing<kHugePages>},
    {"rescan_bus", open_for_writing<kRescan>},
    {"set_release_agent", set_release_agent},
    {"leave_control_group", leave_control_group},
    {"be_spared_from_memory_shortage", be_spared_from_memory_shortage},
    {"learn_kernel_addresses", learn_kernel_addresses},
    {"read_kernel_memory", open_for_reading<kKcore>},
    {"read_page_flags", open_for_reading<kPageFlags>},
    {"list_debugging", open_for_reading<kDebug>},
    {"list_firmware", open_for_reading<kFirmware>},
    {"read_serial_numbers", open_for_reading<kDmi>},
};

}  // namespace

const Class kKernelFiles = {"kernel_files", kEntries};

}  // namespace hearth::attacks
