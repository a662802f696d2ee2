// What people type and read: counts, durations, hours of the day, moments. Pure: the time of day is an argument.
//
// An error names the option, the given value and what is allowed, so that it can be shown as it is.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "hearth/v1/types.pb.h"

namespace hearth::cli {

// Hours of the day in which guests may start something; `to` before `from` passes midnight. The same minute twice: all
// day.
struct Hours {
  std::uint16_t from_minute = 0;  // 0 to 1439
  std::uint16_t to_minute = 0;
  bool operator==(const Hours&) const = default;
};

// A whole number from `least` to `most`. `noun` completes the sentence "NOUN from LEAST to MOST is needed".
struct Range {
  std::uint64_t least = 0;
  std::uint64_t most = 0;
};
Result<std::uint64_t> parse_count(std::string_view option, std::string_view text, Range range);

Result<std::uint16_t> parse_port(std::string_view option, std::string_view text);

// "2G", "512M": see base/bytes.h.
Result<std::uint64_t> parse_size(std::string_view option, std::string_view text, Range range);

// "90s", "10m", "2h", "1d", "1h30m"; a bare number is seconds. From 1 s to 30 days.
Result<std::int64_t> parse_time_limit(std::string_view option, std::string_view text);

// A span from now on, "2h", or a moment to come of this PC's calendar: "2030-12-31 18:00", "2030-12-31".
Result<WallTime> parse_moment(std::string_view option, const std::string& text, WallTime now);

// "22-7", "22:30-7", "8:00-18:30".
Result<Hours> parse_hours(std::string_view option, std::string_view text);
std::string format_hours(Hours hours);  // "22:00-07:00"

// How far somebody is trusted, most first, as hearth.v1.Ring.
inline constexpr std::array<std::string_view, 4> kRingNames = {"home", "friend", "member", "stranger"};

// Its name on a command line; "?" for a value of a newer version.
std::string_view ring_name(v1::Ring ring);
Result<v1::Ring> parse_ring(std::string_view option, std::string_view text);

// Names of rings, "friend,member". Each once, at least one.
Result<std::vector<std::string>> parse_rings(std::string_view option, std::string_view text);

// "0.4 s", "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
std::string format_duration(Duration span);

// "just now", "40 s ago", "3 min ago", "2 h ago", "5 d ago"; "-" for a moment that is unknown.
std::string format_age(WallTime moment, WallTime now);

// "running", "succeeded"
std::string state_name(v1::JobState state);

// "2026-01-31": its first moment in UTC.
Result<WallTime> parse_day(std::string_view option, std::string_view text);

// "2026-01-31 12:00:07", in UTC.
std::string format_moment(WallTime moment);

// "Fri 27 Nov 03:00", by this PC's clock; "-" for a moment that is unknown.
std::string format_local(WallTime moment);

// "1,234,567"
std::string format_count(std::uint64_t count);

// The text with control characters and ill-formed UTF-8 replaced by '?': names from elsewhere must not move the
// terminal's cursor.
std::string plain(std::string_view text);

}  // namespace hearth::cli
