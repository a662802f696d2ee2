// Shows the display at DISPLAY to whoever connects: pictures when something has changed, at most 60 a second, sharper
// ones once nothing moves, none at all without viewers; and gives their input to the programs there.
#pragma once

#include <csignal>
#include <filesystem>
#include <functional>
#include <string>

#include "base/result.h"

namespace hearth::display {

// Listening sockets.
struct Listeners {
  int control = -1;
  int watch = -1;    // for those who may only watch
  int gamepad = -1;  // for programs that read one
};

// `session`: where the pipes of the sound are, if there is any. Returns only with what
// went wrong.
Error stream(Listeners listeners, const std::filesystem::path& session);

// The same of the desktop at DISPLAY, which its owner shares. `introducer`: the node's connection, by which viewers are
// handed over one by one (node/owners_screen.h). `ready` is called once the sign is there and `stop_key` would end it.
// Returns with what ended it: kCanceled (the owner's word: the key, or that signal by which `told_to_end` became true),
// kAborted (the node's), or what went wrong.
struct Sharing {
  int introducer = -1;
  std::string stop_key;
  std::function<void()> ready;
  const volatile std::sig_atomic_t& told_to_end;
};
Error share_desktop(const Sharing& sharing);

}  // namespace hearth::display
