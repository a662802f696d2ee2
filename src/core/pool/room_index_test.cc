#include "core/pool/room_index.h"

#include <deque>

#include <gtest/gtest.h>

#include "core/pool/nodes.h"

namespace hearth::pool {
namespace {

class RoomIndexTest : public testing::Test {
 protected:
  Node& node(std::uint64_t id, const Resources& offered, const Resources& used = {}) {
    Node& made = nodes_.emplace_back();
    made.id = NodeId{id};
    made.offered = offered;
    made.used = used;
    index_.update(made, true);
    return made;
  }

  RoomIndex index_;
  std::deque<Node> nodes_;
};

TEST_F(RoomIndexTest, FindsTheEmptiestInProportionAndTheTightest) {
  Node& large = node(1, {16, 100, 0}, {8, 0, 0});  // half free, 8 cores
  Node& small = node(2, {4, 100, 0}, {1, 0, 0});   // three quarters free, 3 cores
  EXPECT_EQ(index_.find_emptiest({{1, 0, 0}, {}}), &small);
  EXPECT_EQ(index_.find_emptiest({{4, 0, 0}, {}}), &large);
  EXPECT_EQ(index_.find_tightest({{3, 0, 0}, {}}), &small);
  EXPECT_EQ(index_.find_emptiest({{9, 0, 0}, {}}), nullptr);
}

TEST_F(RoomIndexTest, MemoryAndGpusDecideToo) {
  Node& plain = node(1, {4, 50, 0});
  Node& roomy = node(2, {4, 100, 0});
  Node& gpu = node(3, {4, 100, 1});
  EXPECT_EQ(index_.find_emptiest({{1, 10, 0}, {}}), &plain);
  EXPECT_EQ(index_.find_emptiest({{1, 51, 0}, {}}), &roomy);
  EXPECT_EQ(index_.find_emptiest({{1, 10, 1}, {}}), &gpu);
  EXPECT_EQ(index_.find_tightest({{1, 101, 0}, {}}), nullptr);
}

TEST_F(RoomIndexTest, TheSmallestGpuThatSufficesIsTaken) {
  node(1, {4, 100, 2, 24});
  Node& small = node(2, {4, 100, 2, 8});
  EXPECT_EQ(index_.find_tightest({{1, 10, 1, 8}, {}}), &small);
  EXPECT_EQ(index_.find_tightest({{1, 10, 1, 9}, {}})->id, NodeId{1});
  EXPECT_EQ(index_.find_tightest({{1, 10, 1, 25}, {}}), nullptr);
}

TEST_F(RoomIndexTest, NodesWithoutTheDiskArePassedBy) {
  Node& first = node(1, {4, 50, 0, 0, 10});
  Node& second = node(2, {4, 100, 0, 0, 30});
  const Resources needs{1, 10, 0, 0, 8};
  EXPECT_EQ(index_.find_emptiest({needs, {}}), &first);
  first.used.disk_bytes = 3;
  EXPECT_EQ(index_.find_emptiest({needs, {}}), &second) << "disk is no part of its place in the index";
  EXPECT_EQ(index_.find_emptiest({{1, 10, 0}, {}}), &first);
  EXPECT_EQ(index_.find_tightest({{1, 10, 0, 0, 31}, {}}), nullptr);
}

TEST_F(RoomIndexTest, NodesThatAdmitMoreAreKeptForThoseWhoNeedIt) {
  constexpr Admission kListed(Ring::kHome, {Right::kListedHosts});
  Node& open = node(1, {4, 100, 0});
  open.admits = kListed;
  index_.update(open, true);
  Node& plain = node(2, {4, 100, 0});
  EXPECT_EQ(index_.find_emptiest({{1, 10, 0}, {}}), &plain);
  EXPECT_EQ(index_.find_emptiest({{1, 10, 0}, kListed}), &open);
  EXPECT_EQ(index_.find_tightest({{1, 10, 0}, kListed}), &open);
  EXPECT_EQ(index_.find_emptiest({{1, 10, 0}, Admission(Ring::kHome, {Right::kFullNetwork})}), nullptr);
}

TEST_F(RoomIndexTest, FollowsItsNodes) {
  Node& only = node(1, {4, 100, 0});
  only.used = {3, 90, 0};
  index_.update(only, true);
  EXPECT_EQ(index_.find_emptiest({{2, 0, 0}, {}}), nullptr);
  EXPECT_EQ(index_.find_emptiest({{1, 10, 0}, {}}), &only);
  only.used = {5, 0, 0};  // more than it offers now
  index_.update(only, true);
  EXPECT_EQ(index_.find_emptiest({{1, 0, 0}, {}}), nullptr);
  only.used = {};
  index_.update(only, false);
  EXPECT_EQ(index_.find_emptiest({{1, 0, 0}, {}}), nullptr);
  index_.update(only, true);
  EXPECT_EQ(index_.find_tightest({{4, 100, 0}, {}}), &only);
}

TEST_F(RoomIndexTest, LargeIsMoreThanHalfOfTheLargestNode) {
  node(1, {8, 100, 0});
  EXPECT_FALSE(index_.is_large({4, 0, 0}));
  EXPECT_TRUE(index_.is_large({5, 0, 0}));
  EXPECT_TRUE(index_.is_large({1, 0, 1}));
}

}  // namespace
}  // namespace hearth::pool
