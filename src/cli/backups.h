// Backups of this PC's drive: the key and the targets that HOME remembers, and how one is made.
//
//   HOME/hub/backup-key   the key, one line
//   HOME/hub/backups      the targets, see backup_text.h
//   HOME/hub/backup-accounts/  this PC's keys for hubs where it was granted space, see space_door.h
//   HOME/hub/backup-lock  held (flock) by whoever makes or checks a backup, and by the restic that it started
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "cli/backup_text.h"
#include "cli/home.h"
#include "cli/restic.h"

namespace hearth::cli {

// Kept while the object lives. It is restic's, too: one that outlives this process is not met by a second.
class BackupLock {
 public:
  // Errors: kAborted (a backup is going on).
  static Result<BackupLock> take(const Home& home);
  BackupLock(BackupLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  BackupLock& operator=(BackupLock&&) = delete;
  ~BackupLock();

 private:
  explicit BackupLock(int file) : file_(file) {}
  int file_;
};

Result<std::vector<BackupTarget>> load_targets(const Home& home);  // none if there is no such file
Result<void> save_targets(const Home& home, const std::vector<BackupTarget>& targets);

// Errors: kNotFound (this PC has none).
Result<std::string> load_backup_key(const Home& home);
Result<std::string> make_backup_key(const Home& home);
Result<void> save_backup_key(const Home& home, const std::string& key);
Result<std::string> read_key_file(const std::string& file);

// Where this PC's node keeps what the pool stores here, and the grant: as space/server.h says.
std::filesystem::path pool_space(const Home& home);

// Errors: kFailedPrecondition: this PC does not hold the pool.
Result<void> require_hub(const Home& home);
// The same, and that there is a drive.
Result<void> require_drive(const Home& home);

// Whether the target is a directory on the disk that the drive lies on, too.
bool is_on_disk_of_drive(const Home& home, const BackupTarget& target);

struct BackupDone {
  BackupRun run;
  std::vector<std::string> remarks;  // sentences: what did not go well, though the snapshot was made
};

// Makes one, and notes in `target` how it went. A target that was never reached is prepared; one that was is taken only
// if the same repository still lies there. Errors: explain_restic()'s; kUnavailable: the target is not there.
Result<BackupDone> make_backup(const Home& home, const std::string& key, BackupTarget& target);

// Reads all of it, and notes in `target` what is wrong; nothing: no sentences.
Result<std::vector<std::string>> verify_backup(const Home& home, const std::string& key, BackupTarget& target);

}  // namespace hearth::cli
