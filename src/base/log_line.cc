#include "base/log_line.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/rfc3339.h"

namespace hearth {
namespace {

using Json = nlohmann::ordered_json;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

std::string escaped(std::string_view text, bool in_quotes) {
  std::string out;
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else if (is_control(c)) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      if (in_quotes && (c == '"' || c == '\\')) out += '\\';
      out += c;
    }
  }
  return out;
}

std::string text_of(std::string_view value) {
  const bool is_word = !value.empty() && std::ranges::none_of(value, [](char c) {
    return c == ' ' || c == '"' || c == '\\' || c == '=' || is_control(c);
  });
  return is_word ? std::string(value) : "\"" + escaped(value, true) + "\"";
}
std::string text_of(std::int64_t value) { return std::to_string(value); }
std::string text_of(std::uint64_t value) { return std::to_string(value); }

}  // namespace

std::optional<LogFormat> parse_log_format(std::string_view name) {
  if (name == "text") return LogFormat::kText;
  if (name == "json") return LogFormat::kJson;
  return std::nullopt;
}

std::string text_log_line(std::string_view message, std::span<const LogField> fields) {
  std::string line = escaped(message, false);
  for (const LogField& field : fields) {
    line += " " + std::string(field.key) + "=";
    line += std::visit([](const auto& value) { return text_of(value); }, field.value);
  }
  return line;
}

std::string json_log_line(LogLevel level, WallTime time, std::string_view message, std::span<const LogField> fields) {
  constexpr std::array<std::string_view, 4> kLevels = {"debug", "info", "warning", "error"};
  Json line = {{"time", rfc3339(time)},
               {"level", kLevels.at(static_cast<std::size_t>(level))},
               {"message", std::string(message)}};
  for (const LogField& field : fields) {
    CHECK(field.key != "time" && field.key != "level" && field.key != "message");
    std::visit([&](const auto& value) { line[std::string(field.key)] = value; }, field.value);
  }
  return line.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace hearth
