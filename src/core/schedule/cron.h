// When something comes due by the calendar, written as cron(5) has it: "minute hour day-of-month month day-of-week".
//
// Each field is "*", a number, a range "1-5", either with a step "*/15", or a list of those; months and days of the
// week may be named by their first three letters, and 7 is Sunday too. If both days are given, either does. "@hourly",
// "@daily", "@weekly", "@monthly" and "@yearly" stand for the obvious.
//
// Where clocks are put forward or back: what is due at an hour of the day is due once a day. A time that is left out is
// due as soon as it has been passed; one that comes twice is due the first time. What is due in every hour keeps its
// pace whatever the clock shows.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "base/result.h"

namespace hearth::schedule {

// How far local time is ahead of UTC at a moment, in seconds: all that is known of a time zone.
using OffsetAt = std::function<std::int64_t(std::int64_t unix_seconds)>;

class Cron {
 public:
  // At most 256 bytes. Errors: kInvalidArgument: which field, what is allowed; a date that never comes (30 February).
  static Result<Cron> parse(std::string_view text);

  // The first moment after `unix_seconds` at which it is due. None within nine years: never.
  std::optional<std::int64_t> next_after(std::int64_t unix_seconds, const OffsetAt& offset_at) const;

 private:
  struct Local;
  static Local local_at(std::int64_t local_seconds);
  bool on_date(const Local& local) const;
  bool matches(const Local& local) const;
  bool is_due(std::int64_t at, const OffsetAt& offset_at) const;
  bool can_ever_be() const;

  std::uint64_t minutes_ = 0;  // bit n: minute n
  std::uint64_t hours_ = 0;
  std::uint64_t days_ = 0;      // of the month, from 1
  std::uint64_t months_ = 0;    // from 1
  std::uint64_t weekdays_ = 0;  // from 0, Sunday
  bool any_hour_ = false;
  bool any_day_ = false;
  bool any_weekday_ = false;
};

}  // namespace hearth::schedule
