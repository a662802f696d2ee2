#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "presence/tariff.h"
#include "presence/x11.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto tariff = hearth::presence::Tariff::parse(text)) {
    for (std::uint16_t minute = 0; minute < 1440; ++minute) {
      CHECK(tariff->price_at(minute).value_or(0) <= 1'000'001'000);
    }
  }
  CHECK(hearth::presence::find_cookie(std::string(text), "0").size() <= size);
  return 0;
}
