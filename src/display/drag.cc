#include "display/drag.h"

#include <algorithm>
#include <string_view>

#include <X11/Xatom.h>

namespace hearth::display {
namespace {

using std::chrono::milliseconds;

constexpr long kNewest = 5;  // of the protocol
constexpr long kOldest = 3;
constexpr int kDeepest = 16;  // windows within windows
constexpr milliseconds kPatience(5'000);
// A window may refuse until it has looked at what is beneath the pointer.
constexpr int kTries = 6;
constexpr milliseconds kBetweenTries(150);

}  // namespace

std::string address_of(const std::string& path) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  constexpr std::string_view kPlain = "/-._~";
  std::string address = "file://";
  for (const char letter : path) {
    const bool alphanumeric =
        (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') || (letter >= '0' && letter <= '9');
    if (alphanumeric || kPlain.find(letter) != std::string_view::npos) {
      address.push_back(letter);
      continue;
    }
    const auto byte = static_cast<unsigned char>(letter);
    address += {'%', kDigits[byte >> 4], kDigits[byte & 15]};
  }
  return address;
}

Drag::Drag(Connection display) : display_(std::move(display)), answers_(display_.get()) {
  const auto atom = [this](const char* name) { return ::XInternAtom(display_.get(), name, False); };
  aware_ = atom("XdndAware");
  proxy_ = atom("XdndProxy");
  enter_ = atom("XdndEnter");
  position_ = atom("XdndPosition");
  status_ = atom("XdndStatus");
  leave_ = atom("XdndLeave");
  drop_ = atom("XdndDrop");
  finished_ = atom("XdndFinished");
  selection_ = atom("XdndSelection");
  copy_ = atom("XdndActionCopy");
  list_ = atom("text/uri-list");
  window_ = ::XCreateSimpleWindow(display_.get(), DefaultRootWindow(display_.get()), -1, -1, 1, 1, 0, 0, 0);
  ::XFlush(display_.get());
}

Result<std::unique_ptr<Drag>> Drag::open() {
  Result<Connection> display = connect();
  if (!display) return std::unexpected(display.error());
  return std::unique_ptr<Drag>(new Drag(std::move(*display)));
}

std::optional<long> Drag::property(Window window, Atom name, Atom type) const {
  Atom is = 0;
  int format = 0;
  unsigned long count = 0;
  unsigned long rest = 0;
  unsigned char* data = nullptr;
  const int read =
      ::XGetWindowProperty(display_.get(), window, name, 0, 1, False, type, &is, &format, &count, &rest, &data);
  if (read != Success || data == nullptr) return std::nullopt;
  std::optional<long> value;
  if (is == type && format == 32 && count == 1) value = *reinterpret_cast<long*>(data);
  ::XFree(data);
  return value;
}

std::optional<Drag::Target> Drag::target_in(Window window) const {
  Target target{.window = window, .listener = window, .version = 0};
  if (const std::optional<long> other = property(window, proxy_, XA_WINDOW)) {
    const auto proxy = static_cast<Window>(*other);
    // It must say so itself: what a program left behind when it died says nothing.
    if (property(proxy, proxy_, XA_WINDOW) == *other) target.listener = proxy;
  }
  const std::optional<long> version = property(target.listener, aware_, XA_ATOM);
  if (!version || *version < kOldest) return std::nullopt;
  target.version = std::min(*version, kNewest);
  return target;
}

std::optional<Drag::Target> Drag::target_at(int x, int y) const {
  Window window = DefaultRootWindow(display_.get());
  for (int depth = 0; depth < kDeepest; ++depth) {
    Window child = 0;
    int ignored = 0;
    const Window root = DefaultRootWindow(display_.get());
    if (::XTranslateCoordinates(display_.get(), root, window, x, y, &ignored, &ignored, &child) == 0) break;
    if (child == 0) break;
    if (std::optional<Target> target = target_in(child)) return target;
    window = child;
  }
  return std::nullopt;
}

void Drag::drop(const std::vector<std::string>& paths, int x, int y, Clock::time_point now) {
  const std::optional<Target> target = target_at(x, y);
  if (!target) return end(false);
  std::string list;
  for (const std::string& path : paths) list += address_of(path) + "\r\n";
  target_ = *target;
  x_ = x;
  y_ = y;
  tries_ = 0;
  asked_for_ = false;
  offer_.since = server_time(display_.get(), window_);
  offer_.values = {{list_, {.type = list_, .bytes = std::make_shared<const std::string>(std::move(list))}}};
  ::XSetSelectionOwner(display_.get(), selection_, window_, offer_.since);
  tell(enter_, target_.version << 24, static_cast<long>(list_), 0, 0);
  point(now);
  until_ = now + kPatience;
}

// The messages are five numbers, of which the first is always this side's window.
void Drag::tell(Atom kind, long first, long second, long third, long fourth) {
  XEvent event{};
  event.xclient.type = ClientMessage;
  event.xclient.window = target_.window;
  event.xclient.message_type = kind;
  event.xclient.format = 32;
  event.xclient.data.l[0] = static_cast<long>(window_);
  event.xclient.data.l[1] = first;
  event.xclient.data.l[2] = second;
  event.xclient.data.l[3] = third;
  event.xclient.data.l[4] = fourth;
  ::XSendEvent(display_.get(), target_.listener, False, NoEventMask, &event);
  ::XFlush(display_.get());
}

void Drag::point(Clock::time_point now) {
  step_ = Step::kAsking;
  until_ = now + kPatience;
  ++tries_;
  tell(position_, 0, static_cast<long>(x_) << 16 | y_, static_cast<long>(offer_.since), static_cast<long>(copy_));
}

void Drag::end(bool taken) {
  step_ = Step::kNone;
  taken_ = taken;
}

void Drag::on_status(bool accepts, Clock::time_point now) {
  if (step_ == Step::kNone || step_ == Step::kDropped) return;
  if (accepts) {
    step_ = Step::kDropped;
    until_ = now + kPatience;
    tell(drop_, 0, static_cast<long>(offer_.since), 0, 0);
  } else if (tries_ < kTries) {
    step_ = Step::kRefused;
    until_ = now + kBetweenTries;
  } else {
    tell(leave_, 0, 0, 0, 0);
    end(false);
  }
}

void Drag::on_message(const XClientMessageEvent& event, Clock::time_point now) {
  if (event.format != 32 || static_cast<Window>(event.data.l[0]) != target_.window) return;
  if (event.message_type == status_) {
    on_status((event.data.l[1] & 1) != 0, now);
  } else if (event.message_type == finished_ && step_ == Step::kDropped) {
    // Before version 5 it is not said whether they were taken.
    end(target_.version < 5 ? asked_for_ : (event.data.l[1] & 1) != 0);
  }
}

void Drag::take(const XEvent& event, Clock::time_point now) {
  switch (event.type) {
    case ClientMessage:
      on_message(event.xclient, now);
      break;
    case SelectionRequest:
      asked_for_ = asked_for_ || event.xselectionrequest.target == list_;
      answers_.give(event.xselectionrequest, offer_, now);
      break;
    case PropertyNotify:
      answers_.take(event.xproperty, now);
      break;
    default:
      break;
  }
}

void Drag::expire(Clock::time_point now) {
  answers_.expire(now);
  if (step_ == Step::kNone || until_ > now) return;
  if (step_ == Step::kRefused) return point(now);
  const bool dropped = step_ == Step::kDropped;
  if (!dropped) tell(leave_, 0, 0, 0, 0);
  end(dropped && asked_for_);
}

void Drag::look(Clock::time_point now) {
  for (int taken = 0; taken < kEventsAtOnce && ::XPending(display_.get()) > 0; ++taken) {
    XEvent event{};
    ::XNextEvent(display_.get(), &event);
    take(event, now);
  }
  expire(now);
  ::XFlush(display_.get());
}

std::optional<Clock::time_point> Drag::due() const {
  std::optional<Clock::time_point> due = answers_.due();
  if (step_ != Step::kNone) due = due ? std::min(*due, until_) : until_;
  if (taken_ || has_events(display_.get())) due = Clock::time_point();  // at once
  return due;
}

}  // namespace hearth::display
