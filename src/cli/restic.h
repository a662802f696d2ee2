// restic (Debian's package of that name), as this PC's backups use it: one repository on one target.
//
//   Result<Restic> restic = Restic::open(home, "/media/usb/hearth", key);
//   Result<std::string> id = restic->identify();
//   Result<BackupRun> run = restic->back_up(home.drive());
//
// Space that another PC has granted is reached through a door of this process (space_door.h).
//
// The key reaches restic by its environment, which its own user alone can read; of the user's variables those that
// restic heeds are kept from it. Errors are explain_restic()'s, kCanceled (Ctrl-C), kFailedPrecondition (there is no
// restic) and kDeadlineExceeded (restic did nothing for minutes, and was ended).
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/backup_text.h"
#include "cli/home.h"
#include "cli/space_door.h"
#include "cli/tools.h"

namespace hearth::cli {

struct BackupRun {
  BackupSummary summary;
  std::string left_out;  // what restic said of files that it could not read; empty: all were read
};

class Restic {
 public:
  // `where` as in BackupTarget; `key` as parse_backup_key() gives it. Reaches nothing yet, but another PC.
  static Result<Restic> open(const Home& home, std::string where, std::string key);

  // The id of the repository that lies there.
  Result<std::string> identify() const;
  // Makes one, and gives its id.
  Result<std::string> create() const;
  // Takes the marks of those away whose process is dead.
  Result<void> clear_dead_locks() const;
  // A snapshot of the drive's files, with what is in its trash and their earlier versions.
  Result<BackupRun> back_up(const std::filesystem::path& drive) const;
  // Drops snapshots that lie too close together for their age, and what they alone held.
  Result<void> thin_out() const;
  Result<std::vector<Snapshot>> snapshots() const;
  // What all snapshots together hold there.
  Result<std::uint64_t> held_bytes() const;
  // What a snapshot has of a path: itself, or what the folder holds.
  Result<std::vector<SnapshotEntry>> entries(const Snapshot& snapshot, const std::string& path) const;
  // Writes what it has of a path, "/" for all, below an empty directory.
  Result<void> restore(const Snapshot& snapshot, const std::string& path, const std::filesystem::path& into) const;
  // Reads every byte there, and writes nothing, so that a disk may be mounted read-only; what is wrong, in sentences.
  Result<std::vector<std::string>> check() const;

 private:
  Restic(Workshop workshop, std::filesystem::path cache, std::string where, std::string key)
      : workshop_(std::move(workshop)), cache_(std::move(cache)), where_(std::move(where)), key_(std::move(key)) {}

  Result<void> prepare(const Home& home);
  Tool tool(std::vector<std::string> words) const;
  Error explain_idle(Error idle) const;
  Result<Ran> ask(const std::string& what, const Tool& tool,
                  const std::function<std::string(const std::string& line)>& progress = {}) const;

  Workshop workshop_;
  std::unique_ptr<SpaceDoor> door_;  // of granted space alone
  std::filesystem::path cache_;
  std::string where_;
  std::string key_;
};

}  // namespace hearth::cli
