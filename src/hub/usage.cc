#include "hub/usage.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <tuple>

#include <fmt/format.h>

#include "base/sizes.h"

namespace hearth::hub {
namespace {

constexpr std::int64_t kMillisADay = 24 * 60 * 60 * 1000;
constexpr std::int64_t kDefaultLimitSeconds = 24 * 60 * 60;
constexpr double kMaxWatts = 100'000;          // of one PC
constexpr std::int64_t kGraceMillis = 60'000;  // from the limit to the end of the last process

std::int64_t ran_millis(const EndedAttempt& attempt, WallTime now) {
  const std::int64_t limit_seconds = attempt.time_limit_seconds > 0 ? attempt.time_limit_seconds : kDefaultLimitSeconds;
  const std::int64_t most = limit_seconds * 1000 + kGraceMillis;
  if (attempt.reported != nullptr && attempt.reported->wall_micros() > 0) {
    const std::uint64_t millis = (attempt.reported->wall_micros() + 500) / 1000;
    return static_cast<std::int64_t>(std::min<std::uint64_t>(millis, static_cast<std::uint64_t>(most)));
  }
  if (attempt.reported != nullptr || attempt.started.unix_millis == 0) return 0;
  return std::clamp<std::int64_t>(now.unix_millis - attempt.started.unix_millis, 0, most);
}

// A node's word is no reason to overflow.
std::uint64_t bounded(std::uint64_t bytes) { return std::min<std::uint64_t>(bytes, std::uint64_t{1} << 50U); }

}  // namespace

store::UsageRow usage_of(const EndedAttempt& attempt, WallTime now) {
  const std::int64_t millis = ran_millis(attempt, now);
  const auto mebibytes = static_cast<std::int64_t>(attempt.resources.memory_bytes / kMiB);
  store::UsageRow row{.owner = attempt.owner, .day = day_of(now)};
  row.account = attempt.account;
  row.firm = attempt.firm;
  row.tasks = attempt.has_ended ? 1 : 0;
  row.failed_tasks = attempt.has_ended && !attempt.succeeded ? 1 : 0;
  row.attempts = 1;
  row.core_millis = millis * attempt.resources.cores;
  row.gpu_millis = millis * attempt.resources.gpus;
  row.memory_mib_seconds = mebibytes * millis / 1000;
  if (attempt.node_watts > 0 && attempt.node_cores > 0) {
    const double part = std::min(attempt.resources.cores / attempt.node_cores, 1.0);
    row.energy_millijoules = std::llround(std::min(attempt.node_watts, kMaxWatts) * part * static_cast<double>(millis));
  } else {
    row.unmetered_core_millis = row.core_millis;
  }
  if (attempt.reported != nullptr) {
    row.net_bytes = static_cast<std::int64_t>(bounded(attempt.reported->net_bytes_sent()) +
                                              bounded(attempt.reported->net_bytes_received()));
    row.result_bytes = static_cast<std::int64_t>(bounded(attempt.result_bytes));
  }
  return row;
}

void add_usage(std::vector<store::UsageRow>& rows, const store::UsageRow& more) {
  const auto key = [](const store::UsageRow& row) { return std::tie(row.owner, row.day, row.account, row.firm); };
  const auto same = std::ranges::find_if(rows, [&](const store::UsageRow& row) { return key(row) == key(more); });
  if (same == rows.end()) return rows.push_back(more);
  same->tasks += more.tasks;
  same->failed_tasks += more.failed_tasks;
  same->attempts += more.attempts;
  same->core_millis += more.core_millis;
  same->gpu_millis += more.gpu_millis;
  same->memory_mib_seconds += more.memory_mib_seconds;
  same->net_bytes += more.net_bytes;
  same->result_bytes += more.result_bytes;
  same->energy_millijoules += more.energy_millijoules;
  same->unmetered_core_millis += more.unmetered_core_millis;
}

std::string day_text(std::int64_t day) {
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()));
}

Result<std::int64_t> parse_day(std::string_view field, std::string_view text) {
  constexpr std::string_view kForm = "dddd-dd-dd";
  const auto fits = [](char c, char form) { return form == 'd' ? c >= '0' && c <= '9' : c == form; };
  if (std::ranges::equal(text, kForm, fits)) {
    const auto number = [&](std::size_t at, std::size_t size) {
      int value = 0;
      std::from_chars(text.data() + at, text.data() + at + size, value);
      return value;
    };
    const std::chrono::year_month_day date{std::chrono::year{number(0, 4)},
                                           std::chrono::month{static_cast<unsigned>(number(5, 2))},
                                           std::chrono::day{static_cast<unsigned>(number(8, 2))}};
    if (date.ok() && number(0, 4) >= 1970) return std::chrono::sys_days{date}.time_since_epoch().count();
  }
  return fail(Code::kInvalidArgument, fmt::format("{}: a day is needed, for example 2026-01-31", field));
}

std::int64_t day_of(WallTime time) { return time.unix_millis / kMillisADay; }

}  // namespace hearth::hub
