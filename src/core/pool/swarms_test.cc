#include "core/pool/swarms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::pool {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr DataId kScene{7};
constexpr NodeId kAnn{1};
constexpr NodeId kBob{2};
constexpr NodeId kEve{3};
constexpr std::uint64_t kLarge = SwarmTable::kLeastBytes;

class SwarmsTest : public testing::Test {
 protected:
  bool is_swarm(std::uint64_t bytes = kLarge, const std::vector<NodeId>& holders = {}) const {
    return table_.is_swarm(kScene, kAnn, bytes, holders, now_);
  }
  std::vector<NodeId> peers_of(NodeId node, const std::vector<NodeId>& holders = {}) const {
    return table_.peers_of(kScene, node, holders, now_);
  }
  SwarmTable table_;
  Time now_{1'000'000'000};
};

TEST_F(SwarmsTest, TwoNodesWithinMinutesMakeOneOfALargeBlob) {
  EXPECT_FALSE(is_swarm());
  table_.wanted(kScene, kAnn, now_);
  table_.wanted(kScene, kAnn, now_);
  EXPECT_FALSE(is_swarm()) << "one node, however often";
  now_ = now_ + seconds(60);
  table_.wanted(kScene, kBob, now_);
  EXPECT_TRUE(is_swarm());
  EXPECT_FALSE(is_swarm(kLarge - 1));
  EXPECT_FALSE(table_.is_swarm(DataId{8}, kAnn, kLarge, {}, now_));
  now_ = now_ + SwarmTable::kRecently - seconds(30);
  EXPECT_FALSE(is_swarm()) << "the first one's wish is old";
}

TEST_F(SwarmsTest, ANodeThatHoldsItCounts) {
  table_.wanted(kScene, kAnn, now_);
  EXPECT_TRUE(is_swarm(kLarge, {kAnn})) << "it needs but the key";
  EXPECT_TRUE(is_swarm(kLarge, {kBob}));
  EXPECT_FALSE(is_swarm(kLarge - 1, {kBob}));
  EXPECT_THAT(peers_of(kAnn, {kAnn, kBob}), ElementsAre(kBob));
}

TEST_F(SwarmsTest, ANodeIsToldOfTheOthersTheLatestFirst) {
  EXPECT_THAT(peers_of(kAnn), IsEmpty());
  table_.wanted(kScene, kAnn, now_);
  table_.wanted(kScene, kBob, now_ + seconds(1));
  table_.wanted(kScene, kEve, now_ + seconds(2));
  now_ = now_ + seconds(3);
  EXPECT_THAT(peers_of(kAnn, {kBob}), ElementsAre(kEve, kBob)) << "each once";
  table_.forget(kEve);
  EXPECT_THAT(peers_of(kAnn), ElementsAre(kBob));
  now_ = now_ + SwarmTable::kKept;
  EXPECT_THAT(peers_of(kAnn), IsEmpty()) << "too long ago";
}

TEST_F(SwarmsTest, WhatIsKeptAndToldIsBounded) {
  for (std::uint64_t i = 1; i <= 100; ++i) table_.wanted(kScene, {i}, now_);
  EXPECT_EQ(peers_of({1}).size(), SwarmTable::kMaxPeers);
  for (std::uint64_t i = 100; i < 100 + SwarmTable::kMaxBlobs; ++i) table_.wanted({i}, kAnn, now_);
  table_.wanted({1}, kAnn, now_);
  table_.wanted({1}, kBob, now_);
  EXPECT_FALSE(table_.is_swarm({1}, kAnn, kLarge, {}, now_)) << "no room: it comes from the hub";
  now_ = now_ + SwarmTable::kKept;
  table_.wanted({1}, kAnn, now_);
  table_.wanted({1}, kBob, now_);
  EXPECT_TRUE(table_.is_swarm({1}, kAnn, kLarge, {}, now_)) << "old ones made room";
}

}  // namespace
}  // namespace hearth::pool
