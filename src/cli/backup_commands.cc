// `hearth drive backup` and what belongs to it.
#include "cli/command_tree.h"

namespace hearth::cli {
namespace {

void add_recover_command(CommandTree& tree, CLI::App& drive, BackupOptions& options) {
  CLI::App& recover = tree.add(
      drive, "recover",
      "Bring files of a backup into a directory of this PC, as they were at some time, or back into the drive. On a "
      "new PC all of it is recovered into the folder that becomes its drive, before the first "
      "\"hearth up\".",
      [&tree, &options] { return recover_drive(tree.context(), options); });
  recover.add_option("PATH", options.path, "of the drive as it was, for example /photos/2026 (default: all of it)")
      ->type_name(" ");
  recover.add_option("--from", options.target, "where the backup lies, as for \"hearth drive backup --to\"")
      ->required()
      ->type_name("TARGET");
  CommandTree::text_option(recover, "--into", options.into, "DIR", "a new or empty directory, which they come into");
  recover
      .add_flag("--in-place", options.in_place,
                "into the drive itself: what they replace becomes an earlier version, and what else is there stays")
      ->excludes("--into");
  CommandTree::text_option(recover, "--at", options.at, "WHEN",
                           "as of this moment in UTC, for example 2026-01-31 (that day's end) or \"2026-01-31 18:30\" "
                           "(default: the newest)");
  CommandTree::text_option(recover, "--snapshot", options.snapshot, "ID", "as \"hearth drive backups\" shows it")
      ->excludes("--at");
  recover.add_flag("--list", options.list, "only list what the snapshot has at PATH")
      ->excludes("--into")
      ->excludes("--in-place");
  CommandTree::text_option(
      recover, "--key-file", options.key_file, "FILE",
      "with the key as it was written down (default: this PC's own; it is asked for where there is "
      "none)");
}

}  // namespace

void add_space_command(CommandTree& tree, CLI::App& drive, SpaceOptions& options) {
  CLI::App& grant = tree.add(
      drive, "grant-space",
      "Let another device, a friend's PC for example, store its backups on this PC, up to a size; this PC sees "
      "ciphertext alone. On a PC that works for a pool, DEVICE is \"pool\": for backups of the pool's drive. Without "
      "DEVICE: list what is granted.",
      [&tree, &options] { return grant_space(tree.context(), options); });
  grant.add_option("DEVICE", options.device, "as \"hearth devices\" shows it; or pool")->type_name(" ");
  grant.add_option("SIZE", options.size, "how much it may store, for example 200G; said again: from now on")
      ->type_name(" ");
  grant.add_flag("--append-only", options.append_only,
                 "it may remove nothing, so that whoever breaks into that PC cannot either");
  CommandTree::text_option(grant, "--of", options.of, "DEVICE",
                           "whose backup becomes this device's, for a new PC in the place of one that is lost");
  grant.add_flag("--none", options.none, "take it back");
}

void add_backup_commands(CommandTree& tree, CLI::App& drive, BackupOptions& options) {
  CLI::App& backup =
      tree.add(drive, "backup",
               "Take a backup of the drive: a snapshot of all files, their earlier versions and the trash, encrypted "
               "on this PC, of which only what has changed is sent. Of the snapshots the last 3 stay, and one of each "
               "of the last 7 days, 5 weeks and 12 months. For the PC that holds the pool.",
               [&tree, &options] { return back_up_drive(tree.context(), options); });
  CommandTree::text_option(backup, "--to", options.target, "TARGET",
                           "a directory (of another disk, or of a NAS that is mounted), node:NAME (a PC of this pool "
                           "whose owner grants space), sftp:USER@HOST:/DIR, rest:https://HOST/DIR/, or the link of "
                           "\"hearth invite --ring friend\" on another PC whose "
                           "owner grants space; it is remembered (default: all that are)");
  CommandTree::text_option(backup, "--every", options.every, "WHEN",
                           "day: the hub takes one by itself from now on, once a day while it runs; never: no more");
  backup.add_flag("--keep-all", options.keep_all, "remove no snapshot there, now or later");
  CommandTree::text_option(backup, "--key-file", options.key_file, "FILE",
                           "on a new PC: the key of earlier backups, as it was written down");
  tree.add(drive, "backups", "List where backups of the drive lie, their snapshots, and how the last ones went.",
           [&tree] { return list_backups(tree.context()); });
  CLI::App& check = tree.add(drive, "check-backup",
                             "Read all that lies in a backup and verify it; what is broken is named, and nothing is "
                             "changed. It takes as long as reading all of it does.",
                             [&tree, &options] { return check_backup(tree.context(), options); });
  check.add_option("TARGET", options.target, "as \"hearth drive backups\" shows it (default: all of them)")
      ->type_name(" ");
  add_recover_command(tree, drive, options);
  tree.add(
      drive, "backup-key",
      "Print the key of the backups, to be written down: nobody can read them without it, and only this PC has it.",
      [&tree] { return show_backup_key(tree.context()); });
  CLI::App& forget = tree.add(drive, "forget-backup", "Remember a target no more. What lies there is left as it is.",
                              [&tree, &options] { return forget_backup(tree.context(), options); });
  CommandTree::argument(forget, "TARGET", options.target, "as \"hearth drive backups\" shows it");
}

}  // namespace hearth::cli
