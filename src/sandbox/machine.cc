// What the machine is and how busy.
#include <algorithm>
#include <sstream>

#include <fcntl.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "sandbox/fd.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {
namespace {

// The value of the first line "KEY<separator>VALUE", without quotes and outer blanks.
std::string field(const std::string& text, std::string_view key, char separator) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::size_t at = line.find(separator);
    if (at == std::string::npos || !std::string_view(line).starts_with(key)) continue;
    std::string name = line.substr(0, at);
    name.erase(name.find_last_not_of(" \t") + 1);
    if (name != key) continue;
    std::size_t first = line.find_first_not_of(" \t\"", at + 1);
    if (first == std::string::npos) return {};
    return line.substr(first, line.find_last_not_of(" \t\"") + 1 - first);
  }
  return {};
}

std::uint64_t meminfo_bytes(const std::string& meminfo, std::string_view key) {
  return std::strtoull(field(meminfo, key, ':').c_str(), nullptr, 10) * 1024;
}

std::uint32_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return static_cast<std::uint32_t>(CPU_COUNT(&set));
  return static_cast<std::uint32_t>(std::max(1L, ::sysconf(_SC_NPROCESSORS_ONLN)));
}

}  // namespace

Machine read_machine() {
  Machine machine;
  machine.cores = usable_cores();
  machine.memory_bytes = meminfo_bytes(read_text("/proc/meminfo"), "MemTotal");
  machine.gpus = find_gpus();
  machine.cpu_model = field(read_text("/proc/cpuinfo"), "model name", ':');
  const std::string release = read_text("/etc/os-release");
  machine.system = field(release, "PRETTY_NAME", '=');
  machine.os = field(release, "ID", '=');
  machine.os_version = field(release, "VERSION_ID", '=');
  utsname names{};
  if (::uname(&names) == 0) {
    machine.kernel = names.release;
    machine.architecture = names.machine;
    if (!machine.system.empty()) machine.system += ", ";
    machine.system += std::string(names.sysname) + " " + names.release;
  }
  return machine;
}

Load LoadMeter::read() {
  std::istringstream stat(read_text("/proc/stat"));
  std::string label;
  stat >> label;
  std::uint64_t total = 0;
  std::uint64_t idle = 0;
  // user nice system idle iowait irq softirq steal; what follows is counted in these already.
  for (int column = 0; column < 8; ++column) {
    std::uint64_t value = 0;
    if (!(stat >> value)) break;
    total += value;
    if (column == 3 || column == 4) idle += value;
  }
  std::uint64_t busy = total - idle;
  Load load;
  if (total_ != 0 && total > total_ && busy >= busy_) {
    load.cpu = std::min(1.0, static_cast<double>(busy - busy_) / static_cast<double>(total - total_));
  }
  busy_ = busy;
  total_ = total;
  std::string meminfo = read_text("/proc/meminfo");
  std::uint64_t all = meminfo_bytes(meminfo, "MemTotal");
  load.memory_used_bytes = all - std::min(all, meminfo_bytes(meminfo, "MemAvailable"));
  return load;
}

}  // namespace hearth::sandbox
