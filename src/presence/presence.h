// Sees whether this PC's owner is at it, and what else speaks against guests: battery, heat, a metered link, programs
// that are not guests. Only looks; what follows from it is decided by core/node/presence.h.
//
//   auto watcher = Watcher::start({}, [&](const Sight& sight) { loop.post([sight] { ... }); });
//
// Where each sight comes from, and what to change for what: sessions.h (who is at a seat), seat_look.h with logind.h,
// x11.h, wayland.h and desktop.h (since when nobody touched anything), power.h (battery, metered link), thermal.h,
// load.h, tariff.h.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"

namespace hearth::presence {

// What was seen at one look. An empty optional: nothing here can tell.
struct Sight {
  bool has_seat = false;         // somebody may sit at this PC
  std::optional<Duration> idle;  // since the last input at any seat
  std::string inhibitor;         // what keeps the screen awake: "VLC (playing)"; empty: nothing
  // 0 to 1: the part of the last seconds in which something waited for the processor, as far as programs that do not
  // descend from this process used it.
  std::optional<double> pressure;
  std::optional<bool> on_battery;
  std::optional<bool> metered;
  std::optional<std::int32_t> celsius;  // of the hottest zone
};

// One source, for `hearth doctor`.
struct SourceState {
  std::string name;  // "logind"
  bool ok = false;
  std::string detail;  // what it says, or why it says nothing
};

struct Options {
  std::filesystem::path system_root = "/";  // of sys/class/thermal and proc/pressure; another one for tests
  Duration look = milliseconds(250);        // between looks at the seats
  Duration slow_look = seconds(2);          // between looks at all else
};

class Watcher {
 public:
  // Looks once before it returns, which takes at most 6 s where D-Bus or the compositor hangs; then on threads of its
  // own, and tells what it saw on one of them. The addresses of D-Bus, the display and the runtime directory are those
  // of this process's environment.
  static std::unique_ptr<Watcher> start(const Options& options, std::function<void(const Sight&)> on_sight);
  virtual ~Watcher() = default;  // waits for a look that is under way

  virtual Sight sight() const = 0;                       // the newest; any thread
  virtual std::vector<SourceState> sources() const = 0;  // any thread
};

}  // namespace hearth::presence
