#include "sandbox/program.h"

#include <cstdlib>
#include <sstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/fd.h"

namespace hearth::sandbox {

std::string find_program(const std::string& name) {
  if (name.contains('/')) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  const char* path = ::getenv("PATH");
  std::istringstream directories(std::string(path != nullptr ? path : kDefaultPath) + ":/usr/sbin:/sbin");
  for (std::string directory; std::getline(directories, directory, ':');) {
    std::string candidate = directory;
    candidate.append("/").append(name);
    if (directory.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

Result<std::string> ask_program(const std::string& program, const std::vector<std::string>& arguments) {
  Result<Pipe> pipe = make_pipe(O_CLOEXEC);
  if (!pipe) return std::unexpected(pipe.error());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe->write_end.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
  std::vector<std::string> words = {program};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  const int error = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno(error, "starting " + program);
  pipe->write_end.reset();
  std::string text = read_text("/proc/self/fd/" + std::to_string(pipe->read_end.get()));
  pipe->read_end.reset();  // what it still says goes nowhere
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0)
    return fail(Code::kFailedPrecondition, program + " " + (arguments.empty() ? "" : arguments[0]) + " fails");
  return text;
}

}  // namespace hearth::sandbox
