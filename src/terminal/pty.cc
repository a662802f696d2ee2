#include "terminal/pty.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

namespace hearth::terminal {
namespace {

winsize window_of(Size size) {
  return {.ws_row = static_cast<unsigned short>(size.rows),
          .ws_col = static_cast<unsigned short>(size.columns),
          .ws_xpixel = 0,
          .ws_ypixel = 0};
}

// What programs look at to know what their terminal can do; the page's and most others can.
void set_variables() {
  ::setenv("TERM", "xterm-256color", 1);
  ::setenv("COLORTERM", "truecolor", 1);
  const bool says_language =
      std::getenv("LC_ALL") != nullptr || std::getenv("LC_CTYPE") != nullptr || std::getenv("LANG") != nullptr;
  if (!says_language) ::setenv("LANG", "C.UTF-8", 1);
}

[[noreturn]] void become(const std::vector<std::string>& words) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  ::signal(SIGPIPE, SIG_DFL);
  set_variables();
  std::vector<char*> argv;
  argv.reserve(words.size() + 1);
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  const int why = errno;
  std::fprintf(stderr, "hearth-terminal: %s cannot be started: %s\n", argv[0], std::strerror(why));
  ::_exit(why == ENOENT ? 127 : 126);
}

}  // namespace

Result<Program> start_in_terminal(const std::vector<std::string>& words, Size size) {
  Program program;
  const winsize window = window_of(size);
  program.process = ::forkpty(&program.terminal, nullptr, nullptr, &window);
  if (program.process < 0) return fail_errno(errno, "a terminal cannot be had");
  if (program.process == 0) become(words);
  ::fcntl(program.terminal, F_SETFL, O_NONBLOCK);
  ::fcntl(program.terminal, F_SETFD, FD_CLOEXEC);
  return program;
}

void resize(const Program& program, Size size) {
  const winsize window = window_of(size);
  ::ioctl(program.terminal, TIOCSWINSZ, &window);
}

}  // namespace hearth::terminal
