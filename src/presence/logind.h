// What systemd-logind knows: sessions, since when they are idle, and who inhibits idleness.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "presence/bus.h"
#include "presence/sessions.h"

namespace hearth::presence {

// At most 64 sessions are looked at. Errors: kUnavailable.
Result<std::vector<Session>> list_sessions(Bus& bus);

// Who keeps the screen from going dark, "VLC (playing)": films, presentations, calls; empty: nobody. Errors:
// kUnavailable.
Result<std::string> find_inhibitor(Bus& bus);

}  // namespace hearth::presence
