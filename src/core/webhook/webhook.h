// What a webhook is told of, and when a message that its receiver did not take is sent again. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.h"
#include "base/time.h"

namespace hearth::webhook {

// Kept in the store as numbers: none changes its meaning.
enum class Kind : std::uint8_t { kTest = 0, kJobQueued, kJobStarted, kJobEnded, kTaskFailed, kTaskRequeued };

std::string_view name_of(Kind kind);                    // "job.ended"
std::optional<Kind> kind_named(std::string_view name);  // not of kTest, which nobody subscribes to

// A set of kinds, a bit for each.
using Kinds = std::uint32_t;
constexpr Kinds bit(Kind kind) { return 1U << static_cast<unsigned>(kind); }

struct Filter {
  Kinds kinds = 0;
  JobId job;                 // 0: any
  std::string name_pattern;  // glob(7), of the job's name; empty: any
};
bool matches(const Filter& filter, Kind kind, JobId job, const std::string& name);

// What came of sending a message.
enum class Answer : std::uint8_t {
  kTaken,   // status 2xx
  kFailed,  // any other, or none
  kGone,    // 410: the receiver wants no more
};
Answer answer_of(unsigned status);

// When a message is sent again that was made at `made` and has just been refused for the `tries`-th time (from 1):
// after 2 s at first, then twice as long each time, an hour at most, and up to an eighth more by `spread` (any number),
// so that receivers which come back are not met by all at once. Nothing: a day has passed, it is given up.
std::optional<WallTime> next_try(WallTime made, std::uint32_t tries, std::uint32_t spread, WallTime now);

}  // namespace hearth::webhook
