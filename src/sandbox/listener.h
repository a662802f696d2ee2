// What a level makes of what comes out of its bubblewrap: which of it the program printed, and how the program ended.
// Called on the reactor's thread only.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "sandbox/sandbox.h"

namespace hearth::sandbox {

// How bubblewrap ended, once every process is gone.
struct Ending {
  int exit_code = -1;  // of what bubblewrap ran, 128 + signal if a signal ended it; -1: bubblewrap ran nothing
  bool kill_wanted = false;
};

class Listener {
 public:
  using Print = std::function<void(Stream, std::string_view)>;  // takes at most 64 KiB

  virtual ~Listener() = default;

  // At most 64 KiB that came out of bubblewrap's stdout or stderr.
  virtual void hear(Stream pipe, std::string_view piece, const Print& print) = 0;

  // Nothing more is wanted of what bubblewrap runs, which may wait to be ended.
  virtual bool has_heard_all() const { return false; }

  // There will be no more. Fills `started`, `exit_code`, `signalled` and, if it did not start, `message`.
  virtual void conclude(const Ending& ending, const Print& print, Exit& exit) = 0;
};

// Fills the exit of a program that ended with a code as a shell counts it.
void fill_exit(int exit_code, Exit& exit);

// The sentence for a person about a program that could not be executed.
std::string explain_not_started(const std::string& program, int error);

// A line from elsewhere within a sentence: at most 300 bytes, without control characters.
std::string quotable(std::string_view line);

}  // namespace hearth::sandbox
