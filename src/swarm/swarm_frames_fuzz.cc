// The stream between a node and hearth-swarm: the same frames however it is cut, and what is let through is within
// limits.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "swarm/frames.h"

namespace hearth::swarm {
namespace {

std::string read(std::string_view bytes, std::size_t piece) {
  FrameReader reader;
  std::string out;
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size()))) {
    const bool good = reader.push(bytes.substr(0, piece)).has_value();
    while (std::optional<std::string> frame = reader.next()) out += "[" + *frame + "]";
    if (!good) break;
  }
  return out;
}

void check(const std::string& frame) {
  if (const Result<v1::SwarmOrder> order = parse_order(frame); order && order->has_join()) {
    const v1::SwarmLayout& layout = order->join().layout();
    CHECK(layout.hashes().size() == 20ULL * pieces_of(layout));
    CHECK(bytes_of_piece(layout, pieces_of(layout)) == 0 && bytes_of_piece(layout, 0) > 0);
  }
  static_cast<void>(parse_news(frame));
}

}  // namespace
}  // namespace hearth::swarm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::swarm;  // NOLINT(google-build-using-namespace): a program of its own
  const std::string bytes(reinterpret_cast<const char*>(data), size);
  // A frame that is too long may be seen sooner in large pieces: what was read before is the same.
  const std::string slow = read(bytes, 1);
  const std::string fast = read(bytes, size + 1);
  CHECK(slow.starts_with(fast) || fast.starts_with(slow));
  check(bytes);
  if (size > 4) check(bytes.substr(4));
  return 0;
}
