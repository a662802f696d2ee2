#include "sandbox/oci/runtime_listener.h"

#include <algorithm>
#include <charconv>
#include <csignal>

#include "sandbox/oci/task.h"

namespace hearth::sandbox {
namespace {

constexpr std::size_t kMaxComplaintBytes = 16 << 10;
constexpr std::size_t kMaxDigits = 4;

// The number in "KFAILED number newline"; none if it is something else.
std::optional<int> failure_in(std::string_view said) {
  if (!said.starts_with(oci::kFailed) || !said.ends_with('\n')) return std::nullopt;
  said.remove_prefix(oci::kFailed.size());
  int number = 0;
  auto [end, error] = std::from_chars(said.data(), said.data() + said.size() - 1, number);
  if (error != std::errc() || end != said.data() + said.size() - 1) return std::nullopt;
  return number;
}

bool may_become_failure(std::string_view said) {
  const std::size_t common = std::min(said.size(), oci::kFailed.size());
  return said.substr(0, common) == oci::kFailed.substr(0, common) && !said.contains('\n') &&
         said.size() < oci::kFailed.size() + kMaxDigits;
}

// The runtime's last line.
std::string last_words(std::string_view said) {
  while (said.ends_with('\n')) said.remove_suffix(1);
  const std::string line = quotable(said.substr(said.rfind('\n') + 1));
  return line.empty() ? "it ended without a word" : line;
}

}  // namespace

void RuntimeListener::hear(Stream pipe, std::string_view piece, const Print& print) {
  if (pipe == Stream::kStdout || who_ == Who::kProgram) return print(pipe, piece);
  held_back_ += piece;
  if (who_ == Who::kRuntime) {
    const std::size_t at = held_back_.find(oci::kBegins);
    if (at == std::string::npos) {
      if (held_back_.size() > kMaxComplaintBytes) held_back_.erase(0, held_back_.size() - kMaxComplaintBytes);
      return;
    }
    held_back_.erase(0, at + oci::kBegins.size());
    who_ = Who::kInit;
  }
  error_ = failure_in(held_back_);
  if (error_ || may_become_failure(held_back_)) return;
  who_ = Who::kProgram;
  print(pipe, held_back_);
  held_back_.clear();
}

void RuntimeListener::conclude(const Ending& ending, const Print& print, Exit& exit) {
  if (error_) {
    exit.message = explain_not_started(program_, *error_);
  } else if (who_ != Who::kRuntime) {
    if (!held_back_.empty()) print(Stream::kStderr, held_back_);
    fill_exit(ending.exit_code < 0 ? 128 + SIGKILL : ending.exit_code, exit);
  } else if (ending.kill_wanted) {
    exit.message = "ended before the program was started";
  } else {
    exit.message = "the OCI runtime could not start the program: " + last_words(held_back_);
  }
}

}  // namespace hearth::sandbox
