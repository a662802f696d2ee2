#include "hub/rate_limiter.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace hearth::hub {
namespace {

Time after(Duration span) { return Time{} + minutes(1) + span; }

TEST(RateLimiter, GivesSoManyAtAStretchAndThenOverTime) {
  RateLimiter limiter(2);
  EXPECT_TRUE(limiter.take("192.0.2.1", after({})));
  EXPECT_TRUE(limiter.take("192.0.2.1", after({})));
  EXPECT_FALSE(limiter.take("192.0.2.1", after({})));
  EXPECT_TRUE(limiter.take("192.0.2.2", after({})));
  EXPECT_TRUE(limiter.take("192.0.2.1", after(seconds(30))));
  EXPECT_FALSE(limiter.take("192.0.2.1", after(seconds(30))));
  limiter.refund("192.0.2.1");
  EXPECT_TRUE(limiter.take("192.0.2.1", after(seconds(30))));
}

TEST(RateLimiter, TakesANetworkOfIPv6ForOneAddress) {
  RateLimiter limiter(1);
  EXPECT_TRUE(limiter.take("2001:db8:1:2::1", after({})));
  EXPECT_FALSE(limiter.take("2001:db8:1:2:3:4:5:6", after({})));
  EXPECT_TRUE(limiter.take("2001:db8:1:3::1", after({})));
}

TEST(RateLimiter, RefusesNobodyBecauseOfOthers) {
  RateLimiter limiter(1);
  for (int i = 0; i < 5'000; ++i)
    EXPECT_TRUE(limiter.take(fmt::format("2001:db8:0:{:x}::1", i), after(milliseconds(i))));
  EXPECT_TRUE(limiter.take("192.0.2.1", after(seconds(5))));
  EXPECT_FALSE(limiter.take("2001:db8:0:1387::1", after(seconds(5)))) << "the one before is remembered";
}

}  // namespace
}  // namespace hearth::hub
