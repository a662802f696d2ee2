#include "presence/wayland.h"

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <string_view>

#include <ext-idle-notify-v1-client.h>
#include <idle-client.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <wayland-client.h>

#include "base/entries.h"

namespace hearth::presence {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::uint32_t kQuietMillis = 1'000;  // shorter makes the compositor speak at every pause between two keys
constexpr std::size_t kMaxSeats = 16;
constexpr std::size_t kMaxCompositors = 8;
constexpr std::chrono::seconds kRetry{5};

template <class Object, void (*kEnd)(Object*)>
struct End {
  void operator()(Object* object) const { kEnd(object); }
};
template <class Object, void (*kEnd)(Object*)>
using Owned = std::unique_ptr<Object, End<Object, kEnd>>;

using Connection = Owned<wl_display, wl_display_disconnect>;

// One seat and the notification that was asked for it, in whichever protocol.
struct Seat {
  Owned<wl_seat, wl_seat_destroy> seat;
  Owned<ext_idle_notification_v1, ext_idle_notification_v1_destroy> standard;
  Owned<org_kde_kwin_idle_timeout, org_kde_kwin_idle_timeout_release> kde;
  std::optional<Clock::time_point> quiet_since;  // when it was said that a quiet second had passed
};

void note_idle(Seat* seat) { seat->quiet_since = Clock::now(); }
void note_touch(Seat* seat) { seat->quiet_since.reset(); }

constexpr ext_idle_notification_v1_listener kStandard{
    .idled = [](void* seat, ext_idle_notification_v1*) { note_idle(static_cast<Seat*>(seat)); },
    .resumed = [](void* seat, ext_idle_notification_v1*) { note_touch(static_cast<Seat*>(seat)); }};
constexpr org_kde_kwin_idle_timeout_listener kKde{
    .idle = [](void* seat, org_kde_kwin_idle_timeout*) { note_idle(static_cast<Seat*>(seat)); },
    .resumed = [](void* seat, org_kde_kwin_idle_timeout*) { note_touch(static_cast<Seat*>(seat)); }};

constexpr wl_callback_listener kDone{
    .done = [](void* answered, wl_callback*, std::uint32_t) { *static_cast<bool*>(answered) = true; }};

// Connects without waiting: a full queue of a program that accepts nobody would be waited on for ever.
int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  path.copy(address.sun_path, path.size());
  const int made = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0 || ::connect(made, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) return made;
  const int failure = errno;
  ::close(made);
  errno = failure;
  return -1;
}

}  // namespace

// The connection outlives what was made through it.
struct Compositor::State {
  explicit State(std::string path) : socket(std::move(path)) {}

  void on_global(wl_registry* from, std::uint32_t name, std::string_view interface);
  void on_removal(std::uint32_t name);
  void ask();
  bool read_once(Clock::time_point deadline, const bool& answered);
  Result<void> round_trip();

  std::string socket;
  Connection connection;
  Owned<wl_registry, wl_registry_destroy> registry;
  Owned<ext_idle_notifier_v1, ext_idle_notifier_v1_destroy> standard;
  Owned<org_kde_kwin_idle, org_kde_kwin_idle_destroy> kde;
  std::map<std::uint32_t, Seat> seats;  // by the registry's name
  bool too_many = false;
};

void Compositor::State::on_global(wl_registry* from, std::uint32_t name, std::string_view interface) {
  const auto bind = [&](const wl_interface& what) { return wl_registry_bind(from, name, &what, 1); };
  if (interface == ext_idle_notifier_v1_interface.name && !standard) {
    standard.reset(static_cast<ext_idle_notifier_v1*>(bind(ext_idle_notifier_v1_interface)));
  } else if (interface == org_kde_kwin_idle_interface.name && !kde) {
    kde.reset(static_cast<org_kde_kwin_idle*>(bind(org_kde_kwin_idle_interface)));
  } else if (interface == wl_seat_interface.name) {
    if (seats.size() == kMaxSeats) {
      too_many = true;
      return;
    }
    seats[name].seat.reset(static_cast<wl_seat*>(bind(wl_seat_interface)));
  }
}

void Compositor::State::on_removal(std::uint32_t name) { seats.erase(name); }

// For the seats that came since.
void Compositor::State::ask() {
  for (auto& [name, seat] : seats) {
    if (seat.standard || seat.kde) continue;
    if (standard) {
      seat.standard.reset(ext_idle_notifier_v1_get_idle_notification(standard.get(), kQuietMillis, seat.seat.get()));
      ext_idle_notification_v1_add_listener(seat.standard.get(), &kStandard, &seat);
    } else if (kde) {
      seat.kde.reset(org_kde_kwin_idle_get_idle_timeout(kde.get(), seat.seat.get(), kQuietMillis));
      org_kde_kwin_idle_timeout_add_listener(seat.kde.get(), &kKde, &seat);
    }
  }
}

// Handles what has come, or waits for something to come. False: there is no more to wait for, or it is too late.
bool Compositor::State::read_once(Clock::time_point deadline, const bool& answered) {
  wl_display* const display = connection.get();
  while (wl_display_prepare_read(display) != 0) {
    if (wl_display_dispatch_pending(display) < 0) return false;
  }
  const int refused = wl_display_flush(display) < 0 ? errno : 0;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  pollfd ready{.fd = wl_display_get_fd(display),
               .events = static_cast<short>(refused == EAGAIN ? POLLIN | POLLOUT : POLLIN),
               .revents = 0};
  const bool broken = refused != 0 && refused != EAGAIN && refused != EPIPE;  // after EPIPE, reading tells the rest
  const int came = answered || broken || left <= 0 ? 0 : ::poll(&ready, 1, static_cast<int>(left));
  if (came <= 0) {
    const bool interrupted = came < 0 && errno == EINTR;
    wl_display_cancel_read(display);
    return interrupted;
  }
  return wl_display_read_events(display) == 0 && wl_display_dispatch_pending(display) >= 0;
}

// Once it answers, everything that it had to say before is known.
Result<void> Compositor::State::round_trip() {
  bool answered = false;
  const Clock::time_point deadline = Clock::now() + kCompositorLimit;
  const Owned<wl_callback, wl_callback_destroy> done(wl_display_sync(connection.get()));
  wl_callback_add_listener(done.get(), &kDone, &answered);
  while (!answered && read_once(deadline, answered)) {
  }
  if (answered) return {};
  const bool broken = wl_display_get_error(connection.get()) != 0;
  return fail(Code::kUnavailable, "the compositor at " + socket + (broken ? " is gone" : " does not answer"));
}

Compositor::Compositor(std::unique_ptr<State> state) : state_(std::move(state)) {}

Compositor::~Compositor() = default;

Result<std::unique_ptr<Compositor>> Compositor::open(const std::string& socket) {
  static constexpr wl_registry_listener kGlobals{
      .global =
          [](void* state, wl_registry* from, std::uint32_t name, const char* interface, std::uint32_t) {
            if (interface != nullptr) static_cast<State*>(state)->on_global(from, name, interface);
          },
      .global_remove = [](void* state, wl_registry*,
                          std::uint32_t name) { static_cast<State*>(state)->on_removal(name); }};
  const int connected = connect_to(socket);
  if (connected < 0 && (errno == ENOENT || errno == ECONNREFUSED)) {
    return fail(Code::kNotFound, "nobody listens at " + socket);
  }
  if (connected < 0) return fail_errno(errno, "connecting to the compositor at " + socket);
  wl_log_set_handler_client([](const char*, va_list) {});  // what goes wrong is told by the errors below
  auto state = std::make_unique<State>(socket);
  state->connection.reset(wl_display_connect_to_fd(connected));
  if (!state->connection) return fail(Code::kUnavailable, "no memory to speak to the compositor at " + socket);
  state->registry.reset(wl_display_get_registry(state->connection.get()));
  wl_registry_add_listener(state->registry.get(), &kGlobals, state.get());
  if (Result<void> told = state->round_trip(); !told) return std::unexpected(told.error());
  if (!state->standard && !state->kde) {
    return fail(Code::kUnimplemented,
                "the compositor at " + socket + " has no idle notifications (ext-idle-notify-v1)");
  }
  return std::unique_ptr<Compositor>(new Compositor(std::move(state)));
}

Result<Duration> Compositor::idle() {
  state_->ask();
  if (Result<void> told = state_->round_trip(); !told) return std::unexpected(told.error());
  if (state_->seats.empty()) return fail(Code::kUnavailable, "the compositor at " + state_->socket + " has no seat");
  if (state_->too_many) {
    return fail(Code::kUnavailable,
                "the compositor at " + state_->socket + " has more than " + std::to_string(kMaxSeats) + " seats");
  }
  Clock::time_point quiet_since = Clock::time_point::min();
  for (const auto& [name, seat] : state_->seats) {
    if (!seat.quiet_since) return Duration{};
    quiet_since = std::max(quiet_since, *seat.quiet_since);
  }
  const auto counted = std::chrono::duration_cast<std::chrono::microseconds>(Clock::now() - quiet_since);
  return milliseconds(kQuietMillis) + microseconds(counted.count());
}

Result<Duration> Compositors::idle(const std::filesystem::path& directory) {
  std::set<std::string> sockets;
  std::error_code failure;
  for (const auto& entry : Entries(directory, failure)) {
    if (entry.path().filename().string().starts_with("wayland-") && entry.is_socket(failure)) {
      sockets.insert(entry.path().string());
    }
  }
  std::erase_if(open_, [&](const auto& entry) { return !sockets.contains(entry.first); });
  std::erase_if(failed_, [](const auto& entry) { return entry.second.until <= Clock::now(); });
  if (sockets.size() > kMaxCompositors) {
    return fail(Code::kUnavailable,
                "more than " + std::to_string(kMaxCompositors) + " compositors listen in " + directory.string());
  }
  std::optional<Duration> least;
  for (const std::string& socket : sockets) {
    Result<Duration> idle = idle_of(socket);
    if (!idle && idle.error().code == Code::kNotFound) continue;
    if (!idle) return idle;
    least = std::min(least.value_or(*idle), *idle);
  }
  if (!least) return fail(Code::kNotFound, "no compositor listens in " + directory.string());
  return *least;
}

Result<Duration> Compositors::idle_of(const std::string& socket) {
  if (const auto failed = failed_.find(socket); failed != failed_.end()) return std::unexpected(failed->second.error);
  auto found = open_.find(socket);
  Result<Duration> idle;
  if (found == open_.end()) {
    Result<std::unique_ptr<Compositor>> opened = Compositor::open(socket);
    if (opened) {
      found = open_.emplace(socket, std::move(*opened)).first;
    } else {
      idle = std::unexpected(opened.error());
    }
  }
  if (found != open_.end()) idle = found->second->idle();
  if (idle || idle.error().code == Code::kNotFound) return idle;
  if (found != open_.end()) open_.erase(found);
  failed_[socket] = {Clock::now() + kRetry, idle.error()};
  return idle;
}

}  // namespace hearth::presence
