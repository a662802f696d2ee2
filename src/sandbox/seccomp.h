// The system calls that a guest may make: an allow-list. What is not on it is refused with EPERM; calls newer than the
// list, and io_uring and clone3, are said not to exist (ENOSYS), so that libraries fall back to what they used before.
// Netlink is said not to be supported (EOPNOTSUPP).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "sandbox/fd.h"

namespace hearth::sandbox {

enum class Caller : std::uint8_t {
  kProgram,  // a guest's
  kMember,   // one of an overlay: may also ask for its network's devices, as getifaddrs() does
  kRuntime,  // an OCI runtime, which sets up what a guest's program may not: it mounts, makes namespaces, traces
};

// The filter as a BPF program, as bubblewrap's --seccomp reads it, written to a new file. Errors: kInternal.
Result<void> write_filter(const std::string& path, Caller caller);

}  // namespace hearth::sandbox
