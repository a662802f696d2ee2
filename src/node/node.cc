#include "node/node.h"

#include <csignal>

#include "base/log.h"
#include "net/async.h"
#include "node/shell.h"

namespace hearth::node {
namespace {

// Others get what this PC's programs leave; one's own tasks go on beside them, slowly.
constexpr std::uint32_t kWeightOfGuests = 1;
constexpr std::uint32_t kWeightOfOwn = 10;
constexpr unsigned kWorkers = 6;
constexpr unsigned kBrakes = 4;  // each freezes one guest at a time
constexpr std::uint64_t kKeepFreeBytes = 1ULL << 30;

int give_up(const Error& error) {
  log_error("the node cannot run: " + error.message);
  return kExitFailed;
}

int run_shell(const RunOptions& options, sandbox::Host& host, const net::IdentityKey& key) {
  Result<std::unique_ptr<blob::BlobStore>> cache = blob::BlobStore::open(
      options.directory / "cache",
      {.max_bytes = options.disk_bytes, .keep_free_bytes = kKeepFreeBytes, .evict = true, .durable = false});
  if (!cache) return give_up(cache.error());
  int code = kExitStopped;
  net::Loop loop;
  net::Workers workers(kWorkers);
  net::Workers brakes(kBrakes);
  Environments environments({.loop = loop,
                             .workers = workers,
                             .host = host,
                             .cache = **cache,
                             .directory = options.directory / "environments"});
  if (Result<void> opened = environments.open(); !opened) return give_up(opened.error());
  Result<std::unique_ptr<WipeLog>> wipes = WipeLog::open(options.directory, key, host);
  if (!wipes) return give_up(wipes.error());
  (*wipes)->end_crashed();
  Workspaces workspaces(loop, workers, **wipes, options.directory / "workspaces");
  if (Result<void> opened = workspaces.open(); !opened) return give_up(opened.error());
  {
    Shell shell({.loop = loop,
                 .workers = workers,
                 .brakes = brakes,
                 .host = host,
                 .cache = **cache,
                 .environments = environments,
                 .workspaces = workspaces,
                 .wipes = **wipes,
                 .disk_bytes = options.disk_bytes,
                 .key = key,
                 .directory = options.directory,
                 .own_pool = options.own_pool,
                 .machine = sandbox::read_machine()},
                [&loop, &code] {
                  code = kExitRevoked;
                  loop.stop();
                });
    loop.on_signal({SIGTERM, SIGINT}, [&loop](int) { loop.stop(); });
    shell.start();
    loop.run();
  }
  // Nothing runs here any more. Workspaces are the pool's that this PC no longer belongs to.
  if (code == kExitRevoked) workspaces.wipe_all_now();
  return code;
}

}  // namespace

int run(const RunOptions& options) {
  // First, while there is one thread.
  Result<std::unique_ptr<sandbox::Host>> host =
      sandbox::Host::open({.state_directory = options.directory / "sandbox",
                           .bwrap = options.bwrap,
                           .cpu_weight = options.own_pool ? kWeightOfOwn : kWeightOfGuests,
                           .microvm = {.directory = options.directory / "microvm",
                                       .insecure_tcg_for_tests = options.insecure_tcg_for_tests}});
  if (!host) return give_up(host.error());
  Result<net::IdentityKey> key = net::IdentityKey::load_or_create(options.directory / "identity.pem");
  if (!key) return give_up(key.error());
  return run_shell(options, **host, *key);
}

}  // namespace hearth::node
