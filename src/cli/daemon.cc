#include "cli/daemon.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <optional>
#include <thread>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/log.h"
#include "base/sizes.h"

namespace hearth::cli {
namespace {

constexpr std::uintmax_t kMostLogBytes = 4 * kMiB;
constexpr Duration kStableAfter = seconds(10);  // a child that lived as long starts at the first delay again

Time now() {
  timespec moment = {};
  ::clock_gettime(CLOCK_MONOTONIC, &moment);
  return Time{static_cast<std::int64_t>(moment.tv_sec) * 1'000'000 + moment.tv_nsec / 1000};
}

sigset_t watched_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGCHLD}) sigaddset(&signals, signal);
  return signals;
}

struct Slot {
  const Child* child = nullptr;
  pid_t process = 0;  // 0: not running
  Time started;
  Duration delay;
  std::optional<Time> start_at;  // nothing: running, or not to be started again
};

LogField describe_end(int status) {
  if (WIFSIGNALED(status)) return {"signal", WTERMSIG(status)};
  return {"exit_code", WEXITSTATUS(status)};
}

class Supervisor {
 public:
  explicit Supervisor(const SupervisorOptions& options) : options_(options), signals_(watched_signals()) {
    for (const Child& child : options.children) {
      slots_.push_back({.child = &child,
                        .started = {},
                        .delay = options.first_delay,
                        .start_at = child.every ? now() + options.errand_delay : Time{}});
    }
  }

  int run() {
    sigset_t before;
    ::sigprocmask(SIG_BLOCK, &signals_, &before);
    original_mask_ = before;
    while (!stopping_ && anything_left()) {
      start_due();
      wait_for_signal(until_next_start());
      reap();
    }
    stop_children();
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    return stopping_ ? 0 : 1;
  }

 private:
  bool anything_left() const {
    return std::ranges::any_of(
        slots_, [](const Slot& slot) { return !slot.child->every && (slot.process != 0 || slot.start_at); });
  }

  bool anything_runs() const {
    return std::ranges::any_of(slots_, [](const Slot& slot) { return slot.process != 0; });
  }

  Duration until_next_start() const {
    Duration span = minutes(1);
    for (const Slot& slot : slots_) {
      if (slot.start_at) span = std::min(span, std::max(Duration{}, *slot.start_at - now()));
    }
    return span;
  }

  void start_due() {
    for (Slot& slot : slots_) {
      if (slot.start_at && *slot.start_at <= now()) start(slot);
    }
  }

  void start(Slot& slot) {
    std::vector<char*> arguments;
    arguments.reserve(slot.child->arguments.size() + 1);
    for (const std::string& argument : slot.child->arguments) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const pid_t supervisor = ::getpid();
    const pid_t process = ::fork();
    if (process == 0) become(supervisor, arguments);
    slot.started = now();
    if (process < 0) {
      log_error("a daemon could not be started", {{"name", slot.child->name}, {"errno", errno}});
      return schedule(slot);
    }
    slot.process = process;
    slot.start_at.reset();
    if (!slot.child->every) log_info("daemon started", {{"name", slot.child->name}, {"pid", process}});
  }

  [[noreturn]] void become(pid_t supervisor, const std::vector<char*>& arguments) {
    ::prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (::getppid() != supervisor) ::_exit(1);  // it died before prctl() could be told
    ::sigprocmask(SIG_SETMASK, &original_mask_, nullptr);
    ::execv(options_.program.c_str(), arguments.data());
    ::_exit(127);
  }

  void schedule(Slot& slot) {
    if (now() - slot.started >= kStableAfter) slot.delay = options_.first_delay;
    slot.start_at = now() + slot.delay;
    slot.delay = std::min(slot.delay * 2, options_.longest_delay);
  }

  void reap() {
    int status = 0;
    for (pid_t process = 0; (process = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto slot = std::ranges::find(slots_, process, &Slot::process);
      if (slot == slots_.end()) continue;  // a child from before this became the supervisor
      slot->process = 0;
      if (stopping_) continue;
      if (slot->child->every) {
        slot->start_at = now() + *slot->child->every;
        continue;
      }
      if (WIFEXITED(status) && WEXITSTATUS(status) == kDoNotRestart) {
        log_warning("daemon asks not to be started again", {{"name", slot->child->name}});
        continue;
      }
      log_warning("daemon ended, starting it again", {{"name", slot->child->name}, describe_end(status)});
      schedule(*slot);
    }
  }

  void wait_for_signal(Duration span) {
    const timespec limit = {span.micros / 1'000'000, span.micros % 1'000'000 * 1000};
    const int signal = ::sigtimedwait(&signals_, nullptr, &limit);
    if (signal == SIGTERM || signal == SIGINT) stopping_ = true;
  }

  void signal_children(int signal) {
    for (const Slot& slot : slots_) {
      if (slot.process != 0) ::kill(slot.process, signal);
    }
  }

  void stop_children() {
    for (Slot& slot : slots_) slot.start_at.reset();
    signal_children(SIGTERM);
    const Time end = now() + options_.stop_limit;
    for (reap(); anything_runs() && now() < end; reap()) wait_for_signal(std::min(end - now(), milliseconds(100)));
    if (anything_runs()) log_warning("a daemon does not end, killing it");
    signal_children(SIGKILL);
    for (reap(); anything_runs(); reap()) wait_for_signal(milliseconds(100));
  }

  const SupervisorOptions& options_;
  sigset_t signals_;
  sigset_t original_mask_ = {};
  std::vector<Slot> slots_;
  bool stopping_ = false;
};

void rotate_log(const std::filesystem::path& log) {
  std::error_code failure;
  const std::uintmax_t size = std::filesystem::file_size(log, failure);
  if (!failure && size > kMostLogBytes) std::filesystem::rename(log, log.string() + ".1", failure);
}

// In the process that stays: away from the terminal and the files of whoever started it.
void detach_from_terminal(int log) {
  ::umask(0077);
  if (::chdir("/") != 0) log_warning("cannot change to the root directory");
  const int nothing = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
}

}  // namespace

int supervise(const SupervisorOptions& options) { return Supervisor(options).run(); }

Result<void> start_detached(const std::filesystem::path& log, const std::function<int()>& body) {
  rotate_log(log);
  const int file = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (file < 0) return fail_errno(errno, "opening " + log.string());
  const pid_t between = ::fork();
  if (between == 0) {
    ::setsid();
    // The second fork: a session's leader could be given a terminal again.
    if (::fork() != 0) ::_exit(0);
    detach_from_terminal(file);
    ::_exit(body());
  }
  const int failure = errno;
  ::close(file);
  if (between < 0) return fail_errno(failure, "starting a process");
  ::waitpid(between, nullptr, 0);
  return {};
}

std::string last_lines(const std::filesystem::path& file, std::size_t count) {
  constexpr std::int64_t kMostBytes = 16 * kKiB;
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return "";
  const off_t size = ::lseek(descriptor, 0, SEEK_END);
  std::array<char, kMostBytes> buffer = {};
  const ssize_t got = ::pread(descriptor, buffer.data(), buffer.size(), std::max<off_t>(0, size - kMostBytes));
  ::close(descriptor);
  if (got <= 0) return "";
  const std::string_view text(buffer.data(), static_cast<std::size_t>(got));
  std::size_t start = text.ends_with('\n') ? text.size() - 1 : text.size();
  for (std::size_t i = 0; i < count && start != std::string_view::npos && start > 0; ++i) {
    start = text.rfind('\n', start - 1);
  }
  return std::string(start == std::string_view::npos || start == 0 ? text : text.substr(start + 1));
}

std::filesystem::path this_program() {
  std::error_code failure;
  std::filesystem::path file = std::filesystem::read_symlink("/proc/self/exe", failure);
  // A replaced program has no name any more; its daemons go on with what runs.
  if (failure || !std::filesystem::exists(file, failure)) return "/proc/self/exe";
  return file;
}

Result<bool> stop_supervisor(const Home& home, Duration limit) {
  const Time end = now() + limit;
  std::optional<Holder> holder = Lock::holder(home);
  if (!holder) return false;
  for (bool told = false; holder; holder = Lock::holder(home)) {
    if (now() >= end) {
      return fail(Code::kDeadlineExceeded, fmt::format("the daemons (process {}) have not ended within {} s; see {}",
                                                       holder->process, limit.micros / 1'000'000, home.log().string()));
    }
    // The id is not there yet in the instant between locking and signing.
    if (!told && holder->process > 0) {
      if (::kill(holder->process, SIGTERM) != 0 && errno == EPERM) {
        return fail(Code::kPermissionDenied, fmt::format("the daemons (process {}) belong to another user; run the "
                                                         "command as that user",
                                                         holder->process));
      }
      told = true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace hearth::cli
