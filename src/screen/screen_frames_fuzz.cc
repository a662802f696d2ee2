// What a viewer sends to hearth-screen: what is let through is within limits, however the stream is cut.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "screen/frames.h"

namespace hearth::screen {
namespace {

std::string read(std::string_view bytes, std::size_t piece) {
  FrameReader reader(kMaxFromViewer);
  std::string out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    const bool good = reader.push(bytes.substr(0, piece)).has_value();
    while (std::optional<std::string> frame = reader.next()) out += "[" + *frame + "]";
    if (!good) break;
  }
  return out;
}

void check(const std::string& bytes) {
  const Result<v1::FromViewer> message = parse_from_viewer(bytes);
  if (!message) return;
  CHECK(message->input().keys_size() <= kMaxKeys && message->text().size() <= kMaxTextBytes);
  CHECK(message->clipboard().data().size() <= kMaxPiece && message->file().data().size() <= kMaxPiece);
  CHECK(message->file().name().size() <= kMaxNameBytes && message->file().x() >= 0 && message->file().y() >= 0);
  for (const std::int32_t step : {message->input().dx(), message->input().dy()}) {
    CHECK(step >= -kMaxStep && step <= kMaxStep);
  }
  const v1::FromViewer part = part_of_watcher(*message);
  CHECK(!part.has_input() && part.text().empty() && !part.has_clipboard() && !part.has_file());
  CHECK(part.voice().empty() && part.offer().empty());
  if (!message->has_view()) return;
  for (const std::uint32_t side : {message->view().width(), message->view().height()}) {
    CHECK(side >= kLeastSide && side <= kMostSide && side % 2 == 0);
  }
}

}  // namespace
}  // namespace hearth::screen

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::screen;  // NOLINT(google-build-using-namespace): a program of its own
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  // A message that is too long may be seen sooner in large pieces: what was read before is the same.
  const std::string slow = read(bytes, 1);
  const std::string fast = read(bytes, size + 1);
  CHECK(slow.starts_with(fast) || fast.starts_with(slow));
  check(bytes);
  return 0;
}
