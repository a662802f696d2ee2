// What an attempt used, for the row of its owner, account and day. Pure: the store adds the rows up.
//
// Cores, GPUs and memory count as they were asked for, for as long as the program ran: that is what nobody else could
// have meanwhile. How long that was is the node's word, but never more than the job's own limit.
//
// Energy = watts under load, as the node's owner says them, * cores asked for / cores of the machine * that time. It is
// what the attempt's part of a busy PC draws, not what was measured; of a node whose owner says nothing it is unknown.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/pool/pool.h"
#include "hearth/v1/jobs.pb.h"
#include "store/store.h"

namespace hearth::hub {

struct EndedAttempt {
  DeviceId owner;
  std::string account;  // its name; empty: none
  std::string firm;
  Resources resources;
  double node_watts = 0;                  // 0: not said
  double node_cores = 0;                  // of the machine
  std::int64_t time_limit_seconds = 0;    // the job's
  WallTime started;                       // 0: its node has not said so
  const v1::Outcome* reported = nullptr;  // null: no node reported this end
  std::uint64_t result_bytes = 0;
  bool has_ended = false;  // its task with it
  bool succeeded = false;
};

store::UsageRow usage_of(const EndedAttempt& attempt, WallTime now);

// Adds to the row of the same owner, account, firm and day, or a new one.
void add_usage(std::vector<store::UsageRow>& rows, const store::UsageRow& more);

// Days since 1970-01-01, in UTC, as "2026-01-31". Errors: kInvalidArgument (`field` is named).
std::string day_text(std::int64_t day);
Result<std::int64_t> parse_day(std::string_view field, std::string_view text);
std::int64_t day_of(WallTime time);

}  // namespace hearth::hub
