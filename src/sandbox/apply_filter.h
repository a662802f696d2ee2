// For what runs as process 1 in front of a guest's program: the list of system calls, put in place by ourselves.
#pragma once

#include <string_view>

namespace hearth::sandbox {

// Lets this process and all that come of it make only the calls that the BPF program allows (seccomp.h). False, with
// errno, if the kernel refuses: without privileges it wants PR_SET_NO_NEW_PRIVS first.
bool apply_filter(std::string_view bpf);

}  // namespace hearth::sandbox
