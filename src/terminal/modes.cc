#include "terminal/modes.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace hearth::terminal {
namespace {

constexpr unsigned char kEscape = 0x1b;
constexpr unsigned char kBell = 0x07;
constexpr unsigned char kCancel = 0x18;
constexpr unsigned char kSubstitute = 0x1a;
constexpr std::size_t kMaxCollected = 64;  // a longer sequence says nothing that is looked for

struct PrivateMode {
  unsigned number;
  bool is_set_at_first;
};

// Names as in xterm's "Control Sequences": DECCKM, DECAWM, DECTCEM; mouse; focus; bracketed paste.
constexpr std::array<PrivateMode, 13> kPrivateModes = {{{1, false},
                                                        {7, true},
                                                        {25, true},
                                                        {9, false},
                                                        {1000, false},
                                                        {1002, false},
                                                        {1003, false},
                                                        {1004, false},
                                                        {1005, false},
                                                        {1006, false},
                                                        {1015, false},
                                                        {1016, false},
                                                        {2004, false}}};

constexpr bool is_alternate_screen(unsigned number) { return number == 47 || number == 1047 || number == 1049; }

std::string private_mode(unsigned number, bool on) { return "\x1b[?" + std::to_string(number) + (on ? "h" : "l"); }

int bytes_after(unsigned char first) {
  if (first >= 0xf0 && first <= 0xf4) return 3;
  if (first >= 0xe0 && first < 0xf0) return 2;
  return first >= 0xc2 && first < 0xe0 ? 1 : 0;
}

}  // namespace

Modes::Modes() {
  static_assert(kPrivateModes.size() == kModes);
  reset();
}

void Modes::reset() {
  for (std::size_t at = 0; at < kPrivateModes.size(); ++at) set_[at] = kPrivateModes[at].is_set_at_first;
  alternate_ = false;
  keypad_ = false;
  line_drawing_ = false;
}

void Modes::feed(std::string_view bytes) {
  for (const char byte : bytes) feed(static_cast<unsigned char>(byte));
}

void Modes::feed(unsigned char byte) {
  const bool is_text = state_ == State::kText || state_ == State::kTextEscape;
  if (byte == kCancel || byte == kSubstitute) {
    state_ = State::kGround;
    continuation_ = 0;
  } else if (byte == kEscape) {
    if (is_text) end_text();
    state_ = is_text ? State::kTextEscape : State::kEscape;
    continuation_ = 0;
    collected_.clear();
  } else if (state_ == State::kGround) {
    const bool continues = continuation_ > 0 && (byte & 0xc0) == 0x80;
    continuation_ = continues ? continuation_ - 1 : bytes_after(byte);
  } else if (state_ == State::kEscape || state_ == State::kTextEscape) {
    end_escape(byte);
  } else if (state_ == State::kEscapeMore) {
    if (byte >= 0x30 && collected_ == "(") line_drawing_ = byte == '0';
    if (byte >= 0x30) state_ = State::kGround;
  } else if (state_ == State::kSequence) {
    if (byte >= 0x40 && byte <= 0x7e) {
      end_sequence(byte);
    } else if (byte >= 0x20 && collected_.size() < kMaxCollected) {
      collected_ += static_cast<char>(byte);
    }
  } else if (byte == kBell) {
    end_text();
    state_ = State::kGround;
  } else if (collected_.size() < kMaxCollected) {
    collected_ += static_cast<char>(byte);
  }
}

// Of an operating system or device control: colours and settings are asked for by a '?', or by DECRQSS and XTGETTCAP.
void Modes::end_text() {
  const std::string_view text = collected_;
  asked_ = asked_ || text.contains('?') || text.starts_with("$q") || text.starts_with("+q");
}

// The byte after ESC.
void Modes::end_escape(unsigned char byte) {
  state_ = State::kGround;
  if (byte == '[') {
    state_ = State::kSequence;
  } else if (byte == ']' || byte == 'P' || byte == 'X' || byte == '^' || byte == '_') {
    state_ = State::kText;
    collected_.clear();
  } else if (byte >= 0x20 && byte < 0x30) {
    state_ = State::kEscapeMore;
    collected_.assign(1, static_cast<char>(byte));
  } else if (byte == 'c') {
    reset();
  } else if (byte == '=' || byte == '>') {
    keypad_ = byte == '=';
  }
}

void Modes::end_sequence(unsigned char last) {
  state_ = State::kGround;
  const std::string_view numbers = collected_;
  // DSR, DA, a window's size; XTVERSION; DECRQM; the keyboard's protocol.
  asked_ = asked_ || last == 'n' || last == 'c' || last == 't' || (last == 'q' && numbers.starts_with('>')) ||
           (last == 'p' && numbers.ends_with('$')) || (last == 'u' && numbers.starts_with('?'));
  if (numbers.starts_with('?') && (last == 'h' || last == 'l')) set_private(numbers.substr(1), last == 'h');
  if (numbers == "!" && last == 'p') {  // DECSTR resets these, and neither the mouse nor the screen
    set_private("1", false);
    set_private("7;25", true);
    keypad_ = false;
    line_drawing_ = false;
  }
}

void Modes::set_private(std::string_view numbers, bool on) {
  while (!numbers.empty()) {
    const std::string_view text = numbers.substr(0, numbers.find(';'));
    numbers.remove_prefix(std::min(text.size() + 1, numbers.size()));
    unsigned number = 0;
    if (std::from_chars(text.data(), text.data() + text.size(), number).ptr != text.data() + text.size()) continue;
    if (is_alternate_screen(number)) alternate_ = on;
    const auto* const found = std::ranges::find(kPrivateModes, number, &PrivateMode::number);
    if (found != kPrivateModes.end()) set_[static_cast<std::size_t>(found - kPrivateModes.begin())] = on;
  }
}

std::string Modes::prelude() const {
  std::string text;
  if (alternate_) text += private_mode(1049, true);
  for (std::size_t at = 0; at < kPrivateModes.size(); ++at) {
    if (set_[at] != kPrivateModes[at].is_set_at_first) text += private_mode(kPrivateModes[at].number, set_[at]);
  }
  if (keypad_) text += "\x1b=";
  if (line_drawing_) text += "\x1b(0";
  return text;
}

std::string Modes::epilogue() const {
  std::string text;
  if (state_ != State::kGround) text += "\x18";
  for (std::size_t at = 0; at < kPrivateModes.size(); ++at) {
    if (set_[at] != kPrivateModes[at].is_set_at_first) {
      text += private_mode(kPrivateModes[at].number, kPrivateModes[at].is_set_at_first);
    }
  }
  if (keypad_) text += "\x1b>";
  if (line_drawing_) text += "\x1b(B";
  if (alternate_) text += private_mode(1049, false);
  return text + "\x1b[0m";
}

}  // namespace hearth::terminal
