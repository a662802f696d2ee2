#include "harness/process.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <thread>

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

namespace hearth::e2e {
namespace {

std::string content(int file) {
  std::string text;
  std::array<char, 65536> buffer;
  for (ssize_t count = 0; (count = ::pread(file, buffer.data(), buffer.size(), static_cast<off_t>(text.size()))) > 0;) {
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

int memory_file(const std::string& initial) {
  const int file = ::memfd_create("hearth-e2e", MFD_CLOEXEC);
  CHECK(file >= 0);
  CHECK(::write(file, initial.data(), initial.size()) == static_cast<ssize_t>(initial.size()));
  CHECK(::lseek(file, 0, SEEK_SET) == 0);
  return file;
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> list;
  for (std::string& text : texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

std::vector<std::string> environment(const RunOptions& options) {
  std::vector<std::string> variables;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    bool replaced = false;
    for (const auto& [given, value] : options.env) replaced = replaced || given == name;
    if (!replaced) variables.push_back(text);
  }
  for (auto given = options.env.begin(); given != options.env.end(); ++given) {
    const bool is_last =
        std::none_of(given + 1, options.env.end(), [&](const auto& one) { return one.first == given->first; });
    if (is_last) variables.push_back(given->first + "=" + given->second);
  }
  return variables;
}

int exit_code_of(int status) { return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status); }

}  // namespace

void pause_for(milliseconds span) { std::this_thread::sleep_for(span); }

Process Process::start(const std::vector<std::string>& argv, const RunOptions& options) {
  std::vector<std::string> arguments = argv;
  std::vector<std::string> variables = environment(options);
  const std::vector<char*> argument_list = pointers(arguments);
  const std::vector<char*> variable_list = pointers(variables);
  const int in = memory_file(options.input);
  const int out = memory_file("");
  const int err = memory_file("");
  const pid_t pid = ::fork();
  CHECK(pid >= 0);
  if (pid == 0) {
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    ::signal(SIGPIPE, SIG_DFL);
    if (options.network >= 0 && ::setns(options.network, CLONE_NEWNET) != 0) ::_exit(126);
    if (::chdir(options.cwd.c_str()) != 0) ::_exit(126);
    ::execvpe(argument_list[0], argument_list.data(), variable_list.data());
    ::_exit(127);
  }
  ::close(in);
  return Process(pid, out, err);
}

Process::Process(Process&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), out_(other.out_), err_(other.err_), status_(other.status_) {
  other.status_ = 0;
  other.out_ = other.err_ = -1;
}

Process::~Process() {
  if (pid_ > 0 && !status_) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (out_ >= 0) ::close(out_);
  if (err_ >= 0) ::close(err_);
}

void Process::signal(int number) const {
  CHECK(!status_);
  ::kill(pid_, number);
}

std::string Process::out() const { return content(out_); }
std::string Process::err() const { return content(err_); }

bool Process::running() {
  int status = 0;
  if (!status_ && ::waitpid(pid_, &status, WNOHANG) == pid_) status_ = status;
  return !status_;
}

Ended Process::wait(milliseconds limit) {
  const bool in_time = eventually(limit, [this] { return !running(); });
  if (!in_time) {
    ::kill(pid_, SIGKILL);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    status_ = status;
  }
  return {.exit_code = exit_code_of(*status_), .timed_out = !in_time, .out = out(), .err = err()};
}

Ended run_program(const std::vector<std::string>& argv, const RunOptions& options) {
  return Process::start(argv, options).wait(options.limit);
}

}  // namespace hearth::e2e
