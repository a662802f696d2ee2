#include "core/webhook/webhook.h"

#include <gtest/gtest.h>

namespace hearth::webhook {
namespace {

TEST(Webhook, WaitsTwiceAsLongEachTimeAndAnHourAtMost) {
  const WallTime now{1'000'000};
  EXPECT_EQ(next_try(now, 1, 0, now)->unix_millis - now.unix_millis, 2'000);
  EXPECT_EQ(next_try(now, 2, 0, now)->unix_millis - now.unix_millis, 4'000);
  EXPECT_EQ(next_try(now, 11, 0, now)->unix_millis - now.unix_millis, 2'048'000);
  EXPECT_EQ(next_try(now, 12, 0, now)->unix_millis - now.unix_millis, 3'600'000);
  EXPECT_EQ(next_try(now, 4'000'000'000, 0, now)->unix_millis - now.unix_millis, 3'600'000);
  EXPECT_EQ(next_try(now, 1, 255, now)->unix_millis - now.unix_millis, 2'249) << "an eighth more at most";
}

TEST(Webhook, IsGivenUpAfterADay) {
  const WallTime made{5'000};
  WallTime now = made;
  std::uint32_t tries = 0;
  while (const auto next = next_try(made, ++tries, 255, now)) {
    ASSERT_LT(tries, 100U);
    EXPECT_GT(*next, now);
    EXPECT_LE(next->unix_millis - made.unix_millis, 24 * 3'600'000);
    now = *next;
  }
  EXPECT_GE(now.unix_millis - made.unix_millis, 22 * 3'600'000);
  EXPECT_EQ(tries, 32U);
}

TEST(Webhook, ACalendarThatIsPutBackKeepsNothingForEver) {
  EXPECT_FALSE(next_try({100'000'000'000}, 1, 0, {1'000}));
  EXPECT_TRUE(next_try({100'000}, 1, 0, {99'000}));
}

TEST(Webhook, IsToldOfWhatItAskedFor) {
  const Filter any{.kinds = bit(Kind::kJobEnded) | bit(Kind::kTaskFailed), .job = {}, .name_pattern = ""};
  EXPECT_TRUE(matches(any, Kind::kJobEnded, {7}, "render"));
  EXPECT_FALSE(matches(any, Kind::kJobStarted, {7}, "render"));
  const Filter one{.kinds = ~0U, .job = {7}, .name_pattern = ""};
  EXPECT_TRUE(matches(one, Kind::kJobStarted, {7}, ""));
  EXPECT_FALSE(matches(one, Kind::kJobStarted, {8}, ""));
  const Filter named{.kinds = ~0U, .job = {}, .name_pattern = "night-*"};
  EXPECT_TRUE(matches(named, Kind::kJobEnded, {1}, "night-7"));
  EXPECT_FALSE(matches(named, Kind::kJobEnded, {1}, "a night-7"));
}

TEST(Webhook, KindsHaveNames) {
  for (const Kind kind :
       {Kind::kJobQueued, Kind::kJobStarted, Kind::kJobEnded, Kind::kTaskFailed, Kind::kTaskRequeued}) {
    EXPECT_EQ(kind_named(name_of(kind)), kind);
  }
  EXPECT_FALSE(kind_named("webhook.test"));
  EXPECT_FALSE(kind_named("job"));
}

TEST(Webhook, OnlyStatusesOfSuccessAreTaken) {
  EXPECT_EQ(answer_of(200), Answer::kTaken);
  EXPECT_EQ(answer_of(204), Answer::kTaken);
  EXPECT_EQ(answer_of(302), Answer::kFailed) << "nobody is sent elsewhere";
  EXPECT_EQ(answer_of(500), Answer::kFailed);
  EXPECT_EQ(answer_of(410), Answer::kGone);
  EXPECT_EQ(answer_of(0), Answer::kFailed);
}

}  // namespace
}  // namespace hearth::webhook
