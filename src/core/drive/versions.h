// Which earlier versions of replaced files are kept. Pure: what time it is, it is told.
//
// Young versions lie close together, old ones apart, by the intervals of Syncthing's staggered versioning
// (docs.syncthing.net, "File Versioning"): one for 30 s within the last hour, one for an hour within the last day, one
// for a day within the last 30 days, one for a week within the last year, and none that is older.
//
//   for (const KeptVersion& one : versions_to_drop(all, now, limit)) ...
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.h"

namespace hearth::drive {

struct KeptVersion {
  std::string series;  // all versions of one file
  WallTime replaced;   // when a newer one took its place
  std::string id;      // within the series
  std::uint64_t bytes = 0;

  auto operator<=>(const KeptVersion&) const = default;
};

inline constexpr Duration kVersionsKept = minutes(365 * 24 * 60);

// Those that lie too close to an older one of their series, and then, of all series, the oldest, until the others hold
// `limit` bytes at most. What was kept once is not dropped later because of a version that came since.
std::vector<KeptVersion> versions_to_drop(std::vector<KeptVersion> all, WallTime now, std::uint64_t limit);

}  // namespace hearth::drive
