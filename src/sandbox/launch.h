// Starting bubblewrap and other programs: everything is prepared by the caller; between clone and exec there are only
// system calls.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sandbox/fd.h"
#include "sandbox/mounts.h"

namespace hearth::sandbox {

using ResourceLimits = std::vector<std::pair<int, rlimit>>;

struct Launch {
  std::string program;             // absolute
  std::vector<std::string> argv;   // with argv[0]
  std::vector<Fd> files;           // become descriptors 0, 1, 2...; nothing else stays open
  std::vector<Fd> cgroup_entries;  // written to by the process, unless it could be made in
  Fd birthplace;                   // the directory of a group of version 2; may be none
  ResourceLimits limits;
  GuestUser user;
  int network = -1;         // a network namespace to enter first, with the right to administer it; -1: stay
  bool may_mount = false;   // in the namespaces of this process; and it is no guest, so the kernel ends others first
  bool stays_user = false;  // its setreuid(), setregid() and setgroups() succeed, and change nothing; root's only
  gid_t group = 0;          // kept or taken besides the user's own; 0: none
};

struct Started {
  Fd pidfd;
  pid_t pid = 0;
};

// Starts the program with an empty environment. It dies with the calling thread. Errors: of clone and exec.
Result<Started> launch(Launch& plan);

}  // namespace hearth::sandbox
