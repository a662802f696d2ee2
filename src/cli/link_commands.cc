// `hearth drive share` and what belongs to it.
#include "cli/command_tree.h"

namespace hearth::cli {

void add_link_commands(CommandTree& tree, CLI::App& drive, LinkOptions& options) {
  CLI::App& share = tree.add(drive, "share",
                             "Make a link to a file or folder, for people without a device of the pool. They may look "
                             "and download, for 7 days, unless you say otherwise.",
                             [&tree, &options] { return share_in_drive(tree.context(), options); });
  CommandTree::argument(share, "PATH", options.path, "for example /photos/2026");
  share.add_flag("--add", options.add, "they may add files too; nothing is ever replaced");
  share.add_flag("--edit", options.edit, "they may add, replace, rename, move and remove");
  share.add_flag("--no-download", options.no_download, "they see names, sizes and times alone");
  share.add_flag("--drop-box", options.drop_box, "they add files, and see nothing of what is there");
  CommandTree::text_option(share, "--days", options.days, "N", "until it runs out: 1 to 3650 (default: 7)");
  share.add_flag("--forever", options.forever, "it does not run out");
  CommandTree::text_option(share, "--uses", options.uses, "N", "how often it can be opened (default: any number)");
  share.add_flag("--password", options.password, "it asks for a password, which is asked for here");
  CommandTree::text_option(share, "--name", options.label, "LABEL", "what its guests and your list call it");
  tree.add(drive, "links", "List what is shared by links: who made each, how often and when it was used.",
           [&tree] { return list_drive_links(tree.context()); });
  CLI::App& unshare = tree.add(
      drive, "unshare", "Take a link back, your own or as an owner anybody's. Whoever is in by it is cut off at once.",
      [&tree, &options] { return unshare_in_drive(tree.context(), options); });
  CommandTree::argument(unshare, "ID", options.id, "as \"hearth drive links\" shows it");
}

}  // namespace hearth::cli
