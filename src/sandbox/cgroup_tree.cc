#include <algorithm>
#include <cerrno>
#include <csignal>
#include <map>
#include <sstream>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "sandbox/cgroup.h"

namespace hearth::sandbox {
namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

// "/a/b" in a hierarchy whose mount shows "/a": "/b"; what lies outside the mount cannot be reached and gives "/".
std::string seen_from(const std::string& mount_root, const std::string& path) {
  if (mount_root == "/") return path;
  if (path == mount_root) return "/";
  if (path.starts_with(mount_root + "/")) return path.substr(mount_root.size());
  return "/";
}

std::vector<std::string> children(const std::string& directory) {
  std::vector<std::string> names;
  DIR* listing = ::opendir(directory.c_str());
  if (listing == nullptr) return names;
  while (const dirent* entry = ::readdir(listing)) {
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  ::closedir(listing);
  return names;
}

std::string inside(const std::string& directory, const std::string& name) {
  std::string path = directory;
  return path.append("/").append(name);
}

// Ends the processes of a leftover group and removes it with the groups in it.
void remove_group(const std::string& directory, int depth = 0) {
  if (depth < 3) {
    for (const std::string& name : children(directory)) remove_group(inside(directory, name), depth + 1);
  }
  for (int round = 0; ::rmdir(directory.c_str()) != 0 && errno != ENOENT && round < 2'000; ++round) {
    std::istringstream pids(read_text(directory + "/cgroup.procs"));
    for (pid_t pid = 0; pids >> pid;) {
      if (pid > 1 && pid != ::getpid()) ::kill(pid, SIGKILL);
    }
    static_cast<void>(write_text(directory + "/freezer.state", "THAWED"));
    static_cast<void>(write_text(directory + "/cgroup.freeze", "0"));
    timespec span{.tv_sec = 0, .tv_nsec = 1'000'000};
    ::nanosleep(&span, nullptr);
  }
}

bool lists(const std::string& text, std::string_view word) {
  std::istringstream words(text);
  for (std::string each; words >> each;) {
    if (each == word) return true;
  }
  return false;
}

bool gives_limits(const std::string& group) {
  std::string passed_on = read_text(group + "/cgroup.subtree_control");
  return lists(passed_on, "memory") && lists(passed_on, "pids");
}

bool may_make_groups(const std::string& group) {
  return ::access(group.c_str(), W_OK) == 0 && ::access((group + "/cgroup.procs").c_str(), W_OK) == 0;
}

// Makes the group pass its controllers on. The kernel wants it free of processes for that, so if need be they move to a
// group of their own in it, this one included.
bool pass_on_controllers(const std::string& group) {
  std::string offered = read_text(group + "/cgroup.controllers");
  if (!may_make_groups(group) || !lists(offered, "memory") || !lists(offered, "pids")) return false;
  std::string wanted = "+memory +pids";
  for (const char* controller : {"cpu", "io"}) {
    if (lists(offered, controller)) wanted.append(" +").append(controller);
  }
  if (write_text(group + "/cgroup.subtree_control", wanted)) return true;
  std::string leaf = group + "/hearth-main";
  if (::mkdir(leaf.c_str(), 0755) != 0 && errno != EEXIST) return false;
  for (const std::string& pid : split(read_text(group + "/cgroup.procs"), '\n')) {
    static_cast<void>(write_text(leaf + "/cgroup.procs", pid));
  }
  return write_text(group + "/cgroup.subtree_control", wanted).has_value();
}

// The nearest group, from this process's own upwards, in which groups with limits can be made; empty if there is none.
std::string find_v2_base(const Hierarchy& hierarchy) {
  std::string path = hierarchy.own_path == "/" ? "" : hierarchy.own_path;
  for (std::string at = path;; at.resize(at.rfind('/'))) {
    std::string group = hierarchy.mount_point + at;
    if (may_make_groups(group) && gives_limits(group)) return group;
    if (at.empty()) break;
  }
  std::string own = hierarchy.mount_point + path;
  return pass_on_controllers(own) ? own : "";
}

std::optional<Controller> controller_named(const std::string& name) {
  if (name == "memory") return Controller::kMemory;
  if (name == "pids") return Controller::kPids;
  if (name == "cpu") return Controller::kCpu;
  if (name == "freezer") return Controller::kFreezer;
  if (name == "blkio") return Controller::kDisk;
  return std::nullopt;
}

// Best effort: a machine that has the controller has the file.
void write_weight(const Cgroup::Place& cpu, std::uint32_t weight) {
  // The least: guests run when nobody else would. Since Linux 5.15, both versions; such a group takes no weight.
  static_cast<void>(write_text(cpu.directory + "/cpu.idle", weight <= 1 ? "1" : "0"));
  if (cpu.v2) {
    static_cast<void>(write_text(cpu.directory + "/cpu.weight", std::to_string(weight)));
  } else {
    static_cast<void>(write_text(cpu.directory + "/cpu.shares", std::to_string(std::max(2U, 1024 * weight / 100))));
  }
}

constexpr std::uint32_t kForegroundWeight = 2'000;  // among the guests, which have 100 each

}  // namespace

void remove_groups_in(const std::string& directory) {
  for (const std::string& name : children(directory)) remove_group(inside(directory, name), 1);
}

std::vector<Hierarchy> parse_hierarchies(const std::string& mountinfo, const std::string& own_groups) {
  // "4:memory:/a/b" and, for version 2, "0::/a/b".
  std::map<std::string, std::string> own;
  for (const std::string& line : split(own_groups, '\n')) {
    std::size_t first = line.find(':');
    std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    std::vector<std::string> names = split(line.substr(first + 1, second - first - 1), ',');
    if (names.empty()) names.emplace_back();
    for (const std::string& name : names) own[name] = line.substr(second + 1);
  }
  std::vector<Hierarchy> found;
  for (const std::string& line : split(mountinfo, '\n')) {
    std::vector<std::string> words = split(line, ' ');
    auto dash = std::ranges::find(words, "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    const std::string& type = *(dash + 1);
    if (type != "cgroup" && type != "cgroup2") continue;
    Hierarchy hierarchy{.mount_point = words[4], .own_path = "/", .v2 = type == "cgroup2", .controllers = {}};
    if (!hierarchy.v2) hierarchy.controllers = split(*(dash + 3), ',');
    for (const std::string& name : hierarchy.v2 ? std::vector<std::string>{""} : hierarchy.controllers) {
      if (auto path = own.find(name); path != own.end()) hierarchy.own_path = seen_from(words[3], path->second);
    }
    found.push_back(std::move(hierarchy));
  }
  return found;
}

bool CgroupTree::add_v2(const std::string& base, const std::string& tag) {
  std::string group = base + "/hearth-" + tag;
  remove_group(group);
  if (::mkdir(group.c_str(), 0755) != 0) return false;
  std::string offered = read_text(group + "/cgroup.controllers");
  if (!pass_on_controllers(group)) {
    ::rmdir(group.c_str());
    return false;
  }
  directories_.push_back(group);
  Cgroup::Place place{.directory = group, .v2 = true};
  places_[static_cast<std::size_t>(Controller::kMemory)] = place;
  places_[static_cast<std::size_t>(Controller::kPids)] = place;
  if (lists(offered, "cpu")) places_[static_cast<std::size_t>(Controller::kCpu)] = place;
  if (lists(offered, "io")) places_[static_cast<std::size_t>(Controller::kDisk)] = place;
  places_[static_cast<std::size_t>(Controller::kFreezer)] = place;
  return true;
}

void CgroupTree::add_v1(Controller controller, const std::string& base, const std::string& tag) {
  // A hierarchy may be mounted in several places; the first one seen is as good as any.
  if (has(controller)) return;
  std::string group = base + "/hearth-" + tag;
  if (std::ranges::find(directories_, group) == directories_.end()) {
    remove_group(group);
    if (::mkdir(group.c_str(), 0755) != 0) return;
    directories_.push_back(group);
  }
  places_[static_cast<std::size_t>(controller)] = Cgroup::Place{.directory = group, .v2 = false};
}

void CgroupTree::set_weight(std::uint32_t weight) {
  const auto& cpu = places_[static_cast<std::size_t>(Controller::kCpu)];
  if (cpu) write_weight(*cpu, weight);
}

// Which the guests' own groups do not show: the tree as a whole gets more, and this group most of it.
std::shared_ptr<void> CgroupTree::come_to_the_foreground() {
  const auto change = [this](int by) {
    const std::lock_guard lock(mutex_);
    const bool before = in_foreground_ > 0;
    in_foreground_ += by;
    if (before != (in_foreground_ > 0)) set_weight(in_foreground_ > 0 ? foreground_weight_ : weight_);
  };
  change(1);
  return {nullptr, [change](void*) { change(-1); }};
}

void CgroupTree::set_disk_weight(std::uint32_t weight) {
  const auto& disk = places_[static_cast<std::size_t>(Controller::kDisk)];
  if (!disk) return;
  // Best effort: which file is there depends on the scheduler of each disk.
  for (const char* file : {"/io.weight", "/io.bfq.weight", "/blkio.weight", "/blkio.bfq.weight"}) {
    static_cast<void>(write_text(disk->directory + file, std::to_string(std::max(10U, weight))));
  }
}

std::unique_ptr<CgroupTree> CgroupTree::open(const std::string& tag, std::uint32_t weight,
                                             std::uint32_t foreground_weight) {
  std::unique_ptr<CgroupTree> tree(new CgroupTree());
  tree->weight_ = weight;
  tree->foreground_weight_ = foreground_weight;
  std::vector<Hierarchy> hierarchies =
      parse_hierarchies(read_text("/proc/self/mountinfo"), read_text("/proc/self/cgroup"));
  for (const Hierarchy& hierarchy : hierarchies) {
    if (!hierarchy.v2) continue;
    std::string base = find_v2_base(hierarchy);
    if (!base.empty() && tree->add_v2(base, tag)) {
      tree->set_weight(weight);
      tree->set_disk_weight(weight);
      return tree;
    }
  }
  for (const Hierarchy& hierarchy : hierarchies) {
    std::string base = hierarchy.mount_point + (hierarchy.own_path == "/" ? "" : hierarchy.own_path);
    for (const std::string& name : hierarchy.controllers) {
      if (std::optional<Controller> controller = controller_named(name)) tree->add_v1(*controller, base, tag);
    }
  }
  tree->set_weight(weight);
  tree->set_disk_weight(weight);
  return tree;
}

CgroupTree::~CgroupTree() {
  for (const std::string& directory : directories_) remove_group(directory);
}

bool CgroupTree::keeps_memory_from_swap() const {
  const auto& memory = places_[static_cast<std::size_t>(Controller::kMemory)];
  if (!memory) return false;
  const char* limit = memory->v2 ? "/memory.swap.max" : "/memory.memsw.limit_in_bytes";
  return ::access((memory->directory + limit).c_str(), W_OK) == 0;
}

std::string CgroupTree::version() const {
  for (const auto& place : places_) {
    if (place) return place->v2 ? "cgroup v2" : "cgroup v1";
  }
  return "no cgroup";
}

std::vector<std::string> CgroupTree::groups_named(const std::string& name) const {
  std::vector<std::string> found;
  for (const std::string& directory : directories_) {
    std::string group = inside(directory, name);
    if (::access(group.c_str(), F_OK) == 0) found.push_back(std::move(group));
  }
  return found;
}

Result<std::unique_ptr<Cgroup>> CgroupTree::create(const std::string& name, const CgroupLimits& limits) {
  std::vector<std::string> made;
  std::array<std::optional<Cgroup::Place>, kControllers> places = places_;
  for (auto& place : places) {
    if (place) place->directory += "/" + name;
  }
  made.reserve(directories_.size());
  for (const std::string& directory : directories_) made.push_back(inside(directory, name));
  auto group = std::make_unique<Cgroup>(made, std::move(places));
  for (const std::string& directory : made) {
    if (::mkdir(directory.c_str(), 0755) != 0) return fail_errno(errno, "making the control group " + directory);
  }
  Result<void> limited = group->limit(limits);
  if (!limited) return std::unexpected(limited.error());
  const auto& cpu = places_[static_cast<std::size_t>(Controller::kCpu)];
  if (cpu && limits.foreground && foreground_weight_ > 0) {
    write_weight({.directory = cpu->directory + "/" + name, .v2 = cpu->v2}, kForegroundWeight);
    group->keep(come_to_the_foreground());
  }
  return group;
}

}  // namespace hearth::sandbox
