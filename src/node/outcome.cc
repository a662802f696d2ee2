#include "node/outcome.h"

#include <cstring>

#include "base/bytes.h"
#include "node/words.h"

namespace hearth::node {
namespace {

constexpr std::size_t kMaxMessageBytes = 1024;

std::string span_text(Duration span) {
  std::int64_t whole = span.micros / 1'000'000;
  if (whole >= 3600 && whole % 3600 == 0) return std::to_string(whole / 3600) + " h";
  if (whole >= 60 && whole % 60 == 0) return std::to_string(whole / 60) + " min";
  return std::to_string(whole) + " s";
}

std::string signal_text(int number) {
  const char* name = ::sigabbrev_np(number);
  std::string text = "ended by signal " + std::to_string(number);
  return name != nullptr ? text + " (SIG" + name + ")" : text;
}

}  // namespace

void set_failure(v1::Outcome& outcome, v1::FailureReason reason, std::string_view message) {
  outcome.set_reason(reason);
  outcome.set_message(plain_words(message, kMaxMessageBytes));
}

v1::Outcome failed_outcome(v1::FailureReason reason, std::string_view message) {
  v1::Outcome outcome;
  outcome.set_exit_code(-1);
  set_failure(outcome, reason, message);
  return outcome;
}

v1::Outcome describe_exit(const sandbox::Exit& exit, bool timed_out, Duration time_limit, std::uint64_t memory_bytes) {
  if (exit.fate == sandbox::Fate::kLost) return failed_outcome(v1::FAILURE_REASON_NODE_LOST, exit.message);
  if (exit.fate == sandbox::Fate::kTakenBack) return failed_outcome(v1::FAILURE_REASON_OWNER, exit.message);
  v1::Outcome outcome;
  outcome.set_exit_code(exit.started ? exit.exit_code : -1);
  outcome.set_wall_micros(exit.wall_micros);
  outcome.set_cpu_micros(exit.cpu_micros);
  outcome.set_peak_memory_bytes(exit.peak_memory_bytes);
  if (timed_out || exit.fate == sandbox::Fate::kTimeLimit) {
    set_failure(outcome, v1::FAILURE_REASON_TIME_LIMIT, "time limit of " + span_text(time_limit) + " reached");
  } else if (!exit.started) {
    set_failure(outcome, v1::FAILURE_REASON_START, exit.message);
  } else if (exit.exit_code == 0) {
    return outcome;
  } else if (exit.out_of_memory) {
    set_failure(outcome, v1::FAILURE_REASON_OUT_OF_MEMORY,
                "used more than its " + format_bytes(memory_bytes) + " of memory");
  } else if (exit.signalled) {
    set_failure(outcome, v1::FAILURE_REASON_SIGNAL, signal_text(exit.exit_code - 128));
  } else {
    set_failure(outcome, v1::FAILURE_REASON_EXIT_CODE, "exit code " + std::to_string(exit.exit_code));
  }
  return outcome;
}

}  // namespace hearth::node
