#include "cli/secrets.h"

#include <iostream>

#include <termios.h>
#include <unistd.h>

#include "cli/output.h"

namespace hearth::cli {
namespace {

// What is typed is not shown while this lives.
class Unseen {
 public:
  Unseen() {
    if (::tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios now = before_;
    now.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    is_set_ = ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &now) == 0;
  }
  ~Unseen() {
    if (is_set_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Unseen(const Unseen&) = delete;
  Unseen& operator=(const Unseen&) = delete;

 private:
  termios before_{};
  bool is_set_ = false;
};

}  // namespace

std::string typed_secret(std::string_view question) {
  const Unseen unseen;
  if (is_terminal(STDIN_FILENO)) say(question);
  std::string typed;
  std::getline(std::cin, typed);
  return typed;
}

}  // namespace hearth::cli
