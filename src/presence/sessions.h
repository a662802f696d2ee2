// From the sessions of this PC to whether somebody is at it, and since when nobody is. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace hearth::presence {

// A login session, as logind knows it.
struct Session {
  std::string id;
  std::string kind;     // "user", "greeter", ...
  std::string type;     // "x11", "wayland", "tty", ...
  std::string display;  // ":0"; empty if none
  unsigned leader = 0;  // its first process
  unsigned user = 0;
  bool active = false;  // in the foreground of its seat
  bool on_seat = false;
  bool locked = false;
  bool kept_awake = false;           // a program keeps its screen from going dark
  std::optional<Duration> idle;      // as it is hinted; empty: it is hinted that somebody is there
  std::optional<Duration> measured;  // by asking its display, compositor or desktop, where that answers
};

struct Seats {
  bool has_seat = false;
  std::optional<Duration> idle;  // empty: cannot be told
};

// A measured span counts more than a hint: desktops that set no hint look busy for ever. A session that is locked is
// idle as long as nothing measured says otherwise; somebody watches one that is kept awake and not locked. Whoever is
// logged in from elsewhere (ssh) is not at the PC, and nobody is at a login screen. Sessions in the background of their
// seat get no input, but keep that it is one.
Seats judge(const std::vector<Session>& sessions);

}  // namespace hearth::presence
