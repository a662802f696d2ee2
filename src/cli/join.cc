// `hearth join` and `hearth leave`: this PC as a node of another PC's pool.
#include <chrono>
#include <filesystem>
#include <thread>

#include <fmt/format.h>

#include "cli/backups.h"
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

constexpr Duration kStartLimit = seconds(30);
constexpr Duration kStopLimit = seconds(10);

Result<void> set_draining(const Home& home, bool draining) {
  Result<Policy> policy = load_policy(home);
  if (!policy) return std::unexpected(policy.error());
  policy->draining = draining;
  return write_file_atomically(home.policy(), format_policy(*policy));
}

// Waits until the node has handed over all it held, for as long as that takes, or until it has ended.
void await_drained(const Home& home) {
  ProgressLine progress;
  std::uint64_t shown = 0;
  while (Lock::holder(home)) {
    const Result<std::string> text = read_small_file(home.node_status());
    const Result<NodeStatus> status = text ? parse_node_status(*text) : std::unexpected(text.error());
    if (status && status->drained) return;
    if (status && status->held != shown) {
      shown = status->held;
      if (!is_terminal(2)) say(fmt::format("still to be finished here: {} of the pool's tasks", shown));
    }
    progress.show(
        fmt::format("finishing what runs here: {} tasks left (Ctrl-C ends the waiting; the node goes on "
                    "draining)",
                    shown));
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Result<void> tell_hub(const Home& home) {
  const Result<std::unique_ptr<Client>> client = Client::open(home, home.node());
  if (!client) return std::unexpected(client.error());
  const Result<v1::LeaveReply> reply =
      (*client)->call<v1::LeaveReply>("hearth.v1.DeviceService/Leave", v1::LeaveRequest());
  if (!reply) return std::unexpected(reply.error());
  return {};
}

// The node wipes them when it leaves, if it runs.
void tell_of_workspaces(const Home& home) {
  std::error_code absent;
  const std::filesystem::path place = home.node() / "workspaces";
  const std::filesystem::directory_iterator first(place, absent);
  if (absent || first == std::filesystem::directory_iterator()) return;
  say(
      fmt::format("note: the node was down, so the workspaces of the pool's jobs are still in {}; they are wiped when "
                  "this PC joins a pool again, or now by: rm -r {}",
                  place.string(), place.string()));
}

// After the node has left: this HOME belongs to nobody.
Result<void> forget_pool(const Home& home, Config config) {
  const Result<bool> stopped = stop_supervisor(home, kStopLimit);
  if (!stopped) return std::unexpected(stopped.error());
  account::remove_account(home.node());
  if (Result<void> reopened = set_draining(home, false); !reopened) return reopened;
  config.hub = true;
  config.slurm.reset();
  return write_file_atomically(home.config(), format_config(config));
}

Result<void> start_node(const Home& home, Config config) {
  config.hub = false;
  if (Result<void> written = write_file_atomically(home.config(), format_config(config)); !written) return written;
  Result<std::optional<Lock>> lock = Lock::take(home);
  if (!lock) return std::unexpected(lock.error());
  if (!lock->has_value()) return fail(Code::kAborted, "another hearth command has started the daemons meanwhile");
  std::error_code absent;
  std::filesystem::remove(home.node_status(), absent);
  return start_service(home, config, LogFormat::kText, std::move(**lock));
}

Result<Config> may_join(const Home& home) {
  Result<Config> config = load_config(home);
  if (!config) return config;
  if (Lock::holder(home)) {
    return fail(Code::kFailedPrecondition, config->hub
                                               ? "this PC is up as a pool of its own; end that first: hearth down"
                                               : "this PC is a node of a pool already; leave that first: hearth leave");
  }
  config->slurm.reset();
  return config;
}

// What was granted was granted to the pool that is left. What that stored stays until its owner, or this PC's, needs it
// no more: it may be all that is left of a drive.
void take_back_space(const Home& home) {
  std::error_code absent;
  if (!std::filesystem::remove(pool_space(home) / "grant", absent)) return;
  say(
      fmt::format("note: what the pool stored here as a backup stays in {}, and nobody reaches it; it is erased by: "
                  "rm -r {}",
                  pool_space(home).string(), pool_space(home).string()));
}

Result<int> enter(const Context& context, const PairOptions& options, const Config& config) {
  take_back_space(context.home);
  const Result<account::Account> account = pair_device(context.home.node(), options.link, options.name, true);
  if (!account) return std::unexpected(account.error());
  if (Result<void> started = start_node(context.home, config); !started) return std::unexpected(started.error());
  const char* who = config.slurm ? "this cluster" : "this PC";
  const bool connected = await_node(context.home, kStartLimit);
  say(connected ? fmt::format("{} works for {} at {} now; what it gives: hearth limit", who, plain(account->pool_name),
                              account->endpoint.text())
                : fmt::format("{} belongs to {} now, but {} does not answer it yet; it goes on trying, see {}", who,
                              plain(account->pool_name), account->endpoint.text(), context.home.log().string()));
  if (context.json) {
    print(
        object_json({{"pool", account->pool_name}, {"endpoint", account->endpoint.text()}, {"connected", connected}}));
  }
  return 0;
}

}  // namespace

Result<int> join(const Context& context, const PairOptions& options) {
  const Result<Config> config = may_join(context.home);
  if (!config) return std::unexpected(config.error());
  return enter(context, options, *config);
}

Result<int> join_slurm(const Context& context, const SlurmOptions& options) {
  if (const auto link = account::parse_link(options.pair.link); !link) return std::unexpected(link.error());
  Result<Config> config = may_join(context.home);
  if (!config) return std::unexpected(config.error());
  Result<Policy> policy = load_policy(context.home);
  if (!policy) return std::unexpected(policy.error());
  if (!options.cores.empty()) {
    const Result<std::uint64_t> cores = parse_count("--cores", options.cores, {1, 1'000'000});
    if (!cores) return std::unexpected(cores.error());
    policy->cores = *cores;
  }
  config->slurm = options.cluster;
  say("asking the cluster, and letting it run a first job");
  const NodeStart start{.home = context.home.root, .own_pool = false, .slurm = config->slurm};
  for (const Finding& finding : context.programs->check_slurm(start)) {
    if (finding.ok || !finding.required) say(finding.detail);
    if (!finding.ok && finding.required) {
      return fail(Code::kFailedPrecondition, finding.detail + (finding.remedy.empty() ? "" : "; " + finding.remedy));
    }
  }
  if (Result<void> kept = write_file_atomically(context.home.policy(), format_policy(*policy)); !kept) {
    return std::unexpected(kept.error());
  }
  return enter(context, options.pair, *config);
}

Result<int> leave(const Context& context) {
  const Result<Config> config = load_config(context.home);
  if (!config) return std::unexpected(config.error());
  if (!has_joined(context.home, *config)) {
    return fail(Code::kFailedPrecondition,
                "this PC has joined no other PC's pool; to let its own pool run nothing on it: hearth limit --cores 0");
  }
  if (Result<void> draining = set_draining(context.home, true); !draining) return std::unexpected(draining.error());
  await_drained(context.home);
  const Result<void> told = tell_hub(context.home);
  if (!told) {
    say(
        fmt::format("note: the hub could not be told ({}); the pool's owner can forget this PC by: hearth devices "
                    "revoke {}",
                    told.error().message, host_name()));
  }
  if (Result<void> forgotten = forget_pool(context.home, *config); !forgotten) {
    return std::unexpected(forgotten.error());
  }
  tell_of_workspaces(context.home);
  take_back_space(context.home);
  say("this PC has left the pool");
  if (context.json) print(object_json({{"left", true}, {"hub_told", told.has_value()}}));
  return 0;
}

}  // namespace hearth::cli
