// Preferences as jobs state them: whatever is accepted ranks every node, and never by what is not a number.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "core/pool/preference.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::pool;
  static const Attributes kNode = {{"os", "debian"}, {"speed", 1e300}, {"watts", 0.0}, {"label.a", true}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const hearth::Result<Preference> preference = Preference::parse(text);
  if (!preference) {
    CHECK(preference.error().code == hearth::Code::kInvalidArgument && !preference.error().message.empty());
    return 0;
  }
  for (const Attributes& node : {kNode, Attributes()}) {
    const Preference::Rank rank = preference->rank(node);
    CHECK(std::ranges::none_of(rank, [](double value) { return std::isnan(value); }));
  }
  return 0;
}
