#include "display/gamepad.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <utility>

#include <sys/socket.h>
#include <sys/un.h>

#include "display/gamepad_wire.h"
#include "screen/frames.h"

namespace hearth::display {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kMaxReaders = 8;
constexpr milliseconds kLongest(60'000);
constexpr std::uint32_t kMotorBits = 0xffff;

// By the bits of Pad.buttons; 0: it is an axis of the device. The names are those of what xpad's device tells.
constexpr std::array<std::uint16_t, 17> kButtons = {BTN_A, BTN_B, BTN_X,      BTN_Y,     BTN_TL,     BTN_TR,
                                                    0,     0,     BTN_SELECT, BTN_START, BTN_THUMBL, BTN_THUMBR,
                                                    0,     0,     0,          0,         BTN_MODE};
constexpr std::array<std::uint16_t, 8> kAxes = {ABS_X, ABS_Y, ABS_RX, ABS_RY, ABS_Z, ABS_RZ, ABS_HAT0X, ABS_HAT0Y};

std::array<std::int32_t, kAxes.size()> axes_of(const v1::Pad& pad) {
  const auto is_held = [&](int bit) { return static_cast<std::int32_t>(pad.buttons() >> bit & 1U); };
  return {pad.left_x(),
          pad.left_y(),
          pad.right_x(),
          pad.right_y(),
          static_cast<std::int32_t>(pad.left_trigger()),
          static_cast<std::int32_t>(pad.right_trigger()),
          is_held(15) - is_held(14),
          is_held(13) - is_held(12)};
}

input_event event_of(std::uint16_t type, std::uint16_t code, std::int32_t value) {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  input_event event{.type = type, .code = code, .value = value};
  event.time = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1'000};
  return event;
}

}  // namespace

std::vector<input_event> events_between(const v1::Pad& before, const v1::Pad& after) {
  std::vector<input_event> events;
  for (std::size_t bit = 0; bit < kButtons.size(); ++bit) {
    const std::uint32_t is_held = after.buttons() >> bit & 1U;
    if (kButtons[bit] == 0 || is_held == (before.buttons() >> bit & 1U)) continue;
    events.push_back(event_of(EV_KEY, kButtons[bit], static_cast<std::int32_t>(is_held)));
  }
  const auto from = axes_of(before);
  const auto to = axes_of(after);
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    if (from[axis] != to[axis]) events.push_back(event_of(EV_ABS, kAxes[axis], to[axis]));
  }
  if (!events.empty()) events.push_back(event_of(EV_SYN, SYN_REPORT, 0));
  return events;
}

v1::Pad merged(const v1::Pad& one, const v1::Pad& other) {
  const auto sum = [](std::int32_t a, std::int32_t b) {
    return std::clamp(a + b, -screen::kStickMost, screen::kStickMost);
  };
  v1::Pad pad;
  pad.set_buttons(one.buttons() | other.buttons());
  pad.set_left_x(sum(one.left_x(), other.left_x()));
  pad.set_left_y(sum(one.left_y(), other.left_y()));
  pad.set_right_x(sum(one.right_x(), other.right_x()));
  pad.set_right_y(sum(one.right_y(), other.right_y()));
  pad.set_left_trigger(std::max(one.left_trigger(), other.left_trigger()));
  pad.set_right_trigger(std::max(one.right_trigger(), other.right_trigger()));
  return pad;
}

Result<Fd> listen_for_programs(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) return fail(Code::kInvalidArgument, path + " is too long for a socket");
  std::ranges::copy(path, std::begin(address.sun_path));
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!listener || ::bind(listener.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), static_cast<int>(kMaxReaders)) != 0) {
    return fail_errno(errno, "listening at " + path);
  }
  return listener;
}

std::vector<pollfd> Gamepad::files() const {
  std::vector<pollfd> files = {{.fd = listener_, .events = POLLIN, .revents = 0}};
  for (const Reader& reader : readers_) {
    const bool waits = !events_between(reader.told, held_).empty();
    files.push_back(
        {.fd = reader.socket.get(), .events = static_cast<short>(waits ? POLLIN | POLLOUT : POLLIN), .revents = 0});
  }
  return files;
}

void Gamepad::look(Clock::time_point now) {
  admit();
  for (auto reader = readers_.begin(); reader != readers_.end();) {
    const auto next = std::next(reader);
    if (!hear(*reader, now) || !tell(*reader)) drop(reader);
    reader = next;
  }
}

void Gamepad::admit() {
  for (;;) {
    Fd socket(::accept4(listener_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!socket) return;
    if (readers_.size() >= kMaxReaders) continue;  // it finds its device gone
    readers_.push_back({.socket = std::move(socket), .told = {}, .said = {}, .effects = {}});
    changed_ = changed_ || readers_.size() == 1;
  }
}

// What a program writes, in whole events. False: it has closed its device.
bool Gamepad::hear(Reader& reader, Clock::time_point now) {
  std::array<char, 16 * sizeof(input_event)> buffer{};
  const ssize_t count = ::recv(reader.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (count < 0) return errno == EAGAIN || errno == EINTR;
  if (count == 0) return false;
  reader.said.append(buffer.data(), static_cast<std::size_t>(count));
  std::size_t at = 0;
  for (; reader.said.size() - at >= sizeof(input_event); at += sizeof(input_event)) {
    input_event event{};
    std::memcpy(&event, reader.said.data() + at, sizeof event);
    heed(reader, event, now);
  }
  reader.said.erase(0, at);
  return true;
}

void Gamepad::heed(Reader& reader, const input_event& event, Clock::time_point now) {
  if (event.code >= kMaxEffects) return;
  if (event.type == kUploadEffect) {
    const auto motors = static_cast<std::uint32_t>(event.value);
    const milliseconds length(std::clamp<std::int64_t>(event.time.tv_sec, 0, kLongest.count()));
    reader.effects[event.code] = {
        .strong = motors >> 16, .weak = motors & kMotorBits, .length = length == milliseconds(0) ? kLongest : length};
    return;
  }
  const auto effect = reader.effects.find(event.code);
  if (effect == reader.effects.end()) return;
  const bool plays = event.type == EV_FF && event.value > 0;
  if (!plays && event.type != EV_FF && event.type != kEraseEffect) return;
  player_ = plays ? &reader : nullptr;
  playing_ = plays ? effect->second : Effect();
  until_ = now + std::min(playing_.length * std::clamp(event.value, 0, 1'000), kLongest);
  changed_ = true;
  if (event.type == kEraseEffect) reader.effects.erase(effect);
}

// False: the device is closed, or nothing fits its program.
bool Gamepad::tell(Reader& reader) const {
  const std::vector<input_event> events = events_between(reader.told, held_);
  if (events.empty()) return true;
  const std::size_t size = events.size() * sizeof(input_event);
  const ssize_t sent = ::send(reader.socket.get(), events.data(), size, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN || errno == EINTR;  // it is told once it reads: what is held then
  reader.told = held_;
  return std::cmp_equal(sent, size);
}

void Gamepad::drop(std::list<Reader>::iterator reader) {
  if (player_ == &*reader) {
    player_ = nullptr;
    playing_ = {};
    changed_ = true;
  }
  readers_.erase(reader);
  changed_ = changed_ || readers_.empty();
}

void Gamepad::hold(const v1::Pad& pad) {
  held_ = pad;
  for (auto reader = readers_.begin(); reader != readers_.end();) {
    const auto next = std::next(reader);
    if (!tell(*reader)) drop(reader);
    reader = next;
  }
}

v1::Gamepad Gamepad::told(Clock::time_point now) const {
  v1::Gamepad told;
  told.set_read(!readers_.empty());
  if (player_ == nullptr || until_ <= now) return told;
  told.set_strong(playing_.strong);
  told.set_weak(playing_.weak);
  told.set_millis(static_cast<std::uint32_t>(std::chrono::duration_cast<milliseconds>(until_ - now).count()));
  return told;
}

std::optional<v1::Gamepad> Gamepad::take_told(Clock::time_point now) {
  if (!std::exchange(changed_, false)) return std::nullopt;
  return told(now);
}

}  // namespace hearth::display
