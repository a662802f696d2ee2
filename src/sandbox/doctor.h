// What this machine's sandbox really does, by starting one and looking around in it.
#pragma once

#include <vector>

#include "sandbox/box.h"

namespace hearth::sandbox {

std::vector<Check> run_self_test(Host& host, const Shared& shared);

}  // namespace hearth::sandbox
