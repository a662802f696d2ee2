#include "sandbox/bwrap.h"

#include <map>
#include <set>
#include <utility>

#include "sandbox/program.h"

namespace hearth::sandbox {
namespace {

class OptionList {
 public:
  void add(std::initializer_list<std::string_view> words) {
    for (std::string_view word : words) text_.append(word).push_back('\0');
  }
  std::string text() { return std::move(text_); }

 private:
  std::string text_;
};

// Two GPUs of one driver need the same files.
void show_gpus(OptionList& options, const std::vector<Gpu>& gpus) {
  std::set<std::string> nodes;
  std::map<std::string, std::string> files;
  std::map<std::string, std::string> links;
  for (const Gpu& gpu : gpus) {
    nodes.insert(gpu.device_nodes.begin(), gpu.device_nodes.end());
    for (const auto& [source, place] : gpu.files) files.emplace(place, source);
    for (const auto& [target, place] : gpu.links) links.emplace(place, target);
  }
  for (const std::string& node : nodes) options.add({"--dev-bind", node, node});
  if (files.empty()) return;
  options.add({"--tmpfs", kGpuFiles});
  for (const auto& [place, source] : files) options.add({"--ro-bind", source, place});
  for (const auto& [place, target] : links) {
    if (!files.contains(place)) options.add({"--symlink", target, place});
  }
  options.add({"--remount-ro", kGpuFiles});
}

// The guest's own come last: they are its own affair.
void set_variables(OptionList& options, const Command& command) {
  options.add({"--clearenv", "--setenv", "PATH", kDefaultPath});
  for (const Gpu& gpu : command.gpus) {
    if (!gpu.files.empty()) options.add({"--setenv", "LD_LIBRARY_PATH", kGpuLibraries});
    for (const auto& [name, value] : gpu.variables) options.add({"--setenv", name, value});
  }
  for (const auto& [name, value] : command.variables) options.add({"--setenv", name, value});
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

std::string bubblewrap_options(const Bubblewrap& bubblewrap, const Layout& layout, const Limits& limits,
                               const Command& command) {
  OptionList options;
  const std::string scratch = std::to_string(limits.scratch_bytes);
  options.add(
      {"--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try"});
  if (bubblewrap.disable_userns) options.add({"--disable-userns"});
  options.add({"--uid", "65534", "--gid", "65534", "--hostname", "job"});
  options.add({"--ro-bind", layout.root, "/", "--proc", "/proc", "--dev", "/dev"});
  // Process 1 is bubblewrap itself, whose memory still holds the host's mounts.
  options.add({"--tmpfs", "/proc/1", "--remount-ro", "/proc/1"});
  for (const std::string& device : layout.devices) options.add({"--dev-bind", device, device});
  show_gpus(options, command.gpus);
  // /dev itself is a tmpfs that nothing bounds.
  options.add({"--size", scratch, "--tmpfs", "/dev/shm", "--remount-ro", "/dev"});
  options.add({"--size", scratch, "--tmpfs", "/tmp", "--bind", layout.working_directory, "/job", "--chdir", "/job"});
  if (!layout.workspace.empty()) options.add({"--bind", layout.workspace, "/workspace"});
  if (!layout.network_directory.empty()) {
    options.add({"--ro-bind", layout.network_directory, "/run/hearth"});
  }
  set_variables(options, command);
  for (const auto& [name, value] : layout.variables) options.add({"--setenv", name, value});
  options.add({"--new-session", "--die-with-parent", "--cap-drop", "ALL"});
  options.add({"--seccomp", std::to_string(kFilterFd), "--json-status-fd", std::to_string(kStatusFd)});
  options.add({"--block-fd", std::to_string(kGateFd)});
  return options.text();
}

}  // namespace hearth::sandbox
