// `hearth up`, `hearth down` and the daemons behind them.
#include <csignal>

#include <unistd.h>

#include <fmt/format.h>

#include "base/log.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/pairing.h"
#include "cli/service.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

constexpr Duration kStartLimit = seconds(20);
constexpr Duration kNodeLimit = seconds(5);  // it needs a fraction of a second
constexpr Duration kStopLimit = seconds(10);
constexpr Duration kInviteLimit = seconds(120);

// 0, or enough that a long file comes to an end.
Result<std::uint64_t> parse_drive_rate(const std::string& text) {
  if (text == "0") return 0;
  return parse_size("--drive-rate", text, {16ULL << 10U, 1ULL << 40U});
}

Result<Config> planned_config(const Home& home, const UpOptions& options) {
  Result<Config> config = load_config(home);
  if (!config) return config;
  if (!has_joined(home, *config)) config->hub = true;
  if (!options.address.empty()) config->address = options.address;
  if (!options.name.empty()) config->name = options.name;
  if (config->name.empty()) config->name = host_name();
  if (!options.port.empty()) {
    const Result<std::uint64_t> port = parse_count("--port", options.port, {0, 65535});
    if (!port) return std::unexpected(port.error());
    config->port = static_cast<std::uint16_t>(*port);
  }
  if (!options.store.empty()) config->store = options.store;
  if (!options.drive_rate.empty()) {
    const Result<std::uint64_t> rate = parse_drive_rate(options.drive_rate);
    if (!rate) return std::unexpected(rate.error());
    config->drive_rate = *rate;
  }
  constexpr std::size_t kMostName = 64;
  if (config->name.size() > kMostName || plain(config->name) != config->name) {
    return fail(Code::kInvalidArgument, fmt::format("--name {}: 1 to 64 bytes of text are allowed, without control "
                                                    "characters",
                                                    plain(config->name)));
  }
  return config;
}

std::uint16_t listening_port(const Home& home) { return endpoint_of(home).port; }

// A pool that lies in this PC's own file does not follow by itself.
Result<void> check_planned_store(const Context& context, const Config& config, const UpOptions& options) {
  if (options.store.empty()) return {};
  const Result<Config> before = load_config(context.home);
  std::error_code absent;
  if (before && before->store.empty() && std::filesystem::exists(context.home.hub() / "pool.db", absent)) {
    return fail(Code::kFailedPrecondition,
                "this PC's pool lies in a file of its own; take it along with: hearth store migrate --to URL");
  }
  return require_store(context, config.store);
}

int say_it_is_up(const Context& context, const Config& config) {
  const std::optional<Holder> holder = Lock::holder(context.home);
  const WallTime since = holder ? holder->since : wall_now();
  const std::uint16_t port = listening_port(context.home);
  const std::string what = config.hub ? fmt::format("pool \"{}\" on port {}", config.name, port)
                                      : std::string("as a node of another PC's pool");
  say(fmt::format("hearth is up already: {}, started {}, in {}", what, format_age(since, wall_now()),
                  context.home.root.string()));
  if (context.json) {
    print(object_json({{"already_up", true},
                       {"hub", config.hub},
                       {"port", std::int64_t{port}},
                       {"home", context.home.root.string()},
                       {"process", std::int64_t{holder ? holder->process : 0}},
                       {"since_unix_millis", since.unix_millis}}));
  } else if (config.hub) {
    say("another device comes in with: hearth invite");
  }
  return 0;
}

Result<LogFormat> log_format_of(const UpOptions& options) {
  const std::optional<LogFormat> format = parse_log_format(options.log_format);
  if (format) return *format;
  return fail(Code::kInvalidArgument, fmt::format("--log-format {}: text or json", plain(options.log_format)));
}

// In the foreground a remark stands among what is logged, and is logged where every line is to be an object.
void remark(const UpOptions& options, const std::string& sentence) {
  if (options.foreground && options.log_format == "json") {
    log_info(sentence);
  } else {
    say(sentence);
  }
}

void say_it_came_up(const Context& context, const Config& config, const UpOptions& options) {
  if (!config.hub) {
    remark(options, "this PC is up as a node of another PC's pool");
  } else if (endpoint_of(context.home).stands_by) {
    remark(options,
           fmt::format("this PC's hub stands by on port {}: another one holds the pool; if that one is lost, this one "
                       "takes over by: hearth standby promote",
                       listening_port(context.home)));
  } else {
    remark(options, fmt::format("pool \"{}\" is up on port {}", config.name, listening_port(context.home)));
  }
  if (!context.json) return;
  const std::optional<Holder> holder = Lock::holder(context.home);
  print(object_json({{"already_up", false},
                     {"hub", config.hub},
                     {"port", std::int64_t{listening_port(context.home)}},
                     {"home", context.home.root.string()},
                     {"process", std::int64_t{holder ? holder->process : 0}}}));
}

// Once the daemons have been started: waits for them, then invites a phone.
Result<int> welcome(const Context& context, const Config& config, const UpOptions& options) {
  if (!config.hub) {
    if (!await_node(context.home, kStartLimit)) remark(options, "the hub does not answer yet; the node goes on trying");
    say_it_came_up(context, config, options);
    return 0;
  }
  const Result<std::unique_ptr<Client>> client = await_hub(context.home, kStartLimit);
  if (!client) return std::unexpected(client.error());
  say_it_came_up(context, config, options);
  if (!endpoint_of(context.home).stands_by && !await_node(context.home, kNodeLimit)) {
    remark(options, fmt::format("but its own node is not there yet, so nothing runs on this PC; why is told in {}",
                                context.home.log().string()));
  }
  // A link lets somebody in: it is for a terminal, not for a service's journal.
  const bool is_service = options.foreground && !is_terminal(STDOUT_FILENO);
  if (options.no_invite || context.json || is_service) return 0;
  v1::InviteRequest request;
  request.set_role(v1::ROLE_OWNER);
  const Result<v1::InviteReply> invitation =
      (*client)->call<v1::InviteReply>("hearth.v1.DeviceService/Invite", request);
  if (!invitation) return std::unexpected(invitation.error());
  show_invitation(context, *invitation);
  if (!is_terminal(STDIN_FILENO)) {
    say("when the device shows its six digits, let it in with: hearth devices allow CODE");
    return 0;
  }
  const Result<int> came = wait_for_device(**client, kInviteLimit);
  if (!came) return std::unexpected(came.error());
  return 0;
}

// The supervisor is this process; what is said and asked on the terminal comes from a child of it, since a supervisor
// must stay free of threads.
Result<int> run_in_foreground(const Context& context, const Config& config, const UpOptions& options, LogFormat format,
                              Lock lock) {
  set_log_format(format);
  const pid_t announcer = ::fork();
  if (announcer < 0) return fail_errno(errno, "starting a process");
  if (announcer > 0) return run_supervisor(context.home, config, format, lock);
  {
    const Lock released = std::move(lock);
  }
  const Result<int> done = welcome(context, config, options);
  if (!done) remark(options, "error: " + done.error().message);
  ::_exit(done ? *done : 1);
}

}  // namespace

Result<int> up(const Context& context, const UpOptions& options) {
  const Result<LogFormat> format = log_format_of(options);
  if (!format) return std::unexpected(format.error());
  const Result<Config> config = planned_config(context.home, options);
  if (!config) return std::unexpected(config.error());
  Result<std::optional<Lock>> lock = Lock::take(context.home);
  if (!lock) return std::unexpected(lock.error());
  if (!lock->has_value()) {
    if (!options.standby_of.empty()) {
      return fail(Code::kFailedPrecondition, "hearth is up here already; --standby-of is for before: hearth down");
    }
    const Result<Config> running = load_config(context.home);
    if (!running) return std::unexpected(running.error());
    if (*config != *running) say("note: address, port, name, store and rate stay as they are until: hearth down");
    return say_it_is_up(context, *running);
  }
  if (Result<void> usable = check_planned_store(context, *config, options); !usable) {
    return std::unexpected(usable.error());
  }
  if (!options.standby_of.empty() && !options.name.empty()) {
    return fail(Code::kInvalidArgument, "--name: a pool has the name that its first PC gave it; leave it out here");
  }
  if (!options.standby_of.empty()) {
    if (Result<void> begun = stand_by_for(context, *config, options.standby_of); !begun) {
      return std::unexpected(begun.error());
    }
  }
  if (config->hub) {
    // A port of 0 is chosen by the kernel the first time and kept.
    if (Result<void> is_free = check_port_is_free(config->address, config->port); !is_free) {
      return std::unexpected(is_free.error());
    }
    // The hub writes them anew once it listens: whoever finds them finds the right port in them.
    account::remove_account(context.home.cli());
    account::remove_account(context.home.node());
  }
  if (Result<void> written = write_file_atomically(context.home.config(), format_config(*config)); !written) {
    return std::unexpected(written.error());
  }
  std::error_code absent;
  std::filesystem::remove(context.home.node_status(), absent);  // an earlier node's
  if (options.foreground) return run_in_foreground(context, *config, options, *format, std::move(**lock));
  if (Result<void> started = start_service(context.home, *config, *format, std::move(**lock)); !started) {
    return std::unexpected(started.error());
  }
  lock->reset();
  return welcome(context, *config, options);
}

Result<int> down(const Context& context) {
  const Result<bool> stopped = stop_supervisor(context.home, kStopLimit);
  if (!stopped) return std::unexpected(stopped.error());
  say(*stopped ? "hearth is down" : "hearth was not up");
  if (context.json) print(object_json({{"was_up", *stopped}}));
  return 0;
}

Result<int> run_daemon(const Context& context, const std::vector<std::string>& words, const UpOptions& options) {
  const std::string& which = words.front();
  const Result<LogFormat> format = log_format_of(options);
  if (!format) return std::unexpected(format.error());
  set_log_format(*format);
  if (which == "attempt" && words.size() == 2) return context.programs->attempt(words.back());
  if (which == "backups" && words.size() == 1) return make_due_backups(context);
  if (words.size() != 1 || (which != "hub" && which != "node")) {
    return fail(Code::kInvalidArgument, "hub, node, backups, or attempt and a directory is needed");
  }
  const Result<Config> config = load_config(context.home);
  if (!config) return std::unexpected(config.error());
  if (which == "node") {
    return context.programs->node(
        NodeStart{.home = context.home.root, .own_pool = config->hub, .slurm = config->slurm});
  }
  return context.programs->hub(HubStart{.home = context.home.root,
                                        .address = config->address,
                                        .port = config->port,
                                        .name = config->name,
                                        .store = config->store,
                                        .drive_rate = config->drive_rate});
}

}  // namespace hearth::cli
