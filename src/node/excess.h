// Whether an attempt's files take more of the disk than it asked for.
#pragma once

#include <cstdint>
#include <filesystem>

#include "node/attempt.h"

namespace hearth::node {

// With an empty sentence if they do not, or if `disk` is empty. Blocks.
Excess excess_on_disk(const std::filesystem::path& disk, std::uint64_t bytes);

}  // namespace hearth::node
