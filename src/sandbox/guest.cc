#include "sandbox/guest.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <thread>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "sandbox/process_tree.h"

namespace hearth::sandbox {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;
constexpr std::size_t kMaxStatusBytes = 64 << 10;

std::uint64_t now_micros() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(now.tv_nsec) / 1'000;
}

std::uint64_t micros(const timeval& time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000 + static_cast<std::uint64_t>(time.tv_usec);
}

std::uint64_t resident_bytes(const rusage& usage) {
  return static_cast<std::uint64_t>(std::max(0L, usage.ru_maxrss)) * 1024;
}

// The number after "KEY": in bubblewrap's status lines; -1 if it has not come.
int status_number(const std::string& text, std::string_view key) {
  std::string quoted = "\"" + std::string(key) + "\":";
  std::size_t at = text.find(quoted);
  // A number counts once the line that holds it is whole.
  if (at == std::string::npos || text.find('\n', at) == std::string::npos) return -1;
  return std::atoi(text.c_str() + at + quoted.size());
}

pid_t parent_of(pid_t pid) {
  // "PID (NAME) STATE PPID ..."; the name may hold anything.
  std::string stat = read_text("/proc/" + std::to_string(pid) + "/stat", 4096);
  std::size_t end = stat.rfind(')');
  return end == std::string::npos || end + 4 > stat.size() ? -1 : std::atoi(stat.c_str() + end + 4);
}

}  // namespace

std::shared_ptr<Guest> Guest::start(Reactor& reactor, Plan plan) {
  auto guest = std::make_shared<Guest>(reactor, std::move(plan));
  reactor.post([guest] { guest->begin(); });
  return guest;
}

Guest::Guest(Reactor& reactor, Plan plan) : reactor_(reactor), plan_(std::move(plan)) {}

void Guest::begin() {
  start_micros_ = now_micros();
  Result<Started> started = launch(plan_.launch);
  plan_.launch = {};  // our copies of the child's ends of the pipes, so that they end with it
  if (!started) {
    exit_.message = started.error().message;
    finish();
    return;
  }
  outer_ = std::move(started->pidfd);
  outer_pid_ = started->pid;
  // The watches hold the guest until its end.
  auto self = shared_from_this();
  output_watch_ = reactor_.watch(plan_.output.get(), [self] { self->read_output(Stream::kStdout); });
  errors_watch_ = reactor_.watch(plan_.errors.get(), [self] { self->read_output(Stream::kStderr); });
  status_watch_ = reactor_.watch(plan_.status.get(), [self] { self->read_status(); });
  outer_watch_ = reactor_.watch(outer_.get(), [self] { self->on_outer_end(); });
}

void Guest::open_gate() {
  reactor_.post([self = shared_from_this()] {
    self->start_micros_ = now_micros();
    self->released_ = true;
    self->pass_gate();
  });
}

// The end of the pipe lets bubblewrap go on.
void Guest::pass_gate() {
  if (released_ && (has_network_ || !plan_.network)) plan_.gate.reset();
}

void Guest::close_watch(std::uint64_t& watch, Fd& fd) {
  if (watch != 0) reactor_.unwatch(watch, fd.get());
  watch = 0;
}

void Guest::read_output(Stream stream) {
  bool is_out = stream == Stream::kStdout;
  if (read_piece(stream) == Read::kEnd) {
    close_watch(is_out ? output_watch_ : errors_watch_, is_out ? plan_.output : plan_.errors);
  }
}

Guest::Read Guest::read_piece(Stream stream) {
  std::array<char, kPieceBytes> piece;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by read()
  ssize_t count = ::read((stream == Stream::kStdout ? plan_.output : plan_.errors).get(), piece.data(), piece.size());
  if (count > 0) plan_.listener->hear(stream, {piece.data(), static_cast<std::size_t>(count)}, plan_.on_output);
  if (count > 0 && plan_.listener->has_heard_all()) kill_now();
  if (count > 0 || (count < 0 && errno == EINTR)) return Read::kMore;
  return count < 0 && errno == EAGAIN ? Read::kNothingNow : Read::kEnd;
}

void Guest::read_status() {
  std::array<char, 4096> piece;
  for (;;) {
    ssize_t count = ::read(plan_.status.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      if (count == 0) close_watch(status_watch_, plan_.status);
      break;
    }
    if (status_text_.size() < kMaxStatusBytes) status_text_.append(piece.data(), static_cast<std::size_t>(count));
  }
  if (!init_ && outer_) {
    if (int pid = status_number(status_text_, "child-pid"); pid > 1) adopt_init(pid);
  }
  exit_code_ = status_number(status_text_, "exit-code");
}

// The number is good only while the process is a child of bubblewrap's or, after bubblewrap's end, ours.
void Guest::adopt_init(pid_t pid) {
  Fd init(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pid_t parent = parent_of(pid);
  if (!init || (parent != outer_pid_ && parent != ::getpid())) return;
  init_ = std::move(init);
  {
    const std::lock_guard lock(init_mutex_);
    init_pid_ = pid;
  }
  if (plan_.network) open_network(pid);
  if (kill_wanted_) kill_now();
}

void Guest::open_network(pid_t init) {
  Result<std::vector<Fd>> entries = plan_.cgroup->entries();
  if (!entries) return on_network(std::unexpected(entries.error()));
  // The network goes before the guest does, see finish().
  plan_.network->open(init, init_.get(), std::move(*entries), [this](const Result<void>& made) { on_network(made); });
}

// A gate that is closed lets the program pass as well, so what may not start is ended first.
void Guest::on_network(const Result<void>& made) {
  if (!made) {
    exit_.message = "its network could not be made: " + made.error().message;
    kill_now();
  }
  has_network_ = true;
  pass_gate();
}

void Guest::kill() {
  reactor_.post([self = shared_from_this()] {
    self->kill_wanted_ = true;
    self->kill_now();
  });
}

Result<void> Guest::stop() {
  constexpr int kRounds = 1'000;
  constexpr std::chrono::milliseconds kRound(2);
  for (int round = 0; round < kRounds && !finished(); ++round) {
    {
      const std::lock_guard lock(init_mutex_);
      // Bubblewrap may have waited for it already, and its number be another's.
      if (init_pid_ != 0) return has_ended(init_) ? Result<void>() : stop_tree(init_pid_);
    }
    std::this_thread::sleep_for(kRound);
  }
  if (finished()) return {};
  return fail(Code::kDeadlineExceeded, "the program does not come to its start");
}

void Guest::go_on() {
  const std::lock_guard lock(init_mutex_);
  if (init_pid_ != 0 && !has_ended(init_)) continue_tree(init_pid_);
}

Result<int> Guest::open_socket(int family) {
  const std::lock_guard lock(init_mutex_);
  if (init_pid_ == 0) return fail(Code::kFailedPrecondition, "the program does not run");
  Result<Fd> socket = GuestNetwork::socket_of(init_.get(), family);
  if (!socket) return std::unexpected(socket.error());
  return socket->release();
}

// The end of process 1 ends every process of the sandbox. Before there is one there is nothing but bubblewrap's own
// preparation, which ends soon by itself.
void Guest::kill_now() {
  if (init_) ::syscall(SYS_pidfd_send_signal, init_.get(), SIGKILL, nullptr, 0);
}

void Guest::count_usage(int pidfd, int& how, int& value) {
  siginfo_t info{};
  rusage usage{};
  if (::syscall(SYS_waitid, P_PIDFD, pidfd, &info, WEXITED, &usage) != 0) return;
  how = info.si_code;
  value = info.si_status;
  exit_.cpu_micros += micros(usage.ru_utime) + micros(usage.ru_stime);
  most_resident_bytes_ = std::max(most_resident_bytes_, resident_bytes(usage));
}

// A process that was started in this one's memory counts that as its own, so without a control group a peak below this
// process's own tells nothing.
std::uint64_t Guest::peak_memory_bytes() const {
  const std::uint64_t known = plan_.cgroup != nullptr ? plan_.cgroup->peak_memory_bytes() : 0;
  rusage own{};
  if (known > 0 || ::getrusage(RUSAGE_SELF, &own) != 0) return known;
  return most_resident_bytes_ > resident_bytes(own) ? most_resident_bytes_ : 0;
}

void Guest::on_outer_end() {
  auto self = shared_from_this();
  close_watch(outer_watch_, outer_);
  read_status();
  int how = 0;
  int value = 0;
  count_usage(outer_.get(), how, value);
  outer_killed_ = how == CLD_KILLED || how == CLD_DUMPED;
  outer_.reset();
  if (!init_) {
    finish();
    return;
  }
  // Bubblewrap's end kills process 1, and that every other process; its own end comes last.
  kill_now();
  init_watch_ = reactor_.watch(init_.get(), [self] { self->on_init_end(); });
}

void Guest::on_init_end() {
  auto self = shared_from_this();
  close_watch(init_watch_, init_);
  {
    const std::lock_guard lock(init_mutex_);
    init_pid_ = 0;
  }
  int how = 0;
  int value = 0;
  count_usage(init_.get(), how, value);
  finish();
}

// Every process is gone, so what the pipes hold now is all there will be.
void Guest::finish() {
  auto self = shared_from_this();
  if (plan_.network) plan_.network->close();
  while (output_watch_ != 0 && read_piece(Stream::kStdout) == Read::kMore) {
  }
  while (errors_watch_ != 0 && read_piece(Stream::kStderr) == Read::kMore) {
  }
  close_watch(output_watch_, plan_.output);
  close_watch(errors_watch_, plan_.errors);
  close_watch(status_watch_, plan_.status);
  exit_.out_of_memory = plan_.cgroup != nullptr && plan_.cgroup->ran_out_of_memory();
  exit_.peak_memory_bytes = peak_memory_bytes();
  if (start_micros_ != 0) exit_.wall_micros = now_micros() - start_micros_;
  if (exit_code_ < 0 && outer_killed_ && init_) exit_code_ = 128 + SIGKILL;
  if (exit_.message.empty()) {
    plan_.listener->conclude({.exit_code = exit_code_, .kill_wanted = kill_wanted_}, plan_.on_output, exit_);
  }
  std::function<void(const Exit&)> on_exit = std::move(plan_.on_exit);
  plan_ = {};
  {
    std::lock_guard lock(mutex_);
    finished_ = true;
  }
  on_exit(exit_);
  on_exit = nullptr;
  std::lock_guard lock(mutex_);
  told_ = true;
  changed_.notify_all();
}

bool Guest::finished() const {
  std::lock_guard lock(mutex_);
  return finished_;
}

void Guest::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return told_; });
}

}  // namespace hearth::sandbox
