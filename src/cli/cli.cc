#include "cli/cli.h"

#include <algorithm>
#include <array>
#include <csignal>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"
#include "cli/command_tree.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/spelling.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr const char* kVersion = HEARTH_VERSION;
constexpr std::array<std::string_view, 4> kTakeProgram = {"run", "cluster", "schedule add", "app add"};
constexpr int kFailed = 1;
constexpr int kUsage = 2;

// The option tree, the places that it parses into, and what the chosen command does.
class CommandLine : public CommandTree {
 public:
  explicit CommandLine(const Programs& programs)
      : CommandTree("turns the computers people already own into a cloud they share") {
    context_.programs = &programs;
    app_.name("hearth");
    app_.set_version_flag("--version", std::string("hearth ") + kVersion);
    app_.set_help_all_flag();
    app_.require_subcommand(0, 1);
    app_.add_option("--home", home_, "where everything is kept (default: $HEARTH_HOME, else ~/.local/share/hearth)")
        ->type_name("DIR");
    app_.footer("hearth help COMMAND tells more about a command; hearth help --man prints the manual page.");
    add_service_commands();
    add_device_commands();
    add_work_commands(*this, work_);
    add_job_commands();
    add_forward_command();
    add_open_command();
    add_attach_command();
    add_wipe_command();
    add_pool_commands(*this, pool_);
    add_environment_commands();
    add_workspace_commands();
    add_drive_commands(*this, drive_);
    add_help_command();
    refuse_empty_values(app_);
  }

  int run(int argc, char** argv) {
    for (int i = 1; i < argc; ++i) {
      if (!is_utf8(argv[i])) return usage(fmt::format("argument {} is not UTF-8: {}", i, plain(argv[i])));
    }
    try {
      parse(argc, argv);
    } catch (const CLI::CallForHelp&) {
      print(help_of(parsed()));
      return 0;
    } catch (const CLI::CallForVersion& version) {
      print(std::string(version.what()) + "\n");
      return 0;
    } catch (const CLI::ExtrasError&) {
      return usage(unexpected(app_.remaining(true).front()));
    } catch (const CLI::ArgumentMismatch& error) {
      const std::string_view what = error.what();  // "--cores: 1 required N missing"
      return usage(fmt::format("{}: a value is needed", what.substr(0, what.find(':'))));
    } catch (const CLI::RequiredError& error) {
      return usage(incomplete(error));
    } catch (const CLI::ParseError& error) {
      return usage(error.what());
    }
    if (!action_) {
      say(app_.help());
      return kUsage;
    }
    return finish(perform());
  }

 private:
  void add_service_commands() {
    CLI::App& up = add(app_, "up", "Turn this PC into a family server and node. A second time it says that it is up.",
                       [this] { return cli::up(context_, up_); });
    text_option(up, "--address", up_.address, "ADDRESS", "listen on this address (default: all of them, 0.0.0.0)");
    text_option(up, "--port", up_.port, "PORT", "listen on this port (default: 7443; 0: any free one)");
    text_option(up, "--name", up_.name, "NAME", "what the pool is called (default: this PC's name)");
    text_option(up, "--store", up_.store, "URL",
                "keep the pool in a PostgreSQL database, postgresql://USER@HOST,HOST/DATABASE, which other PCs' hubs "
                "may share: one holds the pool, the others stand by");
    text_option(up, "--standby-of", up_.standby_of, "LINK",
                "keep a copy of another PC's pool and stand by for its hub; the link is shown there by: hearth invite "
                "--role owner");
    text_option(up, "--drive-rate", up_.drive_rate, "SIZE",
                "while this PC stands by, let the copy of the drive come with at most so many bytes a second, as 2M; "
                "0: without a limit (default)");
    up.add_flag("--foreground", up_.foreground, "stay in the foreground and log to standard error");
    add_log_format(up);
    up.add_flag("--no-invite", up_.no_invite, "show no link and no code for a phone");
    add(app_, "down", "End this PC's daemons. What runs on other nodes goes on.", [this] { return down(context_); });
    add_hub_commands(*this, hub_);
    CLI::App& join =
        add(app_, "join", "Let this PC work for another PC's pool, by the link that \"hearth invite\" shows there.",
            [this] { return cli::join(context_, pair_); });
    argument(join, "LINK", pair_.link, "https://HOST:PORT/#pair=...");
    text_option(join, "--name", pair_.name, "NAME", "what this PC is called there (default: its own name)");
    add(app_, "leave", "Finish what runs here for the pool that this PC joined, then leave it.",
        [this] { return leave(context_); });
    CLI::App& limit = add(app_, "limit", "Set what others may use of this PC; without options, show it.",
                          [this] { return cli::limit(context_, limit_); });
    text_option(limit, "--cores", limit_.cores, "N", "at most this many cores; 0: none, nothing new is taken");
    text_option(limit, "--memory", limit_.memory, "SIZE", "at most this much memory, for example 8G");
    text_option(limit, "--disk", limit_.disk, "SIZE",
                "at most this much disk for environments and workspaces, and as much again, encrypted, for inputs and "
                "files of running tasks, half each, for example 20G (the default)");
    text_option(limit, "--workspaces", limit_.workspaces, "SIZE",
                "of that disk, at most this much for workspaces, which jobs leave here in clear; 0: none; the default: "
                "none on a PC that joined another's pool, else a quarter");
    text_option(limit, "--hours", limit_.hours, "FROM-TO", "only at these hours, for example 22-7 or 8:00-18:30");
    list_option(limit, "--label", limit_.labels, "NAME=VALUE",
                "what jobs may ask for by hearth run --where \"label.NAME == 'VALUE'\"; NAME= takes it back");
    text_option(limit, "--watts", limit_.watts, "N", "what this PC draws under load; 0: not said");
    text_option(limit, "--swarm", limit_.swarm, "WHERE",
                "give large files to other nodes: lan (standard: private addresses alone), anywhere, off");
    text_option(limit, "--swarm-rate", limit_.swarm_rate, "SIZE", "at most so much a second; 0: no limit");
    add_ring_options(limit);
    limit.add_flag("--none", limit_.none, "take all limits away first; labels, power, swarm and --for stay");
    add_owner_options(limit);
    CLI::App& microvm =
        add(app_, "microvm", "What microVMs need on this PC, besides QEMU and KVM.", [] { return Result<int>(0); });
    microvm.require_subcommand(1);
    CLI::App& fetch =
        add(microvm, "fetch", "Fetch Debian's kernel for virtual machines by apt and unpack it; nothing is installed.",
            [this] { return fetch_kernel(context_, directory_); });
    text_option(fetch, "--into", directory_, "DIR", "another directory than where this PC's node looks");
    add(app_, "stop-everything", "End all that others run on this PC, at once; nothing starts until \"hearth resume\".",
        [this] { return cli::stop_everything(context_); });
    add(app_, "resume", "Let others use this PC again after \"hearth stop-everything\".",
        [this] { return cli::resume(context_); });
    add(app_, "doctor", "Tell what works on this PC, what does not, and how to mend it.",
        [this] { return doctor(context_); });
    CLI::App& daemon = add(app_, "daemon", "", [this] { return run_daemon(context_, daemon_, up_); });
    daemon.group("");  // hidden: the supervisor's
    add_log_format(daemon);
    daemon.add_option("which", daemon_)->required()->expected(1, 2);
  }

  void add_log_format(CLI::App& command) {
    text_option(command, "--log-format", up_.log_format, "FORMAT",
                "what the daemons log: text (the default) or json, one object a line");
  }

  void add_ring_options(CLI::App& limit) {
    text_option(limit, "--for", limit_.rings, "RINGS",
                "whose tasks --isolation, --host-files, --gpu and --net are about: home (the default), friend, member "
                "or stranger, or several: friend,member");
    text_option(limit, "--isolation", limit_.isolation, "LEVEL",
                "how tasks are shut off from this PC: fence (the default); oci, in containers of an OCI runtime; "
                "microvm, which needs KVM and --env (the default for strangers); none: they do not run here");
    text_option(
        limit, "--host-files", limit_.host_files, "YES_NO",
        "whether tasks see this PC's own programs, so that they need no --env (default: yes for home, else no)");
    text_option(limit, "--oci-runtime", limit_.oci_runtime, "PROGRAM",
                "the runtime of the level oci, in quotes if it takes arguments, for example \"runsc --network=none\" "
                "(default: crun)");
    text_option(limit, "--gpu", limit_.gpu, "YES_NO",
                "whether tasks may use this PC's GPUs (default: yes for home, else no)");
    text_option(limit, "--net", limit_.net, "WHAT",
                "what tasks reach of the network: none; listed: the hosts that their job lists; full: the Internet");
    text_option(limit, "--gang-network", limit_.gang_network, "YES_NO",
                "whether tasks that run at once may reach each other, by a network of their own (default: yes for "
                "home, else no)");
    limit.add_flag(
        "--strangers-may-share-my-kernel", limit_.strangers_may_share_my_kernel,
        "accept less than a microVM for strangers: a fault in this PC's kernel then gives them all you have");
  }

  void add_owner_options(CLI::App& limit) {
    text_option(limit, "--owner-first", limit_.owner_first, "MODE",
                "freeze guests while you use this PC: auto (on a PC with a screen), on or off; the default: auto on a "
                "PC that joined another's pool, else off");
    text_option(limit, "--quiet", limit_.quiet, "SPAN", "without a sign of you, before they go on (default: 5m)");
    text_option(limit, "--patience", limit_.patience, "SPAN",
                "a task that is frozen longer goes back to the queue (default: 30m)");
    text_option(limit, "--gpu-grace", limit_.gpu_grace, "SPAN",
                "a frozen task that holds a GPU is ended after this (default: 30s)");
    text_option(limit, "--battery", limit_.battery, "YES_NO", "whether guests run on battery (default: no)");
    text_option(limit, "--metered", limit_.metered, "YES_NO",
                "whether anything new starts on a metered link (default: no)");
    text_option(
        limit, "--busy", limit_.busy, "YES_NO",
        "with --owner-first: whether guests go on while your own programs want for the processor (default: no)");
    text_option(limit, "--max-temperature", limit_.max_temperature, "CELSIUS",
                "freeze guests at this heat until it is 10 less (default: 85; 0: never)");
    text_option(limit, "--max-price", limit_.max_price, "PRICE",
                "freeze guests while electricity costs more than this, by the tariff");
    text_option(
        limit, "--tariff", limit_.tariff, "FILE",
        "what electricity costs, a line for each span of the day: 22:00-06:00 0.21; read now, not later. The pool "
        "is told the price of the moment, for hearth run --prefer cheap");
  }

  void add_device_commands() {
    CLI::App& invite =
        add(app_, "invite", "Show a link, a QR code and a typed code for one more device, and let it in.",
            [this] { return cli::invite(context_, invite_); });
    text_option(
        invite, "--role", invite_.role, "ROLE",
        "member (runs jobs; the default), operator (also runs the pool: nodes, accounts, everybody's jobs) or owner "
        "(everything)");
    text_option(invite, "--ring", invite_.ring, "RING",
                "how far a member's jobs are trusted: home (the default), friend, member or stranger");
    invite.add_flag("--no-wait", invite_.no_wait, "do not wait for the device");
    CLI::App& pair = add(
        app_, "pair", "Pair this command line with another PC's pool, by the link that \"hearth invite\" shows there.",
        [this] { return cli::pair(context_, pair_); });
    argument(pair, "LINK", pair_.link, "https://HOST:PORT/#pair=...");
    text_option(pair, "--name", pair_.name, "NAME", "what this device is called there (default: this PC's name)");
    CLI::App& devices = add(app_, "devices", "List the devices of the pool, and those that wait to come in.",
                            [this] { return list_devices(context_); });
    devices.require_subcommand(0, 1);
    CLI::App& allow =
        add(devices, "allow", "Let a waiting device in.", [this] { return answer_device(context_, device_, true); });
    argument(allow, "CODE_OR_NAME", device_, "the six digits that it shows, or its name");
    CLI::App& refuse = add(devices, "refuse", "Turn a waiting device away.",
                           [this] { return answer_device(context_, device_, false); });
    argument(refuse, "CODE_OR_NAME", device_, "the six digits that it shows, or its name");
    CLI::App& ring =
        add(devices, "ring", "Say how far a device's jobs are trusted from now on, or a node with what it fetches.",
            [this] { return set_ring(context_, device_, ring_); });
    argument(ring, "NAME", device_, "the device");
    argument(ring, "RING", ring_, "home, friend, member or stranger");
    CLI::App& role = add(devices, "role", "Say what a device may do to the pool from now on.",
                         [this] { return set_role(context_, device_, ring_); });
    argument(role, "NAME", device_, "the device");
    argument(role, "ROLE", ring_, "member, operator or owner");
    CLI::App& revoke = add(devices, "revoke", "Take a device out: its sessions end within a second.",
                           [this] { return revoke_device(context_, device_); });
    argument(revoke, "NAME", device_, "the device's name");
    add_token_commands();
  }

  void add_token_commands() {
    CLI::App& token =
        add(app_, "token", "What a machine with nobody at it comes in by.", [] { return Result<int>(0); });
    token.require_subcommand(1);
    CLI::App& fresh =
        add(token, "new",
            "Make a token, one line of text, and show it this once: whoever has it runs jobs as a member. "
            "It is listed and revoked by \"hearth devices\".",
            [this] { return new_token(context_, token_); });
    argument(fresh, "NAME", token_.name, "who will hold it, as it will be listed");
    text_option(fresh, "--ring", token_.ring, "RING",
                "how far its jobs are trusted: home (the default), friend, member or stranger");
    text_option(fresh, "--days", token_.days, "N", "how long it lasts (default: 90)");
    add(app_, "session",
        "Show a session of this command line, for a program of yours to call the hub's API with: good for 15 minutes. "
        "With --json also the hub's address and identity.",
        [this] { return show_session(context_); });
  }

  CLI::App& add_job_command(const std::string& name, const std::string& text,
                            Result<int> (*command)(const Context&, const JobOptions&)) {
    CLI::App& app = add(app_, name, text, [this, command] { return command(context_, job_); });
    argument(app, "JOB", job_.job, "the job's number");
    return app;
  }

  void add_job_commands() {
    CLI::App& jobs = add(app_, "jobs", "List the newest jobs.", [this] { return list_jobs(context_, job_); });
    text_option(jobs, "--limit", job_.limit, "N", "list this many (default: 20)");
    CLI::App& job = add_job_command("job", "Show a job and its tasks, failures first.", &show_job);
    text_option(job, "--limit", job_.limit, "N", "list this many tasks (default: 50)");
    CLI::App& logs = add_job_command("logs", "Print what a job's tasks printed.", &show_logs);
    text_option(logs, "--task", job_.task, "I", "only this task's");
    logs.add_flag("--follow", job_.follow, "go on until the job has ended");
    add_job_command("cancel", "End a job.", &cancel_job);
    CLI::App& remove = add(app_, "rm", "Remove jobs that have ended, with their logs and results.",
                           [this] { return remove_jobs(context_, job_); });
    remove.add_option("JOB", job_.jobs, "the jobs' numbers")->required()->type_name(" ");
    CLI::App& get = add_job_command("get", "Fetch a job's results.", &get_results);
    text_option(get, "--task", job_.task, "I", "only this task's");
    text_option(get, "--to", job_.to, "DIR", "write them there (default: the current directory)");
    get.add_flag("--replace", job_.replace, "replace files that are there, instead of keeping them as NAME.before");
    add_job_command("why", "Tell why a job is waiting.", &why);
    CLI::App& watching = add(
        app_, "watch",
        "Tell what happens in the pool, a line for each event, until Ctrl-C; of jobs alone, if some are named, until "
        "all of them have ended: then its exit code is that of the first which did not succeed. With --json, each "
        "line is an object: docs/EVENTS.md.",
        [this] { return watch(context_, job_); });
    watching.add_option("JOB", job_.jobs, "the jobs' numbers")->type_name(" ");
  }

  void add_forward_command() {
    CLI::App& forwarding = add(app_, "forward",
                               "Reach a port that a running task's program listens on, a notebook's for example, as a "
                               "port of this PC, until Ctrl-C or the job's end.",
                               [this] { return forward(context_, forward_); });
    argument(forwarding, "JOB", forward_.job, "the job's number");
    argument(forwarding, "PORT", forward_.port, "the port that the program listens on");
    text_option(forwarding, "--task", forward_.task, "I", "of this task (default: 0)");
    text_option(forwarding, "--listen", forward_.listen, "[ADDRESS:]PORT",
                "take connections there (default: 127.0.0.1, the same port if it is free)");
  }

  void add_open_command() {
    CLI::App& opening = add(app_, "open",
                            "Print a link that opens a running job's web program, a notebook or a dev server, in a "
                            "browser, within 30 s and once. The browser is let in as this PC's command line.",
                            [this] { return open_web(context_, forward_); });
    argument(opening, "JOB", forward_.job, "the job's number");
    opening
        .add_option("PORT", forward_.port, "the port that the program listens on (default: that of hearth run --web)")
        ->type_name(" ");
    text_option(opening, "--task", forward_.task, "I", "of this task (default: 0)");
  }

  void add_attach_command() {
    CLI::App& attaching =
        add(app_, "attach",
            "Use the terminal of a job of hearth run --terminal, or of a text program that was started "
            "on the page, in this one. Ctrl-] leaves it, and the program goes on; else its exit code "
            "is this command's.",
            [this] { return attach(context_, job_); });
    argument(attaching, "JOB", job_.job, "the job's number");
  }

  void add_wipe_command() {
    CLI::App& verify = add(app_, "verify-wipe",
                           "Check what the nodes signed: that nothing of a job remains on them. Without JOB, what was "
                           "wiped on this PC.",
                           [this] { return verify_wipe(context_, wipe_); });
    verify.add_option("JOB", wipe_.job, "the job's number")->type_name(" ");
    text_option(verify, "--save", wipe_.save, "FILE", "write the job's records there, to be checked without the pool");
    text_option(verify, "--file", wipe_.file, "FILE", "check records that were saved");
  }

  void add_environment_commands() {
    CLI::App& env = add(app_, "env", "List the environments that programs can run in.",
                        [this] { return list_environments(context_); });
    env.require_subcommand(0, 1);
    add(env, "list", "List the environments that programs can run in.", [this] { return list_environments(context_); });
    CLI::App& build = add(env, "build",
                          "Make an environment on this PC and give it to the pool by a name. One of the sources must "
                          "be given; root is not needed.",
                          [this] { return build_environment(context_, environment_); });
    argument(build, "NAME", environment_.name, "what it is called; a name that exists gets the new content");
    list_option(build, "--packages", environment_.packages, "LIST",
                "Debian packages, for example python3,python3-numpy; what they need comes along");
    text_option(build, "--recipe", environment_.recipe, "NAME", "one of those shipped: base, python, cpp, media");
    text_option(build, "--from-dir", environment_.directory, "DIR", "a directory that holds a root file system");
    text_option(build, "--from-oci", environment_.archive, "FILE", "a container image: an OCI or docker archive");
    CLI::App& rm = add(env, "rm", "Take a name away. Jobs that were submitted with it go on.",
                       [this] { return remove_environment(context_, environment_); });
    argument(rm, "NAME", environment_.name, "the environment's name");
    CLI::App& out = add(env, "export", "Write an environment as a container image.",
                        [this] { return export_environment(context_, environment_); });
    argument(out, "NAME", environment_.name, "the environment's name");
    text_option(out, "--to-oci", environment_.to_oci, "FILE", "an OCI archive, as podman, skopeo and docker take it");
  }

  void add_workspace_commands() {
    CLI::App& workspace = add(app_, "workspace", "List the directories that jobs left on nodes for later jobs.",
                              [this] { return list_workspaces(context_); });
    workspace.require_subcommand(0, 1);
    add(workspace, "list", "List the directories that jobs left on nodes for later jobs.",
        [this] { return list_workspaces(context_); });
    CLI::App& rm = add(workspace, "rm", "Wipe a workspace from its node. No job that has not ended may name it.",
                       [this] { return remove_workspace(context_, workspace_); });
    argument(rm, "NAME", workspace_.name, "the workspace's name");
    text_option(rm, "--of", workspace_.device, "DEVICE", "whose it is (default: this device's)");
  }

  void add_help_command() {
    CLI::App& help = *app_.add_subcommand("help", "Tell how a command is used.");
    help.add_option("COMMAND", help_topic_, "the command, for example: devices allow")->type_name(" ");
    help.add_flag("--man", man_, "print the manual page, for man -l -");
    help.add_flag("--completion", completion_, "print completion for bash, to be sourced");
    help.callback([this] { action_ = [this] { return show_help(); }; });
  }

  // Of every option and argument: an empty one is a slip, as of an unset variable of a shell, and never "not given".
  static void refuse_empty_values(CLI::App& app) {
    for (CLI::Option* option : app.get_options([](const CLI::Option* o) { return o->get_items_expected_max() > 0; })) {
      option->check([](const std::string& typed) { return std::string(typed.empty() ? "a value is needed" : ""); });
    }
    for (CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) refuse_empty_values(*command);
  }

  // What follows `--` belongs to the program of `run` and the like, options and all.
  void parse(int argc, char** argv) {
    std::vector<std::string> words(argv + 1, argv + argc);
    const auto separator = std::ranges::find(words, "--");
    const auto is_there = [&](const char* word) { return std::find(words.begin(), separator, word) != separator; };
    const std::array<std::pair<const char*, std::vector<std::string>*>, 4> takers = {
        {{"run", &work_.run.program},
         {"schedule", &work_.schedule.run.program},
         {"cluster", &work_.cluster.run.program},
         {"app", &work_.app.program}}};
    const auto taker = std::ranges::find_if(takers, [&](const auto& one) { return is_there(one.first); });
    if (separator != words.end() && taker != takers.end()) {
      taker->second->assign(separator + 1, words.end());
      words.erase(separator, words.end());
    }
    std::ranges::reverse(words);  // as CLI11 wants them
    app_.parse(words);
    take_program_without_separator();
  }

  void take_program_without_separator() {
    const CLI::App& run = *app_.get_subcommand("run");
    if (!run.parsed()) return;
    std::vector<std::string> rest = run.remaining();
    if (rest.empty()) return;
    if (!work_.run.program.empty() || rest.front().starts_with('-')) {
      throw CLI::ExtrasError("run", {rest.front()});
    }
    work_.run.program = std::move(rest);
  }

  const CLI::App& parsed() const {
    const CLI::App* app = &app_;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return *app;
  }

  // CLI11 would say that "a subcommand is required".
  std::string incomplete(const CLI::RequiredError& error) const {
    const CLI::App& command = parsed();
    const std::vector<std::string> known = commands_of(command);
    if (known.empty()) return error.what();
    const std::vector<std::string> rest = app_.remaining(true);
    if (!rest.empty()) return unexpected(rest.front());
    return fmt::format("hearth {} is followed by one of: {}", path_of(command), fmt::join(known, ", "));
  }

  // CLI11 would say that it was "not expected".
  std::string unexpected(const std::string& word) const {
    const CLI::App& command = parsed();
    const bool is_option = word.starts_with('-');
    if (!is_option && command.get_subcommands([](const CLI::App*) { return true; }).empty()) {
      return fmt::format("{}: hearth {} takes no further argument", plain(word), path_of(command));
    }
    const std::optional<std::string> meant = nearest_word(word, is_option ? options_of(command) : commands_of(command));
    if (meant == word) return fmt::format("{0}: it comes after the command: hearth {1} {0}", word, path_of(command));
    return fmt::format("{}: there is no such {}{}", plain(word), is_option ? "option" : "command",
                       meant ? fmt::format("; is {} meant?", *meant) : "");
  }

  static std::vector<std::string> options_of(const CLI::App& command) {
    std::vector<std::string> names;
    for (const CLI::Option* option : command.get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
    return names;
  }

  static std::vector<std::string> commands_of(const CLI::App& app) {
    std::vector<std::string> names;
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      if (!command->get_group().empty()) names.push_back(command->get_name());
    }
    return names;
  }

  int usage(const std::string& message) {
    const CLI::App& command = parsed();
    say(fmt::format("error: {}\nsee: hearth help{}", message,
                    command.get_parent() == nullptr ? "" : " " + path_of(command)));
    return kUsage;
  }

  Result<int> perform() {
    Result<Home> home = resolve_home(home_sources(home_));
    if (!home) return std::unexpected(home.error());
    context_.home = std::move(*home);
    return action_();
  }

  static int finish(const Result<int>& done) {
    if (done) return *done == 0 && !is_output_whole() ? kFailed : *done;
    say("error: " + done.error().message);
    return done.error().code == Code::kInvalidArgument ? kUsage : kFailed;
  }

  // "devices allow"
  static std::string path_of(const CLI::App& command) {
    const CLI::App* parent = command.get_parent();
    if (parent == nullptr || parent->get_parent() == nullptr) return command.get_name();
    return path_of(*parent) + " " + command.get_name();
  }

  static bool takes_program(const CLI::App& command) {
    return std::ranges::find(kTakeProgram, path_of(command)) != kTakeProgram.end();
  }

  // Not command.help(), which tells about the subcommand that was parsed: here, `help`.
  static std::string help_of(const CLI::App& command) {
    const std::string full_name = command.get_parent() == nullptr ? "hearth" : "hearth " + path_of(command);
    std::string text = command.get_formatter()->make_help(&command, full_name, CLI::AppFormatMode::Normal);
    const std::size_t usage = text.find(full_name + " [OPTIONS]");
    if (!takes_program(command) || usage == std::string::npos) return text;
    return text.replace(usage, text.find('\n', usage) - usage, describe(command).usage);
  }

  Result<int> show_help() {
    if (man_) {
      print(man_page(describe()));
      return 0;
    }
    if (completion_) {
      print(bash_completion(describe()));
      return 0;
    }
    const CLI::App* command = &app_;
    for (const std::string& word : help_topic_) {
      command = find(*command, word);
      if (command == nullptr) {
        return fail(Code::kInvalidArgument,
                    fmt::format("{}: there is no such command; all of them: hearth help", plain(word)));
      }
    }
    print(help_of(*command));
    return 0;
  }

  static const CLI::App* find(const CLI::App& app, const std::string& word) {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      if (command->get_name() == word) return command;
    }
    return nullptr;
  }

  ProgramHelp describe() const {
    ProgramHelp program{.version = kVersion, .commands = {}};
    describe_below(app_, program.commands);
    return program;
  }

  static void describe_below(const CLI::App& app, std::vector<CommandHelp>& commands) {
    for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
      if (command->get_group().empty()) continue;
      commands.push_back(describe(*command));
      describe_below(*command, commands);
    }
  }

  static CommandHelp describe(const CLI::App& command) {
    CommandHelp help{.name = path_of(command), .usage = "", .text = command.get_description(), .options = {}};
    help.usage = "hearth " + help.name;
    std::string arguments;
    for (const CLI::Option* option : command.get_options([](const CLI::Option*) { return true; })) {
      if (option->get_positional()) {
        arguments += " " + option->get_name();
        help.options.push_back({option->get_name(), "", option->get_description()});
        continue;
      }
      const bool flag = option->get_items_expected_max() == 0;
      help.options.push_back(
          {option->get_name(false, true), flag ? "" : option->get_type_name(), option->get_description()});
    }
    help.usage += " [OPTIONS]" + arguments + (takes_program(command) ? " -- PROGRAM ARGS..." : "");
    return help;
  }

  UpOptions up_;
  HubOptions hub_;
  InviteOptions invite_;
  PairOptions pair_;
  TokenOptions token_;
  LimitOptions limit_;
  WorkOptions work_;
  JobOptions job_;
  PoolOptions pool_;
  EnvironmentOptions environment_;
  WorkspaceOptions workspace_;
  DriveOptions drive_;
  ForwardOptions forward_;
  WipeOptions wipe_;
  std::string device_;
  std::string ring_;  // or role
  std::string directory_;
  std::vector<std::string> daemon_;
  std::vector<std::string> help_topic_;
  bool man_ = false;
  bool completion_ = false;
};

}  // namespace

int run(int argc, char** argv, const Programs& programs) {
  // A reader that went away is an error of write(), not a death.
  std::signal(SIGPIPE, SIG_IGN);
  return CommandLine(programs).run(argc, argv);
}

}  // namespace hearth::cli
