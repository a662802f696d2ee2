// What this machine's sandbox really does, by starting one and looking around in it.
#pragma once

#include <vector>

#include "sandbox/box.h"
#include "sandbox/gpu.h"

namespace hearth::sandbox {

std::vector<Check> run_self_test(Host& host, const Shared& shared);

// What programs that are lent them have of these GPUs.
Check check_gpus(const std::vector<Gpu>& gpus);

}  // namespace hearth::sandbox
