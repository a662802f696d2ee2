// Control groups: limits on what a sandbox uses, and a hold on all its processes. Version 2 where the machine has it,
// version 1 (one hierarchy per controller), or none: found out by trying.
//
// All groups of one Host lie in a group of its own, named after its state directory, under every hierarchy:
// BASE/hearth-TAG/NAME. So a crash leaves nothing that sweep() would not find.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "sandbox/fd.h"

namespace hearth::sandbox {

enum class Controller : std::uint8_t { kMemory, kPids, kCpu, kFreezer, kDisk };
constexpr std::size_t kControllers = 5;

struct CgroupLimits {
  std::uint64_t memory_bytes = 0;
  std::uint32_t max_processes = 0;
  std::uint32_t cores = 0;  // 0: no limit
  bool foreground = false;  // it gets a contended processor before the other groups of its tree
};

// One sandbox's group. Removed with the object, and with it the groups that were made within, say by an OCI runtime;
// its processes must be gone by then.
class Cgroup {
 public:
  struct Place {
    std::string directory;
    bool v2 = false;
  };

  Cgroup(std::vector<std::string> directories, std::array<std::optional<Place>, kControllers> places);
  ~Cgroup();  // waits up to 2 s for the kernel to let go; logs an error after that
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  // Errors: of the kernel's files.
  Result<void> limit(const CgroupLimits& limits);

  // Replaces the number of processes that limit() allows. Errors: kUnimplemented without the controller.
  Result<void> limit_processes(std::uint32_t count);

  // Descriptors to which a process writes "0" to enter; one per hierarchy.
  Result<std::vector<Fd>> entries() const;
  // The group's directory, for a process to be made in it; nothing in version 1, which cannot do that.
  Result<Fd> birthplace() const;

  // Errors: kUnimplemented without a freezer, kDeadlineExceeded if it does not freeze within 2 s.
  Result<void> freeze();
  Result<void> thaw();

  void kill_all() const;  // SIGKILL to every process in it
  bool empty() const;
  bool ran_out_of_memory() const;
  std::uint64_t peak_memory_bytes() const;  // 0: unknown

  // Let go of with the group.
  void keep(std::shared_ptr<void> held) { held_ = std::move(held); }

 private:
  const std::optional<Place>& place(Controller controller) const {
    return places_[static_cast<std::size_t>(controller)];
  }
  Result<void> set_frozen(bool frozen);
  Result<void> limit_memory(std::uint64_t bytes);
  Result<void> limit_cores(std::uint32_t cores);

  std::shared_ptr<void> held_;
  std::vector<std::string> directories_;
  std::array<std::optional<Place>, kControllers> places_;
};

// Ends what runs in the groups within a group, and removes them. Three levels are more than was ever made.
void remove_groups_in(const std::string& directory);

// Where this process may make groups.
class CgroupTree {
 public:
  // `weight`: the guests' share of a contended processor, in percent of an ordinary group's; `foreground_weight`: the
  // same while there is a group in the foreground, 0: as it was. Never fails: a machine that gives nothing gives an
  // empty tree. Removes what an earlier process with the same tag left.
  static std::unique_ptr<CgroupTree> open(const std::string& tag, std::uint32_t weight,
                                          std::uint32_t foreground_weight = 0);
  ~CgroupTree();
  CgroupTree(const CgroupTree&) = delete;
  CgroupTree& operator=(const CgroupTree&) = delete;

  bool has(Controller controller) const { return places_[static_cast<std::size_t>(controller)].has_value(); }
  bool keeps_memory_from_swap() const;
  std::string version() const;  // "cgroup v2", "cgroup v1", "no cgroup"

  // Groups of that name that there are.
  std::vector<std::string> groups_named(const std::string& name) const;

  // The tree outlives the group. Errors: of mkdir and the limits.
  Result<std::unique_ptr<Cgroup>> create(const std::string& name, const CgroupLimits& limits);

 private:
  CgroupTree() = default;
  bool add_v2(const std::string& base, const std::string& tag);
  void add_v1(Controller controller, const std::string& base, const std::string& tag);
  std::shared_ptr<void> come_to_the_foreground();
  void set_weight(std::uint32_t weight);
  void set_disk_weight(std::uint32_t weight);

  std::uint32_t weight_ = 100;
  std::uint32_t foreground_weight_ = 0;
  std::mutex mutex_;
  int in_foreground_ = 0;                 // under mutex_
  std::vector<std::string> directories_;  // the Host's own group in every hierarchy
  std::array<std::optional<Cgroup::Place>, kControllers> places_;
};

// A hierarchy that this process sees: where it is mounted, and this process's own group in it.
struct Hierarchy {
  std::string mount_point;
  std::string own_path;  // "/" or "/a/b"
  bool v2 = false;
  std::vector<std::string> controllers;  // version 1 only
};

// From the text of /proc/self/mountinfo and /proc/self/cgroup.
std::vector<Hierarchy> parse_hierarchies(const std::string& mountinfo, const std::string& own_groups);

}  // namespace hearth::sandbox
