#include "harness/proc.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include "base/check.h"
#include "base/walk.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;

struct Stat {
  char state = 'X';
  pid_t parent = 0;
};

Stat stat_of(pid_t process) {
  const std::string text = read_text("/proc/" + std::to_string(process) + "/stat");
  const std::size_t end = text.rfind(')');  // the name before it may hold anything
  Stat stat;
  if (end == std::string::npos) return stat;
  std::istringstream fields(text.substr(end + 1));
  fields >> stat.state >> stat.parent;
  return stat;
}

std::vector<pid_t> all_processes() {
  std::vector<pid_t> found;
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator("/proc", error)) {
    const std::string name = entry.path().filename();
    pid_t process = 0;
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), process);
    if (failure == std::errc() && end == name.data() + name.size()) found.push_back(process);
  }
  return found;
}

// The name that sandbox/ gives the groups of one state directory (FNV-1a, low digits first).
std::string cgroup_tag(const std::string& path) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  std::string tag;
  for (int i = 0; i < 12; ++i, hash >>= 4) tag += "0123456789abcdef"[hash & 15];
  return tag;
}

}  // namespace

bool alive(pid_t process) {
  const Stat stat = stat_of(process);
  return stat.state != 'X' && stat.state != 'Z';
}

std::vector<pid_t> children_of(pid_t process) {
  std::vector<pid_t> children;
  for (const pid_t candidate : all_processes()) {
    if (stat_of(candidate).parent == process) children.push_back(candidate);
  }
  return children;
}

std::vector<pid_t> guests_of(pid_t node) {
  std::vector<pid_t> found = children_of(node);
  std::erase_if(found, [](pid_t child) { return !command_line(child).starts_with("bwrap"); });
  return found;
}

std::vector<pid_t> descendants_of(pid_t process) {
  std::vector<pid_t> found = children_of(process);
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::vector<pid_t> more = children_of(found[i]);
    found.insert(found.end(), more.begin(), more.end());
  }
  return found;
}

std::vector<pid_t> with_descendants(pid_t process) {
  std::vector<pid_t> found = descendants_of(process);
  found.insert(found.begin(), process);
  return found;
}

std::vector<pid_t> processes_of(const std::string& path) {
  std::vector<pid_t> found = all_processes();
  std::erase_if(found, [&path](pid_t process) { return command_line(process).find(path) == std::string::npos; });
  return found;
}

std::string command_line(pid_t process) {
  std::string text = read_text("/proc/" + std::to_string(process) + "/cmdline");
  std::ranges::replace(text, '\0', ' ');
  return text;
}

std::uint64_t resident_bytes(pid_t process) {
  const std::string status = read_text("/proc/" + std::to_string(process) + "/status");
  const std::size_t at = status.find("VmRSS:");
  CHECK(at != std::string::npos);
  return std::stoull(status.substr(at + 6)) * 1024;
}

std::vector<std::string> mounts_naming(const std::string& path) {
  std::vector<std::string> found;
  std::istringstream lines(read_text("/proc/self/mountinfo"));
  for (std::string line; std::getline(lines, line);) {
    if (line.find(path) != std::string::npos) found.push_back(line);
  }
  return found;
}

std::vector<std::string> cgroups_of_node(const fs::path& sandbox_directory) {
  std::vector<std::string> found;
  const std::string name = "hearth-" + cgroup_tag(fs::weakly_canonical(sandbox_directory));
  walk_below("/sys/fs/cgroup", [&](const fs::directory_entry& entry) {
    if (entry.path().filename() == name) found.push_back(entry.path());
    return true;
  });
  return found;
}

std::string read_text(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

void write_text(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream stream(file, std::ios::binary | std::ios::trunc);
  stream << text;
  CHECK(stream.good());
}

}  // namespace hearth::e2e
