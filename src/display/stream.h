// Shows the display at DISPLAY to whoever connects: pictures when something has changed, at most 60 a second, sharper
// ones once nothing moves, none at all without viewers; and gives their input to the programs there.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace hearth::display {

inline constexpr std::size_t kMaxViewers = 8;
inline constexpr std::size_t kMaxWatchers = 6;  // of them who may only watch: so nobody keeps out whose app it is

// Listening sockets.
struct Listeners {
  int control = -1;
  int watch = -1;  // for those who may only watch
};

// `session`: where the pipes of the sound are, if there is any. Returns only with what
// went wrong.
Error stream(Listeners listeners, const std::filesystem::path& session);

}  // namespace hearth::display
