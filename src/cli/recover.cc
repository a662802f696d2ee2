// `hearth drive recover`.
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/rfc3339.h"
#include "cli/backups.h"
#include "cli/commands.h"
#include "cli/documents.h"
#include "cli/drive_files.h"
#include "cli/output.h"
#include "cli/secrets.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kShownIdDigits = 8;

// The one that was given, else this PC's, else what is typed.
Result<std::string> key_for_recovery(const Context& context, const BackupOptions& options) {
  if (!options.key_file.empty()) return read_key_file(options.key_file);
  Result<std::string> own = load_backup_key(context.home);
  if (own || own.error().code != Code::kNotFound) return own;
  return parse_backup_key(typed_secret("The key of the backup:"));
}

// "/photos/2026", however it was typed.
std::string path_in_drive(const std::string& typed) {
  std::string path = fs::path("/" + typed).lexically_normal().string();
  while (path.starts_with("//")) path.erase(0, 1);
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

Result<fs::path> empty_directory(const std::string& typed) {
  if (typed.empty()) {
    return fail(Code::kInvalidArgument,
                "--into: a new or empty directory is needed, for example --into ~/recovered; or --in-place, into the "
                "drive itself");
  }
  std::error_code error;
  fs::path into = fs::absolute(typed, error).lexically_normal();
  const fs::file_status status = fs::status(into, error);
  if (status.type() == fs::file_type::not_found) {
    if (Result<void> made = make_directory(into); !made) return std::unexpected(made.error());
    return into;
  }
  if (status.type() == fs::file_type::directory && fs::is_empty(into, error) && !error) return into;
  return fail(
      Code::kAlreadyExists,
      fmt::format("--into {}: something is there already; nothing of it is ever replaced, so take a new or empty "
                  "directory",
                  plain(typed)));
}

int list_entries(const Context& context, const Snapshot& snapshot, const std::vector<SnapshotEntry>& entries) {
  if (context.json) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const SnapshotEntry& one : entries) {
      list.push_back({{"path", one.path}, {"folder", one.folder}, {"bytes", one.bytes}, {"modified", one.changed}});
    }
    const nlohmann::ordered_json reply = {
        {"snapshot", snapshot.id}, {"time", rfc3339(snapshot.time)}, {"entries", list}};
    print(reply.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    return 0;
  }
  Table table({{"PATH"}, {"HOLDS", true}});
  for (const SnapshotEntry& one : entries) {
    table.add({one.path + (one.folder ? "/" : ""), one.folder ? "" : format_bytes(one.bytes)});
  }
  say(fmt::format("as of {}", format_moment(snapshot.time)));
  print(table.text());
  return 0;
}

// By way of a directory of this command's own: what the drive has is compared with it, and changed by the hub alone.
Result<int> recover_in_place(const Context& context, const Restic& restic, const Snapshot& snapshot,
                             const std::string& path) {
  if (Result<void> held = require_drive(context.home); !held) return std::unexpected(held.error());
  const Result<std::unique_ptr<Client>> client = Client::open(context.home, context.home.cli());
  if (!client) return std::unexpected(client.error());
  const Result<Workshop> workshop = Workshop::open(context.home.cli());
  if (!workshop) return std::unexpected(workshop.error());
  if (Result<void> restored = restic.restore(snapshot, path, workshop->directory()); !restored) {
    return std::unexpected(restored.error());
  }
  const Result<BroughtBack> done = bring_back_into_drive(**client, workshop->directory(), context.home.drive());
  if (!done) return fail(done, "not all of it was brought back; it may be asked for again");
  if (context.json) {
    print(object_json({{"snapshot", snapshot.id},
                       {"time", rfc3339(snapshot.time)},
                       {"path", path},
                       {"files", done->files},
                       {"bytes", done->bytes},
                       {"same", done->same},
                       {"left_out", done->left_out}}));
  }
  say(fmt::format("{}, as of {} (snapshot {}): {} {} brought back, {}; {} there as they were{}", plain(path),
                  format_moment(snapshot.time), snapshot.id.substr(0, kShownIdDigits), done->files,
                  done->files == 1 ? "file" : "files", format_bytes(static_cast<std::uint64_t>(done->bytes)),
                  done->same, done->left_out == 0 ? "" : fmt::format("; {} left out, see above", done->left_out)));
  return done->left_out == 0 ? 0 : 1;
}

}  // namespace

Result<int> recover_drive(const Context& context, const BackupOptions& options) {
  std::error_code error;
  const Result<std::string> where = parse_target("--from", options.target, fs::current_path(error).string());
  if (!where) return std::unexpected(where.error());
  std::optional<WallTime> at;
  if (!options.at.empty()) {
    const Result<WallTime> moment = parse_moment("--at", options.at);
    if (!moment) return std::unexpected(moment.error());
    at = *moment;
  }
  const Result<std::string> key = key_for_recovery(context, options);
  if (!key) return std::unexpected(key.error());
  const Result<Restic> restic = Restic::open(context.home, *where, *key);
  if (!restic) return std::unexpected(restic.error());
  const Result<std::vector<Snapshot>> snapshots = restic->snapshots();
  if (!snapshots) return std::unexpected(snapshots.error());
  const Result<Snapshot> snapshot = choose_snapshot(*snapshots, options.snapshot, at);
  if (!snapshot) return std::unexpected(snapshot.error());
  const std::string path = path_in_drive(options.path);
  const Result<std::vector<SnapshotEntry>> entries = restic->entries(*snapshot, path);
  if (!entries) return std::unexpected(entries.error());
  if (entries->empty() && path != "/") {
    return fail(Code::kNotFound, fmt::format("{}: not in the snapshot of {}; what there was: hearth drive recover "
                                             "--list --from ...",
                                             plain(path), format_moment(snapshot->time)));
  }
  if (options.list) return list_entries(context, *snapshot, *entries);
  if (options.in_place) return recover_in_place(context, *restic, *snapshot, path);
  const Result<fs::path> into = empty_directory(options.into);
  if (!into) return std::unexpected(into.error());
  if (Result<void> restored = restic->restore(*snapshot, path, *into); !restored) {
    return fail(restored, fmt::format("what was recovered until then lies in {}", into->string()));
  }
  const std::string place = path == "/" ? into->string() : into->string() + path;
  if (context.json) {
    print(object_json({{"snapshot", snapshot->id}, {"time", rfc3339(snapshot->time)}, {"path", place}}));
    return 0;
  }
  print(place + "\n");
  say(fmt::format("as of {} (snapshot {})", format_moment(snapshot->time), snapshot->id.substr(0, kShownIdDigits)));
  return 0;
}

}  // namespace hearth::cli
