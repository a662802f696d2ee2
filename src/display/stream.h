// Shows the display at DISPLAY to whoever connects: pictures when something has changed, at most 60 a second, sharper
// ones once nothing moves, none at all without viewers; and gives their input to the programs there.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace hearth::display {

inline constexpr std::size_t kMaxViewers = 8;

// `listener`: a listening socket; `session`: where the pipes of the sound are, if there is any. Returns only with what
// went wrong.
Error stream(int listener, const std::filesystem::path& session);

}  // namespace hearth::display
