// Whether something more fits into a folder with a limit. What the folder holds is known from a count, which takes
// time; what came since is added, what went is not. So the sum never says too little of what passed through the drive,
// and a count is due only when it says that there is no room, or is old: files also change on the PC itself. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "base/time.h"

namespace hearth::drive {

struct Allowance {
  static constexpr Duration kCountKept = minutes(10);
  static constexpr Duration kCountAgain = seconds(1);  // not sooner, however often somebody asks

  enum class Verdict : std::uint8_t { kFits, kCountFirst, kFull };

  std::uint64_t most = 0;
  std::uint64_t counted = 0;
  std::uint64_t since = 0;
  std::optional<Time> counted_at;

  std::uint64_t held() const { return counted + since; }
  std::uint64_t left() const { return most > held() ? most - held() : 0; }
  Verdict judge(std::uint64_t bytes, Time now) const;
};

}  // namespace hearth::drive
