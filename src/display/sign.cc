#include "display/sign.h"

#include <algorithm>
#include <array>

#include <X11/Xatom.h>
#include <X11/Xutil.h>
#include <X11/keysym.h>

#include "display/connection.h"

namespace hearth::display {
namespace {

constexpr std::chrono::milliseconds kBetweenLooks(200);  // at the keys that are down
constexpr std::chrono::milliseconds kBetweenRaises(1'000);
constexpr int kMargin = 12;
constexpr int kPadding = 6;
constexpr unsigned kAllModifiers = ShiftMask | ControlMask | Mod1Mask | Mod4Mask;
constexpr unsigned long kRed = 0xb3261e;
constexpr unsigned long kWhite = 0xffffff;

struct Modifier {
  std::string_view name;
  unsigned mask;
};
constexpr std::array kModifiers = {Modifier{"Ctrl", ControlMask}, Modifier{"Alt", Mod1Mask},
                                   Modifier{"Shift", ShiftMask}, Modifier{"Super", Mod4Mask}};

bool types_something(KeySym key) { return key < 0xff00 || key == XK_Return || key == XK_BackSpace || key == XK_Tab; }

// Xlib tells of refusals through a function, and there is one for the whole program.
bool refused = false;
int note_refusal(Display* /*display*/, XErrorEvent* /*error*/) {
  refused = true;
  return 0;
}

std::string people(std::size_t count, std::string_view what) { return std::to_string(count) + " " + std::string(what); }

}  // namespace

Result<StopKey> parse_stop_key(std::string_view text) {
  StopKey stop;
  std::string_view rest = text;
  for (std::size_t plus = rest.find('+'); plus != std::string_view::npos; plus = rest.find('+')) {
    const auto known = std::ranges::find(kModifiers, rest.substr(0, plus), &Modifier::name);
    if (known == kModifiers.end()) break;
    stop.modifiers |= known->mask;
    rest.remove_prefix(plus + 1);
  }
  stop.key = ::XStringToKeysym(std::string(rest).c_str());
  const bool good = stop.key != NoSymbol && (stop.modifiers & ~unsigned{ShiftMask}) != 0;
  if (!good && (stop.key == NoSymbol || types_something(stop.key))) {
    return fail(Code::kInvalidArgument, "--stop-key " + std::string(text) +
                                            ": Ctrl, Alt, Shift and Super, and a key by its name, like "
                                            "Ctrl+Alt+Escape, Super+F12 or Pause");
  }
  stop.text = text;
  return stop;
}

struct Sign::State {
  Connection display;
  Window window = 0;
  GC pen = nullptr;
  XFontStruct* font = nullptr;
  StopKey stop;
  KeyCode code = 0;
  std::string text;
  int screen_width = 0;
  bool is_down = false;  // at the lower edge: it hides nothing for long
  bool stopped = false;
  bool taken_away = false;
  Clock::time_point looked{};
  Clock::time_point raised{};

  ~State() {
    if (font != nullptr) ::XFreeFont(display.get(), font);
    if (pen != nullptr) ::XFreeGC(display.get(), pen);
  }
  Window root() const { return DefaultRootWindow(display.get()); }
  Result<void> grab();
  Result<void> show();
  void place();
  void draw() const;
  void take(const XEvent& event);
  bool is_pressed() const;
};

// With Num Lock and Caps Lock on as well.
Result<void> Sign::State::grab() {
  code = ::XKeysymToKeycode(display.get(), stop.key);
  if (code == 0) {
    return fail(Code::kFailedPrecondition, "no key of this keyboard is the last one of " + stop.text +
                                               ", which is to end the sharing: choose another with --stop-key");
  }
  ::XSync(display.get(), False);
  refused = false;
  const auto before = ::XSetErrorHandler(note_refusal);
  for (const unsigned locks : {0U, unsigned{LockMask}, unsigned{Mod2Mask}, unsigned{LockMask | Mod2Mask}}) {
    ::XGrabKey(display.get(), code, stop.modifiers | locks, root(), False, GrabModeAsync, GrabModeAsync);
  }
  ::XSync(display.get(), False);
  ::XSetErrorHandler(before);
  if (!refused) return {};
  return fail(Code::kFailedPrecondition, "another program of this desktop has taken " + stop.text +
                                             ", which is to end the sharing: choose another with --stop-key");
}

Result<void> Sign::State::show() {
  XSetWindowAttributes wish{};
  wish.override_redirect = True;
  wish.background_pixel = kRed;
  wish.event_mask = ExposureMask | StructureNotifyMask | VisibilityChangeMask | ButtonPressMask;
  window = ::XCreateWindow(display.get(), root(), 0, 0, 1, 1, 0, CopyFromParent, InputOutput, CopyFromParent,
                           CWOverrideRedirect | CWBackPixel | CWEventMask, &wish);
  ::XStoreName(display.get(), window, "Hearth: this screen is shared");
  for (const char* name : {"-misc-fixed-bold-r-normal--15-140-75-75-c-90-iso8859-1", "9x15bold", "9x15", "fixed"}) {
    if (font = ::XLoadQueryFont(display.get(), name); font != nullptr) break;
  }
  if (font == nullptr)
    return fail(Code::kFailedPrecondition, "the sign has no font on this X server: it lacks \"fixed\"");
  pen = ::XCreateGC(display.get(), window, 0, nullptr);
  ::XSetFont(display.get(), pen, font->fid);
  ::XSetForeground(display.get(), pen, kWhite);
  place();
  ::XMapRaised(display.get(), window);
  ::XSync(display.get(), False);
  XWindowAttributes now{};
  if (::XGetWindowAttributes(display.get(), window, &now) != 0 && now.map_state == IsViewable) return {};
  return fail(Code::kFailedPrecondition, "the sign that this screen is shared does not show on it");
}

// In the middle of an edge.
void Sign::State::place() {
  XWindowAttributes desktop{};
  ::XGetWindowAttributes(display.get(), root(), &desktop);
  const int width = ::XTextWidth(font, text.data(), static_cast<int>(text.size())) + 2 * kMargin;
  const int height = font->ascent + font->descent + 2 * kPadding;
  ::XMoveResizeWindow(display.get(), window, std::max(0, (desktop.width - width) / 2),
                      is_down ? desktop.height - height : 0, static_cast<unsigned>(width),
                      static_cast<unsigned>(height));
  draw();
}

void Sign::State::draw() const {
  ::XClearWindow(display.get(), window);
  ::XDrawString(display.get(), window, pen, kMargin, kPadding + font->ascent, text.data(),
                static_cast<int>(text.size()));
  ::XFlush(display.get());
}

void Sign::State::take(const XEvent& event) {
  switch (event.type) {
    case KeyPress:
      stopped = stopped || event.xkey.keycode == code;
      break;
    case ButtonPress:
      is_down = !is_down;
      place();
      break;
    case VisibilityNotify:
      if (event.xvisibility.state != VisibilityUnobscured) raised = std::min(raised, looked - kBetweenRaises / 2);
      break;
    case Expose:
      draw();
      break;
    case UnmapNotify:
    case DestroyNotify:
      taken_away = true;
      break;
    case MappingNotify: {
      XMappingEvent mapping = event.xmapping;
      ::XRefreshKeyboardMapping(&mapping);
      break;
    }
    default:
      break;
  }
}

// A program that holds the keyboard, a menu or a lock on the screen, keeps grabbed keys from others; which keys are
// down everybody is told.
bool Sign::State::is_pressed() const {
  std::array<char, 32> down{};
  ::XQueryKeymap(display.get(), down.data());
  if ((static_cast<unsigned char>(down[code / 8]) >> (code % 8) & 1U) == 0) return false;
  Window ignored = 0;
  int unused = 0;
  unsigned state = 0;
  ::XQueryPointer(display.get(), root(), &ignored, &ignored, &unused, &unused, &unused, &unused, &state);
  return (state & kAllModifiers) == stop.modifiers;
}

Sign::Sign(std::unique_ptr<State> state) : state_(std::move(state)) {}
Sign::~Sign() = default;

Result<std::unique_ptr<Sign>> Sign::open(const StopKey& stop) {
  auto state = std::make_unique<State>();
  Result<Connection> connection = connect();
  if (!connection) return std::unexpected(connection.error());
  state->display = std::move(*connection);
  state->stop = stop;
  state->text = "This screen is shared. Stop: " + stop.text;
  if (Result<void> grabbed = state->grab(); !grabbed) return std::unexpected(grabbed.error());
  if (Result<void> shown = state->show(); !shown) return std::unexpected(shown.error());
  return std::unique_ptr<Sign>(new Sign(std::move(state)));
}

int Sign::file() const { return ConnectionNumber(state_->display.get()); }

void Sign::tell(std::size_t controllers, std::size_t watchers) {
  std::string who = "nobody looks on";
  if (controllers > 0) who = people(controllers, "may use it");
  if (watchers > 0) who = (controllers > 0 ? who + ", " : "") + people(watchers, "look on");
  std::string text = "This screen is shared: " + who + ". Stop: " + state_->stop.text;
  if (text == state_->text) return;
  state_->text = std::move(text);
  state_->place();
}

Result<void> Sign::look(Clock::time_point now) {
  State& state = *state_;
  while (::XPending(state.display.get()) > 0) {
    XEvent event{};
    ::XNextEvent(state.display.get(), &event);
    state.take(event);
  }
  if (now - state.looked >= kBetweenLooks) {
    state.looked = now;
    state.stopped = state.stopped || state.is_pressed();
  }
  if (now - state.raised >= kBetweenRaises) {
    state.raised = now;
    ::XRaiseWindow(state.display.get(), state.window);
    ::XFlush(state.display.get());
  }
  if (state.stopped) return fail(Code::kCanceled, "the owner pressed " + state.stop.text);
  if (state.taken_away) return fail(Code::kFailedPrecondition, "another program took the sign away");
  return {};
}

Clock::duration Sign::until_due(Clock::time_point now) const {
  if (has_events(state_->display.get())) return Clock::duration(0);
  return std::max<Clock::duration>(state_->looked + kBetweenLooks - now, Clock::duration(0));
}

}  // namespace hearth::display
