// Moves bytes between a program's terminal, those who watch it, and the job's log.
#pragma once

#include "terminal/pty.h"

namespace hearth::terminal {

struct Files {
  int listener = -1;        // a listening socket
  int watch_listener = -1;  // one for those who may only watch
  int log = -1;             // what the program writes goes there, too; a reader that is slow makes the program wait
};

// Until the program has ended, and its viewers have been told; its exit code, 128 and the signal's number if one ended
// it. Takes SIGCHLD and SIGPIPE for itself.
int serve(const Program& program, const Files& files);

}  // namespace hearth::terminal
