// A Sandbox: its tmpfs, its control group, its program.
#pragma once

#include <memory>
#include <string>

#include "sandbox/bwrap.h"
#include "sandbox/cgroup.h"
#include "sandbox/guest.h"
#include "sandbox/guest_network.h"
#include "sandbox/outputs.h"

namespace hearth::sandbox {

// What a Host's sandboxes share. Outlives them.
struct Shared {
  Bubblewrap bubblewrap;
  GuestUser user;
  std::string place;  // see mounts.h
  std::unique_ptr<CgroupTree> cgroups;
  std::unique_ptr<Reactor> reactor;
  NetworkTools network_tools;
};

class Box final : public Sandbox {
 public:
  static Result<std::unique_ptr<Box>> make(Shared& shared, const std::string& name, const Limits& limits,
                                           const Setup& setup);
  Box(Shared& shared, std::string name, const Limits& limits);
  ~Box() override;

  const std::filesystem::path& directory() const override { return directory_; }
  Result<int> create_file(std::string_view path, bool executable) override;
  Result<void> arm(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                   std::function<void(const Exit&)> on_exit) override;
  Result<void> release() override;
  Result<void> start(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                     std::function<void(const Exit&)> on_exit) override;
  void kill() override;
  Result<void> freeze() override;
  Result<void> thaw() override;
  Result<std::vector<Output>> collect(const std::vector<std::string>& patterns, const CollectLimits& limits) override;
  Result<int> open_output(std::string_view path) override;

 private:
  Result<void> set_up(const Setup& setup);
  Result<void> show(const Setup& setup);
  Result<Fd> make_parents(const std::string& path);
  Result<void> own(int file, unsigned mode) const;
  Result<void> bind(const BoundFile& bound);
  Result<void> note_inputs();
  Result<void> launch_guest(const Command& command, std::function<void(Stream, std::string_view)> on_output,
                            std::function<void(const Exit&)> on_exit);
  Result<Guest::Plan> plan(const Command& command);
  Result<void> plan_files(const Command& command, Guest::Plan& plan);
  void plan_limits(Launch& launch) const;
  Result<void> require_ended() const;

  Shared& shared_;
  std::string name_;
  Limits limits_;
  std::filesystem::path directory_;
  Fd directory_fd_;
  bool mounted_ = false;
  std::string root_;                // what the guest sees as /
  std::string workspace_;           // empty: none
  std::vector<std::string> shown_;  // directories of the node's, to be taken away
  std::unique_ptr<Cgroup> cgroup_;
  Inputs inputs_;
  std::shared_ptr<GuestNetwork> network_;  // nullptr: none
  std::shared_ptr<Guest> guest_;
  bool frozen_ = false;
};

}  // namespace hearth::sandbox
