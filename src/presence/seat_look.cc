#include "presence/seat_look.h"

#include <cstdlib>
#include <fstream>

#include <unistd.h>

#include "presence/logind.h"

namespace hearth::presence {
namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// A variable in the environment that a process was started with; empty if that cannot be read.
std::string variable_of(unsigned process, const std::string& name) {
  constexpr std::size_t kMaxBytes = 1 << 20;
  std::ifstream in("/proc/" + std::to_string(process) + "/environ", std::ios::binary);
  std::string bytes(kMaxBytes, '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes.resize(static_cast<std::size_t>(in.gcount()));
  bytes.insert(0, 1, '\0');
  const std::string key = std::string(1, '\0') + name + "=";
  const std::size_t at = bytes.find(key);
  if (at == std::string::npos) return "";
  return std::string(bytes.c_str() + at + key.size());
}

std::string own_authority() {
  const std::string given = variable("XAUTHORITY");
  return given.empty() ? variable("HOME") + "/.Xauthority" : given;
}

std::string authority_of(const Session& session) {
  const std::string theirs = session.leader > 1 ? variable_of(session.leader, "XAUTHORITY") : "";
  return theirs.empty() ? own_authority() : theirs;
}

// One for all sessions of a user: where compositors and the session's D-Bus listen.
std::string runtime_directory() {
  const std::string given = variable("XDG_RUNTIME_DIR");
  return given.empty() ? "/run/user/" + std::to_string(::geteuid()) : given;
}

std::string session_bus_address() {
  const std::string given = variable("DBUS_SESSION_BUS_ADDRESS");
  return given.empty() ? "unix:path=" + runtime_directory() + "/bus" : given;
}

// One session that tells is enough for a source to be one that tells.
void say(SourceState& source, bool ok, std::string detail) {
  if (source.ok) return;
  source.ok = ok;
  source.detail = std::move(detail);
}

}  // namespace

Result<Duration> Displays::idle(const std::string& name, const std::string& authority) {
  auto found = open_.find(name);
  if (found == open_.end()) {
    Result<std::unique_ptr<Display>> opened = Display::open(name, authority);
    if (!opened) return std::unexpected(opened.error());
    found = open_.emplace(name, std::move(*opened)).first;
  }
  Result<Duration> idle = found->second->idle();
  if (!idle) open_.erase(found);
  return idle;
}

SeatLook::SeatLook() : desktop_(session_bus_address()) {}

Seats SeatLook::look(Sources& sources) {
  sources["x11"] = {"X11", false, "no session has an X display"};
  sources["wayland"] = {"Wayland", false, "no session has a Wayland compositor"};
  sources["desktop"] = {"desktop", false, "no session has a desktop that can be asked"};
  Result<std::vector<Session>> sessions = list_sessions(bus_);
  if (!sessions) {
    sources["logind"] = {"logind", false, sessions.error().message};
    return look_without_sessions(sources);
  }
  for (Session& session : *sessions) {
    if (session.kind == "user" && session.active) static_cast<void>(measure(session, sources));
  }
  const Seats seats = judge(*sessions);
  sources["logind"] = {"logind", true,
                       seats.has_seat ? std::to_string(sessions->size()) + " session(s) at a seat"
                                      : "no session at a seat: nobody is at this PC"};
  return seats;
}

// Where nobody keeps a list of sessions, the display that this process was started on is all there is.
Seats SeatLook::look_without_sessions(Sources& sources) {
  const bool has_compositor = !variable("WAYLAND_DISPLAY").empty();
  Session own{.type = has_compositor ? "wayland" : "x11", .display = variable("DISPLAY"), .user = ::geteuid()};
  if (!has_compositor && own.display.empty()) return {};
  const Result<Duration> asked = measure(own, sources);
  if (!asked && asked.error().code == Code::kNotFound) return {};
  return {.has_seat = true, .idle = own.kept_awake ? Duration{} : own.measured};
}

// What was measured is then in the session. Errors: why its display or compositor tells nothing.
Result<Duration> SeatLook::measure(Session& session, Sources& sources) {
  const bool has_compositor = session.type == "wayland";
  if (!has_compositor && session.display.empty()) return fail(Code::kUnimplemented, "a session of text has no display");
  const Result<Duration> idle = has_compositor ? ask_compositor(session, sources) : ask_display(session, sources);
  if (idle) session.measured = *idle;
  if (session.user == ::geteuid()) ask_desktop(session, sources);
  return idle;
}

Result<Duration> SeatLook::ask_display(const Session& session, Sources& sources) {
  Result<Duration> idle = displays_.idle(session.display, authority_of(session));
  say(sources["x11"], idle.has_value(),
      idle ? "display " + session.display + " tells how long nobody touched it" : idle.error().message);
  return idle;
}

Result<Duration> SeatLook::ask_compositor(const Session& session, Sources& sources) {
  Result<Duration> idle = session.user == ::geteuid()
                              ? compositors_.idle(runtime_directory())
                              : fail(Code::kPermissionDenied,
                                     "session " + session.id + " is another user's, whose compositor is not asked");
  say(sources["wayland"], idle.has_value(),
      idle ? std::string("the compositor tells how long nobody touched anything") : idle.error().message);
  return idle;
}

void SeatLook::ask_desktop(Session& session, Sources& sources) {
  const Result<DesktopWord> word = desktop_.ask(!session.measured);
  if (!word) return say(sources["desktop"], false, word.error().message);
  session.kept_awake = word->keeps_awake;
  session.locked = session.locked || word->saver_is_on;
  if (!session.measured) session.measured = word->idle;
  say(sources["desktop"], true,
      word->keeps_awake   ? "a program keeps the screen awake"
      : word->saver_is_on ? "the screen saver is on"
      : word->idle        ? "tells how long nobody touched anything"
                          : "nothing keeps the screen awake");
}

}  // namespace hearth::presence
