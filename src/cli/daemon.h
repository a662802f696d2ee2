// The supervisor: runs this PC's daemons as processes of its own and starts again what dies.
//
// One thread, no allocation after fork() in the child. A child gets SIGTERM when the supervisor is told to end, and by
// the kernel (PR_SET_PDEATHSIG) when the supervisor dies without having been able to say so.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "cli/home.h"

namespace hearth::cli {

// A child that ends with this code asks not to be started again: its device has been revoked.
inline constexpr int kDoNotRestart = 3;

struct Child {
  std::string name;                    // for the log
  std::vector<std::string> arguments;  // argv; the first is the program's name as it is shown
  // Of an errand: it is started a while after the supervisor, and so long after it has ended each time, whatever its
  // exit code. The supervisor does not live for its sake.
  std::optional<Duration> every = {};
};

struct SupervisorOptions {
  std::filesystem::path program;
  std::vector<Child> children;
  Duration first_delay = milliseconds(200);  // before a dead child is started again; doubles up to
  Duration longest_delay = seconds(5);
  Duration errand_delay = seconds(5);  // before an errand's first start
  Duration stop_limit = seconds(8);    // from SIGTERM to SIGKILL
};

// Runs until SIGTERM or SIGINT, or until every child has asked not to be started again. Gives the process's exit code.
int supervise(const SupervisorOptions& options);

// Runs `body` in a process of its own: detached from this terminal, standard error and output appended to `log` (one of
// over 4 MiB becomes `log`.1 first). The process exits with what `body` gives.
Result<void> start_detached(const std::filesystem::path& log, const std::function<int()>& body);

// The last lines of a file; empty if there is none.
std::string last_lines(const std::filesystem::path& file, std::size_t count);

// This program's file, to be run again.
std::filesystem::path this_program();

// Tells the process that holds HOME/lock to end and waits until the lock is free. Gives whether anybody held it.
// Errors: kDeadlineExceeded (it still runs), kPermissionDenied.
Result<bool> stop_supervisor(const Home& home, Duration limit);

}  // namespace hearth::cli
