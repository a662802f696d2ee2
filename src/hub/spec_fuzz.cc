// A task specification as anybody may send it: it is refused with a field's name, or it is complete and within limits.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "hub/spec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hearth::v1::JobSpec spec;
  if (!spec.ParseFromArray(data, static_cast<int>(size))) return 0;
  const hearth::Result<void> taken = hearth::hub::complete_spec(spec);
  if (!taken) {
    CHECK(taken.error().code == hearth::Code::kInvalidArgument);
    CHECK(taken.error().message.find(':') != std::string::npos);
    return 0;
  }
  CHECK(spec.tasks() >= 1 && spec.argv_size() >= 1 && !spec.name().empty());
  // What was completed is complete.
  const std::string before = spec.DebugString();
  CHECK(hearth::hub::complete_spec(spec).has_value());
  CHECK(spec.DebugString() == before);
  return 0;
}
