#include "presence/logind.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

#include <time.h>

namespace hearth::presence {
namespace {

constexpr const char* kLogind = "org.freedesktop.login1";
constexpr const char* kManagerPath = "/org/freedesktop/login1";
constexpr const char* kManager = "org.freedesktop.login1.Manager";
constexpr const char* kSession = "org.freedesktop.login1.Session";
constexpr std::size_t kMaxSessions = 64;
constexpr std::size_t kMaxNameBytes = 80;

using Seat = sdbus::Struct<std::string, sdbus::ObjectPath>;
using User = sdbus::Struct<std::uint32_t, sdbus::ObjectPath>;
using Listed = sdbus::Struct<std::string, std::uint32_t, std::string, std::string, sdbus::ObjectPath>;
using Inhibitor = sdbus::Struct<std::string, std::string, std::string, std::string, std::uint32_t, std::uint32_t>;

Duration since_boot() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return seconds(now.tv_sec) + microseconds(now.tv_nsec / 1000);
}

std::string bounded(std::string text) {
  if (text.size() > kMaxNameBytes) text.resize(kMaxNameBytes);
  std::ranges::replace_if(text, [](unsigned char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

Session read_session(const Properties& properties) {
  Session session;
  session.id = get<std::string>(properties, "Id", "");
  session.kind = get<std::string>(properties, "Class", "user");
  session.type = get<std::string>(properties, "Type", "");
  session.display = get<std::string>(properties, "Display", "");
  session.leader = get<std::uint32_t>(properties, "Leader", 0);
  session.user = std::get<0>(get<User>(properties, "User", User{}));
  session.active = get<bool>(properties, "Active", true);
  session.on_seat = !std::get<0>(get<Seat>(properties, "Seat", Seat{})).empty();
  session.locked = get<bool>(properties, "LockedHint", false);
  if (get<bool>(properties, "IdleHint", false)) {
    const auto since = static_cast<std::int64_t>(get<std::uint64_t>(properties, "IdleSinceHintMonotonic", 0));
    session.idle = std::max(since_boot() - microseconds(since), Duration{});
  }
  return session;
}

}  // namespace

Result<std::vector<Session>> list_sessions(Bus& bus) {
  Result<std::vector<Listed>> listed = bus.call<std::vector<Listed>>(kLogind, kManagerPath, kManager, "ListSessions");
  if (!listed) return std::unexpected(listed.error());
  std::vector<Session> sessions;
  for (const Listed& one : *listed) {
    if (std::get<3>(one).empty() || sessions.size() == kMaxSessions) continue;  // on no seat: from elsewhere
    Result<Properties> properties = bus.properties(kLogind, std::get<4>(one), kSession);
    if (properties) sessions.push_back(read_session(*properties));  // else it has just ended
  }
  return sessions;
}

Result<std::string> find_inhibitor(Bus& bus) {
  Result<std::vector<Inhibitor>> listed =
      bus.call<std::vector<Inhibitor>>(kLogind, kManagerPath, kManager, "ListInhibitors");
  if (!listed) return std::unexpected(listed.error());
  for (const Inhibitor& inhibitor : *listed) {
    const bool is_idle = (":" + std::get<0>(inhibitor) + ":").find(":idle:") != std::string::npos;
    const std::string& who = std::get<1>(inhibitor);
    const std::string& why = std::get<2>(inhibitor);
    if (is_idle && std::get<3>(inhibitor) == "block") return bounded(who + (why.empty() ? "" : " (" + why + ")"));
  }
  return std::string();
}

}  // namespace hearth::presence
