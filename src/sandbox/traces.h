// What is left of a sandbox that has ended: nothing, or what a node has to tell.
#pragma once

#include <string>
#include <vector>

#include "sandbox/box.h"

namespace hearth::sandbox {

// See Host::traces(). At most 16.
std::vector<std::string> find_traces(const Shared& shared, const std::string& name);

}  // namespace hearth::sandbox
