// What an OCI runtime is told: a bundle's config.json (OCI runtime specification 1.0.2).
//
// All paths in it are those of the runtime's bubble, and constant but for a GPU's device nodes; the guest's program,
// arguments and variables reach it by another way (task.h).
#pragma once

#include <string>

#include "base/result.h"
#include "sandbox/launcher.h"

namespace hearth::sandbox::oci {

// Where the bubble has what the container is made of. All lies in its /tmp, but for what it has at the guest's places.
constexpr const char* kBundle = "/tmp/bundle";
constexpr const char* kState = "/tmp/state";    // the runtime's own
constexpr const char* kRoot = "/tmp/root";      // the guest's root
constexpr const char* kTmp = "/tmp/tmp";        // the guest's /tmp, where that lies on the disk
constexpr const char* kThings = "/tmp/hearth";  // of process 1, see task.h

// Errors: kInvalidArgument if a GPU's device node is no path that JSON can hold.
Result<std::string> bundle_config(const LaunchOrder& order);

}  // namespace hearth::sandbox::oci
