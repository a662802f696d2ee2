// `hearth store`: where the pool's records lie, and their way into a database that several hubs can share.
#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/daemon.h"
#include "cli/documents.h"
#include "cli/output.h"
#include "cli/service.h"
#include "cli/values.h"
#include "hearth/v1/nodes.pb.h"

namespace hearth::cli {
namespace {

constexpr Duration kMoveLimit = minutes(10);
constexpr Duration kStartLimit = seconds(30);

bool has_own_file(const Home& home) {
  std::error_code absent;
  return std::filesystem::exists(home.hub() / "pool.db", absent);
}

std::vector<Finding> examine_file(const Home& home) {
  std::error_code absent;
  const std::filesystem::path file = home.hub() / "pool.db";
  if (!has_own_file(home)) return {{"file", false, false, "there is none yet: " + file.string(), "hearth up"}};
  return {{"file", true, true, file.string(), ""},
          {"second copy", false, false, "none: the pool is lost with this PC's disk",
           "hearth store migrate --to postgresql://USER@HOST,HOST/DATABASE"}};
}

// The hub's process, if the supervisor has one.
int hub_process(const Home& home) {
  const std::optional<Holder> holder = Lock::holder(home);
  const Result<std::string> text = read_small_file(home.endpoint());
  if (!holder || !text) return 0;
  const Result<HubEndpoint> endpoint = parse_endpoint_file(*text);
  if (!endpoint || endpoint->process <= 0) return 0;
  const Result<std::string> status = read_small_file(fmt::format("/proc/{}/status", endpoint->process));
  const bool is_its_child = status && status->find(fmt::format("\nPPid:\t{}\n", holder->process)) != std::string::npos;
  return is_its_child ? endpoint->process : 0;
}

Result<void> write_config(const Home& home, const Config& config) {
  return write_file_atomically(home.config(), format_config(config));
}

// The supervisor starts it again, by the configuration as it is now.
void restart_hub(const Home& home) {
  if (const int process = hub_process(home); process > 0) ::kill(process, SIGTERM);
}

// A copy elsewhere could take over from a file that is not used any more.
Result<void> refuse_copied_pool(const Context& context) {
  const Result<std::unique_ptr<Client>> client = await_hub(context.home, kStartLimit);
  if (!client) return std::unexpected(client.error());
  const Result<v1::StatusReply> status =
      (*client)->call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest());
  if (!status) return std::unexpected(status.error());
  if (status->hubs_size() == 0) return {};
  return fail(Code::kFailedPrecondition,
              "another hub stands by with a copy of this pool's file; let it go first: hearth standby remove");
}

// The hub of this PC moves the pool when it starts. Nothing but the hub stops: what runs goes on.
Result<void> move_while_up(const Context& context, const Config& before, const Config& after) {
  if (Result<void> written = write_config(context.home, after); !written) return written;
  restart_hub(context.home);
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(kMoveLimit.micros);
  while (has_own_file(context.home) && std::chrono::steady_clock::now() < end && Lock::holder(context.home)) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
  if (has_own_file(context.home)) {
    const Result<void> back = write_config(context.home, before);
    restart_hub(context.home);
    if (!back) return back;
    return fail(Code::kDeadlineExceeded,
                fmt::format("the pool could not be moved and stays in its file; see {}", context.home.log().string()));
  }
  const Result<std::unique_ptr<Client>> client = await_hub(context.home, kStartLimit);
  return client ? Result<void>() : std::unexpected(client.error());
}

Result<void> move_while_down(const Context& context, const Config& after) {
  const Result<void> moved = context.programs->move_store(HubStart{.home = context.home.root,
                                                                   .address = after.address,
                                                                   .port = after.port,
                                                                   .name = after.name,
                                                                   .store = after.store});
  return moved ? write_config(context.home, after) : moved;
}

}  // namespace

Result<void> require_store(const Context& context, const std::string& url) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://")) {
    return fail(Code::kInvalidArgument,
                fmt::format("{}: a database's URL is needed: postgresql://USER@HOST,HOST/DATABASE", plain(url)));
  }
  for (const Finding& finding : context.programs->check_store(url)) {
    if (finding.required && !finding.ok) return fail(Code::kFailedPrecondition, "the database: " + finding.detail);
  }
  return {};
}

Result<int> check_store(const Context& context, const std::string& url) {
  const Result<Config> config = load_config(context.home);
  if (!config) return std::unexpected(config.error());
  const std::string& store = url.empty() ? config->store : url;
  const std::vector<Finding> findings =
      store.empty() ? examine_file(context.home) : context.programs->check_store(store);
  print(context.json ? findings_json(findings) : findings_text(findings));
  const bool failed = std::ranges::any_of(findings, [](const Finding& one) { return one.required && !one.ok; });
  return failed ? 1 : 0;
}

Result<int> migrate_store(const Context& context, const std::string& url) {
  if (url.empty()) return fail(Code::kInvalidArgument, "--to URL is needed: postgresql://USER@HOST,HOST/DATABASE");
  const Result<Config> before = load_config(context.home);
  if (!before) return std::unexpected(before.error());
  if (!before->store.empty()) return fail(Code::kFailedPrecondition, "this PC's pool lies in a database already");
  if (!has_own_file(context.home)) {
    return fail(Code::kFailedPrecondition,
                "this PC has no pool that could be moved; make one with: hearth up --store URL");
  }
  if (Lock::holder(context.home)) {
    if (Result<void> alone = refuse_copied_pool(context); !alone) return std::unexpected(alone.error());
  }
  if (Result<void> usable = require_store(context, url); !usable) return std::unexpected(usable.error());
  Config after = *before;
  after.store = url;
  const Result<void> moved =
      Lock::holder(context.home) ? move_while_up(context, *before, after) : move_while_down(context, after);
  if (!moved) return std::unexpected(moved.error());
  say("the pool lies in the database now; its file is kept as hub/pool.db.moved and is not used any more");
  if (context.json) print(object_json({{"moved", true}}));
  return 0;
}

}  // namespace hearth::cli
