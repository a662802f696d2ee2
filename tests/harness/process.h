// Programs as tests run them: with a deadline, their output kept, ended by id only.
#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <sys/types.h>

namespace hearth::e2e {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Ended {
  int exit_code = -1;  // 128 + signal if a signal ended it
  bool timed_out = false;
  std::string out;
  std::string err;
};

struct RunOptions {
  std::filesystem::path cwd = "/";
  std::vector<std::pair<std::string, std::string>> env;  // added to this process's; the last of a name counts
  std::string input;                                     // standard input: a file, so never a terminal
  milliseconds limit = seconds(60);
  int network = -1;  // a namespace's descriptor; -1: this thread's
};

// A program that runs. Killed and waited for with the object.
class Process {
 public:
  static Process start(const std::vector<std::string>& argv, const RunOptions& options);
  Process(Process&& other) noexcept;
  Process& operator=(Process&&) = delete;
  ~Process();

  pid_t pid() const { return pid_; }
  void signal(int number) const;
  std::string out() const;  // so far
  std::string err() const;

  // Waits for its end; kills it after the limit.
  Ended wait(milliseconds limit);
  bool running();

 private:
  Process(pid_t pid, int out, int err) : pid_(pid), out_(out), err_(err) {}

  pid_t pid_;
  int out_;
  int err_;
  std::optional<int> status_;
};

Ended run_program(const std::vector<std::string>& argv, const RunOptions& options = {});

// Repeats `condition` until it holds; whether it did within the limit.
template <class Condition>
bool eventually(milliseconds limit, Condition condition);

void pause_for(milliseconds span);

template <class Condition>
bool eventually(milliseconds limit, Condition condition) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= end) return false;
    pause_for(milliseconds(10));
  }
  return true;
}

}  // namespace hearth::e2e
