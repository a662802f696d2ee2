// The shell round core/node: a process that offers this PC to its hub and runs what the hub assigns.
//
// It keeps one session with its hub (proto/hearth/v1/session.proto) and comes back to it for ever; what it decides is
// decided by core/node/agent.h. Programs run in sandbox/ on inputs that come from the hub; what they print and leave
// goes back as blobs. All that is a guest's, but for its workspace, lives in memory or under a key in memory, and this
// process leaves no core dump.
//
// In RunOptions::directory: identity.pem, account.json (account/account.h), policy.json (the owner's limits, see
// policy.h), status.json (what the node says of itself, see status.h), stopped (see owner_watch.h), witness (see
// witness.h), cache/ (images of environments, by their hash), environments/ (see environments.h), workspaces/ (see
// workspaces.h), space/ (see space/server.h), apps.json (see apps.h), attempts/ and wipes.jsonl (see wipe_log.h),
// swarms/ (see swarms.h), sandbox/, microvm/ (a kernel package unpacked, hearth microvm fetch).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "sandbox/sandbox.h"

namespace hearth::node {

struct RunOptions {
  std::filesystem::path directory;
  bool own_pool = true;  // the hub is this PC's own, see silent_policy()
  std::string bwrap = "bwrap";
  std::filesystem::path swarm_program;     // hearth-swarm; where there is none, blobs come from the hub alone
  std::filesystem::path screen_program;    // hearth-screen; where there is none, no program with windows runs here
  std::filesystem::path media_program;     // hearth-media; where there is none, apps are not shown by WebRTC
  std::filesystem::path terminal_program;  // hearth-terminal; where there is none, no program gets a terminal here
  // For environments, their images and workspaces, and as much again for inputs, unless the owner sets another limit.
  std::uint64_t disk_bytes = 20ULL << 30;
  bool insecure_tcg_for_tests = false;
  // What runs guests; empty: the sandbox of this PC.
  std::function<Result<std::unique_ptr<sandbox::Host>>()> open_host = {};
};

constexpr int kExitStopped = 0;  // by SIGTERM or SIGINT
constexpr int kExitFailed = 1;   // the log says why
constexpr int kExitRevoked = 3;  // the hub does not admit this device any more: starting again is useless

// Runs until a signal, or until the hub has revoked the device. Call while the process has one thread. An account that
// is not there yet is waited for.
int run(const RunOptions& options);

}  // namespace hearth::node
