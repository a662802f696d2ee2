// hearth-terminal: gives a text program a terminal of its own and shows it to whoever connects to port 7440 of the
// loopback, or to port 7442 to watch alone (proto/hearth/v1/terminal.proto). It runs within the program's sandbox,
// whatever root file system that has: it is linked statically. What the program writes goes to standard output as well,
// and so into the job's log.
//
//   hearth-terminal PROGRAM ARGUMENTS...
//
// It ends with the program, and as the program did.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include <unistd.h>

#include "screen/ports.h"
#include "terminal/server.h"

namespace hearth::terminal {
namespace {

constexpr int kFailed = 70;

int give_up(const std::string& why) {
  std::fprintf(stderr, "hearth-terminal: %s\n", why.c_str());
  return kFailed;
}

int run(const std::vector<std::string>& words) {
  const int listener = screen::listen_on_loopback(screen::kPort);
  const int watch_listener = screen::listen_on_loopback(screen::kWatchPort);
  if (listener < 0 || watch_listener < 0) return give_up("its ports are taken");
  const Result<Program> program = start_in_terminal(words, Size());
  if (!program) return give_up(program.error().message);
  return serve(*program, {.listener = listener, .watch_listener = watch_listener, .log = STDOUT_FILENO});
}

}  // namespace
}  // namespace hearth::terminal

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  if (words.empty()) {
    return hearth::terminal::give_up("it is started by a node: hearth-terminal PROGRAM ARGUMENTS...");
  }
  return hearth::terminal::run(words);
}
