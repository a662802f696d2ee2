// What time it is, for shells: decisions are told (time.h).
#pragma once

#include "base/time.h"

namespace hearth {

WallTime wall_now();

}  // namespace hearth
