// The ladder of this machine: each level tried by starting a sandbox at it.
#pragma once

#include <stop_token>
#include <vector>

#include "sandbox/box.h"

namespace hearth::sandbox {

// One report for each Level, in ascending order, until it is to stop. Milliseconds each, but seconds for a microVM that
// is set up.
std::vector<LevelReport> try_levels(Host& host, const Shared& shared, const std::stop_token& stop);

}  // namespace hearth::sandbox
