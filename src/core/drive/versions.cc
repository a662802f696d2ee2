#include "core/drive/versions.h"

#include <algorithm>
#include <array>
#include <utility>

namespace hearth::drive {
namespace {

constexpr std::int64_t kSecond = 1'000;  // of a WallTime
constexpr std::int64_t kHour = 3'600 * kSecond;
constexpr std::int64_t kDay = 24 * kHour;

struct Stage {
  std::int64_t younger_than;
  std::int64_t apart;
};
constexpr std::array kStages{Stage{.younger_than = kHour, .apart = 30 * kSecond},
                             Stage{.younger_than = kDay, .apart = kHour},
                             Stage{.younger_than = 30 * kDay, .apart = kDay},
                             Stage{.younger_than = kVersionsKept.micros / 1'000, .apart = 7 * kDay}};

// How far a version of that age must be from the one before it.
std::int64_t apart_at(std::int64_t age) {
  for (const Stage& stage : kStages) {
    if (age < stage.younger_than) return stage.apart;
  }
  return kStages.back().apart;
}

}  // namespace

std::vector<KeptVersion> versions_to_drop(std::vector<KeptVersion> all, WallTime now, std::uint64_t limit) {
  std::ranges::sort(all);
  std::vector<KeptVersion> dropped;
  std::vector<KeptVersion> kept;
  std::uint64_t bytes = 0;
  for (KeptVersion& one : all) {
    const std::int64_t age = now.unix_millis - one.replaced.unix_millis;
    const KeptVersion* before = kept.empty() || kept.back().series != one.series ? nullptr : &kept.back();
    const bool is_close = before != nullptr && one.replaced.unix_millis - before->replaced.unix_millis < apart_at(age);
    if (is_close || age >= kVersionsKept.micros / 1'000) {
      dropped.push_back(std::move(one));
      continue;
    }
    bytes += one.bytes;
    kept.push_back(std::move(one));
  }
  std::ranges::sort(kept, {}, &KeptVersion::replaced);
  for (auto oldest = kept.begin(); bytes > limit && oldest != kept.end(); ++oldest) {
    bytes -= oldest->bytes;
    dropped.push_back(std::move(*oldest));
  }
  return dropped;
}

}  // namespace hearth::drive
