#include "core/pool/interval_set.h"

#include <set>

#include <gtest/gtest.h>

namespace hearth::pool {
namespace {

TEST(IntervalSet, AMillionNumbersAreOneRun) {
  IntervalSet set;
  set.insert(0, 1'000'000);
  EXPECT_EQ(set.size(), 1'000'000u);
  EXPECT_EQ(set.runs().size(), 1u);
  EXPECT_EQ(set.pop_front(), 0u);
  EXPECT_EQ(set.pop_front(), 1u);
  EXPECT_EQ(set.size(), 999'998u);
  EXPECT_EQ(set.runs().size(), 1u);
}

TEST(IntervalSet, ErasingSplitsAndInsertingJoins) {
  IntervalSet set;
  set.insert(10, 5);
  EXPECT_TRUE(set.erase(12));
  EXPECT_FALSE(set.erase(12));
  EXPECT_FALSE(set.erase(9));
  EXPECT_EQ(set.runs().size(), 2u);
  set.insert(12);
  EXPECT_EQ(set.runs().size(), 1u);
  EXPECT_EQ(set.size(), 5u);
}

TEST(IntervalSet, BehavesAsASetOfNumbers) {
  IntervalSet set;
  std::set<std::uint32_t> model;
  std::uint64_t state = 7;
  for (int step = 0; step < 20'000; ++step) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    const auto number = static_cast<std::uint32_t>((state >> 33) % 200);
    if ((state >> 60) < 8) {
      EXPECT_EQ(set.erase(number), model.erase(number) == 1);
    } else if ((state >> 60) == 8 && !model.empty()) {
      EXPECT_EQ(set.pop_front(), *model.begin());
      model.erase(model.begin());
    } else if (model.insert(number).second) {
      set.insert(number);
    }
    ASSERT_EQ(set.size(), model.size());
    ASSERT_EQ(set.contains(number), model.contains(number));
  }
  std::uint32_t covered = 0;
  for (const auto& [first, end] : set.runs()) covered += end - first;
  EXPECT_EQ(covered, model.size());
}

TEST(IntervalSetDeathTest, OverlapIsABug) {
  IntervalSet set;
  set.insert(10, 5);
  EXPECT_DEATH(set.insert(14), "CHECK|check|runs");
}

}  // namespace
}  // namespace hearth::pool
