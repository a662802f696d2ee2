// policy.json, what the owner allows: written by the command line, read by the node.
//
//   {"cores": 4, "memory_bytes": 8589934592, "hours": "22:30-7:00", "draining": false,
//    "disk_bytes": 21474836480, "net": {"guests": "listed"}}
//
// A field that is absent or null limits nothing, but for "net", which then admits nothing; "hours" may be "22-7". What
// guests reach of the network: "none"; "listed": the hosts that their job
// lists; "full": the Internet too.
//
// "owner_first" says when the owner needs the PC:
//
//   {"owner_first": {"mode": "auto", "quiet_seconds": 300, "patience_seconds": 1800, "grace_seconds": 30,
//                    "on_battery": false, "on_metered": false, "max_celsius": 85, "max_price": "0.3",
//                    "tariff": "22:00-06:00 0.21\n06:00-22:00 0.34\n"}}
//
// its fields, absent or null, are as core/node/presence.h has them; the tariff is text as presence/tariff.h wants it.
#pragma once

#include <optional>
#include <string_view>

#include "base/result.h"
#include "core/node/agent.h"
#include "presence/tariff.h"

namespace hearth::node {

// `offered` is what a node offers whose owner said nothing; `machine` what it has at most. Errors: kInvalidArgument
// (which field, what is allowed).
Result<Policy> parse_policy(std::string_view json, const Resources& offered, const Resources& machine);

// The tariff of the policy that the JSON is, if there is one. Errors: kInvalidArgument.
Result<std::optional<presence::Tariff>> parse_tariff(std::string_view json);
// The "disk_bytes" of the same text: of cache and environments together; `absent` if it says nothing. At least 64 MiB.
Result<std::uint64_t> parse_disk_limit(std::string_view json, std::uint64_t absent);

// What a node offers by default: every core and GPU, and 80 % of the memory.
Resources default_offer(const Resources& machine);

}  // namespace hearth::node
