// policy.json, what the owner allows: written by the command line, read by the node.
//
//   {"cores": 4, "memory_bytes": 8589934592, "hours": "22:30-7:00", "draining": false,
//    "disk_bytes": 21474836480, "workspace_bytes": 5368709120, "rings": {...}}
//
// A field that is absent or null limits nothing, but for "workspace_bytes", what workspaces may take together, which is
// then as silent_policy() has it; "hours" may be "22-7". What "rings" says is in node/rings.h.
//
// "owner_first" says when the owner needs the PC:
//
//   {"owner_first": {"mode": "auto", "quiet_seconds": 300, "patience_seconds": 1800, "grace_seconds": 30,
//                    "on_battery": false, "on_metered": false, "on_busy": false, "max_celsius": 85, "max_price": "0.3",
//                    "tariff": "22:00-06:00 0.21\n06:00-22:00 0.34\n"}}
//
// its fields, absent or null, are as silent_policy() has them; the tariff is text as presence/tariff.h wants it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "core/node/agent.h"
#include "presence/tariff.h"

namespace hearth::node {

// `silent` is what holds where the text says nothing; `machine` what there is at most. Errors: kInvalidArgument (which
// field, what is allowed). Whom the owner admits, beyond workspaces, is left out: see node/rings.h.
Result<Policy> parse_policy(std::string_view json, const Policy& silent, const Resources& machine);

// The tariff of the policy that the JSON is, if there is one. Errors: kInvalidArgument.
Result<std::optional<presence::Tariff>> parse_tariff(std::string_view json);
// The "disk_bytes" of the same text: of environments, their images and workspaces together, and as much again of what
// is encrypted, half inputs and half files of running tasks; `absent` if it says nothing. At least 64 MiB.
Result<std::uint64_t> parse_disk_limit(std::string_view json, std::uint64_t absent);

// What holds for a node whose owner said nothing: every core and GPU, 80 % of the memory, and for tasks' files
// half of the disk limit. Where the pool is this
// PC's own, what runs is its owner's: it goes on while they are here, and on battery, and workspaces may take a quarter
// of the disk limit. On a PC that works for another's pool the owner comes first, and no workspace is kept.
Policy silent_policy(const Resources& machine, std::uint64_t disk_bytes, bool own_pool);

}  // namespace hearth::node
