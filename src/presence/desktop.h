// What a desktop tells on its session's D-Bus: GNOME since when nobody touched anything (org.gnome.Mutter.IdleMonitor)
// and whether a program keeps the screen awake (org.gnome.SessionManager); others by org.freedesktop.ScreenSaver.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "presence/session_bus.h"

namespace hearth::presence {

// What the desktop said. An empty optional: it does not say.
struct DesktopWord {
  std::optional<Duration> idle;
  bool saver_is_on = false;
  bool keeps_awake = false;  // a program does: a film, a call
};

class Desktop {
 public:
  // The address of its session's bus, see SessionBus.
  explicit Desktop(std::string address) : bus_(std::move(address)) {}

  // The span is asked for only where the caller has none. Errors: kUnavailable (the bus is not there or hangs),
  // kUnimplemented (the span was wanted, and nobody there tells it).
  Result<DesktopWord> ask(bool wants_span);

 private:
  SessionBus bus_;
};

}  // namespace hearth::presence
