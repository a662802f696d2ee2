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

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "screen/frames.h"
#include "terminal/server.h"

namespace hearth::terminal {
namespace {

constexpr int kFailed = 70;

int give_up(const std::string& why) {
  std::fprintf(stderr, "hearth-terminal: %s\n", why.c_str());
  return kFailed;
}

int listen_on_loopback(std::uint16_t port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (listener < 0) return -1;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int yes = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  const bool listens = ::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
                       ::listen(listener, static_cast<int>(kMaxViewers)) == 0;
  if (listens) return listener;
  ::close(listener);
  return -1;
}

int run(const std::vector<std::string>& words) {
  const int listener = listen_on_loopback(screen::kPort);
  const int watch_listener = listen_on_loopback(screen::kWatchPort);
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
