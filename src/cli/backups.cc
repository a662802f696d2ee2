#include "cli/backups.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "cli/documents.h"
#include "cli/service.h"
#include "cli/values.h"
#include "net/crypto.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

fs::path key_file(const Home& home) { return home.hub() / "backup-key"; }
fs::path targets_file(const Home& home) { return home.hub() / "backups"; }

bool is_within(const fs::path& path, const fs::path& folder) {
  std::error_code error;
  const fs::path below = fs::weakly_canonical(path, error).lexically_relative(fs::weakly_canonical(folder, error));
  return !below.empty() && *below.begin() != "..";
}

// A directory in which nothing lies yet, or a new name in one that is there: what has no mounted disk above it is not
// made unasked.
Result<void> check_new_directory(const Home& home, const std::string& where) {
  const std::string shown = plain(where);
  std::error_code error;
  if (is_within(where, home.drive())) {
    return fail(Code::kInvalidArgument,
                fmt::format("--to {}: that lies in the drive itself; take a directory of another disk", shown));
  }
  const fs::file_status status = fs::status(where, error);
  if (status.type() == fs::file_type::not_found) {
    if (fs::is_directory(fs::path(where).parent_path(), error)) return {};
    return fail(Code::kUnavailable, fmt::format("{}: there is no directory {}; is the disk plugged in and mounted?",
                                                shown, plain(fs::path(where).parent_path().string())));
  }
  if (status.type() != fs::file_type::directory) {
    return fail(Code::kInvalidArgument, fmt::format("--to {}: it is no directory", shown));
  }
  const bool is_empty = fs::is_empty(where, error);
  if (error) return fail_errno(error.value(), shown);
  if (is_empty) return {};
  return fail(
      Code::kInvalidArgument,
      fmt::format("--to {0}: other things lie there; take an empty directory or a new one, for example {0}/hearth",
                  shown));
}

// The repository that is to be written to.
Result<void> reach(const Home& home, const Restic& restic, BackupTarget& target) {
  Result<std::string> id = restic.identify();
  const bool is_missing = !id && id.error().code == Code::kNotFound;
  if (is_missing && !target.repository.empty()) {
    return fail(Code::kUnavailable,
                fmt::format("{}: the backup that was made there is not there now; is the disk plugged in and mounted?",
                            plain(shown_target(target.where))));
  }
  if (is_missing && is_directory_target(target.where)) {
    if (Result<void> checked = check_new_directory(home, target.where); !checked) return checked;
  }
  if (is_missing) id = restic.create();
  if (!id) return std::unexpected(id.error());
  if (!target.repository.empty() && target.repository != *id) {
    return fail(
        Code::kFailedPrecondition,
        fmt::format("{0}: another backup lies there than the one that was made before. If that is meant: hearth "
                    "drive forget-backup {0}",
                    plain(shown_target(target.where))));
  }
  target.repository = *id;
  return {};
}

Result<BackupDone> carry_out(const Home& home, const Restic& restic, BackupTarget& target) {
  if (Result<void> cleared = restic.clear_dead_locks(); !cleared) return std::unexpected(cleared.error());
  Result<BackupRun> run = restic.back_up(home.drive());
  if (!run) return std::unexpected(run.error());
  target.succeeded = wall_now();
  target.files = run->summary.files;
  target.bytes = run->summary.bytes;
  BackupDone done{.run = std::move(*run), .remarks = {}};
  const auto remark = [&done](const Error& error) {
    if (error.code != Code::kCanceled) done.remarks.push_back(error.message);
  };
  if (!done.run.left_out.empty()) {
    done.remarks.push_back("some files could not be read, and are not in the snapshot:\n" + done.run.left_out);
  }
  if (!target.keeps_all) {
    const Result<void> thinned = restic.thin_out();
    // Granted so that nothing is ever removed: that is so from now on.
    target.keeps_all = !thinned && thinned.error().code == Code::kPermissionDenied && is_granted_target(target.where);
    if (!thinned && !target.keeps_all) remark(fail(thinned, "old snapshots stay").error());
    // The lock of what was ended.
    if (target.keeps_all) (void)restic.clear_dead_locks();
  }
  const Result<std::vector<Snapshot>> snapshots = restic.snapshots();
  if (snapshots) target.snapshots = snapshots->size();
  const Result<std::uint64_t> held = restic.held_bytes();
  if (held) target.held_bytes = *held;
  return done;
}

}  // namespace

Result<BackupLock> BackupLock::take(const Home& home) {
  if (Result<void> made = make_directory(home.hub()); !made) return std::unexpected(made.error());
  const fs::path path = home.hub() / "backup-lock";
  // Not closed on exec, so that it is restic's, too.
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT, 0600);
  if (file < 0) return fail_errno(errno, "opening " + path.string());
  if (::flock(file, LOCK_EX | LOCK_NB) == 0) return BackupLock(file);
  const int failure = errno;
  ::close(file);
  if (failure != EWOULDBLOCK) return fail_errno(failure, "locking " + path.string());
  return fail(Code::kAborted, "a backup or a check of one is going on on this PC; try again when it has ended");
}

BackupLock::~BackupLock() {
  if (file_ >= 0) ::close(file_);
}

Result<std::vector<BackupTarget>> load_targets(const Home& home) {
  const Result<std::string> text = read_small_file(targets_file(home));
  if (!text && text.error().code == Code::kNotFound) return std::vector<BackupTarget>();
  if (!text) return std::unexpected(text.error());
  Result<std::vector<BackupTarget>> targets = parse_targets(*text);
  if (!targets) return fail(targets, targets_file(home).string());
  return targets;
}

Result<void> save_targets(const Home& home, const std::vector<BackupTarget>& targets) {
  return write_file_atomically(targets_file(home), format_targets(targets));
}

Result<std::string> read_key_file(const std::string& file) {
  const Result<std::string> text = read_small_file(file);
  if (!text) return std::unexpected(text.error());
  Result<std::string> key = parse_backup_key(*text);
  if (!key) return fail(key, plain(file));
  return key;
}

Result<std::string> load_backup_key(const Home& home) { return read_key_file(key_file(home)); }

Result<void> save_backup_key(const Home& home, const std::string& key) {
  return write_file_atomically(key_file(home), key + "\n");
}

Result<std::string> make_backup_key(const Home& home) {
  std::string key = format_backup_key(net::random_bytes(kBackupKeyBytes));
  if (Result<void> saved = save_backup_key(home, key); !saved) return std::unexpected(saved.error());
  return key;
}

Result<void> require_hub(const Home& home) {
  const Result<Config> config = load_config(home);
  if (!config) return std::unexpected(config.error());
  if (has_joined(home, *config) || !config->hub || endpoint_of(home).stands_by) {
    return fail(Code::kFailedPrecondition,
                "the drive does not lie on this PC; this is done on the one that holds the pool");
  }
  return {};
}

Result<void> require_drive(const Home& home) {
  if (Result<void> held = require_hub(home); !held) return held;
  std::error_code error;
  if (fs::is_directory(home.drive(), error)) return {};
  return fail(Code::kFailedPrecondition,
              fmt::format("there is no drive yet ({}); it is made by: hearth up", home.drive().string()));
}

bool is_on_disk_of_drive(const Home& home, const BackupTarget& target) {
  struct stat drive{};
  struct stat there{};
  return is_directory_target(target.where) && ::stat(home.drive().c_str(), &drive) == 0 &&
         ::stat(target.where.c_str(), &there) == 0 && drive.st_dev == there.st_dev;
}

Result<BackupDone> make_backup(const Home& home, const std::string& key, BackupTarget& target) {
  const WallTime tried_before = std::exchange(target.tried, wall_now());
  const auto attempt = [&]() -> Result<BackupDone> {
    const Result<Restic> restic = Restic::open(home, target.where, key);
    if (!restic) return std::unexpected(restic.error());
    if (Result<void> reached = reach(home, *restic, target); !reached) return std::unexpected(reached.error());
    return carry_out(home, *restic, target);
  };
  Result<BackupDone> done = attempt();
  if (!done && done.error().code == Code::kCanceled) {
    target.tried = tried_before;  // a hub that is stopped meanwhile makes it when it starts again
    return done;
  }
  target.was_away = !done && done.error().code == Code::kUnavailable;
  target.failure = !done ? done.error().message : done->remarks.empty() ? "" : done->remarks.front();
  target.failure.resize(std::min(target.failure.find('\n'), target.failure.size()));
  return done;
}

Result<std::vector<std::string>> verify_backup(const Home& home, const std::string& key, BackupTarget& target) {
  const Result<Restic> restic = Restic::open(home, target.where, key);
  if (!restic) return std::unexpected(restic.error());
  Result<std::vector<std::string>> damage = restic->check();
  if (!damage) return damage;
  target.checked = wall_now();
  target.damage = damage->empty() ? "" : damage->front();
  return damage;
}

}  // namespace hearth::cli
