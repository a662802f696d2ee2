// A program in a terminal of its own.
#pragma once

#include <string>
#include <vector>

#include <sys/types.h>

#include "base/result.h"
#include "terminal/messages.h"

namespace hearth::terminal {

struct Program {
  pid_t process = -1;
  int terminal = -1;  // its other side; non-blocking
};

// The program leads a session of its own, and ends with this process. One that cannot be started ends with 127 (there
// is none) or 126, and says why in its terminal. Errors: there are no terminals here.
Result<Program> start_in_terminal(const std::vector<std::string>& words, Size size);

void resize(const Program& program, Size size);

}  // namespace hearth::terminal
