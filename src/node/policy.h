// policy.json, what the owner allows: written by the command line, read by the node.
//
//   {"cores": 4, "memory_bytes": 8589934592, "hours": "22:30-7:00", "draining": false,
//    "disk_bytes": 21474836480, "net": {"guests": "listed"}}
//
// A field that is absent or null limits nothing, but for "net", which then admits nothing; "hours" may be "22-7". What
// guests reach of the network: "none"; "listed": the hosts that their job
// lists; "full": the Internet too.
#pragma once

#include <string_view>

#include "base/result.h"
#include "core/node/agent.h"

namespace hearth::node {

// `offered` is what a node offers whose owner said nothing; `machine` what it has at most. Errors: kInvalidArgument
// (which field, what is allowed).
Result<Policy> parse_policy(std::string_view json, const Resources& offered, const Resources& machine);

// The "disk_bytes" of the same text: of cache and environments together; `absent` if it says nothing. At least 64 MiB.
Result<std::uint64_t> parse_disk_limit(std::string_view json, std::uint64_t absent);

// What a node offers by default: every core and GPU, and 80 % of the memory.
Resources default_offer(const Resources& machine);

}  // namespace hearth::node
