#include "presence/load.h"

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include <unistd.h>

#include "base/entries.h"

namespace hearth::presence {
namespace {

struct Process {
  long parent = 0;
  std::uint64_t ticks = 0;  // its own and those of its children that have ended
};

// "PID (NAME) STATE PPID ..."; the name may hold anything. Times are fields 14 to 17.
std::optional<Process> read_process(const std::filesystem::path& directory) {
  std::ifstream in(directory / "stat");
  std::string text;
  std::getline(in, text);
  const std::size_t end = text.rfind(')');
  if (end == std::string::npos) return std::nullopt;
  std::istringstream fields(text.substr(end + 1));
  Process process;
  std::string skipped;
  fields >> skipped >> process.parent;
  for (int field = 5; field < 14; ++field) fields >> skipped;
  for (int field = 14; field <= 17; ++field) {
    std::uint64_t ticks = 0;
    fields >> ticks;
    process.ticks += ticks;
  }
  if (!fields) return std::nullopt;
  return process;
}

std::uint64_t ticks_of_ours(const std::filesystem::path& root) {
  std::map<long, Process> all;
  std::error_code error;
  for (const auto& entry : Entries(root / "proc", error)) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (const auto process = read_process(entry.path())) all[std::strtol(name.c_str(), nullptr, 10)] = *process;
  }
  std::uint64_t ticks = 0;
  constexpr int kDeepest = 64;
  for (const auto& [pid, process] : all) {
    long at = pid;
    for (int depth = 0; depth < kDeepest && at != ::getpid() && all.contains(at); ++depth) at = all[at].parent;
    if (at == ::getpid()) ticks += process.ticks;
  }
  return ticks;
}

}  // namespace

Result<double> PressureMeter::read() {
  std::ifstream pressure(root_ / "proc/pressure/cpu");
  std::string line;
  std::getline(pressure, line);
  constexpr std::string_view kKey = "some avg10=";
  if (!line.starts_with(kKey)) return fail(Code::kNotFound, "this kernel tells no pressure (PSI)");
  const double waiting = std::strtod(line.c_str() + kKey.size(), nullptr) / 100;

  std::ifstream stat(root_ / "proc/stat");
  std::string label;
  stat >> label;
  std::uint64_t total = 0;
  std::uint64_t idle = 0;
  for (int column = 0; column < 8; ++column) {
    std::uint64_t value = 0;
    if (!(stat >> value)) break;
    total += value;
    if (column == 3 || column == 4) idle += value;
  }
  const std::uint64_t ours = ticks_of_ours(root_);
  const std::uint64_t busy = total - idle;
  double others = 0;
  if (total_ != 0 && total > total_ && busy >= busy_) {
    const std::uint64_t used_by_us = ours > ours_ ? ours - ours_ : 0;
    const std::uint64_t used = busy - busy_;
    others = static_cast<double>(used - std::min(used, used_by_us)) / static_cast<double>(total - total_);
  }
  busy_ = busy;
  total_ = total;
  ours_ = ours;
  return std::min({waiting, others, 1.0});
}

}  // namespace hearth::presence
