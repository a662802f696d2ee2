// One line of a log as text, from its parts. Whatever is in them, it is one line, and a fact cannot look like another.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>

#include "base/time.h"

namespace hearth {

enum class LogLevel { kDebug, kInfo, kWarning, kError };
enum class LogFormat { kText, kJson };

// "text", "json"; nothing for any other.
std::optional<LogFormat> parse_log_format(std::string_view name);

// A fact that belongs to a message. It refers to what it is made of, for as long as the call that logs it.
struct LogField {
  std::string_view key;
  std::variant<std::int64_t, std::uint64_t, std::string_view> value;

  LogField(std::string_view name, std::string_view text) : key(name), value(text) {}
  LogField(std::string_view name, std::signed_integral auto number)
      : key(name), value(static_cast<std::int64_t>(number)) {}
  LogField(std::string_view name, std::unsigned_integral auto number)
      : key(name), value(static_cast<std::uint64_t>(number)) {}
};

// "node connected name="kitchen PC" cores=4": a value that is not one plain word is quoted, with \", \\, \n and \x1b
// within.
std::string text_log_line(std::string_view message, std::span<const LogField> fields);

// {"time":"2026-01-31T12:00:00.123Z","level":"info","message":"node connected","name":"kitchen PC","cores":4}: what is
// no UTF-8 becomes U+FFFD. A field is not called like one of the first three (CHECKed).
std::string json_log_line(LogLevel level, WallTime time, std::string_view message, std::span<const LogField> fields);

}  // namespace hearth
