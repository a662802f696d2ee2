// Conditions as jobs ask them: whatever is accepted has an answer, and the parts of it are conditions of their own that
// hold together exactly if the whole does.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "core/pool/condition.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::pool;
  static const Attributes kNode = {{"os", "debian"}, {"speed", 100.0}, {"label.a", true}, {"label.b", "text"}};
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const hearth::Result<Condition> condition = Condition::parse(text);
  if (!condition) {
    CHECK(condition.error().code == hearth::Code::kInvalidArgument && !condition.error().message.empty());
    return 0;
  }
  bool all = true;
  const std::vector<std::string> parts = condition->parts();
  for (std::size_t part = 0; part < parts.size(); ++part) {
    const hearth::Result<Condition> alone = Condition::parse(parts[part]);
    CHECK(alone && alone->holds(kNode) == condition->part_holds(part, kNode));
    all = all && condition->part_holds(part, kNode);
  }
  CHECK(all == condition->holds(kNode));
  return 0;
}
