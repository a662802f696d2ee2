// Who is at this PC's seats: the sessions that logind lists, and what each session's own display, compositor or desktop
// measures, which sessions.h weighs. A compositor and a desktop are asked in sessions of the user whom this process
// runs as; no other user's is reached. One thread.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "presence/bus.h"
#include "presence/desktop.h"
#include "presence/presence.h"
#include "presence/sessions.h"
#include "presence/wayland.h"
#include "presence/x11.h"

namespace hearth::presence {

// The displays that answered, kept open.
class Displays {
 public:
  // Errors: those of Display::open().
  Result<Duration> idle(const std::string& name, const std::string& authority);

 private:
  std::map<std::string, std::unique_ptr<Display>> open_;
};

class SeatLook {
 public:
  // The addresses are those of this process's environment.
  SeatLook();

  // Says in `sources` what each of "logind", "x11", "wayland" and "desktop" told.
  Seats look(std::map<std::string, SourceState>& sources);

 private:
  using Sources = std::map<std::string, SourceState>;

  Seats look_without_sessions(Sources& sources);
  Result<Duration> measure(Session& session, Sources& sources);
  Result<Duration> ask_display(const Session& session, Sources& sources);
  Result<Duration> ask_compositor(const Session& session, Sources& sources);
  void ask_desktop(Session& session, Sources& sources);

  Bus bus_;
  Displays displays_;
  Compositors compositors_;
  Desktop desktop_;
};

}  // namespace hearth::presence
