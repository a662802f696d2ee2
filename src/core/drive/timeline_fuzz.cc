// The timeline's file: what is taken from it is kept as the same, and can be shown.
#include "base/check.h"
#include "core/drive/timeline.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace hearth::drive;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)parse_exif_time(text);
  (void)media_kind(text);
  auto shots = decode_timeline("hearth-timeline 2\n" + std::string(text));
  if (!shots) return 0;
  const auto again = decode_timeline(encode_timeline(*shots));
  CHECK(again && *again == *shots);
  const Timeline timeline(*std::move(shots));
  std::size_t counted = 0;
  for (const Month& month : timeline.months()) {
    CHECK(month.month >= 1 && month.month <= 12);
    counted += month.count;
  }
  CHECK(counted == timeline.shots().size());
  return 0;
}
