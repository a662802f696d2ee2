#include "sandbox/microvm/init/program.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/apply_filter.h"
#include "sandbox/fd.h"
#include "sandbox/microvm/init/machine.h"

namespace hearth::sandbox::init {
namespace {

constexpr const char* kDefaultPath = "/usr/local/bin:/usr/bin:/bin:/usr/games";

constexpr int kLookEveryMillis = 50;

bool set_limit(__rlimit_resource_t resource, std::uint64_t value) {
  rlimit limit{.rlim_cur = value, .rlim_max = value};
  return value == 0 || ::setrlimit(resource, &limit) == 0;
}

bool drop_privileges() {
  for (int capability = 0; ::prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0;) ++capability;
  return ::setgroups(0, nullptr) == 0 && ::setresgid(kGuest, kGuest, kGuest) == 0 &&
         ::setresuid(kGuest, kGuest, kGuest) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
}

// In the child: becomes the program, or tells why not.
[[noreturn]] void become(const Program& program, int out, int err, int failed) {
  ::setsid();
  int nothing = ::open("/dev/null", O_RDONLY);
  bool done = nothing >= 0 && ::dup2(nothing, 0) == 0 && ::dup2(out, 1) == 1 && ::dup2(err, 2) == 2 &&
              ::chroot(kRoot) == 0 && ::chdir("/job") == 0 && set_limit(RLIMIT_NPROC, program.processes) &&
              set_limit(RLIMIT_NOFILE, program.open_files) && set_limit(RLIMIT_CPU, program.cpu_seconds) &&
              set_limit(RLIMIT_CORE, 1);
  ::clearenv();
  ::setenv("PATH", kDefaultPath, 1);
  for (const auto& [name, value] : program.variables) ::setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> argv;
  for (const std::string& argument : program.argv) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  if (done && drop_privileges() && apply_filter(program.filter)) ::execvp(argv[0], argv.data());
  int error = errno;
  static_cast<void>(::write(failed, &error, sizeof error));
  ::_exit(127);
}

// errno of the execution; 0: it runs.
int read_failure(Fd& pipe) {
  int error = 0;
  return ::read(pipe.get(), &error, sizeof error) == static_cast<ssize_t>(sizeof error) ? error : 0;
}

// False at the pipe's end.
bool pass_on(int pipe, wire::Kind kind, const Send& send) {
  std::array<char, 32 << 10> piece;
  ssize_t count = ::read(pipe, piece.data(), piece.size());
  if (count > 0) send({.kind = kind}, "", {piece.data(), static_cast<std::size_t>(count)});
  return count > 0 || (count < 0 && (errno == EAGAIN || errno == EINTR));
}

// The kernel would let a program that needs too much memory go on in the scratch disk, which is for its files. So this
// looks twenty times a second; a program is ended a little late, and never for what it may have.
class MemoryWatch {
 public:
  explicit MemoryWatch(std::uint64_t bytes) : most_(bytes == 0 ? ~0ULL : memory_of_processes() + bytes) {}

  // Whether the program is to end for it; also where the kernel has ended some of its processes for want of memory.
  bool exceeded() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::int64_t millis = now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
    if (millis >= next_look_) {
      next_look_ = millis + kLookEveryMillis;
      exceeded_ = exceeded_ || memory_of_processes() > most_ || ran_out_of_memory();
    }
    return exceeded_;
  }

  bool was_exceeded() const { return exceeded_ || ran_out_of_memory(); }

 private:
  std::uint64_t most_;
  std::int64_t next_look_ = 0;
  bool exceeded_ = false;
};

struct Streams {
  Fd out;
  Fd err;
};

// Waits for the program, reaping whatever else ends. Its exit code as a shell counts it.
int wait_for(pid_t program, Streams& streams, MemoryWatch& memory, const Send& send) {
  for (;;) {
    std::array<pollfd, 2> watched = {pollfd{.fd = streams.out.get(), .events = POLLIN, .revents = 0},
                                     pollfd{.fd = streams.err.get(), .events = POLLIN, .revents = 0}};
    ::poll(watched.data(), watched.size(), kLookEveryMillis);
    if (memory.exceeded()) ::kill(-1, SIGKILL);
    if (watched[0].revents != 0 && !pass_on(streams.out.get(), wire::Kind::kStdout, send)) streams.out.reset();
    if (watched[1].revents != 0 && !pass_on(streams.err.get(), wire::Kind::kStderr, send)) streams.err.reset();
    int status = 0;
    for (pid_t ended = 0; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      if (ended == program) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
  }
}

void end_everyone() {
  ::kill(-1, SIGKILL);
  while (::waitpid(-1, nullptr, 0) > 0) {
  }
}

void drain(Fd& pipe, wire::Kind kind, const Send& send) {
  if (!pipe) return;
  ::fcntl(pipe.get(), F_SETFL, O_NONBLOCK);
  std::array<char, 32 << 10> piece;
  for (ssize_t count = 0; (count = ::read(pipe.get(), piece.data(), piece.size())) > 0;) {
    send({.kind = kind}, "", {piece.data(), static_cast<std::size_t>(count)});
  }
}

}  // namespace

bool run_program(const Program& program, const Send& send) {
  Result<Pipe> out = make_pipe(O_CLOEXEC);
  Result<Pipe> err = make_pipe(O_CLOEXEC);
  Result<Pipe> failed = make_pipe(O_CLOEXEC);
  MemoryWatch memory(program.memory_bytes);
  pid_t pid = out && err && failed ? ::fork() : -1;
  if (pid == 0) become(program, out->write_end.get(), err->write_end.get(), failed->write_end.get());
  int error = pid < 0 ? errno : 0;
  if (pid > 0) {
    // Programs open /dev/stdout by name.
    for (Pipe* pipe : {&*out, &*err}) static_cast<void>(::fchown(pipe->write_end.get(), kGuest, kGuest));
    for (Pipe* pipe : {&*out, &*err, &*failed}) pipe->write_end.reset();
    error = read_failure(failed->read_end);
  }
  if (error != 0) {
    send({.kind = wire::Kind::kNotStarted, .number = static_cast<std::uint32_t>(error)}, "", "");
    return false;
  }
  send({.kind = wire::Kind::kStarted}, "", "");
  Streams streams{.out = std::move(out->read_end), .err = std::move(err->read_end)};
  int code = wait_for(pid, streams, memory, send);
  end_everyone();
  drain(streams.out, wire::Kind::kStdout, send);
  drain(streams.err, wire::Kind::kStderr, send);
  send({.kind = wire::Kind::kExit,
        .flags = memory.was_exceeded() ? wire::kOutOfMemory : std::uint8_t{0},
        .number = static_cast<std::uint32_t>(code)},
       "", "");
  return true;
}

}  // namespace hearth::sandbox::init
