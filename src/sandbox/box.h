// A Sandbox: its files, its control group, its program.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sandbox/bwrap.h"
#include "sandbox/cgroup.h"
#include "sandbox/guest.h"
#include "sandbox/guest_network.h"
#include "sandbox/launcher.h"
#include "sandbox/mounts.h"
#include "sandbox/scratch_disk.h"
#include "sandbox/vault.h"
#include "sandbox/working_directory.h"

namespace hearth::sandbox {

// What a Host's sandboxes share. Outlives them.
struct Shared {
  Bubblewrap bubblewrap;
  GuestUser user;
  std::string place;  // see mounts.h
  std::unique_ptr<CgroupTree> cgroups;
  std::unique_ptr<Reactor> reactor;
  NetworkTools network_tools;
  std::unique_ptr<VaultOnDemand> vault;
  std::map<Level, std::unique_ptr<Launcher>> launchers;
};

class Box final : public Sandbox {
 public:
  static Result<std::unique_ptr<Box>> make(Shared& shared, const std::string& name, const Limits& limits,
                                           const Setup& setup);
  Box(Shared& shared, const Launcher& launcher, std::string name, const Limits& limits, Setup setup);
  ~Box() override;

  const std::filesystem::path& directory() const override { return directory_->path(); }
  std::filesystem::path disk() const override { return disk_ ? disk_->path() : std::filesystem::path(); }
  Result<int> create_file(std::string_view path, bool executable) override;
  Result<void> arm(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                   std::function<void(const Exit&)> on_exit) override;
  Result<void> release() override;
  Result<void> start(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                     std::function<void(const Exit&)> on_exit) override;
  void kill() override;
  Result<void> freeze() override;
  Result<void> thaw() override;
  Result<int> open_socket(int family) override;
  Result<std::vector<Output>> collect(const std::vector<std::string>& patterns, const CollectLimits& limits) override;
  Result<int> open_output(std::string_view path) override;

 private:
  Result<void> show();
  Result<std::unique_ptr<WorkingDirectory>> make_directory();
  Result<void> launch_guest(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                            std::function<void(const Exit&)> on_exit);
  Result<void> set_up();
  Result<Guest::Plan> plan(const Command& command);
  Result<void> plan_files(Bubble bubble, Guest::Plan& plan);
  ResourceLimits resource_limits() const;
  Result<void> require_ended() const;

  Shared& shared_;
  const Launcher& launcher_;
  std::string name_;
  Limits limits_;
  Setup setup_;
  std::string root_;                   // what the guest sees as /
  std::string workspace_;              // empty: none
  std::string tmp_;                    // empty: in memory
  std::vector<std::string> shown_;     // directories of the node's, to be taken away
  std::unique_ptr<ScratchDisk> disk_;  // nullptr: files are in memory
  std::unique_ptr<WorkingDirectory> directory_;
  std::unique_ptr<Cgroup> cgroup_;
  std::shared_ptr<GuestNetwork> network_;  // nullptr: none
  std::shared_ptr<Guest> guest_;
  bool frozen_ = false;
};

}  // namespace hearth::sandbox
