// Battery by UPower, metered link by NetworkManager.
#pragma once

#include "base/result.h"
#include "presence/bus.h"

namespace hearth::presence {

// Whether the PC runs on battery. Errors: kUnavailable.
Result<bool> on_battery(Bus& bus);

// Whether the link to the internet is metered, a guess of NetworkManager's included. Errors: kUnavailable.
Result<bool> on_metered_link(Bus& bus);

}  // namespace hearth::presence
