#include "presence/sessions.h"

#include <algorithm>

namespace hearth::presence {
namespace {

// Longer than any quiet spell: nobody has been there.
constexpr Duration kNobody = minutes(60 * 24 * 30);

Duration idle_of(const Session& session) {
  if (session.kept_awake && !session.locked) return {};
  if (session.measured) return *session.measured;
  if (session.locked) return session.idle.value_or(kNobody);
  return session.idle.value_or(Duration{});
}

}  // namespace

Seats judge(const std::vector<Session>& sessions) {
  Seats seats;
  Duration idle = kNobody;
  for (const Session& session : sessions) {
    if (!session.on_seat) continue;
    seats.has_seat = true;
    if (session.kind == "user" && session.active) idle = std::min(idle, idle_of(session));
  }
  if (seats.has_seat) seats.idle = idle;
  return seats;
}

}  // namespace hearth::presence
