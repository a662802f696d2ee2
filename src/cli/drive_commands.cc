// `hearth drive`: the family's files.
#include "cli/command_tree.h"

namespace hearth::cli {
namespace {

void paths_argument(CLI::App& command, DriveOptions& options, const std::string& text) {
  command.add_option("PATHS", options.paths, text)->required()->type_name(" ");
}

void add_transfer_commands(CommandTree& tree, CLI::App& drive, DriveOptions& options) {
  CLI::App& put = tree.add(drive, "put", "Send files of this PC into a folder of the drive.",
                           [&tree, &options] { return put_into_drive(tree.context(), options); });
  paths_argument(put, options, "files of this PC, and last the folder of the drive that they go into");
  put.add_flag("-r,--recursive", options.recursive, "folders, too, with all that they hold");
  put.add_flag("--replace", options.replace, "in place of files that are there already");
  CLI::App& get = tree.add(drive, "get", "Fetch files and folders of the drive.",
                           [&tree, &options] { return get_from_drive(tree.context(), options); });
  paths_argument(get, options, "paths in the drive, for example /photos/2026");
  CommandTree::text_option(get, "-o,--to", options.directory, "DIR",
                           "the directory that they come into (default: the current one)");
  get.add_flag("--replace", options.replace, "in place of files that are there already");
  CommandTree::text_option(get, "--version", options.id, "VERSION",
                           "of one file: an earlier version, as \"hearth drive versions\" shows it");
}

void add_sync_command(CommandTree& tree, CLI::App& drive, DriveOptions& options) {
  CLI::App& sync = tree.add(drive, "sync",
                            "Keep a directory of this PC and a folder of the drive the same: what is new, changed or "
                            "removed on one side comes to be so on the other. What both have changed is kept twice; "
                            "what is removed lies in a trash for 30 days, the drive's or DIR/.hearth-sync/trash.",
                            [&tree, &options] { return sync_drive(tree.context(), options); });
  CommandTree::argument(sync, "DIR", options.directory, "a directory of this PC");
  CommandTree::text_option(sync, "--folder", options.folder, "PATH",
                           "of the drive, made if it is not there; said once, with the first run (default: all of it)");
  sync.add_flag("--watch", options.watch, "go on until it is ended, and see to changes as they happen");
  sync.add_flag("--dry-run", options.dry_run, "only print what would be done")->excludes("--watch");
  sync.add_flag("--emptied", options.emptied,
                "though one side has nothing any more of what both had: remove that from the other, too");
}

void add_change_commands(CommandTree& tree, CLI::App& drive, DriveOptions& options) {
  CLI::App& mkdir = tree.add(drive, "mkdir", "Make a folder.",
                             [&tree, &options] { return make_drive_folder(tree.context(), options); });
  CommandTree::argument(mkdir, "PATH", options.path, "its path; the folder above it must be there");
  CLI::App& mv =
      tree.add(drive, "mv",
               "Move files and folders into another folder, or give one another name. Nothing is ever "
               "replaced: where a name is taken in that folder, the new one is \"a (2).jpg\"; where a new path "
               "is said and taken, nothing is done.",
               [&tree, &options] { return move_in_drive(tree.context(), options, DriveMove::kMove); });
  paths_argument(mv, options, "what is moved, and last the folder, or, of one, its new path");
  CLI::App& cp = tree.add(drive, "cp", "Copy files and folders within the drive; see: hearth help drive mv.",
                          [&tree, &options] { return move_in_drive(tree.context(), options, DriveMove::kCopy); });
  paths_argument(cp, options, "what is copied, and last the folder, or, of one, the copy's path");
  CLI::App& rm = tree.add(drive, "rm", "Put files and folders into the trash.",
                          [&tree, &options] { return remove_from_drive(tree.context(), options); });
  paths_argument(rm, options, "paths in the drive");
}

void add_trash_commands(CommandTree& tree, CLI::App& drive, DriveOptions& options) {
  tree.add(drive, "trash", "List what is in the trash, the newest first.",
           [&tree] { return list_drive_trash(tree.context()); });
  CLI::App& restore = tree.add(drive, "restore", "Bring something back from the trash to where it was.",
                               [&tree, &options] { return restore_in_drive(tree.context(), options); });
  CommandTree::argument(restore, "ID", options.id, "as \"hearth drive trash\" shows it; its first digits suffice");
  CLI::App& versions = tree.add(
      drive, "versions",
      "List what a file was before it was replaced, the newest first; one of them is fetched by: hearth drive get "
      "--version.",
      [&tree, &options] { return show_drive_versions(tree.context(), options); });
  CommandTree::argument(versions, "PATH", options.path, "of the file, for example /report.odt");
  CommandTree::text_option(versions, "--restore", options.id, "VERSION",
                           "put that one in the file's place, which becomes a version in its turn");
  tree.add(drive, "empty-trash", "Erase all that is in the trash, for good.",
           [&tree] { return empty_drive_trash(tree.context()); });
}

void add_private_command(CommandTree& tree, CLI::App& drive, DriveOptions& options) {
  CLI::App& command =
      tree.add(drive, "private",
               "List the folders that are some people's own, or say whose one is: a home folder is one person's, a "
               "shared one several people's. Nobody else is shown it. A person is an account (hearth account), whose "
               "devices and tokens reach what is his.",
               [&tree, &options] {
                 return options.path.empty() ? list_private_folders(tree.context())
                                             : set_private_folder(tree.context(), options);
               });
  command.add_option("FOLDER", options.path, "at the drive's top; it is made if it is not there")->type_name(" ");
  command.add_option("--for", options.people, "accounts, separated by commas; or: everyone")
      ->type_name("PEOPLE")
      ->delimiter(',');
  CommandTree::text_option(command, "--limit", options.limit, "SIZE",
                           "what its files may hold together, for example 200GB; 0: no limit but the disk's");
}

}  // namespace

void add_drive_commands(CommandTree& tree, DriveOptions& options) {
  CLI::App& drive =
      tree.add(tree.root(), "drive", "The family's files, on the PC that holds the pool; how much there is of them.",
               [&tree] { return show_drive_usage(tree.context()); });
  drive.require_subcommand(0, 1);
  CLI::App& ls = tree.add(drive, "ls", "List a folder: folders first, by name.",
                          [&tree, &options] { return list_drive(tree.context(), options); });
  ls.add_option("PATH", options.path, "for example /photos (default: all at the top)")->type_name(" ");
  add_transfer_commands(tree, drive, options);
  add_sync_command(tree, drive, options);
  add_change_commands(tree, drive, options);
  add_trash_commands(tree, drive, options);
  add_link_commands(tree, drive, options.link);
  add_private_command(tree, drive, options);
  add_backup_commands(tree, drive, options.backup);
  add_space_command(tree, drive, options.space);
  tree.add(drive, "usage", "Tell how much the drive and its trash hold, and what room there is.",
           [&tree] { return show_drive_usage(tree.context()); });
  CLI::App& find = tree.add(drive, "find", "Find names that hold a text, upper and lower case alike.",
                            [&tree, &options] { return find_in_drive(tree.context(), options); });
  CommandTree::argument(find, "TEXT", options.text, "1 to 200 bytes");
  CommandTree::text_option(find, "--in", options.path, "PATH", "only below this folder");
  find.add_flag("--inside", options.inside, "lines within text files, too (their first MiB)");
  tree.add(drive, "mount", "Print how this drive is mounted by davfs2 or rclone. It mounts nothing itself.",
           [&tree] { return show_drive_mounts(tree.context()); });
}

}  // namespace hearth::cli
