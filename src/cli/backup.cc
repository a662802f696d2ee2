// `hearth drive backup`, `backups`, `check-backup`, `forget-backup` and `backup-key`.
#include <algorithm>

#include <unistd.h>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/log.h"
#include "base/rfc3339.h"
#include "cli/backups.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/pairing.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

using nlohmann::ordered_json;

constexpr std::size_t kShownIdDigits = 8;
constexpr int kIndent = 2;

void print_json(const ordered_json& value) {
  print(value.dump(kIndent, ' ', false, ordered_json::error_handler_t::replace) + "\n");
}

Result<std::string> typed_target(const std::string& option, const std::string& text) {
  std::error_code error;
  return parse_target(option, text, std::filesystem::current_path(error).string());
}

// The target of that name, or nothing.
BackupTarget* find(std::vector<BackupTarget>& targets, const std::string& where) {
  const auto found = std::ranges::find(targets, where, &BackupTarget::where);
  return found == targets.end() ? nullptr : &*found;
}

void show_key(const std::string& key) {
  say(
      fmt::format("The key of your backups. Write it down: this PC alone has it, and without it nobody reads them.\n\n"
                  "    {}\n\nIt is shown again by: hearth drive backup-key",
                  key));
}

// The one that was given, else this PC's, else a new one, which is shown. One that was given is kept once it has opened
// something.
Result<std::string> key_for_backup(const Context& context, const BackupOptions& options) {
  const Result<std::string> own = load_backup_key(context.home);
  if (!own && own.error().code != Code::kNotFound) return own;
  if (!options.key_file.empty()) {
    const Result<std::string> given = read_key_file(options.key_file);
    if (!given) return given;
    if (own && *own != *given) {
      return fail(Code::kFailedPrecondition,
                  "--key-file: this PC's backups have another key already, which is shown by: hearth drive backup-key");
    }
    return given;
  }
  if (own) return own;
  Result<std::string> made = make_backup_key(context.home);
  if (made) show_key(*made);
  return made;
}

// Another PC by a pairing link: this PC becomes a device of its pool, which may do there what its owner grants it.
Result<std::string> pair_with(const Context& context, const std::string& link_text, const account::PairingLink& link) {
  std::string where = "hearth:" + link.endpoint.text();
  const Result<account::Account> account =
      pair_device(SpaceDoor::directory_of(context.home, where), link_text, host_name() + " backup", false);
  if (!account) return std::unexpected(account.error());
  say(fmt::format("paired with {}, which is called {} here from now on", plain(account->pool_name), where));
  return where;
}

// What was typed, made part of what is remembered. Gives the targets that are meant.
Result<std::vector<std::string>> meant_targets(const Context& context, const BackupOptions& options,
                                               std::vector<BackupTarget>& targets) {
  if (!options.every.empty() && options.every != "day" && options.every != "never") {
    return fail(Code::kInvalidArgument, fmt::format("--every {}: day or never", plain(options.every)));
  }
  std::vector<std::string> meant;
  if (options.target.empty()) {
    for (const BackupTarget& one : targets) meant.push_back(one.where);
  } else {
    const Result<account::PairingLink> link = account::parse_link(options.target);
    const Result<std::string> where =
        link ? pair_with(context, options.target, *link) : typed_target("--to", options.target);
    if (!where) return std::unexpected(where.error());
    if (find(targets, *where) == nullptr) targets.push_back({.where = *where});
    meant.push_back(*where);
  }
  if (meant.empty()) {
    return fail(Code::kInvalidArgument,
                "--to: no target is remembered yet; for example: hearth drive backup --to /media/usb-disk/hearth");
  }
  for (const std::string& where : meant) {
    BackupTarget& target = *find(targets, where);
    if (!options.every.empty()) target.daily = options.every == "day";
    target.keeps_all = target.keeps_all || options.keep_all;
  }
  return meant;
}

ordered_json done_json(const BackupTarget& target, const Result<BackupDone>& done) {
  ordered_json one = {{"target", shown_target(target.where)}, {"ok", done.has_value()}};
  if (!done) {
    one["error"] = done.error().message;
    return one;
  }
  one.update({{"snapshot", done->run.summary.snapshot},
              {"files", done->run.summary.files},
              {"bytes", done->run.summary.bytes},
              {"added_bytes", done->run.summary.added_bytes},
              {"held_bytes", target.held_bytes},
              {"snapshots", target.snapshots},
              {"remarks", done->remarks}});
  return one;
}

void tell(const Context& context, const BackupTarget& target, const BackupDone& done) {
  const BackupSummary& summary = done.run.summary;
  print(fmt::format("{}: snapshot {}, {} {}, {}; {} new; {} {} there now, {} in all\n",
                    plain(shown_target(target.where)), summary.snapshot, format_count(summary.files),
                    summary.files == 1 ? "file" : "files", format_bytes(summary.bytes),
                    format_bytes(summary.added_bytes), target.snapshots,
                    target.snapshots == 1 ? "snapshot" : "snapshots", format_bytes(target.held_bytes)));
  for (const std::string& remark : done.remarks) say("warning: " + remark);
  if (is_on_disk_of_drive(context.home, target)) {
    say("warning: it lies on the same disk as the drive, and is lost with it");
  }
}

std::vector<std::string> shown_snapshots(const std::vector<Snapshot>& snapshots) {
  std::vector<std::string> shown;
  shown.reserve(snapshots.size());
  for (const Snapshot& one : snapshots) {
    shown.push_back(fmt::format("  {}  {}", one.id.substr(0, kShownIdDigits), format_moment(one.time)));
  }
  return shown;
}

ordered_json target_json(const BackupTarget& target, const Result<std::vector<Snapshot>>& snapshots) {
  const auto moment = [](WallTime when) { return when.unix_millis == 0 ? "" : rfc3339(when); };
  ordered_json one = {{"target", shown_target(target.where)},
                      {"daily", target.daily},
                      {"keeps_all", target.keeps_all},
                      {"succeeded", moment(target.succeeded)},
                      {"files", target.files},
                      {"bytes", target.bytes},
                      {"held_bytes", target.held_bytes},
                      {"tried", moment(target.tried)},
                      {"failure", target.failure},
                      {"was_away", target.was_away},
                      {"checked", moment(target.checked)},
                      {"damage", target.damage},
                      {"is_there", snapshots.has_value()}};
  if (!snapshots) one["error"] = snapshots.error().message;
  one["snapshots"] = ordered_json::array();
  for (const Snapshot& snapshot : snapshots.value_or(std::vector<Snapshot>())) {
    one["snapshots"].push_back({{"id", snapshot.id}, {"time", rfc3339(snapshot.time)}});
  }
  return one;
}

void print_target(const BackupTarget& target, const Result<std::vector<Snapshot>>& snapshots) {
  print(fmt::format("{}: {}{}\n", plain(shown_target(target.where)), target_state(target, wall_now()),
                    target.daily ? "; every day" : ""));
  if (target.succeeded.unix_millis != 0) {
    print(fmt::format(
        "  {} {}, {}; {} there; {}\n", format_count(target.files), target.files == 1 ? "file" : "files",
        format_bytes(target.bytes), format_bytes(target.held_bytes),
        target.checked.unix_millis == 0 ? "never checked" : "checked " + format_age(target.checked, wall_now())));
  }
  if (!target.failure.empty()) print(fmt::format("  {}\n", plain(target.failure)));
  if (!target.damage.empty()) print(fmt::format("  damaged: {}\n", plain(target.damage)));
  if (!snapshots) print(fmt::format("  now: {}\n", plain(snapshots.error().message)));
  for (const std::string& line : shown_snapshots(snapshots.value_or(std::vector<Snapshot>()))) print(line + "\n");
}

}  // namespace

Result<int> back_up_drive(const Context& context, const BackupOptions& options) {
  if (Result<void> held = require_drive(context.home); !held) return std::unexpected(held.error());
  const Result<BackupLock> lock = BackupLock::take(context.home);
  if (!lock) return std::unexpected(lock.error());
  Result<std::vector<BackupTarget>> targets = load_targets(context.home);
  if (!targets) return std::unexpected(targets.error());
  const Result<std::vector<std::string>> meant = meant_targets(context, options, *targets);
  if (!meant) return std::unexpected(meant.error());
  const Result<std::string> key = key_for_backup(context, options);
  if (!key) return std::unexpected(key.error());
  ordered_json list = ordered_json::array();
  bool all_good = true;
  for (const std::string& where : *meant) {
    BackupTarget& target = *find(*targets, where);
    const bool is_new = target.repository.empty();
    const Result<BackupDone> done = make_backup(context.home, *key, target);
    const BackupTarget after = target;
    if (!options.key_file.empty() && !target.repository.empty()) {
      if (Result<void> saved = save_backup_key(context.home, *key); !saved) return std::unexpected(saved.error());
    }
    // One that was never reached may be misspelt.
    if (is_new && !done && target.repository.empty()) std::erase(*targets, after);
    if (Result<void> saved = save_targets(context.home, *targets); !saved) return std::unexpected(saved.error());
    all_good = all_good && done && done->remarks.empty();
    list.push_back(done_json(after, done));
    if (!done && meant->size() == 1) return std::unexpected(done.error());
    if (!done) say("error: " + done.error().message);
    if (done && !context.json) tell(context, after, *done);
    if (!done && done.error().code == Code::kCanceled) break;
  }
  if (context.json) print_json({{"backups", list}});
  return all_good ? 0 : 1;
}

Result<int> make_due_backups(const Context& context) {
  const Result<std::vector<BackupTarget>> remembered = load_targets(context.home);
  if (!remembered) return std::unexpected(remembered.error());
  const auto is_due = [](const BackupTarget& one) { return is_backup_due(one, wall_now()); };
  if (std::ranges::none_of(*remembered, is_due) || !require_drive(context.home)) return 0;
  const Result<BackupLock> lock = BackupLock::take(context.home);
  if (!lock) return 0;  // one is being made
  const Result<std::string> key = load_backup_key(context.home);
  if (!key) return std::unexpected(key.error());
  // Whoever uses this PC comes first.
  if (::nice(10) < 0) log_warning("backups are made at the usual priority");
  Result<std::vector<BackupTarget>> targets = load_targets(context.home);
  if (!targets) return std::unexpected(targets.error());
  for (BackupTarget& target : *targets) {
    if (!is_due(target)) continue;
    const bool was_away = target.was_away;
    const Result<BackupDone> done = make_backup(context.home, *key, target);
    if (Result<void> saved = save_targets(context.home, *targets); !saved) return std::unexpected(saved.error());
    const std::string shown = shown_target(target.where);
    if (done) log_info("backup made", {{"target", shown}, {"snapshot", done->run.summary.snapshot}});
    for (const std::string& remark : done ? done->remarks : std::vector<std::string>()) log_warning(remark);
    if (!done && !(target.was_away && was_away)) log_warning("no backup: " + done.error().message);
    if (!done && done.error().code == Code::kCanceled) break;
  }
  return 0;
}

Result<int> list_backups(const Context& context) {
  const Result<std::vector<BackupTarget>> targets = load_targets(context.home);
  if (!targets) return std::unexpected(targets.error());
  if (targets->empty() && !context.json) {
    say("no backup of the drive is made yet: hearth drive backup --to TARGET");
    return 0;
  }
  const Result<std::string> key = load_backup_key(context.home);
  ordered_json list = ordered_json::array();
  for (const BackupTarget& one : *targets) {
    const auto look = [&]() -> Result<std::vector<Snapshot>> {
      if (!key) return std::unexpected(key.error());
      const Result<Restic> restic = Restic::open(context.home, one.where, *key);
      if (!restic) return std::unexpected(restic.error());
      return restic->snapshots();
    };
    const Result<std::vector<Snapshot>> snapshots = look();
    if (context.json) list.push_back(target_json(one, snapshots));
    if (!context.json) print_target(one, snapshots);
  }
  if (context.json) print_json({{"targets", list}});
  return 0;
}

Result<int> check_backup(const Context& context, const BackupOptions& options) {
  const Result<BackupLock> lock = BackupLock::take(context.home);
  if (!lock) return std::unexpected(lock.error());
  Result<std::vector<BackupTarget>> targets = load_targets(context.home);
  if (!targets) return std::unexpected(targets.error());
  const Result<std::string> key = load_backup_key(context.home);
  if (!key || targets->empty()) return fail(Code::kNotFound, "no backup of the drive is made yet");
  std::string meant;
  if (!options.target.empty()) {
    const Result<std::string> where = typed_target("TARGET", options.target);
    if (!where) return std::unexpected(where.error());
    meant = *where;
    if (find(*targets, meant) == nullptr) {
      return fail(Code::kNotFound, fmt::format("{}: no backup goes there; what there is: hearth drive backups",
                                               plain(shown_target(meant))));
    }
  }
  ordered_json list = ordered_json::array();
  bool all_good = true;
  for (BackupTarget& target : *targets) {
    if (!meant.empty() && target.where != meant) continue;
    const Result<std::vector<std::string>> damage = verify_backup(context.home, *key, target);
    if (!damage && (!meant.empty() || damage.error().code == Code::kCanceled)) return std::unexpected(damage.error());
    all_good = all_good && damage && damage->empty();
    const std::string shown = plain(shown_target(target.where));
    list.push_back({{"target", shown}, {"damage", damage.value_or(std::vector<std::string>())}});
    if (!damage) list.back()["error"] = damage.error().message;
    if (!damage) say("error: " + damage.error().message);
    if (!damage || context.json) continue;
    if (damage->empty()) print(fmt::format("{}: all of it was read, and nothing is wrong\n", shown));
    if (!damage->empty()) print(fmt::format("{}: DAMAGED\n", shown));
    for (const std::string& line : *damage) print(fmt::format("  {}\n", line));
    if (!damage->empty()) {
      say("While the drive itself is whole, the surest remedy is a backup to another, empty target; a disk that "
          "damages "
          "what it holds should not be trusted again");
    }
  }
  if (Result<void> saved = save_targets(context.home, *targets); !saved) return std::unexpected(saved.error());
  if (context.json) print_json({{"backups", list}});
  return all_good ? 0 : 1;
}

Result<int> forget_backup(const Context& context, const BackupOptions& options) {
  const Result<BackupLock> lock = BackupLock::take(context.home);
  if (!lock) return std::unexpected(lock.error());
  Result<std::vector<BackupTarget>> targets = load_targets(context.home);
  if (!targets) return std::unexpected(targets.error());
  const Result<std::string> where = typed_target("TARGET", options.target);
  if (!where) return std::unexpected(where.error());
  const bool is_known = std::erase_if(*targets, [&](const BackupTarget& one) {
                          return one.where == *where || shown_target(one.where) == options.target;
                        }) > 0;
  if (!is_known) {
    return fail(Code::kNotFound, fmt::format("{}: no backup goes there; what there is: hearth drive backups",
                                             plain(shown_target(*where))));
  }
  if (Result<void> saved = save_targets(context.home, *targets); !saved) return std::unexpected(saved.error());
  say("remembered no more; what lies there is as it was");
  return 0;
}

Result<int> show_backup_key(const Context& context) {
  const Result<std::string> key = load_backup_key(context.home);
  if (!key && key.error().code == Code::kNotFound) {
    return fail(Code::kNotFound,
                "there is no key yet; it is made with the first backup: hearth drive backup --to TARGET");
  }
  if (!key) return std::unexpected(key.error());
  if (context.json) print_json({{"key", *key}});
  if (!context.json) print(*key + "\n");
  return 0;
}

}  // namespace hearth::cli
