#include "screen/frames.h"  // before X11, whose macros have names of its own

#include "display/clipboard.h"

#include <algorithm>

#include <X11/Xatom.h>
#include <X11/extensions/Xfixes.h>

#include "base/bytes.h"

namespace hearth::display {
namespace {

using std::chrono::milliseconds;

constexpr Clock::time_point kAtOnce{};
constexpr milliseconds kBetweenFetches(200);
constexpr std::chrono::seconds kPatience(10);
constexpr std::string_view kTooLong = "What was copied in the app is longer than 1 MiB, so it cannot be copied here";

struct Property {
  Atom type = 0;
  std::string bytes;  // of items of 8 bits
  bool too_long = false;
};

// Taken away when it is read whole, as ICCCM has it.
Property take_property(Display* display, Window window, Atom name) {
  constexpr long kWords = screen::kMaxClipboard / 4;
  Property property;
  int format = 0;
  unsigned long count = 0;
  unsigned long rest = 0;
  unsigned char* data = nullptr;
  const int read = ::XGetWindowProperty(display, window, name, 0, kWords, True, AnyPropertyType, &property.type,
                                        &format, &count, &rest, &data);
  if (read != Success || data == nullptr) return property;
  if (format == 8) property.bytes.assign(reinterpret_cast<char*>(data), count);
  property.too_long = rest > 0;
  ::XFree(data);
  return property;
}

std::string from_latin(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    const auto point = static_cast<unsigned char>(letter);
    if (point < 0x80) {
      out.push_back(letter);
    } else {
      out.push_back(static_cast<char>(0xc0 | point >> 6));
      out.push_back(static_cast<char>(0x80 | (point & 0x3f)));
    }
  }
  return out;
}

// What Latin-1 lacks becomes a question mark.
std::string to_latin(std::string_view utf8) {
  std::string out;
  for (std::size_t at = 0; at < utf8.size(); ++at) {
    const auto byte = static_cast<unsigned char>(utf8[at]);
    if (byte < 0x80) {
      out.push_back(utf8[at]);
    } else if (byte == 0xc2 || byte == 0xc3) {
      out.push_back(static_cast<char>((byte & 3) << 6 | (static_cast<unsigned char>(utf8[++at]) & 0x3f)));
    } else if (byte >= 0xc0) {
      out.push_back('?');
    }
  }
  return out;
}

}  // namespace

Clipboard::Clipboard(Connection display)
    : display_(std::move(display)),
      clipboard_(::XInternAtom(display_.get(), "CLIPBOARD", False)),
      utf8_(::XInternAtom(display_.get(), "UTF8_STRING", False)),
      incr_(::XInternAtom(display_.get(), "INCR", False)),
      property_(::XInternAtom(display_.get(), "HEARTH_COPIED", False)),
      answers_(display_.get()) {}

Result<std::unique_ptr<Clipboard>> Clipboard::open() {
  Result<Connection> display = connect();
  if (!display) return std::unexpected(display.error());
  std::unique_ptr<Clipboard> clipboard(new Clipboard(std::move(*display)));
  if (Result<void> begun = clipboard->begin(); !begun) return std::unexpected(begun.error());
  return clipboard;
}

Result<void> Clipboard::begin() {
  Display* display = display_.get();
  int error = 0;
  if (::XFixesQueryExtension(display, &fixes_event_, &error) == 0) {
    return fail(Code::kFailedPrecondition, "the display lacks XFIXES");
  }
  window_ = ::XCreateSimpleWindow(display, DefaultRootWindow(display), -1, -1, 1, 1, 0, 0, 0);
  ::XFixesSelectSelectionInput(display, window_, clipboard_, XFixesSetSelectionOwnerNotifyMask);
  ::XFlush(display);
  return {};
}

void Clipboard::look(Clock::time_point now) {
  for (int taken = 0; taken < kEventsAtOnce && ::XPending(display_.get()) > 0; ++taken) {
    XEvent event{};
    ::XNextEvent(display_.get(), &event);
    take(event, now);
  }
  answers_.expire(now);
  if (fetch_.window != 0 && fetch_.until <= now) drop_fetch();
  if (wanted_ && may_fetch_ <= now) begin_fetch(now);
  ::XFlush(display_.get());
}

std::optional<Clock::time_point> Clipboard::due() const {
  std::optional<Clock::time_point> due = answers_.due();
  const auto sooner = [&](Clock::time_point at) { due = due ? std::min(*due, at) : at; };
  if (fetch_.window != 0) sooner(fetch_.until);
  if (wanted_) sooner(may_fetch_);
  if (copied_ || has_events(display_.get())) sooner(kAtOnce);
  return due;
}

void Clipboard::take(const XEvent& event, Clock::time_point now) {
  if (event.type == fixes_event_ + XFixesSelectionNotify) return on_owner(event, now);
  switch (event.type) {
    case SelectionRequest:
      answers_.give(event.xselectionrequest, offer_, now);
      break;
    case SelectionNotify:
      on_answer(event.xselection);
      break;
    case PropertyNotify:
      answers_.take(event.xproperty, now);
      on_piece(event.xproperty);
      break;
    default:
      break;
  }
}

void Clipboard::on_owner(const XEvent& event, Clock::time_point now) {
  const auto& notice = reinterpret_cast<const XFixesSelectionNotifyEvent&>(event);
  if (notice.owner == None || notice.owner == window_) {
    wanted_.reset();
    return drop_fetch();
  }
  if (!wanted_) may_fetch_ = std::max(may_fetch_, now);
  wanted_ = notice.selection_timestamp;
}

void Clipboard::begin_fetch(Clock::time_point now) {
  drop_fetch();
  fetch_.window = ::XCreateSimpleWindow(display_.get(), DefaultRootWindow(display_.get()), -1, -1, 1, 1, 0, 0, 0);
  ::XSelectInput(display_.get(), fetch_.window, PropertyChangeMask);
  fetch_.time = *wanted_;
  fetch_.until = now + kPatience;
  wanted_.reset();
  may_fetch_ = now + kBetweenFetches;
  ask();
}

void Clipboard::ask() {
  ::XConvertSelection(display_.get(), clipboard_, fetch_.as_latin ? XA_STRING : utf8_, property_, fetch_.window,
                      fetch_.time);
  ::XFlush(display_.get());
}

void Clipboard::on_answer(const XSelectionEvent& event) {
  if (fetch_.window == 0 || event.requestor != fetch_.window || fetch_.by_pieces) return;
  if (event.property != None) return read_whole();
  if (fetch_.as_latin) return drop_fetch();  // it holds no text
  fetch_.as_latin = true;
  ask();
}

void Clipboard::read_whole() {
  Property property = take_property(display_.get(), fetch_.window, property_);
  if (property.type == incr_) {
    fetch_.by_pieces = true;
    ::XFlush(display_.get());
    return;
  }
  fetch_.bytes = std::move(property.bytes);
  finish(!property.too_long);
}

void Clipboard::on_piece(const XPropertyEvent& event) {
  const bool is_piece =
      fetch_.by_pieces && event.window == fetch_.window && event.atom == property_ && event.state == PropertyNewValue;
  if (!is_piece) return;
  const Property piece = take_property(display_.get(), fetch_.window, property_);
  fetch_.bytes += piece.bytes;
  const bool too_long = piece.too_long || fetch_.bytes.size() > screen::kMaxClipboard;
  if (too_long || piece.bytes.empty()) return finish(!too_long);
  ::XFlush(display_.get());
}

void Clipboard::finish(bool complete) {
  std::string text = std::exchange(fetch_.bytes, {});
  if (fetch_.as_latin) text = from_latin(text);
  drop_fetch();
  if (!complete || text.size() > screen::kMaxClipboard) return refuse(std::string(kTooLong));
  std::erase(text, '\0');
  if (text.empty() || text == last_ || !is_utf8(text)) return;
  last_ = text;
  copied_ = Copied{.text = std::move(text), .problem = {}};
}

void Clipboard::refuse(std::string problem) {
  last_.clear();
  copied_ = Copied{.text = {}, .problem = std::move(problem)};
}

void Clipboard::drop_fetch() {
  if (fetch_.window != 0) ::XDestroyWindow(display_.get(), fetch_.window);
  ::XFlush(display_.get());
  fetch_ = {};
}

std::optional<Clipboard::Copied> Clipboard::take_copied() { return std::exchange(copied_, std::nullopt); }

void Clipboard::offer(std::string text) {
  Display* display = display_.get();
  const auto latin = std::make_shared<const std::string>(to_latin(text));
  const auto utf8 = std::make_shared<const std::string>(std::move(text));
  offer_.since = server_time(display, window_);
  offer_.values.clear();
  for (const char* name : {"UTF8_STRING", "TEXT"}) {
    offer_.values[::XInternAtom(display, name, False)] = {.type = utf8_, .bytes = utf8};
  }
  for (const char* name : {"text/plain;charset=utf-8", "text/plain"}) {
    const Atom kind = ::XInternAtom(display, name, False);
    offer_.values[kind] = {.type = kind, .bytes = utf8};
  }
  offer_.values[XA_STRING] = {.type = XA_STRING, .bytes = latin};
  ::XSetSelectionOwner(display, clipboard_, window_, offer_.since);
  ::XSetSelectionOwner(display, XA_PRIMARY, window_, offer_.since);
  ::XGetSelectionOwner(display, clipboard_);  // once this is answered the server has done it
  last_.clear();
}

}  // namespace hearth::display
