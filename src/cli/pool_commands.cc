// What is asked and said of the pool as a whole: its nodes, accounts, usage and audit log.
#include "cli/command_tree.h"

namespace hearth::cli {
namespace {

void add_slurm_command(CommandTree& tree, CLI::App& node, SlurmOptions& options) {
  CLI::App& slurm = tree.add(node, "slurm",
                             "Let a Slurm cluster work for another PC's pool, as one big node: each task is a job of "
                             "yours there. Run this as an ordinary user where you give the cluster its jobs; the "
                             "directory of --home must be one that all its machines see.",
                             [&] { return join_slurm(tree.context(), options); });
  CommandTree::argument(slurm, "LINK", options.pair.link, "https://HOST:PORT/#pair=..., from: hearth invite");
  CommandTree::text_option(slurm, "--name", options.pair.name, "NAME",
                           "what the cluster is called in the pool (default: this machine's name)");
  CommandTree::text_option(slurm, "--partition", options.cluster.partition, "NAME",
                           "the partition that tasks run in (default: the cluster's own)");
  CommandTree::text_option(slurm, "--account", options.cluster.account, "NAME",
                           "the account that jobs are charged to (default: yours)");
  CommandTree::text_option(slurm, "--cores", options.cores, "N",
                           "hold at most so many cores at once (default: all that are free); later: hearth limit");
}

void add_node_commands(CommandTree& tree, PoolOptions& options) {
  CLI::App& nodes = tree.add(tree.root(), "nodes", "List the PCs that work for the pool.",
                             [&] { return list_nodes(tree.context(), options.with_attributes); });
  nodes.add_flag("--attributes", options.with_attributes, "show what they say of themselves, for hearth run --where");
  CLI::App& node = tree.add(tree.root(), "node",
                            "Say whether a PC of the pool is given tasks, beside what its own owner says there; or let "
                            "a cluster be one.",
                            [] { return Result<int>(0); });
  node.require_subcommand(1);
  const auto add = [&](const std::string& verb, const std::string& text) -> CLI::App& {
    CLI::App& command =
        tree.add(node, verb, text, [&tree, &options, verb] { return set_duty(tree.context(), options.duty, verb); });
    CommandTree::argument(command, "NAME", options.duty.node, "the node, as \"hearth nodes\" lists it");
    return command;
  };
  add("cordon", "Give a node nothing new; what runs there goes on.");
  CLI::App& drain = add("drain", "Give a node nothing new; what still runs after the grace time goes elsewhere.");
  CommandTree::text_option(drain, "--grace", options.duty.grace, "SPAN",
                           "how long what runs may go on, for example 2h (default: 10m; 0: not at all)");
  add("uncordon", "Give a node tasks again.");
  add_slurm_command(tree, node, options.slurm);
}

void add_shares(CLI::App& set, AccountOptions& options) {
  CommandTree::text_option(set, "--weight", options.weight, "N",
                           "what it is to have beside others, 1 to 10000 (default: 100)");
  CommandTree::text_option(set, "--cores", options.cores, "N", "what its tasks hold at once at most; 0: no limit");
  CommandTree::text_option(set, "--memory", options.memory, "SIZE", "the same of memory");
  CommandTree::text_option(set, "--gpus", options.gpus, "N", "the same of GPUs");
}

void add_firm_commands(CommandTree& tree, AccountOptions& options) {
  CLI::App& firm = tree.add(tree.root(), "firm", "Say what firms share the pool; how they stand: hearth account.",
                            [] { return Result<int>(0); });
  firm.require_subcommand(1);
  CLI::App& set = tree.add(firm, "set",
                           "Make a firm, or change it: its part of the pool is its accounts' together (hearth account "
                           "set NAME --firm FIRM).",
                           [&] { return set_account(tree.context(), options, true); });
  CommandTree::argument(set, "NAME", options.name, "what it is called");
  add_shares(set, options);
  CommandTree::argument(tree.add(firm, "rm", "Remove a firm: its accounts are of none from then on.",
                                 [&] { return remove_account(tree.context(), options); }),
                        "NAME", options.name, "the firm's name");
}

void add_account_commands(CommandTree& tree, AccountOptions& options) {
  CLI::App& account = tree.add(tree.root(), "account", "List who shares the pool, and what each has of it.",
                               [&] { return list_accounts(tree.context()); });
  CLI::App& set = tree.add(account, "set", "Make an account, or change it: what some devices use then counts together.",
                           [&] { return set_account(tree.context(), options, false); });
  CommandTree::argument(set, "NAME", options.name, "what it is called");
  CommandTree::text_option(set, "--firm", options.firm, "FIRM",
                           "the firm that it is of, or none: what a firm has its accounts share by their weights");
  add_shares(set, options);
  CommandTree::argument(tree.add(account, "rm", "Remove an account: its devices are on their own from then on.",
                                 [&] { return remove_account(tree.context(), options); }),
                        "NAME", options.name, "the account's name");
  CLI::App& assign = tree.add(account, "assign", "Let what a device uses count for an account.",
                              [&] { return assign_device(tree.context(), options); });
  CommandTree::argument(assign, "DEVICE", options.device, "the device's name");
  CommandTree::argument(assign, "NAME", options.name, "the account's name, or none");
}

void add_booking_commands(CommandTree& tree, BookingOptions& options) {
  CLI::App& book =
      tree.add(tree.root(), "book",
               "Keep nodes for an account, or for all accounts of a firm, for a while: nobody else's tasks "
               "run there then, and what still does goes back to the queue.",
               [&] { return hearth::cli::book(tree.context(), options); });
  CommandTree::argument(book, "ACCOUNT", options.account, "whose they are to be: hearth account");
  CommandTree::text_option(book, "--nodes", options.nodes, "N", "how many (default: 1)");
  CommandTree::text_option(book, "--where", options.where, "CONDITION",
                           "of those that meet this, as hearth run --where (default: any)");
  CommandTree::text_option(book, "--from", options.from, "WHEN",
                           "a span from now like 2h, or a moment like \"2030-12-31 18:00\" (default: now)");
  CommandTree::text_option(book, "--until", options.until, "WHEN", "likewise; needed");
  CommandTree::text_option(book, "--notice", options.notice, "SPAN",
                           "for so long before they are given only what ends in time, by its --time, at most 7d "
                           "(default: 10m; 0: none)");
  tree.add(tree.root(), "bookings", "List the nodes that are kept for accounts, now or later.",
           [&] { return list_bookings(tree.context()); });
  CommandTree::argument(tree.add(tree.root(), "unbook", "Take a booking back; what runs on its nodes goes on.",
                                 [&] { return unbook(tree.context(), options); }),
                        "NUMBER", options.number, "its number, as \"hearth bookings\" lists it");
}

void add_usage_command(CommandTree& tree, UsageOptions& options) {
  CLI::App& usage = tree.add(tree.root(), "usage",
                             "Tell who used how much of the pool, by owner, account and day (in UTC): cores, GPUs and "
                             "memory as they were asked for while programs ran, and the energy by what nodes say that "
                             "they draw (hearth limit --watts).",
                             [&] { return show_usage(tree.context(), options); });
  CommandTree::text_option(usage, "--by", options.by, "WHAT", "add it up by owner, account, firm or day");
  CommandTree::text_option(usage, "--since", options.since, "DAY",
                           "from this day on, for example 2026-01-31 (default: the last 30 days)");
  usage.add_flag("--csv", options.csv, "print it as CSV");
}

void add_audit_commands(CommandTree& tree, AuditOptions& options) {
  CLI::App& audit = tree.add(tree.root(), "audit", "List what was done to the pool, by whom: for owners and operators.",
                             [&] { return show_audit(tree.context(), options); });
  audit.require_subcommand(0, 1);
  CommandTree::text_option(audit, "--since", options.since, "DAY", "from this day on, in UTC, for example 2026-01-31");
  audit.add_flag("--csv", options.csv, "print it as CSV");
  CLI::App& verify = tree.add(audit, "verify",
                              "Check that no line of that log was changed or taken out, and tell its last one's hash.",
                              [&] { return verify_audit(tree.context(), options); });
  CommandTree::text_option(verify, "--noted", options.noted, "NUMBER:HASH",
                           "check that this line, told before, is still there");
}

}  // namespace

void add_pool_commands(CommandTree& tree, PoolOptions& options) {
  add_node_commands(tree, options);
  add_account_commands(tree, options.account);
  add_firm_commands(tree, options.account);
  add_booking_commands(tree, options.booking);
  tree.add(tree.root(), "status", "Tell how the pool is.", [&] { return status(tree.context()); });
  add_usage_command(tree, options.usage);
  add_audit_commands(tree, options.audit);
}

}  // namespace hearth::cli
