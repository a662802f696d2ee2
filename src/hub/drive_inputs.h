// Inputs of jobs that lie in the drive. As they are when a job is taken they become blobs, like inputs from elsewhere.
#pragma once

#include "base/ids.h"
#include "hub/parts.h"
#include "net/async.h"

namespace hearth::hub {

inline constexpr int kMaxDriveInputs = 64;  // patterns
inline constexpr std::size_t kMaxDriveInputFiles = 10'000;

// Replaces `drive_inputs` of a complete specification by what `inputs` then lists. Errors: kPermissionDenied (a device
// that is not of ring home asks for them, or for `drive_outputs`; what is other people's own), kInvalidArgument,
// kNotFound (a pattern that matches nothing), kAborted (a file changed while it was read), kResourceExhausted.
net::Async<Result<void>> take_drive_inputs(Parts& parts, v1::JobSpec& spec, DeviceId device);

}  // namespace hearth::hub
