// Why an attempt did not succeed; the values are those of hearth.v1.FailureReason.
#pragma once

#include <cstdint>

namespace hearth {

enum class Failure : std::uint8_t {
  kNone = 0,
  kExitCode = 1,
  kSignal = 2,
  kOutOfMemory = 3,
  kTimeLimit = 4,
  kNodeLost = 5,
  kStart = 6,
  kOutput = 7,
  kDependency = 8,
  kCancelled = 9,
  kOwner = 10,
  kWorkspace = 12,
  kDisk = 13,
  kPreempted = 14,
  kGang = 15,
  kSkipped = 16,
  kDrained = 17,
  kBooked = 18,
};

}  // namespace hearth
