// `hearth store` and `hearth standby`: where the pool's records lie, and the second hub that keeps them.
#include "cli/command_tree.h"

namespace hearth::cli {
namespace {

void add_store_commands(CommandTree& tree, HubOptions& options) {
  CLI::App& store = tree.add(tree.root(), "store", "Where the pool's records lie.", [] { return Result<int>(0); });
  store.require_subcommand(1);
  CLI::App& check = tree.add(store, "check", "Tell whether the pool's records are safe where they lie.",
                             [&tree, &options] { return check_store(tree.context(), options.store); });
  CommandTree::text_option(check, "--url", options.store, "URL", "of a database that this PC's hub does not use yet");
  CLI::App& migrate = tree.add(
      store, "migrate", "Move this PC's pool from its file into a PostgreSQL database. Jobs wait or run on meanwhile.",
      [&tree, &options] { return migrate_store(tree.context(), options.store); });
  CommandTree::text_option(migrate, "--to", options.store, "URL",
                           "postgresql://USER@HOST,HOST/DATABASE; the password belongs in ~/.pgpass");
}

void add_standby_commands(CommandTree& tree, StandbyOptions& options) {
  CLI::App& standby = tree.add(tree.root(), "standby",
                               "The hub that keeps a copy of the pool and stands by (hearth up --standby-of); show it.",
                               [&tree] { return show_standby(tree.context()); });
  CLI::App& promote = tree.add(standby, "promote", "Let this PC's hub, which stands by, take the pool over.",
                               [&tree, &options] { return cli::promote(tree.context(), options); });
  promote.add_flag("--force", options.force,
                   "also where the hub that holds the pool does not answer, or the copy of the drive lacks something");
  CLI::App& witness = tree.add(standby, "witness",
                               "Name a node of a third PC by whose word the hub that stands by takes over by itself.",
                               [&tree, &options] { return set_witness(tree.context(), options); });
  witness.add_option("NODE", options.node, "the node, as \"hearth nodes\" lists it")->type_name(" ");
  witness.add_flag("--none", options.none, "nobody any more");
  tree.add(standby, "remove", "Let go of the hub that stands by. Its copy stays where it is.",
           [&tree] { return remove_standby(tree.context()); });
}

}  // namespace

void add_hub_commands(CommandTree& tree, HubOptions& options) {
  add_store_commands(tree, options);
  add_standby_commands(tree, options.standby);
}

}  // namespace hearth::cli
