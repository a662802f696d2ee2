// A level of isolation: how a program is launched at it, and how its end is learned (listener.h). All else about a
// sandbox is Box's, and the same at every level: the working directory, the control group, freezing and killing, the
// collection of outputs.
//
// At every level what the node launches is bubblewrap: round the program itself (the fence), round an OCI runtime,
// round a virtual machine's monitor. So whatever fails inside, the end of bubblewrap's process 1 ends all of it. A new
// level is a class of its own here and a line in host.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "sandbox/fd.h"
#include "sandbox/launch.h"
#include "sandbox/listener.h"
#include "sandbox/sandbox.h"
#include "sandbox/working_directory.h"

namespace hearth::sandbox {

// What a Box wants launched. The references outlive the call.
struct LaunchOrder {
  const Command& command;
  const Limits& limits;
  const ResourceLimits& resource_limits;  // those that bubblewrap starts with
  const Setup& setup;
  const std::string& root;       // a directory: what the guest is to see as /
  const std::string& workspace;  // a directory to show at /workspace; empty: none
  const std::string& tmp;        // a directory to show at /tmp; empty: a tmpfs
  WorkingDirectory& directory;
  std::string network_directory;  // of the guest's proxy, see guest_network.h; empty: none
};

// What bubblewrap is told.
struct Bubble {
  std::string options;            // each ended by a NUL, as --args reads them
  std::vector<std::string> argv;  // what it runs
  std::vector<Fd> files;          // the program's descriptors from kFirstFreeFd (bwrap.h) on
  std::string filter;             // the system calls of what it runs, see seccomp.h; empty: a guest's
  gid_t group = 0;                // one that the program needs besides the guests' own; 0: none
  std::unique_ptr<Listener> listener;
};

class Launcher {
 public:
  virtual ~Launcher() = default;

  // Whether a sandbox with this setup can be had. Errors: kFailedPrecondition or kInvalidArgument, with the remedy.
  virtual Result<void> check(const Setup& setup) const = 0;

  // Memory that the level itself takes beside the guest's.
  virtual std::uint64_t overhead_bytes() const { return 0; }

  // What a sandbox that only tries the level stands on.
  virtual Setup trial_setup() const = 0;

  // Errors: of the kernel, and kResourceExhausted for what is too large for the level.
  virtual Result<Bubble> enclose(const LaunchOrder& order) const = 0;
};

}  // namespace hearth::sandbox
