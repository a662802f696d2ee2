// Level L2, the OCI plug: the program runs in a container that a runtime of the owner's choice makes from one bundle
// (bundle.h). The runtime itself runs in a bubble like the fence's, as the guests' user, without privileges, where it
// sees this PC's /usr and what the container is made of, no network, no control group, and nothing else.
//
// The bubble differs from the fence in two things: user namespaces can be made in it, for that is what an unprivileged
// runtime does, and system calls that set up a container are allowed. The program gets neither.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "sandbox/bwrap.h"
#include "sandbox/launcher.h"

namespace hearth::sandbox {

// What is run where the owner named nothing. Control groups are ours.
constexpr const char* kStandardRuntime = "crun --cgroup-manager=disabled";

class Oci final : public Launcher {
 public:
  // `place`: see mounts.h. What is missing is told by check().
  Oci(const Bubblewrap& bubblewrap, std::string place);

  // The program and its own arguments, separated by blanks; empty: kStandardRuntime. For sandboxes that start from now
  // on; any thread. Whether that is another than before.
  bool use(const std::string& runtime);

  Result<void> check(const Setup& setup) const override;
  std::uint64_t overhead_bytes() const override;
  Setup trial_setup() const override { return {.level = Level::kOci}; }
  Result<Bubble> enclose(const LaunchOrder& order) const override;

 private:
  Result<void> install() const;
  std::string folder() const { return place_ + "/oci"; }
  Result<std::vector<std::string>> runtime() const;  // its words, looked for anew

  Bubblewrap bubblewrap_;
  std::string place_;
  Result<void> installed_;
  mutable std::mutex mutex_;
  std::string runtime_;  // guarded by mutex_
};

// The program's absolute path and its arguments. Errors: kFailedPrecondition, with the remedy.
Result<std::vector<std::string>> find_runtime(const std::string& words);

}  // namespace hearth::sandbox
