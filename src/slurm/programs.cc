#include "slurm/programs.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/fd.h"
#include "sandbox/program.h"

namespace hearth::slurm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kMaxOut = 16 << 20;
constexpr std::size_t kMaxError = 1000;

// The last line that says something, without the program's name before it.
std::string sentence_of(std::string text, const std::string& program) {
  while (text.ends_with('\n')) text.pop_back();
  std::string line = text.substr(text.rfind('\n') + 1).substr(0, kMaxError);
  for (const std::string& prefix : {program + ": ", std::string("error: "), std::string("fatal: ")}) {
    if (line.starts_with(prefix)) line.erase(0, prefix.size());
  }
  return line.empty() ? "it says nothing of why" : line;
}

bool is_away(const std::string& said) {
  for (const char* word : {"Unable to contact slurm controller", "timed out", "Connection refused",
                           "Unable to establish a configuration source", "Could not establish a configuration source",
                           "in standby mode", "try again later"}) {
    if (said.contains(word)) return true;
  }
  return false;
}

class Spawned {
 public:
  Spawned(pid_t process, Fd out, Fd error) : process_(process), out_(std::move(out)), error_(std::move(error)) {}
  ~Spawned() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  Spawned(const Spawned&) = delete;
  Spawned& operator=(const Spawned&) = delete;

  // Whether it closed both within the limit.
  bool read(std::string& out, std::string& error, Duration limit) {
    const Clock::time_point until = Clock::now() + std::chrono::microseconds(limit.micros);
    while (out_ || error_) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now()).count();
      std::array<pollfd, 2> ready = {pollfd{out_.get(), POLLIN, 0}, pollfd{error_.get(), POLLIN, 0}};
      if (left <= 0 || ::poll(ready.data(), ready.size(), static_cast<int>(left)) == 0) return false;
      if (ready[0].revents != 0) take(out_, out, kMaxOut);
      if (ready[1].revents != 0) take(error_, error, kMaxOut);
    }
    return true;
  }

  int wait() {
    int status = 0;
    while (::waitpid(process_, &status, 0) < 0 && errno == EINTR) continue;
    process_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  static void take(Fd& from, std::string& text, std::size_t most) {
    std::array<char, 1 << 16> buffer;
    const ssize_t count = ::read(from.get(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) return;
    if (count <= 0) return from.reset();
    text.append(buffer.data(), std::min(static_cast<std::size_t>(count), most - std::min(most, text.size())));
  }

  pid_t process_;
  Fd out_;
  Fd error_;
};

Result<pid_t> spawn(const std::string& program, const std::vector<std::string>& argv, int in, int out, int error) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, error, STDERR_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t process = -1;
  const int failed = ::posix_spawn(&process, program.c_str(), &actions, &attributes, words.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return fail_errno(failed, "starting " + program);
  return process;
}

}  // namespace

Result<std::string> ask(const std::vector<std::string>& argv, const std::string& input, Duration limit) {
  const std::string& name = argv.front();
  const std::string program = sandbox::find_program(name);
  if (program.empty()) {
    return fail(Code::kNotFound, "there is no program " + name +
                                     " here: this must be a machine from which jobs are given to the cluster, with "
                                     "Slurm's programs in PATH (on Debian: apt install slurm-client)");
  }
  Result<Fd> in = sandbox::memory_file(input);
  Result<sandbox::Pipe> out = sandbox::make_pipe(O_CLOEXEC);
  Result<sandbox::Pipe> error = sandbox::make_pipe(O_CLOEXEC);
  if (!in) return std::unexpected(in.error());
  if (!out) return std::unexpected(out.error());
  if (!error) return std::unexpected(error.error());
  const Result<pid_t> process = spawn(program, argv, in->get(), out->write_end.get(), error->write_end.get());
  if (!process) return std::unexpected(process.error());
  out->write_end.reset();
  error->write_end.reset();
  Spawned spawned(*process, std::move(out->read_end), std::move(error->read_end));
  std::string printed;
  std::string said;
  if (!spawned.read(printed, said, limit)) {
    return fail(Code::kUnavailable, name + " did not end within " + std::to_string(limit.micros / 1'000'000) + " s");
  }
  if (spawned.wait() == 0) return printed;
  return fail(is_away(said) ? Code::kUnavailable : Code::kFailedPrecondition, name + ": " + sentence_of(said, name));
}

}  // namespace hearth::slurm
