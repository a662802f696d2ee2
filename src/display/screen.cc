#include "display/screen.h"

#include <algorithm>

#include <sys/ipc.h>
#include <sys/shm.h>

#include <X11/Xlib.h>
#include <X11/Xutil.h>
#include <X11/extensions/XShm.h>
#include <X11/extensions/XTest.h>
#include <X11/extensions/Xdamage.h>
#include <X11/extensions/Xfixes.h>

#include "display/connection.h"
#include "display/keyboard.h"
#include "display/windows.h"

namespace hearth::display {
namespace {

constexpr unsigned kButtons = 3;
constexpr unsigned kWheelUp = 4;
constexpr unsigned kWheelLeft = 6;
constexpr unsigned kMaxCursor = 64;
constexpr std::uint64_t kMostPixels = 4096ULL * 2304;  // of H.264's level 5.1, which browsers decode

// Memory that the X server writes pictures to.
struct SharedImage {
  Display* display;
  XShmSegmentInfo segment{};
  XImage* image = nullptr;

  explicit SharedImage(Display* at) : display(at) {}
  ~SharedImage() {
    if (image == nullptr) return;
    ::XShmDetach(display, &segment);
    image->data = nullptr;
    XDestroyImage(image);
    ::shmdt(segment.shmaddr);
  }
  SharedImage(const SharedImage&) = delete;
  SharedImage& operator=(const SharedImage&) = delete;

  Result<void> make(Size size) {
    const int number = DefaultScreen(display);
    XImage* made =
        ::XShmCreateImage(display, DefaultVisual(display, number), static_cast<unsigned>(DefaultDepth(display, number)),
                          ZPixmap, nullptr, &segment, size.width, size.height);
    if (made == nullptr || made->bits_per_pixel != 32) return fail(Code::kFailedPrecondition, "pictures of 32 bits");
    const auto bytes = static_cast<std::size_t>(made->bytes_per_line) * size.height;
    segment.shmid = ::shmget(IPC_PRIVATE, bytes, IPC_CREAT | 0600);
    segment.shmaddr = segment.shmid < 0 ? nullptr : static_cast<char*>(::shmat(segment.shmid, nullptr, 0));
    const bool attached = segment.shmaddr != nullptr && reinterpret_cast<std::intptr_t>(segment.shmaddr) != -1 &&
                          ::XShmAttach(display, &segment) != 0;
    ::XSync(display, False);
    if (segment.shmid >= 0) ::shmctl(segment.shmid, IPC_RMID, nullptr);  // once both have it: it goes with them
    if (!attached) {
      XDestroyImage(made);
      return fail(Code::kResourceExhausted, "there is no memory for the picture");
    }
    made->data = segment.shmaddr;
    image = made;
    return {};
  }
};

Size size_of(Display* display) {
  XWindowAttributes root{};
  ::XGetWindowAttributes(display, DefaultRootWindow(display), &root);
  return {static_cast<std::uint32_t>(root.width) & ~1U, static_cast<std::uint32_t>(root.height) & ~1U};
}

v1::Cursor to_message(const XFixesCursorImage& image) {
  v1::Cursor cursor;
  if (image.width > kMaxCursor || image.height > kMaxCursor) return cursor;
  cursor.set_width(image.width);
  cursor.set_height(image.height);
  cursor.set_hot_x(image.xhot);
  cursor.set_hot_y(image.yhot);
  std::string& rgba = *cursor.mutable_rgba();
  for (std::size_t i = 0; i < std::size_t{image.width} * image.height; ++i) {
    const unsigned long pixel = image.pixels[i];
    const unsigned long alpha = pixel >> 24 & 0xff;
    for (const int shift : {16, 8, 0}) {
      const unsigned long part = pixel >> shift & 0xff;
      rgba.push_back(static_cast<char>(alpha == 0 ? 0 : std::min(255UL, part * 255 / alpha)));
    }
    rgba.push_back(static_cast<char>(alpha));
  }
  return cursor;
}

}  // namespace

struct Screen::State {
  Display* display = nullptr;
  int damage_event = 0;
  int cursor_event = 0;
  Damage damage = 0;
  Size size;
  bool changed = true;
  bool cursor_changed = true;
  std::uint32_t buttons = 0;
  std::unique_ptr<SharedImage> picture;
  std::unique_ptr<Windows> windows;  // nullptr: of a desktop
  std::unique_ptr<Keyboard> keyboard;
  int x = 0;
  int y = 0;

  ~State() {
    picture.reset();
    if (display == nullptr) return;
    for (unsigned button = 1; button <= kButtons; ++button) {
      if ((buttons & 1U << (button - 1)) != 0) ::XTestFakeButtonEvent(display, button, False, 0);
    }
    keyboard.reset();
    ::XCloseDisplay(display);
  }
  Result<void> open();
  void manage(Size wanted);
  Result<void> attach();
  Result<void> take_size(Size now);
  void take(const XEvent& event);
};

Result<void> Screen::State::open() {
  Result<Connection> connection = connect();
  if (!connection) return std::unexpected(connection.error());
  display = connection->release();
  int error = 0;
  int opcode = 0;
  const bool complete = ::XDamageQueryExtension(display, &damage_event, &error) != 0 &&
                        ::XFixesQueryExtension(display, &cursor_event, &error) != 0 &&
                        ::XQueryExtension(display, "XTEST", &opcode, &error, &error) != 0 &&
                        ::XShmQueryExtension(display) != 0;
  if (!complete) return fail(Code::kFailedPrecondition, "the display lacks DAMAGE, XFIXES, XTEST or MIT-SHM");
  const Window root = DefaultRootWindow(display);
  damage = ::XDamageCreate(display, root, XDamageReportNonEmpty);
  ::XFixesSelectCursorInput(display, root, XFixesDisplayCursorNotifyMask);
  keyboard = std::make_unique<Keyboard>(display);
  return {};
}

void Screen::State::manage(Size wanted) {
  windows = std::make_unique<Windows>(display, wanted);
  size = windows->size();
  ::XFlush(display);
}

Result<void> Screen::State::attach() {
  int ignored = 0;
  if (::XQueryExtension(display, "XWAYLAND", &ignored, &ignored, &ignored) != 0) {
    return fail(Code::kFailedPrecondition, "this is a Wayland desktop, which cannot be shared yet");
  }
  if (DefaultDepth(display, DefaultScreen(display)) < 24) {
    return fail(Code::kFailedPrecondition, "this desktop has fewer than 24 bits of colour, which cannot be shown");
  }
  return take_size(size_of(display));
}

Result<void> Screen::State::take_size(Size now) {
  size = now;
  picture.reset();
  changed = true;
  if (std::uint64_t{size.width} * size.height <= kMostPixels) return {};
  return fail(Code::kFailedPrecondition, "this desktop has " + std::to_string(size.width) + " x " +
                                             std::to_string(size.height) +
                                             " pixels, and one of at most 4096 x 2304 can be shown");
}

void Screen::State::take(const XEvent& event) {
  if (event.type == damage_event + XDamageNotify) {
    changed = true;
  } else if (event.type == cursor_event + XFixesCursorNotify) {
    cursor_changed = true;
  } else if (event.type == MappingNotify) {
    XMappingEvent mapping = event.xmapping;
    ::XRefreshKeyboardMapping(&mapping);
  } else if (windows) {
    windows->take(event);
  }
}

Screen::Screen(std::unique_ptr<State> state) : state_(std::move(state)) {}
Screen::~Screen() = default;

Result<std::unique_ptr<Screen>> Screen::open(Size size) {
  auto state = std::make_unique<State>();
  if (Result<void> opened = state->open(); !opened) return std::unexpected(opened.error());
  state->manage(size);
  return std::unique_ptr<Screen>(new Screen(std::move(state)));
}

Result<std::unique_ptr<Screen>> Screen::attach() {
  auto state = std::make_unique<State>();
  if (Result<void> opened = state->open(); !opened) return std::unexpected(opened.error());
  if (Result<void> attached = state->attach(); !attached) return std::unexpected(attached.error());
  return std::unique_ptr<Screen>(new Screen(std::move(state)));
}

Size Screen::size() const { return state_->size; }

Result<bool> Screen::follow_size() {
  const Size now = state_->windows ? state_->windows->size() : size_of(state_->display);
  if (now == state_->size) return false;
  if (Result<void> taken = state_->take_size(now); !taken) return std::unexpected(taken.error());
  return true;
}

int Screen::file() const { return ConnectionNumber(state_->display); }

void Screen::look(Clock::time_point now) {
  while (::XPending(state_->display) > 0) {
    XEvent event{};
    ::XNextEvent(state_->display, &event);
    state_->take(event);
  }
  if (state_->windows && state_->windows->size() != state_->size) state_->changed = true;
  state_->keyboard->go_on(now);
}

Clock::duration Screen::until_due(Clock::time_point now) const {
  constexpr std::chrono::hours kLong(1);
  if (has_events(state_->display)) return Clock::duration(0);
  const std::optional<Clock::time_point> due = state_->keyboard->due();
  return due ? std::max(*due - now, Clock::duration(0)) : kLong;
}

bool Screen::changed() const { return state_->changed; }

v1::Cursor Screen::cursor() const {
  XFixesCursorImage* image = ::XFixesGetCursorImage(state_->display);
  if (image == nullptr) return {};
  v1::Cursor cursor = to_message(*image);
  ::XFree(image);
  return cursor;
}

std::optional<v1::Cursor> Screen::take_cursor() {
  if (!std::exchange(state_->cursor_changed, false)) return std::nullopt;
  return cursor();
}

void Screen::watch(Size wished) {
  if (!state_->windows) return;
  state_->windows->watch(wished);
  ::XFlush(state_->display);
}

Result<Screen::Pixels> Screen::capture() {
  if (!state_->picture) {
    auto picture = std::make_unique<SharedImage>(state_->display);
    if (Result<void> made = picture->make(state_->size); !made) return std::unexpected(made.error());
    state_->picture = std::move(picture);
  }
  // First, so that what changes while it is read counts as changed.
  ::XDamageSubtract(state_->display, state_->damage, None, None);
  state_->changed = false;
  XImage* image = state_->picture->image;
  if (::XShmGetImage(state_->display, DefaultRootWindow(state_->display), image, 0, 0, AllPlanes) == 0) {
    return fail(Code::kUnavailable, "the display gives no picture");
  }
  return Pixels{reinterpret_cast<const std::uint8_t*>(image->data), static_cast<std::size_t>(image->bytes_per_line)};
}

void Screen::move_pointer(int x, int y) {
  state_->x = std::clamp(x, 0, static_cast<int>(state_->size.width) - 1);
  state_->y = std::clamp(y, 0, static_cast<int>(state_->size.height) - 1);
  ::XTestFakeMotionEvent(state_->display, -1, state_->x, state_->y, 0);
  ::XFlush(state_->display);
}

void Screen::push_pointer(int right, int down) {
  ::XTestFakeRelativeMotionEvent(state_->display, right, down, 0);
  // A program that holds the pointer puts it back where it wants it.
  Window ignored = 0;
  int unused = 0;
  unsigned mask = 0;
  ::XQueryPointer(state_->display, DefaultRootWindow(state_->display), &ignored, &ignored, &state_->x, &state_->y,
                  &unused, &unused, &mask);
  const bool inside =
      state_->x < static_cast<int>(state_->size.width) && state_->y < static_cast<int>(state_->size.height);
  if (!inside) move_pointer(state_->x, state_->y);
}

void Screen::hold_buttons(std::uint32_t buttons) {
  if ((buttons & ~state_->buttons) != 0 && state_->windows) state_->windows->touch(state_->x, state_->y);
  for (unsigned button = 1; button <= kButtons; ++button) {
    const std::uint32_t bit = 1U << (button - 1);
    if (((buttons ^ state_->buttons) & bit) == 0) continue;
    ::XTestFakeButtonEvent(state_->display, button, (buttons & bit) != 0 ? True : False, 0);
  }
  state_->buttons = buttons;
  ::XFlush(state_->display);
}

void Screen::turn_wheel(int right, int down) {
  const auto turn = [this](int notches, unsigned button) {
    if (notches > 0) ++button;
    for (int i = 0; i < std::abs(notches); ++i) {
      ::XTestFakeButtonEvent(state_->display, button, True, 0);
      ::XTestFakeButtonEvent(state_->display, button, False, 0);
    }
  };
  turn(down, kWheelUp);
  turn(right, kWheelLeft);
  ::XFlush(state_->display);
}

void Screen::hold_keys(const std::vector<std::uint32_t>& keysyms, Clock::time_point now) {
  state_->keyboard->hold({keysyms.begin(), keysyms.end()}, now);
}

void Screen::type(std::string_view utf8, Clock::time_point now) { state_->keyboard->type(utf8, now); }

}  // namespace hearth::display
