// What a microVM is given to read: the program's arguments, variables and limits, the filter of system calls and the
// inputs, as records (wire.h) on a read-only disk.
#pragma once

#include <string>

#include "base/result.h"
#include "sandbox/fd.h"
#include "sandbox/launcher.h"

namespace hearth::sandbox {

// In memory, under no name. `filter`: the path of the BPF program. Errors: kResourceExhausted beyond 4 GiB of inputs.
Result<Fd> pack_parcel(const LaunchOrder& order, const std::string& filter);

// How much room the inputs take in the machine's working directory.
std::uint64_t size_of_inputs(const Inputs& inputs);

}  // namespace hearth::sandbox
