#include "sandbox/bwrap.h"

#include <cerrno>
#include <sstream>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/fd.h"

namespace hearth::sandbox {
namespace {

constexpr const char* kDefaultPath = "/usr/local/bin:/usr/bin:/bin:/usr/games";

std::string find_in_path(const std::string& name) {
  if (name.contains('/')) return ::access(name.c_str(), X_OK) == 0 ? name : "";
  const char* path = ::getenv("PATH");
  std::istringstream directories(path != nullptr ? path : kDefaultPath);
  for (std::string directory; std::getline(directories, directory, ':');) {
    std::string candidate = directory;
    candidate.append("/").append(name);
    if (directory.starts_with('/') && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return "";
}

// What the program prints on stdout.
Result<std::string> ask(const std::string& program, const char* option) {
  Result<Pipe> pipe = make_pipe(O_CLOEXEC);
  if (!pipe) return std::unexpected(pipe.error());
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, pipe->write_end.get(), STDOUT_FILENO);
  std::string name = program;
  std::string argument = option;
  char* argv[] = {name.data(), argument.data(), nullptr};
  pid_t pid = 0;
  int error = ::posix_spawn(&pid, program.c_str(), &actions, nullptr, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) return fail_errno(error, "starting " + program);
  pipe->write_end.reset();
  std::string text = read_text("/proc/self/fd/" + std::to_string(pipe->read_end.get()));
  int status = 0;
  ::waitpid(pid, &status, 0);
  if (status != 0) return fail(Code::kFailedPrecondition, program + " " + option + " fails");
  return text;
}

}  // namespace

Result<Bubblewrap> find_bubblewrap(const std::string& name) {
  constexpr std::string_view kRemedy = "; install it with: apt install bubblewrap";
  std::string program = find_in_path(name);
  if (program.empty()) {
    return fail(Code::kFailedPrecondition, "bubblewrap ('" + name + "') was not found" + std::string(kRemedy));
  }
  Result<std::string> version = ask(program, "--version");
  Result<std::string> help = version ? ask(program, "--help") : version;
  if (!help) return fail(Code::kFailedPrecondition, help.error().message + std::string(kRemedy));
  Bubblewrap found{.program = program, .version = *version, .disable_userns = help->contains("--disable-userns")};
  if (std::size_t space = found.version.rfind(' '); space != std::string::npos) found.version.erase(0, space + 1);
  while (found.version.ends_with('\n')) found.version.pop_back();
  if (!help->contains("--json-status-fd") || !help->contains("--size")) {
    return fail(Code::kFailedPrecondition, "bubblewrap " + found.version + " is too old: 0.7 or newer is needed");
  }
  return found;
}

std::string bubblewrap_options(const Bubblewrap& bubblewrap, const Layout& layout, const Limits& limits,
                               const std::vector<std::pair<std::string, std::string>>& variables) {
  std::string options;
  auto add = [&options](std::initializer_list<std::string_view> words) {
    for (std::string_view word : words) options.append(word).push_back('\0');
  };
  std::string scratch = std::to_string(limits.scratch_bytes);
  add({"--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"});
  if (bubblewrap.disable_userns) add({"--disable-userns"});
  add({"--uid", "65534", "--gid", "65534", "--hostname", "job"});
  add({"--ro-bind", layout.root, "/", "--proc", "/proc", "--dev", "/dev"});
  for (const std::string& device : limits.gpu_devices) add({"--dev-bind", device, device});
  if (!limits.gpu_devices.empty()) {
    for (std::string_view device : {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools"}) {
      add({"--dev-bind-try", device, device});
    }
  }
  // /dev itself is a tmpfs that nothing bounds.
  add({"--size", scratch, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"});
  add({"--size", scratch, "--tmpfs", "/tmp", "--bind", layout.working_directory, "/job", "--chdir", "/job"});
  add({"--clearenv", "--setenv", "PATH", kDefaultPath});
  for (const auto& [name, value] : variables) add({"--setenv", name, value});
  add({"--new-session", "--die-with-parent", "--cap-drop", "ALL"});
  add({"--seccomp", std::to_string(kFilterFd), "--json-status-fd", std::to_string(kStatusFd)});
  return options;
}

}  // namespace hearth::sandbox
