#include "sandbox/listener.h"

#include <cerrno>
#include <cstring>

namespace hearth::sandbox {
namespace {

constexpr int kLastSignal = 64;
constexpr std::size_t kMaxQuotedBytes = 300;

}  // namespace

void fill_exit(int exit_code, Exit& exit) {
  exit.started = true;
  exit.exit_code = exit_code;
  exit.signalled = exit_code > 128 && exit_code <= 128 + kLastSignal;
}

std::string explain_not_started(const std::string& program, int error) {
  const std::string what = "the program '" + program + "' ";
  if (error == EACCES) return what + "is not executable";
  if (error != ENOENT) return what + "could not be started: " + std::strerror(error);
  return what + "was not found " + (program.contains('/') ? "in the sandbox, or its interpreter was not" : "in PATH");
}

std::string quotable(std::string_view line) {
  std::string text(line.substr(0, kMaxQuotedBytes));
  for (char& c : text) c = c < 0x20 || c == 0x7F ? ' ' : c;
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

}  // namespace hearth::sandbox
