// The system calls that a guest may make: an allow-list. What is not on it is refused with EPERM; calls newer than the
// list, and io_uring and clone3, are said not to exist (ENOSYS), so that libraries fall back to what they used before.
#pragma once

#include "base/result.h"
#include "sandbox/fd.h"

namespace hearth::sandbox {

// The filter as a BPF program, as bubblewrap's --seccomp reads it, written to a new file. Errors: kInternal.
Result<void> write_filter(const std::string& path);

}  // namespace hearth::sandbox
