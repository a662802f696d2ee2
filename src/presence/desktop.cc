#include "presence/desktop.h"

#include <algorithm>

namespace hearth::presence {
namespace {

constexpr Method kIsInhibited{"org.gnome.SessionManager", "/org/gnome/SessionManager", "org.gnome.SessionManager",
                              "IsInhibited"};
constexpr std::uint32_t kInhibitsIdleness = 8;
constexpr Method kMutterIdle{"org.gnome.Mutter.IdleMonitor", "/org/gnome/Mutter/IdleMonitor/Core",
                             "org.gnome.Mutter.IdleMonitor", "GetIdletime"};
constexpr Method kSaverIdle{"org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver",
                            "org.freedesktop.ScreenSaver", "GetSessionIdleTime"};
constexpr Method kSaverActive{"org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver",
                              "org.freedesktop.ScreenSaver", "GetActive"};
constexpr std::uint64_t kMaxMillis = 1'000ULL * 60 * 60 * 24 * 365;

}  // namespace

Result<DesktopWord> Desktop::ask(bool wants_span) {
  const Result<bool> awake = bus_.ask_bool(kIsInhibited, kInhibitsIdleness);
  if (!awake && awake.error().code == Code::kUnavailable) return std::unexpected(awake.error());
  DesktopWord word{.keeps_awake = awake.value_or(false)};
  if (!wants_span) return word;
  if (const Result<std::uint64_t> idle = bus_.ask_uint64(kMutterIdle)) {
    word.idle = milliseconds(static_cast<std::int64_t>(std::min(*idle, kMaxMillis)));
    return word;
  }
  const Result<std::uint32_t> idle = bus_.ask_uint32(kSaverIdle);
  const Result<bool> is_on = bus_.ask_bool(kSaverActive);
  // Many always say 0 for want of knowing. KDE means milliseconds, the draft of the specification seconds: read as
  // milliseconds it is never too long.
  if (idle && *idle > 0) word.idle = milliseconds(*idle);
  word.saver_is_on = is_on.value_or(false);
  if (!idle && !is_on) return std::unexpected(idle.error());
  return word;
}

}  // namespace hearth::presence
