// status.json, what the node says of itself, for `hearth status` when the hub is away:
//
//   {"connected": true, "hub": "host:7443", "running": 2, "held": 5, "closed_reason": "", "drained": false, "revoked":
//   false}
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "base/result.h"

namespace hearth::node {

struct Status {
  bool connected = false;
  std::string hub;
  std::uint32_t running = 0;
  std::size_t held = 0;
  std::string closed_reason;
  bool drained = false;
  bool revoked = false;
  bool operator==(const Status&) const = default;
};

std::string format_status(const Status& status);

// Appears whole or not at all. Errors: of the disk.
Result<void> write_status(const std::filesystem::path& file, const Status& status);

}  // namespace hearth::node
