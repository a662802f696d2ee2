// A gamepad for programs that may open no device. Loaded into each program of an app (LD_PRELOAD): to one that opens
// kGamepadPath it is a device of evdev, an Xbox 360 pad as Linux's driver xpad shows it, since every program knows that
// one. SDL opens what SDL_JOYSTICK_DEVICE names. What is read there is what hearth-screen writes; what a device tells
// by ioctl(2) is answered here (Linux, include/uapi/linux/input.h and drivers/input/evdev.c).
//
// It is linked with no library and asks for no version of a symbol, so that it fits whatever C library the program has.
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstring>
#include <initializer_list>

#include <fcntl.h>
#include <linux/input.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include "display/gamepad_wire.h"

namespace {

using namespace hearth::display;

constexpr char kName[] = "Microsoft X-Box 360 pad";
constexpr input_id kIdentity = {.bustype = BUS_USB, .vendor = 0x045e, .product = 0x028e, .version = 0x0110};
constexpr int kStickMost = 32'767;  // as screen.proto's
constexpr int kTriggerMost = 255;
constexpr int kFuzz = 16;
constexpr int kFlat = 128;

template <int kMost>
class Bits {
 public:
  constexpr Bits(std::initializer_list<unsigned> numbers) {
    for (const unsigned number : numbers) bytes_[number / 8] |= static_cast<std::uint8_t>(1U << number % 8);
  }
  const void* data() const { return bytes_.data(); }
  static constexpr std::size_t size() { return (kMost / 64 + 1) * 8; }  // as the kernel's, whole words

 private:
  std::array<std::uint8_t, size()> bytes_{};
};

constexpr Bits<EV_MAX> kTypes = {EV_SYN, EV_KEY, EV_ABS, EV_FF};
constexpr Bits<KEY_MAX> kKeys = {BTN_A,      BTN_B,     BTN_X,    BTN_Y,      BTN_TL,    BTN_TR,
                                 BTN_SELECT, BTN_START, BTN_MODE, BTN_THUMBL, BTN_THUMBR};
constexpr Bits<ABS_MAX> kAxes = {ABS_X, ABS_Y, ABS_Z, ABS_RX, ABS_RY, ABS_RZ, ABS_HAT0X, ABS_HAT0Y};
constexpr Bits<FF_MAX> kEffects = {FF_RUMBLE};
constexpr Bits<KEY_MAX> kNothing = {};

int refuse(int error) {
  errno = error;
  return -1;
}

int give(void* to, std::size_t room, const void* from, std::size_t size) {
  const std::size_t count = size < room ? size : room;
  std::memcpy(to, from, count);
  return static_cast<int>(count);
}

template <int kMost>
int give(void* to, std::size_t room, const Bits<kMost>& bits) {
  return give(to, room, bits.data(), bits.size());
}

int give_axis(unsigned axis, void* to, std::size_t room) {
  input_absinfo info{};
  switch (axis) {
    case ABS_X:
    case ABS_Y:
    case ABS_RX:
    case ABS_RY:
      info = {.minimum = -kStickMost, .maximum = kStickMost, .fuzz = kFuzz, .flat = kFlat};
      break;
    case ABS_Z:
    case ABS_RZ:
      info = {.maximum = kTriggerMost};
      break;
    case ABS_HAT0X:
    case ABS_HAT0Y:
      info = {.minimum = -1, .maximum = 1};
      break;
    default:
      return refuse(EINVAL);
  }
  give(to, room, &info, sizeof info);
  return 0;
}

int tell(int file, const input_event& event) {
  const auto sent = ::send(file, &event, sizeof event, MSG_DONTWAIT | MSG_NOSIGNAL);
  return sent == sizeof event ? 0 : refuse(ENODEV);
}

int upload(int file, ff_effect& effect) {
  static std::atomic<unsigned> uploaded = 0;
  if (effect.type != FF_RUMBLE || effect.id >= kMaxEffects) return refuse(EINVAL);
  if (effect.id < 0) effect.id = static_cast<__s16>(uploaded++ % kMaxEffects);
  const std::uint32_t motors = std::uint32_t{effect.u.rumble.strong_magnitude} << 16 | effect.u.rumble.weak_magnitude;
  input_event event{.type = kUploadEffect, .code = static_cast<__u16>(effect.id), .value = static_cast<__s32>(motors)};
  event.time.tv_sec = effect.replay.length;
  return tell(file, event);
}

int answer(int file, std::uint32_t request, void* argument) {
  const std::size_t room = _IOC_SIZE(request);
  const unsigned number = _IOC_NR(request);
  const auto id = reinterpret_cast<std::uintptr_t>(argument);
  switch (number) {
    case _IOC_NR(EVIOCGVERSION): {
      const int version = EV_VERSION;
      give(argument, room, &version, sizeof version);
      return 0;
    }
    case _IOC_NR(EVIOCGID):
      give(argument, room, &kIdentity, sizeof kIdentity);
      return 0;
    case _IOC_NR(EVIOCGNAME(0)):
      return give(argument, room, kName, sizeof kName);
    case _IOC_NR(EVIOCGPHYS(0)):
    case _IOC_NR(EVIOCGUNIQ(0)):
      return refuse(ENOENT);
    case _IOC_NR(EVIOCGPROP(0)):
    case _IOC_NR(EVIOCGKEY(0)):
    case _IOC_NR(EVIOCGLED(0)):
    case _IOC_NR(EVIOCGSND(0)):
    case _IOC_NR(EVIOCGSW(0)):
      return give(argument, room, kNothing);
    case _IOC_NR(EVIOCGBIT(0, 0)):
      return give(argument, room, kTypes);
    case _IOC_NR(EVIOCGBIT(EV_KEY, 0)):
      return give(argument, room, kKeys);
    case _IOC_NR(EVIOCGBIT(EV_ABS, 0)):
      return give(argument, room, kAxes);
    case _IOC_NR(EVIOCGBIT(EV_FF, 0)):
      return give(argument, room, kEffects);
    case _IOC_NR(EVIOCSFF):
      return upload(file, *static_cast<ff_effect*>(argument));
    case _IOC_NR(EVIOCRMFF):
      if (id >= kMaxEffects) return refuse(EINVAL);
      return tell(file, {.type = kEraseEffect, .code = static_cast<__u16>(id)});
    case _IOC_NR(EVIOCGEFFECTS):
      give(argument, room, &kMaxEffects, sizeof kMaxEffects);
      return 0;
    case _IOC_NR(EVIOCGRAB):
    case _IOC_NR(EVIOCSCLOCKID):
      return 0;
    default:
      break;
  }
  if (number > _IOC_NR(EVIOCGBIT(0, 0)) && number <= _IOC_NR(EVIOCGBIT(EV_MAX, 0))) {
    return give(argument, room, kNothing);
  }
  if (number >= _IOC_NR(EVIOCGABS(0)) && number <= _IOC_NR(EVIOCGABS(ABS_MAX))) {
    return give_axis(number - _IOC_NR(EVIOCGABS(0)), argument, room);
  }
  return refuse(EINVAL);
}

bool names_gamepad(const char* path) { return path != nullptr && std::strcmp(path, kGamepadPath) == 0; }

bool is_gamepad(int file) {
  sockaddr_un peer{};
  socklen_t size = sizeof peer;
  // Room is left for the byte that ends a path.
  return ::getpeername(file, reinterpret_cast<sockaddr*>(&peer), &size) == 0 && peer.sun_family == AF_UNIX &&
         size < sizeof peer && std::strcmp(peer.sun_path, kGamepadPath) == 0;
}

int open_gamepad(int flags) {
  const int cloexec = (flags & O_CLOEXEC) != 0 ? SOCK_CLOEXEC : 0;
  const int nonblock = (flags & O_NONBLOCK) != 0 ? SOCK_NONBLOCK : 0;
  const int file = ::socket(AF_UNIX, SOCK_STREAM | cloexec | nonblock, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  std::memcpy(address.sun_path, kGamepadPath, sizeof kGamepadPath);
  if (file < 0 || ::connect(file, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) return file;
  ::close(file);
  return refuse(ENODEV);
}

int open_any(int folder, const char* path, int flags, mode_t mode) {
  if (names_gamepad(path)) return open_gamepad(flags);
  return static_cast<int>(::syscall(SYS_openat, folder, path, flags, mode));
}

mode_t mode_of(int flags, va_list words) {
  return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(words, mode_t) : 0;
}

}  // namespace

#define HEARTH_OPEN(name)                                                             \
  __attribute__((visibility("default"))) int name(const char* path, int flags, ...) { \
    va_list words;                                                                    \
    va_start(words, flags);                                                           \
    const mode_t mode = mode_of(flags, words);                                        \
    va_end(words);                                                                    \
    return open_any(AT_FDCWD, path, flags, mode);                                     \
  }

#define HEARTH_OPENAT(name)                                                                       \
  __attribute__((visibility("default"))) int name(int folder, const char* path, int flags, ...) { \
    va_list words;                                                                                \
    va_start(words, flags);                                                                       \
    const mode_t mode = mode_of(flags, words);                                                    \
    va_end(words);                                                                                \
    return open_any(folder, path, flags, mode);                                                   \
  }

// In the place of the C library's.
extern "C" {
HEARTH_OPEN(open)
HEARTH_OPEN(open64)
HEARTH_OPENAT(openat)
HEARTH_OPENAT(openat64)

__attribute__((visibility("default"))) int ioctl(int file, unsigned long request, ...) {
  va_list words;
  va_start(words, request);
  void* const argument = va_arg(words, void*);
  va_end(words);
  const auto number = static_cast<std::uint32_t>(request);  // musl passes an int
  if (_IOC_TYPE(number) == 'E' && is_gamepad(file)) return answer(file, number, argument);
  return static_cast<int>(::syscall(SYS_ioctl, file, request, argument));
}
}
