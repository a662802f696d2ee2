// Process 1 of an OCI container: puts the list of system calls in place, starts the program as process 2, so that
// signals mean to it what they do elsewhere, waits for whatever ends, and ends as the program did.
//
// The list is ours to apply and not the runtime's: gVisor and Kata pass over `linux.seccomp` unless told otherwise.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/apply_filter.h"
#include "sandbox/fd.h"
#include "sandbox/oci/task.h"

namespace hearth::sandbox::oci {
namespace {

constexpr int kNotStarted = 127;

void say(std::string_view words) { static_cast<void>(::write(STDERR_FILENO, words.data(), words.size())); }

int complain(const char* what) {
  ::dprintf(STDERR_FILENO, "%s: %s\n", what, std::strerror(errno));
  return kNotStarted;
}

[[noreturn]] void become(Task& task) {
  std::vector<char*> argv;
  for (std::string& argument : task.argv) argv.push_back(argument.data());
  argv.push_back(nullptr);
  ::clearenv();
  for (const auto& [name, value] : task.variables) ::setenv(name.c_str(), value.c_str(), 1);
  say(kBegins);
  ::execvp(argv[0], argv.data());
  say(std::string(kFailed) + std::to_string(errno) + "\n");
  ::_exit(kNotStarted);
}

int run() {
  ::close_range(STDERR_FILENO + 1, ~0U, 0);  // whatever a runtime forgot to close
  std::optional<Task> task = parse_task(read_text(kInitTask, kMaxTaskBytes));
  if (!task) return complain("the task cannot be read");
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || !apply_filter(read_text(kInitFilter, kMaxFilterBytes))) {
    return complain("system calls cannot be filtered");
  }
  const pid_t program = ::fork();
  if (program < 0) return complain("the program's process cannot be made");
  if (program == 0) become(*task);
  for (int status = 0;;) {
    const pid_t ended = ::waitpid(-1, &status, 0);
    if (ended == program) return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    if (ended < 0 && errno != EINTR) return complain("waiting for the program");
  }
}

}  // namespace
}  // namespace hearth::sandbox::oci

int main() { return hearth::sandbox::oci::run(); }
