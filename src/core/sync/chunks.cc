#include "core/sync/chunks.h"

#include <algorithm>
#include <array>

namespace hearth::sync {
namespace {

// The paper's: 15 bits of one, and 11, so that a cut is seldom before the average size and likely after it.
constexpr std::uint64_t kSeldom = 0x0003590703530000;
constexpr std::uint64_t kLikely = 0x0000d90003530000;
constexpr std::uint64_t kMostChunks = 131'072;

// One random number for each byte: splitmix64 (S. Vigna), from 1 on. They are part of what both ends agree on.
constexpr std::array<std::uint64_t, 256> make_gear() {
  std::array<std::uint64_t, 256> gear{};
  std::uint64_t state = 1;
  for (std::uint64_t& number : gear) {
    state += 0x9e3779b97f4a7c15;
    std::uint64_t mixed = state;
    mixed = (mixed ^ (mixed >> 30U)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94d049bb133111eb;
    number = mixed ^ (mixed >> 31U);
  }
  return gear;
}

constexpr std::array<std::uint64_t, 256> kGear = make_gear();

}  // namespace

ChunkSizes ChunkSizes::for_file(std::uint64_t bytes) {
  ChunkSizes sizes;
  while (sizes.doublings < kMaxDoublings && bytes / sizes.average() > kMostChunks) ++sizes.doublings;
  return sizes;
}

std::size_t next_chunk(std::string_view bytes, ChunkSizes sizes) {
  const std::size_t end = std::min(bytes.size(), sizes.most());
  if (end <= sizes.least()) return end;
  // Each doubling asks for one bit more, of those above the masks'.
  const std::uint64_t more = ~(~0ULL >> sizes.doublings);
  const std::size_t middle = std::min(end, sizes.average());
  std::uint64_t hash = 0;
  std::size_t at = sizes.least();
  for (; at < middle; ++at) {
    hash = (hash << 1U) + kGear[static_cast<unsigned char>(bytes[at])];
    if ((hash & (kSeldom | more)) == 0) return at;
  }
  for (; at < end; ++at) {
    hash = (hash << 1U) + kGear[static_cast<unsigned char>(bytes[at])];
    if ((hash & (kLikely | more)) == 0) return at;
  }
  return end;
}

}  // namespace hearth::sync
