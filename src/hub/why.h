// Why a job waits, as a sentence for a person that says what would change it.
#pragma once

#include <string>

#include "core/pool/pool.h"
#include "hub/parts.h"

namespace hearth::hub {

// It names the jobs of `why` and no others.
std::string sentence(const Parts& parts, const pool::Why& why, const LiveJob& live);

}  // namespace hearth::hub
