// How hot the PC is, by the kernel's thermal zones.
#pragma once

#include <cstdint>
#include <filesystem>

#include "base/result.h"

namespace hearth::presence {

// Of the hottest of ROOT/sys/class/thermal/thermal_zone*, in whole degrees Celsius, rounded down; zones that say
// nothing between -50 and 200 are passed over. Errors: kNotFound.
Result<std::int32_t> hottest_celsius(const std::filesystem::path& root);

}  // namespace hearth::presence
