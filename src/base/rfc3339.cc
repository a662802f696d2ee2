#include "base/rfc3339.h"

#include <ctime>

#include <fmt/format.h>

namespace hearth {

std::string rfc3339(WallTime time) {
  const std::int64_t millis = ((time.unix_millis % 1000) + 1000) % 1000;
  const auto seconds = static_cast<std::time_t>((time.unix_millis - millis) / 1000);
  std::tm parts = {};
  if (::gmtime_r(&seconds, &parts) == nullptr) return {};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", parts.tm_year + 1900, parts.tm_mon + 1,
                     parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, millis);
}

}  // namespace hearth
