#include "core/pool/audiences.h"

#include <gtest/gtest.h>

namespace hearth::pool {
namespace {

constexpr AccountId kMia = {(std::uint64_t{1} << 62U) + 1};
constexpr AccountId kTom = {(std::uint64_t{1} << 62U) + 2};
constexpr Beholder kAnns = {.device = {1}, .is_its = true};
constexpr Beholder kMiasPhone = {.device = {2}, .account = kMia};
constexpr Beholder kMiasTablet = {.device = {3}, .account = kMia};
constexpr Beholder kTomsPhone = {.device = {4}, .account = kTom};
constexpr Beholder kStray = {.device = {5}};

TEST(Audience, NobodyElseSeesWhatIsNotShared) {
  const Audience audience{};
  EXPECT_EQ(audience.right_of(kAnns), AppRight::kControl);
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kNone);
  EXPECT_EQ(audience.right_of(kStray), AppRight::kNone);
  EXPECT_FALSE(audience.may_pass(kMiasPhone));
}

TEST(Audience, APersonIsAnAccountOrADevice) {
  Audience audience;
  ASSERT_TRUE(audience.let_in(kMia, {}));
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kWatch);
  EXPECT_EQ(audience.right_of(kMiasTablet), AppRight::kWatch);
  ASSERT_TRUE(audience.let_in({4}, {}));
  EXPECT_EQ(audience.right_of(kTomsPhone), AppRight::kWatch);
  EXPECT_EQ(audience.right_of({.device = {9}, .account = kTom}), AppRight::kNone);
  EXPECT_EQ(audience.right_of(kStray), AppRight::kNone);
  EXPECT_TRUE(audience.take_back(kMia));
  EXPECT_FALSE(audience.take_back(kMia));
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kNone);
}

TEST(Audience, WhoeverHasTheControllerUsesItAndTheOthersWatch) {
  Audience audience;
  ASSERT_TRUE(audience.let_in(kMia, {.may_control = true}));
  ASSERT_TRUE(audience.let_in(kTom, {}));
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kWatch) << "it is not passed to them yet";
  ASSERT_TRUE(audience.pass(kMia));
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kControl);
  EXPECT_EQ(audience.right_of(kTomsPhone), AppRight::kWatch);
  EXPECT_EQ(audience.right_of(kAnns), AppRight::kWatch);
  EXPECT_TRUE(audience.may_pass(kMiasPhone));
  EXPECT_TRUE(audience.may_pass(kAnns)) << "it is always to be had back";
  EXPECT_FALSE(audience.may_pass(kTomsPhone));
  audience.return_controller();
  EXPECT_EQ(audience.right_of(kAnns), AppRight::kControl);
  EXPECT_FALSE(audience.may_pass(kMiasPhone));
}

TEST(Audience, TheControllerGoesOnlyToWhoMayControl) {
  Audience audience;
  ASSERT_TRUE(audience.let_in(kTom, {}));
  EXPECT_EQ(audience.pass(kTom).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(audience.pass(kMia).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(audience.right_of(kAnns), AppRight::kControl);
}

TEST(Audience, WhoLosesTheRightLosesTheController) {
  Audience audience;
  ASSERT_TRUE(audience.let_in(kMia, {.may_control = true}));
  ASSERT_TRUE(audience.pass(kMia));
  ASSERT_TRUE(audience.let_in(kMia, {}));
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kWatch);
  EXPECT_EQ(audience.controller(), std::nullopt);
  ASSERT_TRUE(audience.let_in(kMia, {.may_control = true}));
  ASSERT_TRUE(audience.pass(kMia));
  EXPECT_TRUE(audience.take_back(kMia));
  EXPECT_EQ(audience.right_of(kAnns), AppRight::kControl);
}

TEST(Audience, IsBounded) {
  Audience audience;
  for (std::uint64_t device = 10; device < 10 + Audience::kMost; ++device) {
    ASSERT_TRUE(audience.let_in({device}, {}));
  }
  EXPECT_EQ(audience.let_in(kMia, {}).error().code, Code::kResourceExhausted);
  EXPECT_TRUE(audience.let_in({10}, {.may_control = true})) << "one that is in may be changed";
}

}  // namespace
}  // namespace hearth::pool
