#include "display/keyboard.h"

#include <algorithm>
#include <array>

#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

namespace hearth::display {
namespace {

constexpr KeySym kUnicode = 0x01000000;
constexpr int kMaxLent = 16;  // programs read the map anew each time, so a lent key stays for the next ones
constexpr std::chrono::milliseconds kKept(150);  // how long a spare key keeps what it meant when it was pressed
constexpr std::size_t kMaxWaiting = 4'096;

bool is_modifier(KeySym key) { return key >= XK_Shift_L && key <= XK_Hyper_R; }

// Of the first character, which is taken from `text`; 0: none that can be typed.
KeySym next_key(std::string_view& text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const std::size_t length = byte(0) < 0x80 ? 1 : byte(0) < 0xe0 ? 2 : byte(0) < 0xf0 ? 3 : 4;
  if (length > text.size()) {
    text = {};
    return 0;
  }
  constexpr std::array<unsigned, 5> kFirst = {0, 0x7f, 0x1f, 0x0f, 0x07};
  KeySym point = byte(0) & kFirst[length];
  for (std::size_t at = 1; at < length; ++at) point = point << 6 | (byte(at) & 0x3fU);
  text.remove_prefix(length);
  if (point == '\n' || point == '\r') return XK_Return;
  if (point == '\t') return XK_Tab;
  if (point == '\b') return XK_BackSpace;
  if (point < 0x20 || point == 0x7f) return 0;
  const bool latin = point < 0x7f || (point >= 0xa0 && point <= 0xff);
  return latin ? point : kUnicode | point;
}

}  // namespace

Keyboard::Keyboard(Display* display) : display_(display) { read_map(); }

Keyboard::~Keyboard() {
  hold_now({}, {});
  KeySym nothing = NoSymbol;
  for (const Spare& spare : spare_) {
    if (spare.used != Clock::time_point{}) ::XChangeKeyboardMapping(display_, spare.code, 1, &nothing, 1);
  }
  ::XSync(display_, False);
}

void Keyboard::read_map() {
  int first = 0;
  int last = 0;
  ::XDisplayKeycodes(display_, &first, &last);
  int per_code = 0;
  KeySym* map = ::XGetKeyboardMapping(display_, static_cast<KeyCode>(first), last - first + 1, &per_code);
  if (map == nullptr) return;
  places_.clear();
  std::vector<KeyCode> empty;
  for (int code = first; code <= last; ++code) {
    const KeySym* keys = map + static_cast<std::ptrdiff_t>(code - first) * per_code;
    if (std::all_of(keys, keys + per_code, [](KeySym key) { return key == NoSymbol; })) {
      empty.push_back(static_cast<KeyCode>(code));
    }
    for (int level = std::min(per_code, 2) - 1; level >= 0; --level) {
      if (keys[level] == NoSymbol) continue;
      const Place place{static_cast<KeyCode>(code), level == 1};
      const auto [known, added] = places_.emplace(keys[level], place);
      if (!added && known->second.shifted && !place.shifted) known->second = place;
    }
  }
  ::XFree(map);
  if (!spare_.empty()) return;
  if (empty.size() > kMaxLent) empty.resize(kMaxLent);
  for (const KeyCode code : empty) spare_.push_back({.code = code});
}

Keyboard::Place Keyboard::lend_spare(KeySym key) {
  if (spare_.empty()) return {};
  const KeyCode code = spare_[next_spare_++ % spare_.size()].code;
  std::erase_if(places_, [&](const auto& entry) { return entry.second.code == code; });
  std::array<KeySym, 2> both = {key, key};
  ::XChangeKeyboardMapping(display_, code, 2, both.data(), 1);
  ::XSync(display_, False);
  return places_[key] = {.code = code, .shifted = false};
}

Keyboard::Place Keyboard::find(KeySym key) {
  const auto found = places_.find(key);
  return found == places_.end() ? lend_spare(key) : found->second;
}

bool Keyboard::shift_is_held() const {
  return std::ranges::any_of(held_, [](const auto& one) { return one.first == XK_Shift_L || one.first == XK_Shift_R; });
}

// What a key gives depends on Shift; the viewer's own keyboard may have it elsewhere.
void Keyboard::press(KeySym key, Clock::time_point now) {
  const Place place = find(key);
  if (place.code == 0) return;
  const KeyCode shift = ::XKeysymToKeycode(display_, XK_Shift_L);
  const bool is_character = !is_modifier(key) && (key < 0xff00 || key >= kUnicode);
  const bool turn = is_character && place.shifted != shift_is_held();
  if (turn) ::XTestFakeKeyEvent(display_, shift, place.shifted ? True : False, 0);
  ::XTestFakeKeyEvent(display_, place.code, True, 0);
  if (turn) ::XTestFakeKeyEvent(display_, shift, place.shifted ? False : True, 0);
  held_.emplace_back(key, place.code);
  const auto spare = std::ranges::find(spare_, place.code, &Spare::code);
  if (spare != spare_.end()) spare->used = now;
}

void Keyboard::release(KeySym key) {
  const auto found = std::ranges::find(held_, key, &std::pair<KeySym, KeyCode>::first);
  if (found == held_.end()) return;
  ::XTestFakeKeyEvent(display_, found->second, False, 0);
  held_.erase(found);
}

void Keyboard::hold_now(const std::vector<KeySym>& keys, Clock::time_point now) {
  const std::vector<std::pair<KeySym, KeyCode>> before = held_;
  for (const auto& [key, code] : before) {
    if (std::ranges::find(keys, key) == keys.end()) release(key);
  }
  for (const KeySym key : keys) {
    const bool known = std::ranges::find(held_, key, &std::pair<KeySym, KeyCode>::first) != held_.end();
    if (!known) press(key, now);
  }
}

void Keyboard::hold(const std::vector<KeySym>& keys, Clock::time_point now) {
  if (waiting_.empty()) {
    hold_now(keys, now);
  } else if (waiting_.size() >= kMaxWaiting && waiting_.back().typed == 0) {
    waiting_.back().held = keys;  // nothing that is released may be lost
  } else {
    waiting_.push_back({.typed = 0, .held = keys});
  }
  ::XFlush(display_);
}

void Keyboard::type(std::string_view utf8, Clock::time_point now) {
  while (!utf8.empty()) {
    const KeySym key = next_key(utf8);
    if (key != 0 && waiting_.size() < kMaxWaiting) waiting_.push_back({.typed = key, .held = {}});
  }
  go_on(now);
}

void Keyboard::go_on(Clock::time_point now) {
  due_.reset();
  while (!waiting_.empty()) {
    const Deed deed = waiting_.front();
    if (deed.typed != 0 && places_.find(deed.typed) == places_.end() && !spare_.empty()) {
      const Clock::time_point free = spare_[next_spare_ % spare_.size()].used + kKept;
      if (free > now) {
        due_ = free;
        break;
      }
    }
    waiting_.pop_front();
    if (deed.typed == 0) {
      hold_now(deed.held, now);
    } else {
      press(deed.typed, now);
      release(deed.typed);
    }
  }
  ::XFlush(display_);
}

}  // namespace hearth::display
