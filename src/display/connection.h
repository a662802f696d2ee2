// A connection to the display at DISPLAY. Each part of hearth-screen that talks with the app's programs by events of
// its own has one of its own, so that no part takes another's events.
#pragma once

#include <memory>

#include <X11/Xlib.h>

#include "base/result.h"

namespace hearth::display {

struct Disconnect {
  void operator()(Display* display) const { ::XCloseDisplay(display); }
};
using Connection = std::unique_ptr<Display, Disconnect>;

// Events taken in at once: a program that sends more of them, and more, is to hold up nothing else.
inline constexpr int kEventsAtOnce = 256;

// What is asked of a window that is gone meanwhile fails in silence. Errors: kUnavailable (no X server answers).
Result<Connection> connect();

// Whether events have come that were read already, along with a reply or while something was sent: poll() does not tell
// of them.
bool has_events(Display* display);

// The server's time, which the owner of a selection must name. One way there and back.
Time server_time(Display* display, Window own);

}  // namespace hearth::display
