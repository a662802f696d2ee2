#include "cli/values.h"

#include <algorithm>
#include <charconv>
#include <ctime>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.h"

namespace hearth::cli {
namespace {

constexpr std::int64_t kMostSeconds = 30LL * 24 * 3600;

std::optional<std::uint64_t> whole_number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> unit_seconds(char unit) {
  switch (unit) {
    case 's':
      return 1;
    case 'm':
      return 60;
    case 'h':
      return 3600;
    case 'd':
      return 24 * 3600;
    default:
      return std::nullopt;
  }
}

// "1h30m" as seconds; nothing if it is malformed or beyond what any option allows.
std::optional<std::int64_t> duration_seconds(std::string_view text) {
  if (const auto bare = whole_number(text)) {
    if (*bare > static_cast<std::uint64_t>(kMostSeconds)) return std::nullopt;
    return static_cast<std::int64_t>(*bare);
  }
  std::int64_t total = 0;
  while (!text.empty()) {
    const std::size_t digits = text.find_first_not_of("0123456789");
    if (digits == std::string_view::npos || digits == 0) return std::nullopt;
    const auto count = whole_number(text.substr(0, digits));
    const auto unit = unit_seconds(text[digits]);
    if (!count || !unit || *count > static_cast<std::uint64_t>(kMostSeconds)) return std::nullopt;
    total += static_cast<std::int64_t>(*count) * *unit;
    if (total > kMostSeconds) return std::nullopt;
    text.remove_prefix(digits + 1);
  }
  return total;
}

// "22" or "22:30" as a minute of the day; 24 is midnight.
std::optional<std::uint16_t> minute_of_day(std::string_view text) {
  const std::size_t colon = text.find(':');
  const auto hour = whole_number(text.substr(0, colon));
  std::uint64_t minute = 0;
  if (colon != std::string_view::npos) {
    const std::string_view minutes = text.substr(colon + 1);
    const auto parsed = whole_number(minutes);
    if (!parsed || minutes.size() != 2) return std::nullopt;
    minute = *parsed;
  }
  if (!hour || *hour > 24 || minute > 59 || (*hour == 24 && minute > 0)) return std::nullopt;
  return static_cast<std::uint16_t>((*hour % 24) * 60 + minute);
}

}  // namespace

Result<std::uint64_t> parse_count(std::string_view option, std::string_view text, Range range) {
  const auto value = whole_number(text);
  if (!value || *value < range.least || *value > range.most) {
    return fail(Code::kInvalidArgument, fmt::format("{} {}: a whole number from {} to {} is needed", option,
                                                    plain(text), range.least, range.most));
  }
  return *value;
}

Result<std::uint16_t> parse_port(std::string_view option, std::string_view text) {
  const Result<std::uint64_t> port = parse_count(option, text, {.least = 1, .most = UINT16_MAX});
  if (!port) return std::unexpected(port.error());
  return static_cast<std::uint16_t>(*port);
}

Result<std::uint64_t> parse_size(std::string_view option, std::string_view text, Range range) {
  const auto value = parse_bytes(text);
  if (!value || *value < range.least || *value > range.most) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} {}: a size from {} to {} is needed, for example 512M or 2G", option, plain(text),
                            format_bytes(range.least), format_bytes(range.most)));
  }
  return *value;
}

Result<std::int64_t> parse_time_limit(std::string_view option, std::string_view text) {
  const auto value = duration_seconds(text);
  if (!value || *value < 1) {
    return fail(
        Code::kInvalidArgument,
        fmt::format("{} {}: a time from 1 s to 30 d is needed, for example 90s, 10m, 2h or 1d", option, plain(text)));
  }
  return *value;
}

Result<WallTime> parse_moment(std::string_view option, const std::string& text, WallTime now) {
  for (const char* form : {"%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    std::tm parts{};
    parts.tm_isdst = -1;
    const char* end = ::strptime(text.c_str(), form, &parts);
    if (end == nullptr || *end != '\0') continue;
    const std::tm given = parts;
    const WallTime moment{static_cast<std::int64_t>(std::mktime(&parts)) * 1000};
    if (given.tm_mday != parts.tm_mday) {
      return fail(Code::kInvalidArgument, fmt::format("{} {}: its month has no such day", option, plain(text)));
    }
    if (moment > now) return moment;
    return fail(Code::kInvalidArgument, fmt::format("{} {}: that is over", option, plain(text)));
  }
  const Result<std::int64_t> span = parse_time_limit(option, text);
  if (span) return WallTime{now.unix_millis + *span * 1000};
  if (!text.empty() && text.find_first_not_of("0123456789smhd") == std::string::npos) {
    return std::unexpected(span.error());
  }
  return fail(Code::kInvalidArgument,
              fmt::format("{} {}: a span from now like 90m, 2h or 3d, or a moment like \"2030-12-31 18:00\"", option,
                          plain(text)));
}

std::string format_local(WallTime moment) {
  if (moment.unix_millis == 0) return "-";
  const std::time_t seconds = moment.unix_millis / 1'000;
  std::tm local{};
  char text[32];
  if (::localtime_r(&seconds, &local) == nullptr) return "-";
  return std::string(text, std::strftime(text, sizeof text, "%a %e %b %H:%M", &local));
}

std::string_view ring_name(v1::Ring ring) {
  const bool is_known = ring >= v1::RING_HOME && ring <= v1::RING_STRANGER;
  return is_known ? kRingNames[static_cast<std::size_t>(ring) - 1] : "?";
}

Result<v1::Ring> parse_ring(std::string_view option, std::string_view text) {
  const auto found = std::ranges::find(kRingNames, text);
  if (found == kRingNames.end()) {
    return fail(Code::kInvalidArgument,
                fmt::format("{} {}: home, friend, member or stranger is needed", option, plain(text)));
  }
  return static_cast<v1::Ring>(found - kRingNames.begin() + 1);
}

Result<std::vector<std::string>> parse_rings(std::string_view option, std::string_view text) {
  std::vector<std::string> names;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(',', start), text.size());
    const std::string name(text.substr(start, end - start));
    if (std::ranges::find(kRingNames, name) == kRingNames.end() || std::ranges::find(names, name) != names.end()) {
      return fail(
          Code::kInvalidArgument,
          fmt::format("{} {}: home, friend, member, stranger or several of them, like friend,member, are needed",
                      option, plain(text)));
    }
    names.push_back(name);
    start = end + 1;
  }
  return names;
}

Result<Hours> parse_hours(std::string_view option, std::string_view text) {
  const std::size_t dash = text.find('-');
  if (dash != std::string_view::npos) {
    const auto from = minute_of_day(text.substr(0, dash));
    const auto to = minute_of_day(text.substr(dash + 1));
    if (from && to) return Hours{*from, *to};
  }
  return fail(
      Code::kInvalidArgument,
      fmt::format("{} {}: two times of the day are needed, for example 22-7 or 8:00-18:30", option, plain(text)));
}

std::string format_hours(Hours hours) {
  return fmt::format("{:02}:{:02}-{:02}:{:02}", hours.from_minute / 60, hours.from_minute % 60, hours.to_minute / 60,
                     hours.to_minute % 60);
}

std::string format_duration(Duration span) {
  const std::int64_t total = span.micros / 1'000'000;
  if (span.micros < 0) return "0 s";
  if (total < 10) return fmt::format("{:.1f} s", span.seconds());
  if (total < 60) return fmt::format("{} s", total);
  if (total < 3600) return fmt::format("{} min {} s", total / 60, total % 60);
  if (total < 48 * 3600) return fmt::format("{} h {} min", total / 3600, total % 3600 / 60);
  return fmt::format("{} d {} h", total / 86400, total % 86400 / 3600);
}

std::string format_age(WallTime moment, WallTime now) {
  if (moment.unix_millis == 0) return "-";
  const std::int64_t age = (now.unix_millis - moment.unix_millis) / 1000;
  if (age < 2) return "just now";
  if (age < 60) return fmt::format("{} s ago", age);
  if (age < 3600) return fmt::format("{} min ago", age / 60);
  if (age < 48 * 3600) return fmt::format("{} h ago", age / 3600);
  return fmt::format("{} d ago", age / 86400);
}

std::string state_name(v1::JobState state) {
  std::string name = v1::JobState_Name(state).substr(std::string_view("JOB_STATE_").size());
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return name;
}

Result<WallTime> parse_day(std::string_view option, std::string_view text) {
  std::tm parts = {};
  const std::string typed(text);
  const char* end = ::strptime(typed.c_str(), "%Y-%m-%d", &parts);
  if (typed.size() == 10 && end == typed.c_str() + typed.size()) {
    const std::tm given = parts;
    const std::time_t seconds = ::timegm(&parts);
    // A day that its month does not have becomes one of the next.
    if (seconds >= 0 && given.tm_mday == parts.tm_mday) return WallTime{std::int64_t{seconds} * 1000};
  }
  return fail(Code::kInvalidArgument,
              fmt::format("{} {}: a day is needed, for example 2026-01-31", option, plain(text)));
}

std::string format_moment(WallTime moment) {
  const std::time_t seconds = moment.unix_millis / 1000;
  std::tm parts = {};
  if (::gmtime_r(&seconds, &parts) == nullptr) return "?";
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", parts.tm_year + 1900, parts.tm_mon + 1, parts.tm_mday,
                     parts.tm_hour, parts.tm_min, parts.tm_sec);
}

std::string format_count(std::uint64_t count) {
  std::string digits = fmt::format("{}", count);
  for (std::size_t place = digits.size(); place > 3; place -= 3) digits.insert(place - 3, ",");
  return digits;
}

std::string plain(std::string_view text) {
  if (is_plain_utf8(text)) return std::string(text);
  std::string safe;
  while (!text.empty()) {
    // The longest well-formed character at the front; bytes that belong to none become '?'.
    std::size_t length = 4;
    while (length > 0 && (length > text.size() || !is_plain_utf8(text.substr(0, length)))) --length;
    if (length == 0) {
      safe += '?';
      text.remove_prefix(1);
      continue;
    }
    safe += text.substr(0, length);
    text.remove_prefix(length);
  }
  return safe;
}

}  // namespace hearth::cli
