// Other people's programs, run as steps of a command: mmdebstrap, mksquashfs, skopeo and the like.
//
//   Result<Workshop> workshop = Workshop::open(home.cli());
//   Result<void> made = workshop->run("packing", {{.argv = {"mksquashfs", ...}, .package = "squashfs-tools"}});
//
// What they say goes to a file; a failure shows its last lines. While one runs, standard error shows for how long and
// what it said last, where that is a terminal. Where a tool's exit code, or what it prints, is to be judged by the
// caller:
//
//   const Result<Ran> ran = workshop->ask("looking", {.argv = {"restic", ...}, .package = "restic"});
//   if (ran && ran->exit_code == 3) ...
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth::cli {

struct Tool {
  std::vector<std::string> argv;
  std::string package;  // Debian's, that it comes from
  // "NAME=VALUE" sets, "NAME" takes away, "NAME*" takes away all that begin so.
  std::vector<std::string> variables = {};
  std::filesystem::path directory = {};  // where it runs; empty: where this process does
  // The rest is of ask() alone. Looked at while it runs, with what it has said so far, as in Ran: whether it can only
  // fail, however long it tries. It is ended then.
  std::function<bool(std::string_view said)> is_hopeless = {};
  // It is ended too where it has read and written nothing for so long but what it prints (nearly nothing: less than
  // 4 KiB). Zero: it never is.
  std::chrono::milliseconds most_idle{0};
};

// What a tool did that ended by itself, or was hopeless.
struct Ran {
  int exit_code = 0;    // 128 and the signal's number where it was ended since it was hopeless, as in a shell
  std::string printed;  // its standard output
  std::string said;     // the last 16 KiB of its standard error, control characters replaced
};

// Whether PATH (or the system's directories for programs) has it.
bool has_program(const std::string& name);

class Workshop {
 public:
  // A directory of its own below `parent`, which is made, removed with the object; those that killed ones have left
  // there are removed before. Errors: of the disk.
  static Result<Workshop> open(const std::filesystem::path& parent);
  Workshop(Workshop&& other) noexcept
      : directory_(std::exchange(other.directory_, {})), lock_(std::exchange(other.lock_, -1)) {}
  Workshop& operator=(Workshop&&) = delete;
  ~Workshop();

  const std::filesystem::path& directory() const { return directory_; }

  // Runs the tools at once, each one's standard output the next one's input, and waits for all. `what` is the step in
  // words. Errors: kFailedPrecondition (a tool is missing: the package to install), kInternal (one failed: its last
  // words), kCanceled (Ctrl-C; the tools were ended).
  Result<void> run(const std::string& what, const std::vector<Tool>& pipeline) const;

  // Runs one tool, whatever its exit code. `progress` makes, of the last line that it has printed, what is shown while
  // it runs; without it the time alone is shown. Errors: kFailedPrecondition (it is missing), kInternal (a signal ended
  // it), kResourceExhausted (it printed over 256 MiB), kCanceled (Ctrl-C; it was ended), kDeadlineExceeded (it did
  // nothing, and was ended).
  Result<Ran> ask(const std::string& what, const Tool& tool,
                  const std::function<std::string(const std::string& line)>& progress = {}) const;

  // The lines that a tool prints; none if it fails.
  std::vector<std::string> lines_of(const Tool& tool) const;

 private:
  Workshop(std::filesystem::path directory, int lock) : directory_(std::move(directory)), lock_(lock) {}

  std::filesystem::path directory_;
  int lock_ = -1;  // of the directory; its tools have it, too, so it is held until the last of all has ended
};

// Where hearth-swarm lies beside this program, or would.
std::filesystem::path swarm_program();
// The same for the other helpers.
std::filesystem::path screen_program();
std::filesystem::path media_program();
std::filesystem::path terminal_program();
std::filesystem::path pictures_program();

}  // namespace hearth::cli
