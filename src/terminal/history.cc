#include "terminal/history.h"

#include <algorithm>

#include "base/check.h"

namespace hearth::terminal {
namespace {

constexpr std::size_t kPart = 16;                // of max_bytes is dropped at once
constexpr std::size_t kMaxUntilBoundary = 4096;  // what nothing ends is cut in two

// Feeds `count` bytes, and then on to a boundary; how many that were.
std::size_t feed_to_boundary(Modes& modes, std::string_view bytes, std::size_t count) {
  count = std::min(count, bytes.size());
  modes.feed(bytes.substr(0, count));
  const std::size_t most = std::min(bytes.size(), count + kMaxUntilBoundary);
  while (!modes.at_boundary() && count < most) modes.feed(bytes.substr(count++, 1));
  return count;
}

}  // namespace

void History::add(std::string_view bytes) {
  bytes_ += bytes;
  const std::size_t room = max_bytes_ / kPart;
  if (bytes_.size() <= max_bytes_ + room) return;
  const std::size_t dropped = feed_to_boundary(modes_, bytes_, bytes_.size() - max_bytes_);
  bytes_.erase(0, dropped);
  begin_ += dropped;
}

std::string_view History::read(std::uint64_t offset, std::size_t limit) const {
  CHECK(offset >= begin_ && offset <= end());
  return std::string_view(bytes_).substr(static_cast<std::size_t>(offset - begin_), limit);
}

History::Cut History::cut_at(std::uint64_t offset) const {
  CHECK(offset >= begin_ && offset <= end());
  Cut cut{.offset = begin_, .modes = modes_};
  cut.offset += feed_to_boundary(cut.modes, bytes_, static_cast<std::size_t>(offset - begin_));
  return cut;
}

}  // namespace hearth::terminal
