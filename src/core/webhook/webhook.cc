#include "core/webhook/webhook.h"

#include <algorithm>
#include <array>

#include <fnmatch.h>

namespace hearth::webhook {
namespace {

constexpr std::array<std::string_view, 6> kNames = {"webhook.test", "job.queued",  "job.started",
                                                    "job.ended",    "task.failed", "task.requeued"};
constexpr std::int64_t kFirstWaitMillis = 2'000;
constexpr std::int64_t kLongestWaitMillis = 60 * 60 * 1'000;
constexpr std::int64_t kPatienceMillis = 24 * kLongestWaitMillis;
constexpr std::uint32_t kMostDoublings = 20;

}  // namespace

std::string_view name_of(Kind kind) { return kNames.at(static_cast<std::size_t>(kind)); }

std::optional<Kind> kind_named(std::string_view name) {
  const auto* const found = std::find(kNames.begin() + 1, kNames.end(), name);
  return found == kNames.end() ? std::nullopt : std::optional(static_cast<Kind>(found - kNames.begin()));
}

bool matches(const Filter& filter, Kind kind, JobId job, const std::string& name) {
  if ((filter.kinds & bit(kind)) == 0) return false;
  if (filter.job != JobId{} && filter.job != job) return false;
  return filter.name_pattern.empty() || ::fnmatch(filter.name_pattern.c_str(), name.c_str(), 0) == 0;
}

Answer answer_of(unsigned status) {
  if (status == 410) return Answer::kGone;
  return status >= 200 && status < 300 ? Answer::kTaken : Answer::kFailed;
}

std::optional<WallTime> next_try(WallTime made, std::uint32_t tries, std::uint32_t spread, WallTime now) {
  const std::uint32_t doublings = std::min(tries > 0 ? tries - 1 : 0, kMostDoublings);
  const std::int64_t wait = std::min(kFirstWaitMillis << doublings, kLongestWaitMillis);
  const std::int64_t more = wait / 8 * (spread % 256) / 256;
  const WallTime next{now.unix_millis + wait + more};
  // A calendar that was put back does not keep a message for longer.
  const bool is_over = next.unix_millis - made.unix_millis > kPatienceMillis || next < made;
  return is_over ? std::nullopt : std::optional(next);
}

}  // namespace hearth::webhook
