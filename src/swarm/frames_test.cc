#include "swarm/frames.h"

#include <gtest/gtest.h>

namespace hearth::swarm {
namespace {

v1::SwarmLayout layout(std::uint64_t size = 3 * kLeastPieceBytes + 1) {
  v1::SwarmLayout made;
  made.set_name(std::string(32, 'n'));
  made.set_size(size);
  made.set_piece_bytes(kLeastPieceBytes);
  made.set_hashes(std::string(20 * pieces_of(made), 'h'));
  return made;
}

TEST(SwarmFrames, ComeOutWholeHoweverTheyArrive) {
  v1::SwarmOrder order;
  *order.mutable_join()->mutable_layout() = layout();
  v1::SwarmOrder leave;
  leave.set_leave(std::string(32, 'n'));
  const std::string bytes = frame_of(order) + frame_of(leave);
  FrameReader reader;
  std::vector<std::string> frames;
  for (const char byte : bytes) {
    ASSERT_TRUE(reader.push({&byte, 1}));
    while (std::optional<std::string> frame = reader.next()) frames.push_back(*frame);
  }
  ASSERT_EQ(frames.size(), 2U);
  EXPECT_EQ(parse_order(frames[0])->join().layout().size(), layout().size());
  EXPECT_EQ(parse_order(frames[1])->leave(), std::string(32, 'n'));
}

TEST(SwarmFrames, ALongOneEndsTheStream) {
  FrameReader reader;
  EXPECT_FALSE(reader.push(std::string("\x7f\xff\xff\xff", 4)));
  EXPECT_FALSE(reader.push("more"));
  EXPECT_FALSE(reader.next());
}

TEST(SwarmFrames, WhatIsOutOfBoundsIsRefused) {
  EXPECT_TRUE(check_layout(layout()));
  v1::SwarmLayout wrong = layout();
  wrong.set_piece_bytes(kLeastPieceBytes + 1);
  EXPECT_FALSE(check_layout(wrong));
  wrong = layout();
  wrong.mutable_hashes()->push_back('h');
  EXPECT_FALSE(check_layout(wrong));
  wrong = layout();
  wrong.set_name("short");
  EXPECT_FALSE(check_layout(wrong));
  wrong = layout();
  wrong.set_size(kMaxBytes + 1);
  EXPECT_FALSE(check_layout(wrong));
  v1::SwarmPeers peers;
  peers.set_name(std::string(32, 'n'));
  for (int i = 0; i < kMaxPeers; ++i) peers.add_peers("10.0.0.1:7000");
  EXPECT_TRUE(check_peers(peers));
  peers.add_peers("10.0.0.1:7000");
  EXPECT_FALSE(check_peers(peers));
  EXPECT_FALSE(parse_order(""));
  EXPECT_FALSE(parse_news(""));
  v1::SwarmNews news;
  news.set_listening(70'000);
  EXPECT_FALSE(parse_news(news.SerializeAsString()));
}

TEST(SwarmFrames, TheLastPieceMayBeShort) {
  EXPECT_EQ(pieces_of(layout()), 4U);
  EXPECT_EQ(bytes_of_piece(layout(), 0), kLeastPieceBytes);
  EXPECT_EQ(bytes_of_piece(layout(), 3), 1U);
  EXPECT_EQ(bytes_of_piece(layout(), 4), 0U);
}

}  // namespace
}  // namespace hearth::swarm
