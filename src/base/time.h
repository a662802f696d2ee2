// Time as a value. Neither type knows what time it is: decisions are told, see the first of the five ideas in
// ARCHITECTURE.md.
#pragma once

#include <compare>
#include <cstdint>

namespace hearth {

// A span of time, in whole microseconds.
struct Duration {
  std::int64_t micros = 0;

  constexpr auto operator<=>(const Duration&) const = default;
  constexpr Duration operator+(Duration other) const { return {micros + other.micros}; }
  constexpr Duration operator-(Duration other) const { return {micros - other.micros}; }
  constexpr Duration operator*(std::int64_t factor) const { return {micros * factor}; }
  constexpr Duration operator/(std::int64_t divisor) const { return {micros / divisor}; }
  constexpr double seconds() const { return static_cast<double>(micros) / 1e6; }
};

constexpr Duration microseconds(std::int64_t count) { return {count}; }
constexpr Duration milliseconds(std::int64_t count) { return {count * 1'000}; }
constexpr Duration seconds(std::int64_t count) { return {count * 1'000'000}; }
constexpr Duration minutes(std::int64_t count) { return seconds(count * 60); }

// A point on a clock that never goes back (a shell's steady clock, a simulation's virtual one). Only differences mean
// anything: what people read is a WallTime.
struct Time {
  std::int64_t micros = 0;

  constexpr auto operator<=>(const Time&) const = default;
  constexpr Time operator+(Duration span) const { return {micros + span.micros}; }
  constexpr Time operator-(Duration span) const { return {micros - span.micros}; }
  constexpr Duration operator-(Time earlier) const { return {micros - earlier.micros}; }
};

// A point on the calendar, milliseconds since 1970-01-01 UTC; 0: unknown. It may jump, so no decision rests on it but
// those that people made by the calendar: when a token, link or lock runs out, when a schedule, booking or the end of a
// grace time comes, how old a thing is that is thrown away.
struct WallTime {
  std::int64_t unix_millis = 0;

  constexpr auto operator<=>(const WallTime&) const = default;
};

}  // namespace hearth
