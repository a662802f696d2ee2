#include "presence/power.h"

#include <cstdint>

namespace hearth::presence {

Result<bool> on_battery(Bus& bus) {
  constexpr const char* kName = "org.freedesktop.UPower";
  Result<Properties> found = bus.properties(kName, "/org/freedesktop/UPower", kName);
  if (!found) return std::unexpected(found.error());
  return get<bool>(*found, "OnBattery", false);
}

Result<bool> on_metered_link(Bus& bus) {
  constexpr const char* kName = "org.freedesktop.NetworkManager";
  constexpr std::uint32_t kYes = 1;       // NM_METERED_YES
  constexpr std::uint32_t kGuessYes = 3;  // NM_METERED_GUESS_YES
  Result<Properties> found = bus.properties(kName, "/org/freedesktop/NetworkManager", kName);
  if (!found) return std::unexpected(found.error());
  const auto metered = get<std::uint32_t>(*found, "Metered", 0);
  return metered == kYes || metered == kGuessYes;
}

}  // namespace hearth::presence
