#include "core/pool/silence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>

#include "core/pool/nodes.h"
#include "core/pool/pool_test_world.h"

namespace hearth::pool {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Duration kLease = seconds(12);

class SilenceTest : public ::testing::Test {
 protected:
  SilenceTest() {
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      nodes_[i].id = NodeId{i + 1};
      silence_.heard(nodes_[i], now_);
    }
  }

  // Second by second; all but the first `silent` nodes are heard of each time.
  void pass(Duration span, std::size_t silent) {
    const Time end = now_ + span;
    while (now_ < end) {
      now_ = now_ + seconds(1);
      for (std::size_t i = silent; i < nodes_.size(); ++i) silence_.heard(nodes_[i], now_);
      const Silence::Fallen fallen = silence_.take(now_);
      for (const Node* node : fallen.lost) lost_.push_back(node->id.value);
      for (const Node* node : fallen.spared) spared_.push_back(node->id.value);
      EXPECT_TRUE(!silence_.next_deadline() || *silence_.next_deadline() > now_);
    }
  }

  std::array<Node, 5> nodes_;
  Silence silence_{kLease};
  Time now_{1'000'000};
  std::vector<std::uint64_t> lost_;
  std::vector<std::uint64_t> spared_;
};

TEST_F(SilenceTest, LosesWhatIsSilentForALease) {
  pass(seconds(11), 2);
  EXPECT_THAT(lost_, IsEmpty());
  pass(seconds(1), 2);
  EXPECT_THAT(lost_, ElementsAre(1, 2)) << "two of five";
  pass(seconds(300), 2);
  EXPECT_EQ(lost_.size(), 2u);
  EXPECT_THAT(spared_, IsEmpty());
}

TEST_F(SilenceTest, SparesMostOfThemUntilTheyAreHeardAgain) {
  pass(seconds(60), 4);
  EXPECT_THAT(spared_, ElementsAre(1, 2, 3, 4));
  pass(seconds(1), 0);
  pass(seconds(11), 4);
  EXPECT_THAT(lost_, IsEmpty());
}

TEST_F(SilenceTest, LosesWhoIsStillSilentALeaseAfterTheOthersAreBack) {
  pass(seconds(30), 4);
  pass(seconds(11), 1);
  EXPECT_THAT(lost_, IsEmpty());
  pass(seconds(5), 1);
  EXPECT_THAT(lost_, ElementsAre(1));
}

TEST_F(SilenceTest, HasPatienceForTenLeases) {
  pass(seconds(131), 5);
  EXPECT_THAT(lost_, IsEmpty());
  pass(seconds(4), 5);
  EXPECT_THAT(lost_, ElementsAre(1, 2, 3, 4, 5));
  EXPECT_FALSE(silence_.next_deadline());
  pass(seconds(20), 3);
  lost_.clear();
  pass(seconds(20), 4);
  EXPECT_THAT(lost_, ElementsAre(4)) << "one of two";
}

TEST_F(SilenceTest, ForgetsWhoIsRemoved) {
  pass(seconds(20), 3);
  for (std::size_t i = 0; i < 3; ++i) silence_.forget(nodes_[i]);
  pass(seconds(300), 3);
  EXPECT_THAT(lost_, IsEmpty());
}

// The hub's own PC is a node, too: it is heard of, whatever is unplugged.
TEST(PoolThatIsCutOff, GivesNothingNewAndTakesNothingBack) {
  World world;
  for (std::uint64_t i = 1; i <= 3; ++i) world.join(NodeId{i}, 2);
  const JobId job = world.submit(3);
  world.pass(seconds(60), {kFirst});
  EXPECT_EQ(world.view(job).running, 3u);
  const JobId more = world.submit(3);
  EXPECT_EQ(world.view(more).running, 1u) << "on the one that is heard of";
  EXPECT_TRUE(world.pool.node(kSecond)->spared);
  EXPECT_FALSE(world.pool.node(kFirst)->spared);
  world.pass(seconds(3), {kFirst, kSecond, {3}});
  EXPECT_EQ(world.view(more).running, 3u);
  EXPECT_FALSE(world.pool.node(kSecond)->spared);
  EXPECT_THAT(world.of<RequeueRecord>(), IsEmpty());
}

}  // namespace
}  // namespace hearth::pool
