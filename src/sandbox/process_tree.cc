#include "sandbox/process_tree.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "base/entries.h"
#include "sandbox/fd.h"

namespace hearth::sandbox {
namespace {

constexpr int kRounds = 1'000;
constexpr std::chrono::milliseconds kRound(2);
constexpr int kPatience = 25;  // rounds

struct Process {
  pid_t parent = 0;
  bool is_still = false;  // stopped, or dead and not yet waited for
};

// From "PID (NAME) STATE PARENT ..."; the name may hold anything.
Process parse_stat(const std::string& text) {
  const std::size_t end = text.rfind(')');
  Process process;
  if (end == std::string::npos || end + 4 >= text.size()) return process;
  process.is_still = std::string("TtZX").contains(text[end + 2]);
  std::from_chars(text.data() + end + 4, text.data() + text.size(), process.parent);
  return process;
}

std::map<pid_t, Process> all_processes() {
  std::map<pid_t, Process> found;
  std::error_code error;
  for (const auto& entry : Entries("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr != name.data() + name.size()) continue;
    found[pid] = parse_stat(read_text("/proc/" + name + "/stat", 4096));
  }
  return found;
}

std::map<pid_t, Process> tree_of(pid_t root) {
  const std::map<pid_t, Process> all = all_processes();
  std::map<pid_t, Process> tree;
  for (const auto& [pid, process] : all) {
    std::vector<pid_t> line = {pid};
    while (line.back() != root && all.contains(line.back()) && line.size() <= all.size()) {
      line.push_back(all.at(line.back()).parent);
    }
    if (line.back() == root && all.contains(root)) tree.emplace(pid, process);
  }
  return tree;
}

// The number may have gone to another process since it was read: that has another parent.
void signal(pid_t pid, pid_t parent, int number) {
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!process || parse_stat(read_text("/proc/" + std::to_string(pid) + "/stat", 4096)).parent != parent) return;
  ::syscall(SYS_pidfd_send_signal, process.get(), number, nullptr, 0);
}

}  // namespace

Result<void> stop_tree(pid_t root) {
  for (int round = 0; round < kRounds; ++round) {
    bool all_still = true;
    for (const auto& [pid, process] : tree_of(root)) {
      if (process.is_still) continue;
      all_still = false;
      signal(pid, process.parent, SIGSTOP);
    }
    if (all_still) return {};
    std::this_thread::sleep_for(kRound);
    if (round % kPatience != kPatience - 1) continue;
    // What waits in vfork() stops only after the child, which was stopped first, has come to its exec.
    continue_tree(root);
    std::this_thread::sleep_for(std::chrono::milliseconds(1 + round / kPatience));
  }
  return fail(Code::kDeadlineExceeded, "the program's processes do not stand still");
}

void continue_tree(pid_t root) {
  for (const auto& [pid, process] : tree_of(root)) signal(pid, process.parent, SIGCONT);
}

}  // namespace hearth::sandbox
