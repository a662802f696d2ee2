#include "core/pool/data_table.h"

#include <gtest/gtest.h>

#include "core/pool/nodes.h"
#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

constexpr DataId kScene{7};
constexpr DataId kImage{8};
constexpr NodeId kThird{3};

class DataTest : public testing::Test, public World {
 protected:
  void join_with(NodeId node, std::uint32_t count, std::vector<DataId> data, std::uint32_t gpus = 0) {
    Resources offered = cores(count);
    offered.gpus = gpus;
    pool.on_node_hello(node, {.offered = offered, .data = std::move(data)}, now);
    settle();
  }
  NodeId placed(std::vector<DataId> data, std::uint32_t count = 1) {
    const JobId job = submit(JobRequest{.per_task = cores(count), .data = std::move(data)});
    return pool.node_of({job, 0}).value_or(NodeId{});
  }
};

TEST_F(DataTest, ATaskGoesWhereItsDataLies) {
  join(kFirst, 8);
  join_with(kSecond, 4, {kScene});
  EXPECT_EQ(placed({kScene}), kSecond);
  EXPECT_EQ(placed({kScene}), kSecond) << "though it is not the emptiest";
  EXPECT_EQ(placed({}), kFirst);
  EXPECT_EQ(placed({kImage}), kFirst) << "nobody holds that";
}

TEST_F(DataTest, ItIsNoReasonToWait) {
  join(kFirst, 8);
  join_with(kSecond, 2, {kScene});
  EXPECT_EQ(placed({kScene}, 2), kSecond);
  EXPECT_EQ(placed({kScene}, 2), kFirst) << "its holder is full";
  pool.on_node_gone(kSecond, now);
  settle();
  EXPECT_EQ(placed({kScene}), kFirst);
}

TEST_F(DataTest, WhatIsNamedFirstCountsMost) {
  join_with(kFirst, 4, {kImage});
  join_with(kSecond, 4, {kScene});
  EXPECT_EQ(placed({kScene, kImage}), kSecond);
  EXPECT_EQ(placed({kImage, kScene}), kFirst);
}

TEST_F(DataTest, NewsOfItCountFromTheirMoment) {
  join(kFirst, 8);
  join(kSecond, 4);
  pool.on_data(kSecond, {kScene}, {}, now);
  EXPECT_EQ(placed({kScene}), kSecond);
  pool.on_data(kSecond, {kImage}, {kScene}, now);
  EXPECT_EQ(placed({kScene}), kFirst);
  EXPECT_EQ(placed({kImage}), kSecond);
  join_with(kSecond, 4, {});
  EXPECT_EQ(placed({kImage}), kFirst) << "a hello says all of it";
  pool.on_node_removed(kSecond, now);
  settle();
  EXPECT_EQ(placed({kImage}), kFirst);
}

TEST_F(DataTest, ThatOfARestoredJobCanBeToldLater) {
  const JobId job{7};
  pool.restore_job({.id = job, .owner = kAnn, .tasks = 1, .per_task = cores(1)}, JobState::kQueued, {}, now);
  pool.set_data(job, {kScene});
  pool.set_data(JobId{8}, {kScene});
  pool.on_node_hello(kFirst, {.offered = cores(8)}, now);
  pool.on_node_hello(kSecond, {.offered = cores(4), .data = {kScene}}, now);
  settle();
  EXPECT_EQ(pool.node_of({job, 0}), kSecond);
}

TEST_F(DataTest, AGpuStaysFreeForThoseWhoNeedIt) {
  join(kFirst, 4);
  join_with(kSecond, 4, {kScene}, 1);
  EXPECT_EQ(placed({kScene}), kFirst);
}

TEST_F(DataTest, AConditionIsMetAllTheSame) {
  pool.on_node_hello(kFirst, {.offered = cores(2), .attributes = {{"os", std::string("debian")}}}, now);
  join_with(kSecond, 8, {kScene});
  const JobId job = submit(JobRequest{.where = "os == 'debian'", .data = {kScene}});
  EXPECT_EQ(pool.node_of({job, 0}), kFirst);
}

TEST_F(DataTest, ManyHoldersAreUsedInTurnAndFewAreLookedAt) {
  join(kFirst, 64);
  for (std::uint64_t i = 2; i < 102; ++i) join_with({i}, 1, {kScene});
  std::set<NodeId> used;
  for (int i = 0; i < 100; ++i) used.insert(placed({kScene}));
  EXPECT_EQ(used.size(), 100U);
  EXPECT_FALSE(used.contains(kFirst));
  EXPECT_EQ(placed({kScene}), kFirst) << "all of them are full";
}

TEST(DataTable, KeepsABoundedNumberForEachNode) {
  DataTable table;
  Node node;
  node.id = kThird;
  std::vector<DataId> many;
  for (std::uint64_t i = 0; i <= kMaxDataPerNode; ++i) many.push_back({i});
  table.set(node, many);
  EXPECT_EQ(node.data.size(), kMaxDataPerNode);
  EXPECT_TRUE(table.holds(node, {0}));
  EXPECT_FALSE(table.holds(node, {kMaxDataPerNode})) << "the first ones are the most useful";
  table.remove(node, {0});
  table.remove(node, {0});
  EXPECT_FALSE(table.holds(node, {0}));
  table.forget(node);
  EXPECT_TRUE(node.data.empty());
  int looks = 5;
  EXPECT_EQ(table.find({1}, looks, [](const Node&) { return true; }), nullptr);
}

}  // namespace
}  // namespace hearth::pool
