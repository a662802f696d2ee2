// Moments as machines write them.
#pragma once

#include <string>

#include "base/time.h"

namespace hearth {

// "2026-01-31T12:00:00.123Z"; empty for what no calendar holds.
std::string rfc3339(WallTime time);

}  // namespace hearth
