// status.json, what the node says of itself, for `hearth status` when the hub is away:
//
//   {"connected": true, "hub": "host:7443", "running": 2, "held": 5, "closed_reason": "", "drained": false,
//    "revoked": false, "heeds_owner": true, "frozen": false, "stopped": false, "freeze_millis": 262,
//    "swarm_port": 40321,
//    "tasks": [{"job": 7, "task": 0, "owner": "phone", "since_unix_millis": 1764100000000, "frozen": false}]}
//
// It lies on the owner's disk, so that nothing of a guest's own is in it, not its job's name either.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include <vector>

#include "base/result.h"

namespace hearth::node {

struct RunningTask {
  std::uint64_t job = 0;
  std::uint32_t task = 0;
  std::string owner;  // the name of the device that asked
  std::int64_t since_unix_millis = 0;
  bool frozen = false;
  bool operator==(const RunningTask&) const = default;
};

struct Status {
  bool connected = false;
  std::string hub;
  std::uint32_t running = 0;
  std::size_t held = 0;
  std::string closed_reason;
  bool drained = false;
  bool revoked = false;
  bool heeds_owner = false;         // the owner's presence counts here
  bool frozen = false;              // what runs is frozen; closed_reason says why
  bool stopped = false;             // by the owner's word
  std::uint32_t swarm_port = 0;     // where other nodes may dial its hearth-swarm; 0: nowhere
  std::int64_t freeze_millis = -1;  // see Agent::last_freeze(); -1: nothing was frozen yet
  std::vector<RunningTask> tasks;
  bool operator==(const Status&) const = default;
};

std::string format_status(const Status& status);

// Appears whole or not at all. Errors: of the disk.
Result<void> write_status(const std::filesystem::path& file, const Status& status);

}  // namespace hearth::node
