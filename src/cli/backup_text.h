// Backups of the drive, as far as they are text: where they may go, what is remembered of them, the key, what restic
// prints and says. Pure: what time it is, it is told. restic.h runs restic, backup.cc is the commands.
//
// A *target* holds one repository of restic's; a *snapshot* is the drive at one point in time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace hearth::cli {

// HOME/hub/backups: {"targets": [{"where": "/media/usb/hearth", "repository": "5b0a...", "daily": true, ...}]}
struct BackupTarget {
  // An absolute directory, an address that begins with sftp: or rest: as restic takes it, or another PC that has
  // granted space: hearth:HOST:PORT by its hub, node:NAME one of this pool's nodes.
  std::string where;
  std::string repository;  // restic's own id of what lies there, so that another one is noticed
  bool daily = false;
  bool keeps_all = false;  // nothing is ever removed there
  // Of the newest snapshot that was made:
  WallTime succeeded;  // 0: none was
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  // Of the target as it was then:
  std::uint64_t held_bytes = 0;
  std::uint64_t snapshots = 0;
  // Of the newest attempt:
  WallTime tried;
  std::string failure;    // empty: it succeeded
  bool was_away = false;  // the target was not there, which is nobody's fault
  WallTime checked;       // when all of it was last read; 0: never
  std::string damage;     // what was wrong then; empty: nothing
  bool operator==(const BackupTarget&) const = default;
};
Result<std::vector<BackupTarget>> parse_targets(std::string_view text);
std::string format_targets(const std::vector<BackupTarget>& targets);

// What somebody typed after --to, as it is remembered; a relative directory is one below `here`. Errors:
// kInvalidArgument.
Result<std::string> parse_target(std::string_view option, std::string_view text, std::string_view here);

bool is_directory_target(std::string_view where);
bool is_granted_target(std::string_view where);
// The node's name; nothing: it is none of this pool's.
std::optional<std::string_view> node_of_target(std::string_view where);

// For people: without the password of an address.
std::string shown_target(std::string_view where);

// Whether a daily backup is due: not within 20 hours of the last one, nor within an hour of a failed attempt; a target
// that was away is looked for each time.
bool is_backup_due(const BackupTarget& target, WallTime now);

// "2 d ago" and the like, with what went wrong since.
std::string target_state(const BackupTarget& target, WallTime now);

// The key as it is written down: 32 letters and digits in groups of four. It is what restic calls the password.
inline constexpr std::size_t kBackupKeyBytes = 20;
std::string format_backup_key(std::string_view random);  // of kBackupKeyBytes bytes
Result<std::string> parse_backup_key(std::string_view typed);

struct Snapshot {
  std::string id;
  WallTime time;
  bool operator==(const Snapshot&) const = default;
};
// What `restic snapshots --json` prints, oldest first. Errors: kDataLoss.
Result<std::vector<Snapshot>> parse_snapshots(std::string_view printed);

// "2026-01-31" (that day's end), "2026-01-31 12:00", "2026-01-31 12:00:07"; UTC.
Result<WallTime> parse_moment(std::string_view option, std::string_view text);

// The snapshot that is meant: by the beginning of its id, else the newest that is not younger than `at`, else the
// newest. Errors: kNotFound, kInvalidArgument (more than one begins so).
Result<Snapshot> choose_snapshot(const std::vector<Snapshot>& oldest_first, std::string_view id,
                                 std::optional<WallTime> at);

// "45 %, 1.2 GiB of 2.6 GiB" of a line of `restic backup --json`; empty for any other line.
std::string backup_progress(std::string_view line);

struct BackupSummary {
  std::string snapshot;  // the beginning of its id
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
  std::uint64_t added_bytes = 0;  // that the target had not got, before compression
};
// Of all that `restic backup --json` printed. Errors: kDataLoss.
Result<BackupSummary> parse_summary(std::string_view printed);

struct SnapshotEntry {
  std::string path;
  bool folder = false;
  std::uint64_t bytes = 0;
  std::string changed;  // RFC 3339
};
// What `restic ls --json` prints. Errors: kDataLoss.
Result<std::vector<SnapshotEntry>> parse_entries(std::string_view printed);

// A path as a pattern of restic's that means it alone.
std::string exact_pattern(std::string_view path);

// Of a run of restic that failed: what was wrong, for a person. `said` is the last of its standard error. Codes that
// callers tell apart: kNotFound (no repository there), kUnavailable (the target cannot be reached), kUnauthenticated
// (another key), kAborted (somebody else is at it), kResourceExhausted (full), kDataLoss (it is damaged).
Error explain_restic(std::string_view said, std::string_view where);

// Whether a run of restic that still tries has said already why it will fail: the target is full, or read-only. restic
// goes on trying for 15 minutes.
bool is_hopeless(std::string_view said);

// The sentences of a `restic check` that found something.
std::vector<std::string> parse_damage(std::string_view said);

}  // namespace hearth::cli
