#include "presence/thermal.h"

#include <algorithm>
#include <fstream>
#include <optional>

#include "base/entries.h"

namespace hearth::presence {

Result<std::int32_t> hottest_celsius(const std::filesystem::path& root) {
  constexpr std::int64_t kColdest = -50'000;
  constexpr std::int64_t kHottest = 200'000;
  std::optional<std::int64_t> hottest;
  std::error_code error;
  for (const auto& zone : Entries(root / "sys/class/thermal", error)) {
    if (!zone.path().filename().string().starts_with("thermal_zone")) continue;
    std::int64_t millidegrees = 0;
    std::ifstream in(zone.path() / "temp");
    if (!(in >> millidegrees) || millidegrees < kColdest || millidegrees > kHottest) continue;
    hottest = std::max(hottest.value_or(millidegrees), millidegrees);
  }
  if (!hottest) return fail(Code::kNotFound, "this PC tells no temperature");
  return static_cast<std::int32_t>(*hottest / 1000);
}

}  // namespace hearth::presence
