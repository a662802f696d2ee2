#include "sandbox/bwrap.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "sandbox/program.h"

namespace hearth::sandbox {
namespace {

// Two GPUs of one driver need the same files.
void show_gpus(std::string& options, const std::vector<Gpu>& gpus) {
  std::set<std::string> nodes;
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> links;
  for (const Gpu& gpu : gpus) {
    nodes.insert(gpu.device_nodes.begin(), gpu.device_nodes.end());
    for (const auto& [source, place] : gpu.files) files.emplace(place, source);
    for (const auto& [target, place] : gpu.links) links.emplace(place, target);
  }
  for (const std::string& node : nodes) add_options(options, {"--dev-bind", node, node});
  if (files.empty()) return;
  add_options(options, {"--tmpfs", kGpuFiles});
  for (const auto& [place, source] : files) add_options(options, {"--ro-bind", source, place});
  for (const auto& [place, target] : links) {
    if (!files.contains(place)) add_options(options, {"--symlink", target, place});
  }
  add_options(options, {"--remount-ro", kGpuFiles});
}

}  // namespace

Result<Bubblewrap> find_bubblewrap(const std::string& name) {
  constexpr std::string_view kRemedy = "; install it with: apt install bubblewrap";
  std::string program = find_program(name);
  if (program.empty()) {
    return fail(Code::kFailedPrecondition, "bubblewrap ('" + name + "') was not found" + std::string(kRemedy));
  }
  Result<std::string> version = ask_program(program, {"--version"});
  Result<std::string> help = version ? ask_program(program, {"--help"}) : version;
  if (!help) return fail(Code::kFailedPrecondition, help.error().message + std::string(kRemedy));
  Bubblewrap found{.program = program, .version = *version, .disable_userns = help->contains("--disable-userns")};
  if (std::size_t space = found.version.rfind(' '); space != std::string::npos) found.version.erase(0, space + 1);
  while (found.version.ends_with('\n')) found.version.pop_back();
  if (!help->contains("--json-status-fd") || !help->contains("--block-fd") || !help->contains("--size")) {
    return fail(Code::kFailedPrecondition, "bubblewrap " + found.version + " is too old: 0.7 or newer is needed");
  }
  return found;
}

void add_options(std::string& options, std::initializer_list<std::string_view> words) {
  for (std::string_view word : words) options.append(word).push_back('\0');
}

// The guest's own come after the GPUs': they are its own affair.
Variables variables_of(const Layout& layout, const Command& command) {
  const bool has_files = std::ranges::any_of(command.gpus, [](const Gpu& gpu) { return !gpu.files.empty(); });
  Variables variables = {{"PATH", std::string(kDefaultPath) + (has_files ? std::string(":") + kGpuPrograms : "")}};
  if (has_files) variables.emplace_back("LD_LIBRARY_PATH", kGpuLibraries);
  for (const Gpu& gpu : command.gpus) {
    variables.insert(variables.end(), gpu.variables.begin(), gpu.variables.end());
  }
  variables.insert(variables.end(), command.variables.begin(), command.variables.end());
  variables.insert(variables.end(), layout.variables.begin(), layout.variables.end());
  return variables;
}

std::string bubblewrap_options(const Bubblewrap& bubblewrap, const Layout& layout, const Limits& limits,
                               const Command& command) {
  std::string options;
  const std::string scratch = std::to_string(limits.scratch_bytes);
  add_options(options, {"--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
                        "--unshare-cgroup-try"});
  if (bubblewrap.disable_userns && !layout.nests) add_options(options, {"--disable-userns"});
  add_options(options, {"--uid", "65534", "--gid", "65534", "--hostname", layout.host_name});
  add_options(options, {"--ro-bind", layout.root, "/", "--proc", "/proc", "--dev", "/dev"});
  if (layout.hosts_fd >= 0) {
    add_options(options, {"--perms", "0444", "--ro-bind-data", std::to_string(layout.hosts_fd), "/etc/hosts"});
  }
  // Process 1 is bubblewrap itself, whose memory still holds the host's mounts.
  if (!layout.nests) add_options(options, {"--tmpfs", "/proc/1", "--remount-ro", "/proc/1"});
  for (const std::string& device : layout.devices) add_options(options, {"--dev-bind", device, device});
  show_gpus(options, command.gpus);
  // /dev itself is a tmpfs that nothing bounds.
  add_options(options, {"--size", scratch, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"});
  if (layout.tmp.empty()) {
    add_options(options, {"--size", scratch, "--tmpfs", "/tmp"});
  } else {
    add_options(options, {"--bind", layout.tmp, "/tmp"});
  }
  add_options(options, {"--bind", layout.working_directory, "/job", "--chdir", "/job"});
  if (!layout.workspace.empty()) add_options(options, {"--bind", layout.workspace, "/workspace"});
  if (!layout.network_directory.empty()) {
    add_options(options, {"--ro-bind", layout.network_directory, "/run/hearth"});
  }
  add_options(options, {"--clearenv"});
  for (const auto& [name, value] : variables_of(layout, command)) add_options(options, {"--setenv", name, value});
  add_options(options, {"--new-session", "--die-with-parent", "--cap-drop", "ALL"});
  add_options(options, {"--seccomp", std::to_string(kFilterFd), "--json-status-fd", std::to_string(kStatusFd)});
  add_options(options, {"--block-fd", std::to_string(kGateFd)});
  return options;
}

}  // namespace hearth::sandbox
