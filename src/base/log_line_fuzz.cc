// Whatever is logged is one line, in both formats; as JSON it is one object that holds the parts.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log_line.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string_view message = text.substr(0, size / 2);
  const std::string_view value = text.substr(size / 2);
  const std::array<hearth::LogField, 2> fields = {hearth::LogField{"name", value}, hearth::LogField{"size", size}};
  const std::string plain = hearth::text_log_line(message, fields);
  CHECK(plain.find('\n') == std::string::npos && plain.find('\r') == std::string::npos);
  const std::string line = hearth::json_log_line(hearth::LogLevel::kInfo, {}, message, fields);
  CHECK(line.find('\n') == std::string::npos);
  const nlohmann::json parsed = nlohmann::json::parse(line, nullptr, false);
  CHECK(parsed.is_object() && parsed.size() == 5 && parsed.at("size") == size);
  if (hearth::is_plain_utf8(message)) CHECK(parsed.at("message") == message);
  if (hearth::is_plain_utf8(value)) CHECK(parsed.at("name") == value);
  return 0;
}
