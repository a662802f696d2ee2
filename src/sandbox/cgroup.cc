#include "sandbox/cgroup.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sstream>

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {
namespace {

constexpr std::uint64_t kPeriodMicros = 100'000;
constexpr int kPatienceMillis = 2'000;
constexpr int kRetryMillis = 50;

void pause_millis(long millis) {
  timespec span{.tv_sec = 0, .tv_nsec = millis * 1'000'000};
  ::nanosleep(&span, nullptr);
}

std::uint64_t number_after(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(std::string(key) + " ")) return std::strtoull(line.c_str() + key.size(), nullptr, 10);
  }
  return 0;
}

Result<void> write_number(const std::string& file, std::uint64_t number) {
  return write_text(file, std::to_string(number));
}

}  // namespace

Cgroup::Cgroup(std::vector<std::string> directories, std::array<std::optional<Place>, kControllers> places)
    : directories_(std::move(directories)), places_(std::move(places)) {}

Cgroup::~Cgroup() {
  for (const std::string& directory : directories_) {
    for (int waited = 0; ::rmdir(directory.c_str()) != 0 && errno != ENOENT; ++waited) {
      if (waited == kPatienceMillis) {
        log_error("a control group could not be removed", {{"path", directory}});
        break;
      }
      if (waited == 0) remove_groups_in(directory);
      if (waited % 100 == 50) kill_all();
      pause_millis(1);
    }
  }
}

Result<void> Cgroup::limit_memory(std::uint64_t bytes) {
  const Place& memory = *place(Controller::kMemory);
  if (memory.v2) {
    // Best effort: without a swap controller, or with an old kernel, the first line is what counts.
    static_cast<void>(write_text(memory.directory + "/memory.swap.max", "0"));
    static_cast<void>(write_text(memory.directory + "/memory.oom.group", "1"));
    return write_number(memory.directory + "/memory.max", bytes);
  }
  Result<void> done = write_number(memory.directory + "/memory.limit_in_bytes", bytes);
  if (!done) return done;
  std::string with_swap = memory.directory + "/memory.memsw.limit_in_bytes";
  if (::access(with_swap.c_str(), F_OK) == 0) return write_number(with_swap, bytes);
  static_cast<void>(write_text(memory.directory + "/memory.swappiness", "0"));
  return {};
}

Result<void> Cgroup::limit_cores(std::uint32_t cores) {
  const Place& cpu = *place(Controller::kCpu);
  std::uint64_t quota = kPeriodMicros * cores;
  if (cpu.v2) {
    return write_text(cpu.directory + "/cpu.max", std::to_string(quota) + " " + std::to_string(kPeriodMicros));
  }
  return write_number(cpu.directory + "/cpu.cfs_quota_us", quota);  // its period is 100 ms from the start
}

Result<void> Cgroup::limit_processes(std::uint32_t count) {
  const std::optional<Place>& pids = place(Controller::kPids);
  if (!pids) return fail(Code::kUnimplemented, "this machine cannot count a sandbox's processes");
  return write_number(pids->directory + "/pids.max", count);
}

Result<void> Cgroup::limit(const CgroupLimits& limits) {
  if (place(Controller::kMemory)) {
    Result<void> done = limit_memory(limits.memory_bytes);
    if (!done) return fail(done, "limiting memory");
  }
  if (place(Controller::kPids)) {
    Result<void> done = limit_processes(limits.max_processes);
    if (!done) return fail(done, "limiting processes");
  }
  if (place(Controller::kCpu) && limits.cores > 0) {
    Result<void> done = limit_cores(limits.cores);
    if (!done) return fail(done, "limiting cores");
  }
  return {};
}

Result<std::vector<Fd>> Cgroup::entries() const {
  std::vector<Fd> files;
  for (const std::string& directory : directories_) {
    // A thread that moves itself, which only version 1 allows, need not wait until no process of the machine is being
    // started or ended (a grace period of RCU, about 10 ms).
    files.emplace_back(::open((directory + "/tasks").c_str(), O_WRONLY | O_CLOEXEC));
    if (!files.back()) files.back().reset(::open((directory + "/cgroup.procs").c_str(), O_WRONLY | O_CLOEXEC));
    if (!files.back()) return fail_errno(errno, "entering " + directory);
  }
  return files;
}

Result<Fd> Cgroup::birthplace() const {
  const std::optional<Place>& memory = place(Controller::kMemory);
  if (!memory || !memory->v2) return Fd();
  Fd directory(::open(memory->directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail_errno(errno, "opening " + memory->directory);
  return directory;
}

Result<void> Cgroup::set_frozen(bool frozen) {
  const std::optional<Place>& freezer = place(Controller::kFreezer);
  if (!freezer) return fail(Code::kUnimplemented, "this machine has no freezer for control groups");
  if (freezer->v2) {
    Result<void> done = write_text(freezer->directory + "/cgroup.freeze", frozen ? "1" : "0");
    if (!done) return done;
  } else {
    Result<void> done = write_text(freezer->directory + "/freezer.state", frozen ? "FROZEN" : "THAWED");
    if (!done) return done;
  }
  for (int waited = 0; waited < kPatienceMillis; ++waited) {
    bool is_frozen = freezer->v2 ? number_after(read_text(freezer->directory + "/cgroup.events"), "frozen") == 1
                                 : read_text(freezer->directory + "/freezer.state").starts_with("FROZEN");
    if (is_frozen == frozen) return {};
    if (frozen && !freezer->v2 && waited % kRetryMillis == kRetryMillis - 1) {
      // Version 1 cannot freeze what waits in vfork() for a child that was frozen first: let that come to its exec.
      static_cast<void>(write_text(freezer->directory + "/freezer.state", "THAWED"));
      pause_millis(1 + waited / kRetryMillis);
      if (Result<void> done = write_text(freezer->directory + "/freezer.state", "FROZEN"); !done) return done;
    }
    pause_millis(1);
  }
  return fail(Code::kDeadlineExceeded, "the processes did not stop within 2 s");
}

Result<void> Cgroup::freeze() { return set_frozen(true); }

Result<void> Cgroup::thaw() { return set_frozen(false); }

void Cgroup::kill_all() const {
  for (const std::string& directory : directories_) {
    if (write_text(directory + "/cgroup.kill", "1")) continue;
    std::istringstream pids(read_text(directory + "/cgroup.procs"));
    for (pid_t pid = 0; pids >> pid;) {
      if (pid > 1) ::kill(pid, SIGKILL);
    }
  }
}

bool Cgroup::empty() const {
  return std::ranges::all_of(
      directories_, [](const std::string& directory) { return read_text(directory + "/cgroup.procs", 1).empty(); });
}

bool Cgroup::ran_out_of_memory() const {
  const std::optional<Place>& memory = place(Controller::kMemory);
  if (!memory) return false;
  return number_after(read_text(memory->directory + (memory->v2 ? "/memory.events" : "/memory.oom_control")),
                      "oom_kill") > 0;
}

std::uint64_t Cgroup::peak_memory_bytes() const {
  const std::optional<Place>& memory = place(Controller::kMemory);
  if (!memory) return 0;
  std::string text = read_text(memory->directory + (memory->v2 ? "/memory.peak" : "/memory.max_usage_in_bytes"));
  return std::strtoull(text.c_str(), nullptr, 10);
}

}  // namespace hearth::sandbox
