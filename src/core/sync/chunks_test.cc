#include "core/sync/chunks.h"

#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace hearth::sync {
namespace {

std::string random_text(std::size_t bytes, unsigned seed) {
  std::mt19937 random(seed);
  std::string text(bytes, '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

std::multiset<std::string> cut(std::string_view text, ChunkSizes sizes) {
  std::multiset<std::string> chunks;
  while (!text.empty()) {
    const std::size_t length = next_chunk(text, sizes);
    chunks.emplace(text.substr(0, length));
    text.remove_prefix(length);
  }
  return chunks;
}

TEST(ChunksTest, HaveTheSizesThatWereAskedFor) {
  for (const unsigned doublings : {0U, 2U}) {
    const ChunkSizes sizes{.doublings = doublings};
    const std::string text = random_text(sizes.average() * 300, doublings);
    const auto chunks = cut(text, sizes);
    std::size_t short_ones = 0;
    for (const std::string& chunk : chunks) {
      EXPECT_LE(chunk.size(), sizes.most());
      short_ones += chunk.size() < sizes.least();
    }
    EXPECT_LE(short_ones, 1U) << "all but the last";
    EXPECT_GT(chunks.size(), 150U);
    EXPECT_LT(chunks.size(), 600U);
  }
}

TEST(ChunksTest, BytesPutInChangeTheChunksThereAlone) {
  const std::string text = random_text(1 << 20, 7);
  std::string changed = text;
  changed.insert(300'000, "some words more");
  changed.erase(700'000, 100);
  const auto before = cut(text, {});
  std::size_t fresh = 0;
  for (const std::string& chunk : cut(changed, {})) fresh += before.contains(chunk) ? 0 : chunk.size();
  EXPECT_GT(fresh, 0U);
  EXPECT_LT(fresh, 6 * ChunkSizes{}.most());
}

TEST(ChunksTest, TheSameWhereverTheBufferEnds) {
  const std::string text = random_text(1 << 19, 3);
  std::string_view left = text;
  while (left.size() > ChunkSizes{}.most()) {
    const std::size_t length = next_chunk(left, {});
    EXPECT_EQ(next_chunk(left.substr(0, ChunkSizes{}.most()), {}), length);
    left.remove_prefix(length);
  }
  EXPECT_EQ(next_chunk("", {}), 0U);
  EXPECT_EQ(next_chunk("ab", {}), 2U);
  EXPECT_EQ(next_chunk(std::string(100'000, 'a'), {}), ChunkSizes{}.most()) << "nothing to cut at";
}

TEST(ChunksTest, ALongFileHasLongerChunksAndNotMore) {
  EXPECT_EQ(ChunkSizes::for_file(0).doublings, 0U);
  EXPECT_EQ(ChunkSizes::for_file(1ULL << 30).doublings, 0U);
  EXPECT_EQ(ChunkSizes::for_file(100ULL << 30).average(), std::size_t{1} << 20);
  EXPECT_EQ(ChunkSizes::for_file(~0ULL).doublings, ChunkSizes::kMaxDoublings);
}

}  // namespace
}  // namespace hearth::sync
