// What a stream of output has left a terminal in that a viewer who comes later does not see: which screen is shown,
// what keys and the mouse are to send, whether the cursor is visible. Without these a program that has drawn its screen
// long ago, and only changes parts of it since, could be neither seen right nor used.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace hearth::terminal {

class Modes {
 public:
  Modes();

  void feed(std::string_view bytes);

  // No escape sequence and no character has begun that is yet to end: output may be cut here.
  bool at_boundary() const { return state_ == State::kGround && continuation_ == 0; }

  // What brings an empty terminal into this state.
  std::string prelude() const;
  // What brings a terminal in this state back to that of a shell's prompt.
  std::string epilogue() const;

  // A program that fills the screen is at work, and draws it again when the size changes.
  bool on_alternate_screen() const { return alternate_; }

  // Whether there has been something since the last call that a terminal may answer, as if its user had typed.
  bool take_question() { return std::exchange(asked_, false); }

 private:
  // Those of DEC's and xterm's private modes that matter to whoever comes later: modes.cc lists them.
  static constexpr std::size_t kModes = 13;
  enum class State : std::uint8_t { kGround, kEscape, kEscapeMore, kSequence, kText, kTextEscape };

  void feed(unsigned char byte);
  void end_escape(unsigned char byte);
  void end_sequence(unsigned char last);
  void end_text();
  void set_private(std::string_view numbers, bool on);
  void reset();

  State state_ = State::kGround;
  int continuation_ = 0;     // bytes that a UTF-8 character lacks
  std::string collected_;    // of the sequence that has begun
  std::bitset<kModes> set_;  // by its place in the list
  bool asked_ = false;
  bool alternate_ = false;
  bool keypad_ = false;
  bool line_drawing_ = false;  // letters stand for lines (G0)
};

}  // namespace hearth::terminal
