// What a synchronized folder remembers, as the text that it is kept as: a first line that says what it is kept the same
// as, and then a line for each thing that was noted or forgotten, the later one counts. Lines are appended; one that
// was cut by a crash, and what follows it, is as if it had never been there: that costs a comparison, and never a file.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/sync/reconcile.h"

namespace hearth::sync {

// To what a folder of this PC is bound.
struct Binding {
  std::string hub;     // its identity key, 32 bytes
  std::string folder;  // of the drive: "/photos"; "/": all of it
  bool operator==(const Binding&) const = default;
};

struct Known {
  Base base;
  std::string hash;  // of a file: SHA-256
  bool operator==(const Known&) const = default;
};

struct State {
  Binding binding;
  std::map<std::string, Known> known;  // by path
  std::size_t lines = 0;               // how many the text has, the first one not counted
  std::size_t good_bytes = 0;          // of the text: what follows is cut off before something is appended

  void note(const std::string& path, Known known);  // of a file: nothing below it is known any more
  void forget(const std::string& path);             // with all below
};

std::string first_line(const Binding& binding);
std::string noted_line(const std::string& path, const Known& known);
std::string forgotten_line(const std::string& path);
std::string text_of(const State& state);  // anew, as short as can be

// Errors: kDataLoss (the first line is none).
Result<State> parse_state(std::string_view text);

}  // namespace hearth::sync
