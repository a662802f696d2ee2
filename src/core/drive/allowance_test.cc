#include "core/drive/allowance.h"

#include <limits>

#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

using Verdict = Allowance::Verdict;

constexpr Time kNow{1'000'000'000};

TEST(Allowance, IsCountedBeforeItIsJudged) {
  EXPECT_EQ((Allowance{.most = 100}).judge(1, kNow), Verdict::kCountFirst);
  const Allowance old{.most = 100, .counted = 10, .counted_at = kNow};
  EXPECT_EQ(old.judge(1, kNow + Allowance::kCountKept), Verdict::kFits);
  EXPECT_EQ(old.judge(1, kNow + Allowance::kCountKept + seconds(1)), Verdict::kCountFirst);
}

TEST(Allowance, IsUsedToTheLastByte) {
  const Allowance some{.most = 100, .counted = 60, .since = 30, .counted_at = kNow};
  EXPECT_EQ(some.left(), 10U);
  EXPECT_EQ(some.judge(10, kNow), Verdict::kFits);
  EXPECT_EQ(some.judge(11, kNow), Verdict::kFull);
  EXPECT_EQ(some.judge(std::numeric_limits<std::uint64_t>::max(), kNow), Verdict::kFull);
}

TEST(Allowance, IsCountedAgainBeforeAnybodyIsRefused) {
  const Allowance full{.most = 100, .counted = 100, .counted_at = kNow};
  EXPECT_EQ(full.judge(1, kNow + Allowance::kCountAgain), Verdict::kFull);
  EXPECT_EQ(full.judge(1, kNow + Allowance::kCountAgain + milliseconds(1)), Verdict::kCountFirst)
      << "something may have gone";
  EXPECT_EQ(full.judge(0, kNow), Verdict::kFits) << "a file without bytes";
}

TEST(Allowance, MayHaveBecomeSmallerThanWhatIsHeld) {
  const Allowance past{.most = 10, .counted = 100, .counted_at = kNow};
  EXPECT_EQ(past.left(), 0U);
  EXPECT_EQ(past.judge(0, kNow), Verdict::kFits);
  EXPECT_EQ(past.judge(1, kNow), Verdict::kFull);
}

}  // namespace
}  // namespace hearth::drive
