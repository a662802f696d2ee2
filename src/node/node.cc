#include "node/node.h"

#include <algorithm>
#include <csignal>
#include <memory>

#include <sys/resource.h>

#include "base/log.h"
#include "net/async.h"
#include "node/shell.h"

namespace hearth::node {
namespace {

// Others get what this PC's programs leave; one's own tasks go on beside them, slowly.
constexpr std::uint32_t kWeightOfGuests = 1;
constexpr std::uint32_t kWeightOfOwn = 10;
constexpr std::uint32_t kWeightOfShown =
    100;  // as the owner's own programs, while somebody of the house watches an app
constexpr unsigned kWorkers = 6;
constexpr unsigned kBrakes = 4;  // each freezes one guest at a time
constexpr std::uint64_t kKeepFreeBytes = 1ULL << 30;
constexpr std::uint64_t kShareOfInputs = 4;  // at most one part in so many of the PC's memory

int give_up(const Error& error) {
  log_error("the node cannot run: " + error.message);
  return kExitFailed;
}

// Inputs and logs are in this process's memory. One byte: see sandbox::Box.
void leave_no_core_dump() {
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  limit.rlim_cur = limit.rlim_max = std::min<rlim_t>(1, limit.rlim_max);
  ::setrlimit(RLIMIT_CORE, &limit);
}

// How much of the disk could hold what is encrypted.
std::uint64_t room_of_vault(const std::filesystem::path& vault) {
  std::error_code error;
  const std::filesystem::space_info space = std::filesystem::space(vault, error);
  return error ? 0 : space.available - std::min<std::uint64_t>(space.available, kKeepFreeBytes);
}

// Encrypted on the disk where that can be had, else in memory.
Result<std::unique_ptr<blob::BlobStore>> open_inputs(sandbox::Host& host, std::uint64_t memory_bytes,
                                                     std::uint64_t disk_bytes, std::uint64_t& vault_bytes) {
  if (Result<std::filesystem::path> vault = host.encrypted_directory(); vault) {
    vault_bytes = room_of_vault(*vault);
    return blob::BlobStore::open(
        *vault, {.max_bytes = disk_bytes, .keep_free_bytes = kKeepFreeBytes, .evict = true, .durable = false});
  } else {
    log_warning("inputs have a quarter of the memory at most, and tasks no disk: " + vault.error().message);
  }
  const std::uint64_t bytes = memory_bytes / kShareOfInputs;
  Result<std::filesystem::path> directory = host.memory_directory(bytes);
  if (!directory) return std::unexpected(directory.error());
  return blob::BlobStore::open(*directory, {.max_bytes = bytes, .keep_free_bytes = 0, .evict = true, .durable = false});
}

Result<std::unique_ptr<sandbox::Host>> open_sandbox(const RunOptions& options) {
  return sandbox::Host::open({.state_directory = options.directory / "sandbox",
                              .bwrap = options.bwrap,
                              .cpu_weight = options.own_pool ? kWeightOfOwn : kWeightOfGuests,
                              .foreground_weight = options.own_pool ? kWeightOfShown : 0,
                              .microvm = {.directory = options.directory / "microvm",
                                          .insecure_tcg_for_tests = options.insecure_tcg_for_tests}});
}

// `how`: SIG_BLOCK or SIG_UNBLOCK.
void mask_ending_signals(int how) {
  sigset_t signals;
  ::sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT}) ::sigaddset(&signals, signal);
  ::pthread_sigmask(how, &signals, nullptr);
}

Result<std::unique_ptr<blob::BlobStore>> open_images(const RunOptions& options) {
  return blob::BlobStore::open(
      options.directory / "cache",
      {.max_bytes = options.disk_bytes, .keep_free_bytes = kKeepFreeBytes, .evict = true, .durable = false});
}

// After the loop has run: what workers are still at refers to all that goes next, and so does what waits for it.
void unwind(net::Loop& loop, std::unique_ptr<net::Workers>& workers, std::unique_ptr<net::Workers>& brakes) {
  workers.reset();
  brakes.reset();
  loop.stop();
  loop.run();
}

int run_shell(const RunOptions& options, sandbox::Host& host, const net::IdentityKey& key) {
  const sandbox::Machine machine = host.machine();
  std::uint64_t vault_bytes = 0;
  Result<std::unique_ptr<blob::BlobStore>> inputs =
      open_inputs(host, machine.memory_bytes, options.disk_bytes, vault_bytes);
  if (!inputs) return give_up(inputs.error());
  if (host.is_elsewhere()) vault_bytes = 0;
  Result<std::unique_ptr<blob::BlobStore>> images = open_images(options);
  if (!images) return give_up(images.error());
  int code = kExitStopped;
  net::Loop loop;
  auto workers = std::make_unique<net::Workers>(kWorkers);
  auto brakes = std::make_unique<net::Workers>(kBrakes);
  Environments environments({.loop = loop,
                             .workers = *workers,
                             .host = host,
                             .cache = **images,
                             .directory = options.directory / "environments"});
  if (Result<void> opened = environments.open(); !opened) return give_up(opened.error());
  Result<std::unique_ptr<WipeLog>> wipes = WipeLog::open(options.directory, key, host);
  if (!wipes) return give_up(wipes.error());
  (*wipes)->end_crashed();
  Workspaces workspaces(loop, *workers, **wipes, options.directory / "workspaces");
  if (Result<void> opened = workspaces.open(); !opened) return give_up(opened.error());
  Swarms swarms({.loop = loop,
                 .workers = *workers,
                 .program = options.swarm_program,
                 .bwrap = options.bwrap,
                 .directory = options.directory / "swarms"});
  if (Result<void> opened = swarms.open(); !opened) return give_up(opened.error());
  const auto end = [&loop, &environments] {
    environments.end();
    loop.stop();
  };
  {
    Shell shell({.loop = loop,
                 .workers = *workers,
                 .brakes = *brakes,
                 .host = host,
                 .images = **images,
                 .inputs = **inputs,
                 .environments = environments,
                 .swarms = swarms,
                 .workspaces = workspaces,
                 .wipes = **wipes,
                 .disk_bytes = options.disk_bytes,
                 .vault_bytes = vault_bytes,
                 .key = key,
                 .directory = options.directory,
                 .own_pool = options.own_pool,
                 .screen_program = options.screen_program,
                 .media_program = options.media_program,
                 .bwrap = options.bwrap,
                 .terminal_program = options.terminal_program,
                 .machine = machine},
                [&end, &code](int exit_code) {
                  code = exit_code;
                  end();
                });
    loop.on_signal({SIGTERM, SIGINT}, [&end](int) { end(); });
    mask_ending_signals(SIG_UNBLOCK);
    shell.start();
    loop.run();
    host.stop_trying();
    unwind(loop, workers, brakes);
  }
  // Nothing runs here any more. Workspaces are the pool's that this PC no longer belongs to.
  if (code == kExitRevoked) workspaces.wipe_all_now();
  return code;
}

}  // namespace

int run(const RunOptions& options) {
  leave_no_core_dump();
  // Until they are heeded: what was made meanwhile would stay behind.
  mask_ending_signals(SIG_BLOCK);
  // First, while there is one thread.
  Result<std::unique_ptr<sandbox::Host>> host = options.open_host ? options.open_host() : open_sandbox(options);
  if (!host) return give_up(host.error());
  Result<net::IdentityKey> key = net::IdentityKey::load_or_create(options.directory / "identity.pem");
  if (!key) return give_up(key.error());
  return run_shell(options, **host, *key);
}

}  // namespace hearth::node
