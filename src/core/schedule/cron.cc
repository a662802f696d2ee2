#include "core/schedule/cron.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

namespace hearth::schedule {
namespace {

constexpr std::int64_t kMinute = 60;
constexpr std::int64_t kQuarter = 15 * kMinute;
constexpr std::int64_t kDay = 24 * 60 * kMinute;
constexpr std::int64_t kLookedAhead = 9 * 366 * kDay;  // 29 February may be eight years away
constexpr std::size_t kMostBytes = 256;

struct Field {
  const char* name;
  unsigned least;
  unsigned most;
  std::array<const char*, 12> names;  // of `least` and those after it; nullptr: none
};
constexpr std::array<Field, 5> kFields = {
    {{"minute", 0, 59, {}},
     {"hour", 0, 23, {}},
     {"day of the month", 1, 31, {}},
     {"month", 1, 12, {"jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"}},
     {"day of the week", 0, 7, {"sun", "mon", "tue", "wed", "thu", "fri", "sat"}}}};

constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kNamed = {{{"@hourly", "0 * * * *"},
                                                                                  {"@daily", "0 0 * * *"},
                                                                                  {"@weekly", "0 0 * * 0"},
                                                                                  {"@monthly", "0 0 1 * *"},
                                                                                  {"@yearly", "0 0 1 1 *"}}};

std::int64_t floor_mod(std::int64_t a, std::int64_t b) { return ((a % b) + b) % b; }

std::unexpected<Error> wrong(const Field& field, std::string_view text) {
  return fail(Code::kInvalidArgument, std::string(field.name) + " \"" + std::string(text) + "\": *, or numbers from " +
                                          std::to_string(field.least) + " to " + std::to_string(field.most) +
                                          ", as in 1,5-9,*/15");
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::ranges::transform(result, result.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return result;
}

std::optional<unsigned> number_of(const Field& field, std::string_view text) {
  for (unsigned i = 0; i < field.names.size() && field.names[i] != nullptr; ++i) {
    if (lower(text) == field.names[i]) return field.least + i;
  }
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (number < field.least || number > field.most) return std::nullopt;
  return number;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (std::size_t start = 0; start <= text.size();) {
    const std::size_t end = std::min(text.find(separator, start), text.size());
    parts.push_back(text.substr(start, end - start));
    start = end + 1;
  }
  return parts;
}

// "7", "1-5", "*", each with or without "/STEP". Nothing: it is none of these.
std::optional<std::uint64_t> parse_part(const Field& field, std::string_view part) {
  const std::size_t slash = part.find('/');
  unsigned step = 1;
  if (slash != std::string_view::npos) {
    const std::string_view text = part.substr(slash + 1);
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
    if (error != std::errc() || end != text.data() + text.size() || step == 0 || step > field.most) return std::nullopt;
  }
  const std::string_view range = part.substr(0, slash);
  const std::size_t dash = range.find('-');
  std::optional<unsigned> first = field.least;
  std::optional<unsigned> last = field.most;
  if (range != "*") {
    first = number_of(field, range.substr(0, dash));
    // "5/15" runs from 5 on.
    if (dash != std::string_view::npos) last = number_of(field, range.substr(dash + 1));
    if (dash == std::string_view::npos && slash == std::string_view::npos) last = first;
  }
  if (!first || !last || *first > *last) return std::nullopt;
  std::uint64_t bits = 0;
  for (unsigned number = *first; number <= *last; number += step) bits |= std::uint64_t{1} << number;
  return bits;
}

Result<std::uint64_t> parse_field(const Field& field, std::string_view text) {
  std::uint64_t bits = 0;
  for (const std::string_view part : split(text, ',')) {
    const std::optional<std::uint64_t> more = parse_part(field, part);
    if (!more) return wrong(field, text);
    bits |= *more;
  }
  return bits;
}

std::vector<std::string_view> words_of(std::string_view text) {
  std::vector<std::string_view> words;
  for (std::size_t at = text.find_first_not_of(" \t"); at != std::string_view::npos;) {
    const std::size_t end = std::min(text.find_first_of(" \t", at), text.size());
    words.push_back(text.substr(at, end - at));
    at = text.find_first_not_of(" \t", end);
  }
  return words;
}

}  // namespace

struct Cron::Local {
  unsigned minute = 0;
  unsigned hour = 0;
  unsigned day = 0;
  unsigned month = 0;
  unsigned weekday = 0;
};

// The civil calendar from days since 1970-01-01: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
Cron::Local Cron::local_at(std::int64_t local_seconds) {
  const std::int64_t second_of_day = floor_mod(local_seconds, kDay);
  const std::int64_t days = (local_seconds - second_of_day) / kDay;
  const std::int64_t shifted = days + 719'468;  // since 0000-03-01
  const std::int64_t day_of_era = floor_mod(shifted, 146'097);
  const std::int64_t year_of_era = (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
  const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::int64_t month_from_march = (5 * day_of_year + 2) / 153;
  Local local;
  local.minute = static_cast<unsigned>(second_of_day / kMinute % 60);
  local.hour = static_cast<unsigned>(second_of_day / (60 * kMinute));
  local.day = static_cast<unsigned>(day_of_year - (153 * month_from_march + 2) / 5 + 1);
  local.month = static_cast<unsigned>(month_from_march < 10 ? month_from_march + 3 : month_from_march - 9);
  local.weekday = static_cast<unsigned>(floor_mod(days + 4, 7));  // 1970-01-01 was a Thursday
  return local;
}

Result<Cron> Cron::parse(std::string_view text) {
  constexpr const char* kNeeded =
      "a time is written as \"minute hour day-of-month month day-of-week\", for example \"0 3 * * *\" for 3:00 every "
      "day, "
      "or as @hourly, @daily, @weekly, @monthly or @yearly";
  if (text.size() > kMostBytes) return fail(Code::kInvalidArgument, kNeeded);
  for (const auto& [name, fields] : kNamed) {
    if (text == name) text = fields;
  }
  const std::vector<std::string_view> words = words_of(text);
  if (words.size() != kFields.size()) return fail(Code::kInvalidArgument, kNeeded);
  std::array<std::uint64_t, kFields.size()> bits{};
  for (std::size_t i = 0; i < kFields.size(); ++i) {
    const Result<std::uint64_t> parsed = parse_field(kFields[i], words[i]);
    if (!parsed) return std::unexpected(parsed.error());
    bits[i] = *parsed;
  }
  Cron cron;
  cron.minutes_ = bits[0];
  cron.hours_ = bits[1];
  cron.days_ = bits[2];
  cron.months_ = bits[3];
  cron.weekdays_ = (bits[4] | bits[4] >> 7U) & 0x7fU;
  cron.any_hour_ = words[1] == "*";
  cron.any_day_ = words[2].starts_with('*');
  cron.any_weekday_ = words[4].starts_with('*');
  if (!cron.can_ever_be()) return fail(Code::kInvalidArgument, "no such day ever comes in these months");
  return cron;
}

bool Cron::can_ever_be() const {
  if (!any_weekday_) return true;
  constexpr std::array<unsigned, 12> kDays = {31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  for (unsigned month = 1; month <= kDays.size(); ++month) {
    const std::uint64_t there = (std::uint64_t{2} << kDays[month - 1]) - 2;
    if ((months_ >> month & 1U) != 0 && (days_ & there) != 0) return true;
  }
  return false;
}

bool Cron::on_date(const Local& local) const {
  if ((months_ >> local.month & 1U) == 0) return false;
  const bool day = (days_ >> local.day & 1U) != 0;
  const bool weekday = (weekdays_ >> local.weekday & 1U) != 0;
  return any_day_ || any_weekday_ ? day && weekday : day || weekday;
}

bool Cron::matches(const Local& local) const {
  return (minutes_ >> local.minute & 1U) != 0 && (hours_ >> local.hour & 1U) != 0 && on_date(local);
}

bool Cron::is_due(std::int64_t at, const OffsetAt& offset_at) const {
  const std::int64_t offset = offset_at(at);
  if (any_hour_) return matches(local_at(at + offset));
  // The clock has just been put forward: what it left out is due now.
  for (std::int64_t left_out = offset_at(at - kMinute) + kMinute; left_out < offset + kMinute; left_out += kMinute) {
    if (matches(local_at(at - kMinute + left_out))) return true;
  }
  if (!matches(local_at(at + offset))) return false;
  // The clock has been put back: it showed this before.
  for (const std::int64_t back : {2 * kQuarter, 4 * kQuarter, 8 * kQuarter}) {
    if (offset_at(at - back) == offset + back) return false;
  }
  return true;
}

std::optional<std::int64_t> Cron::next_after(std::int64_t unix_seconds, const OffsetAt& offset_at) const {
  std::int64_t at = unix_seconds + kMinute - floor_mod(unix_seconds + offset_at(unix_seconds), kMinute);
  const std::int64_t end = at + kLookedAhead;
  while (at < end) {
    if (is_due(at, offset_at)) return at;
    const std::int64_t offset = offset_at(at);
    const Local local = local_at(at + offset);
    const std::int64_t to_quarter = kQuarter - floor_mod(at + offset, kQuarter);
    const std::int64_t to_midnight = kDay - floor_mod(at + offset, kDay);
    std::int64_t step = kMinute;
    if (!on_date(local)) {
      step = std::min(to_midnight, 24 * kQuarter);
    } else if ((hours_ >> local.hour & 1U) == 0) {
      step = to_quarter;
    }
    // Through the minutes in which the clock is changed one goes one by one.
    if (step > kMinute && offset_at(at + step) != offset)
      step = offset_at(at + to_quarter) != offset ? kMinute : to_quarter;
    at += step;
  }
  return std::nullopt;
}

}  // namespace hearth::schedule
