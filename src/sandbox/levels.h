// The ladder of this machine: each level tried by starting a sandbox at it.
#pragma once

#include <vector>

#include "sandbox/sandbox.h"

namespace hearth::sandbox {

// One report for each Level, in ascending order. Milliseconds for the levels without a kernel of their own.
std::vector<LevelReport> try_levels(Host& host);

}  // namespace hearth::sandbox
