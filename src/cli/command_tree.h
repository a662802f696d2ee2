// The tree of commands and options as CLI11 keeps it: what cli.cc parses into, and what the families of commands that
// have a source of their own add to it.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/result.h"
#include "cli/commands.h"

namespace hearth::cli {

class CommandTree {
 public:
  using Action = std::function<Result<int>()>;

  explicit CommandTree(const std::string& about) : app_(about) {}
  CommandTree(const CommandTree&) = delete;
  CommandTree& operator=(const CommandTree&) = delete;

  CLI::App& root() { return app_; }
  const Context& context() const { return context_; }

  CLI::App& add(CLI::App& parent, const std::string& name, const std::string& text, Action action) {
    CLI::App& command = *parent.add_subcommand(name, text);
    command.add_option("--home", home_, "where everything is kept")->type_name("DIR");
    command.add_flag("--json", context_.json, "print the result as JSON");
    command.callback([this, &command, action = std::move(action)] {
      // The callback of `devices` runs for `devices allow` too, after that one's.
      if (command.get_subcommands().empty()) action_ = action;
    });
    return command;
  }

  static CLI::Option* text_option(CLI::App& command, const std::string& name, std::string& place,
                                  const std::string& value, const std::string& text) {
    return command.add_option(name, place, text)->type_name(value)->take_last();
  }

  static void list_option(CLI::App& command, const std::string& name, std::vector<std::string>& place,
                          const std::string& value, const std::string& text) {
    command.add_option(name, place, text)->type_name(value)->allow_extra_args(false);
  }

  static void argument(CLI::App& command, const std::string& name, std::string& place, const std::string& text) {
    command.add_option(name, place, text)->required()->type_name(" ");
  }

 protected:
  CLI::App app_;
  std::string home_;
  Context context_;
  Action action_;
};

// What `run`, `submit`, `map`, `schedule`, `webhook` and `app` parse into.
struct WorkOptions {
  RunOptions run;
  ClusterOptions cluster;
  SubmitOptions submit;
  MapOptions map;
  ScheduleOptions schedule;
  WebhookOptions webhook;
  AppOptions app;
};

// What the commands about the pool as a whole parse into.
struct PoolOptions {
  bool with_attributes = false;
  DutyOptions duty;
  SlurmOptions slurm;
  AccountOptions account;
  BookingOptions booking;
  UsageOptions usage;
  AuditOptions audit;
};

// pool_commands.cc
void add_pool_commands(CommandTree& tree, PoolOptions& options);

// What `store` and `standby` parse into.
struct HubOptions {
  std::string store;
  StandbyOptions standby;
};

// hub_commands.cc
void add_hub_commands(CommandTree& tree, HubOptions& options);

// drive_commands.cc
void add_drive_commands(CommandTree& tree, DriveOptions& options);
void add_backup_commands(CommandTree& tree, CLI::App& drive, BackupOptions& options);
void add_space_command(CommandTree& tree, CLI::App& drive, SpaceOptions& options);
void add_link_commands(CommandTree& tree, CLI::App& drive, LinkOptions& options);

// work_commands.cc
void add_work_commands(CommandTree& tree, WorkOptions& options);

}  // namespace hearth::cli
