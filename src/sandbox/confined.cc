#include "sandbox/confined.h"

#include <array>
#include <cerrno>
#include <csignal>

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/program.h"

namespace hearth::sandbox {
namespace {

constexpr int kGivenFile = 3;

// By its own name: bubblewrap's is that of guests.
// clang-format off
std::vector<std::string> arguments(const ConfinedProgram& program) {
  std::vector<std::string> words = {
      program.name,
      "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try",
      "--uid", "65534", "--gid", "65534",
      "--ro-bind", "/usr", "/usr",
      "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib", "--symlink", "usr/lib64", "/lib64",
      // Where Debian says which of several libraries one of /usr is.
      "--ro-bind-try", "/etc/alternatives", "/etc/alternatives",
      "--proc", "/proc", "--dev", "/dev"};
  if (!program.network) words.emplace_back("--unshare-net");
  if (!program.shown.empty()) {
    words.insert(words.end(), {"--bind", program.shown.string(), kShownDirectory, "--chdir", kShownDirectory});
  }
  const std::string inside = "/" + program.name;
  words.insert(words.end(), {"--ro-bind", program.program.string(), inside, "--remount-ro", "/", "--clearenv",
                             "--die-with-parent", "--new-session", "--cap-drop", "ALL", inside});
  words.insert(words.end(), program.arguments.begin(), program.arguments.end());
  return words;
}
// clang-format on

}  // namespace

Result<Confined> start_confined(const ConfinedProgram& program) {
  const std::string found = find_program(program.bwrap);
  if (found.empty()) return fail(Code::kFailedPrecondition, "bubblewrap was not found");
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_errno(errno, "a socket");
  std::vector<std::string> words = arguments(program);
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  // Also where it has that number already: a file that is put onto itself loses its mark to be closed.
  if (program.file >= 0) ::posix_spawn_file_actions_adddup2(&actions, program.file, kGivenFile);
  // asio's sockets have no mark to be closed.
  ::posix_spawn_file_actions_addclosefrom_np(&actions, program.file >= 0 ? kGivenFile + 1 : kGivenFile);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  Confined confined{.process = 0, .socket = ends[0]};
  std::array<char*, 1> nothing = {nullptr};
  const int error = ::posix_spawn(&confined.process, found.c_str(), &actions, &attributes, argv.data(), nothing.data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  ::close(ends[1]);
  if (error == 0) return confined;
  ::close(ends[0]);
  return fail_errno(error, "starting " + program.name);
}

// bubblewrap's own child waits for its parent's word before anything ties its life to that one's, for ever if it dies
// meanwhile: they are of one group until then.
void end_confined(pid_t process) {
  ::kill(-process, SIGKILL);
  ::kill(process, SIGKILL);
  ::waitpid(process, nullptr, 0);
}

}  // namespace hearth::sandbox
