// What the owner of a desktop sees while it is shared: a sign on it, in front of everything, that says so and who looks
// on; and the keys that end it, whichever program has the keyboard. Where either is not to be had there is no sign, and
// nothing may be shared. One thread.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <X11/Xlib.h>

#include "base/result.h"

namespace hearth::display {

using Clock = std::chrono::steady_clock;

// Pressed at once.
struct StopKey {
  unsigned modifiers = 0;  // X11's
  KeySym key = 0;
  std::string text;  // "Ctrl+Alt+Escape"
};
// "Ctrl+Alt+Escape": any of Ctrl, Alt, Shift and Super, and a key by X11's name of it; a key without any of them may be
// one that types nothing, like F12 or Pause. Errors: kInvalidArgument.
Result<StopKey> parse_stop_key(std::string_view text);

class Sign {
 public:
  // Errors: kUnavailable (no X server answers), kFailedPrecondition (the sign does not show, or the keys are another
  // program's already).
  static Result<std::unique_ptr<Sign>> open(const StopKey& stop);
  ~Sign();
  Sign(const Sign&) = delete;
  Sign& operator=(const Sign&) = delete;

  int file() const;  // readable when something has happened

  // How many use the desktop, and how many look on.
  void tell(std::size_t controllers, std::size_t watchers);

  // Takes in what has happened, and brings it to the front again. Errors: kCanceled (the owner says stop),
  // kFailedPrecondition (somebody has taken the sign away).
  Result<void> look(Clock::time_point now);
  // Until look() although nothing has happened.
  Clock::duration until_due(Clock::time_point now) const;

 private:
  struct State;
  explicit Sign(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace hearth::display
