// Other people's programs, run as steps of a command: mmdebstrap, mksquashfs, skopeo and the like.
//
//   Result<Workshop> workshop = Workshop::open(home.cli());
//   Result<void> made = workshop->run("packing", {{.argv = {"mksquashfs", ...}, .package = "squashfs-tools"}});
//
// What they say goes to a file; a failure shows its last lines. While one runs, standard error shows for how long and
// what it said last, where that is a terminal.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace hearth::cli {

struct Tool {
  std::vector<std::string> argv;
  std::string package;                      // Debian's, that it comes from
  std::vector<std::string> variables = {};  // "NAME=VALUE" sets, "NAME" takes away
};

// Whether PATH (or the system's directories for programs) has it.
bool has_program(const std::string& name);

class Workshop {
 public:
  // A directory of its own below `parent`, which is made, removed with the object. Errors: of the disk.
  static Result<Workshop> open(const std::filesystem::path& parent);
  Workshop(Workshop&& other) noexcept : directory_(std::exchange(other.directory_, {})) {}
  Workshop& operator=(Workshop&&) = delete;
  ~Workshop();

  const std::filesystem::path& directory() const { return directory_; }

  // Runs the tools at once, each one's standard output the next one's input, and waits for all. `what` is the step in
  // words. Errors: kFailedPrecondition (a tool is missing: the package to install), kInternal (one failed: its last
  // words), kCanceled (Ctrl-C; the tools were ended).
  Result<void> run(const std::string& what, const std::vector<Tool>& pipeline) const;

  // The lines that a tool prints; none if it fails.
  std::vector<std::string> lines_of(const Tool& tool) const;

 private:
  explicit Workshop(std::filesystem::path directory) : directory_(std::move(directory)) {}
  std::filesystem::path directory_;
};

// Where hearth-swarm lies beside this program, or would.
std::filesystem::path swarm_program();
// The same for the other helpers.
std::filesystem::path screen_program();
std::filesystem::path media_program();
std::filesystem::path terminal_program();
std::filesystem::path pictures_program();

}  // namespace hearth::cli
