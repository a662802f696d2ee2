#include "core/sync/wire.h"

#include <gtest/gtest.h>

namespace hearth::sync {
namespace {

TEST(SyncWireTest, WhatIsSaidIsUnderstood) {
  const Change change{.path = "d/a.txt", .etag = "\"x\"", .content = "hello", .modified_millis = -5};
  EXPECT_EQ(decode_change(encode(change)), change);
  const Change program{.path = "run.sh", .content = "#!/bin/sh", .is_executable = true};
  EXPECT_EQ(decode_change(encode(program)), program);
  const Listed listed_program{
      .side = {.kind = Kind::kFile, .version = "\"x\""}, .path = "run.sh", .is_executable = true};
  EXPECT_EQ(decode_listed(encode(listed_program)), listed_program);
  const Listed listed{.side = {.kind = Kind::kFile, .version = "\"x\""}, .path = "ü", .bytes = 1ULL << 40};
  EXPECT_EQ(decode_listed(encode(listed)), listed);
  const Listed end{.is_end = true, .trouble = "d: permission denied"};
  EXPECT_EQ(decode_listed(encode(end)), end);
  EXPECT_FALSE(decode_change(encode(change) + "x"));
  EXPECT_FALSE(decode_change(encode(change).substr(1)));
  EXPECT_FALSE(decode_listed("\x07"));
}

// A hub says how large the chunks are that this PC keeps in its memory.
TEST(SyncWireTest, ChunksAreNoLargerThanTheFileHasThem) {
  const auto body = [](ChunkHead head, const std::vector<std::uint32_t>& chunks) {
    std::string text;
    append_frame(text, encode(head));
    for (const std::uint32_t bytes : chunks) append_frame(text, encode(ChunkAt{bytes, std::string(kHashBytes, 'h')}));
    return text;
  };
  const Result<ChunkList> good = decode_chunk_list(body({0, 70'000}, {65'536, 4'464, 0}));
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->chunks.size(), 2U);
  const Error large = decode_chunk_list(body({0, 70'000}, {70'000, 0})).error();
  EXPECT_EQ(large.message, "a chunk of 70000 bytes; at most 65536");
  const Error doubled = decode_chunk_list(body({14, 70'000}, {70'000, 0})).error();
  EXPECT_EQ(doubled.message, "chunks of up to 1073741824 bytes for a file of 70000; at most 65536");
  EXPECT_FALSE(decode_chunk_list(body({0, 70'000}, {65'536, 0}))) << "too few";
  EXPECT_FALSE(decode_chunk_list(body({0, 70'000}, {65'536, 4'464})));
  EXPECT_FALSE(decode_chunk_list(body({0, 65'536}, {65'536, 0, 0})));
  EXPECT_FALSE(decode_chunk_list(""));
}

TEST(SyncWireTest, FramesComeInAnyPieces) {
  std::string body;
  for (const char* text : {"one", "", "three"}) append_frame(body, text);
  Frames frames;
  std::vector<std::string> found;
  for (const char c : body) {
    frames.add({&c, 1});
    while (Result<std::optional<std::string>> frame = frames.next()) {
      if (!*frame) break;
      found.push_back(**frame);
    }
  }
  EXPECT_EQ(found, (std::vector<std::string>{"one", "", "three"}));
  EXPECT_EQ(frames_of(body, 3), found);
  EXPECT_EQ(frames_of(body, 2).error().code, Code::kInvalidArgument);
  EXPECT_EQ(frames_of(body + "\x01", 9).error().code, Code::kInvalidArgument);
}

TEST(SyncWireTest, RefusesAFrameThatIsTooLongBeforeItIsThere) {
  Frames frames;
  frames.add(std::string("\xff\xff\xff\x7f", 4));
  EXPECT_EQ(frames.next().error().code, Code::kInvalidArgument);
}

TEST(SyncWireTest, ATreesDigestTellsKindsPathsAndVersions) {
  const std::map<std::string, Side> tree{{"a", {Kind::kFile, "1"}}, {"b", {Kind::kFolder, ""}}};
  std::map<std::string, Side> other = tree;
  other["a"].version = "2";
  EXPECT_NE(tree_digest_text(tree), tree_digest_text(other));
  EXPECT_EQ(tree_digest_text(tree), tree_digest_text(std::map(tree)));
}

}  // namespace
}  // namespace hearth::sync
