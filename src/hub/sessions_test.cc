#include "hub/sessions.h"

#include <gtest/gtest.h>

namespace hearth::hub {
namespace {

constexpr DeviceId kPhone{7};
constexpr Time kStart{1'000'000};

struct Wire : net::Cuttable {
  bool is_cut = false;
  void cut() override { is_cut = true; }
};

TEST(Sessions, ATokenRunsOutAfterFifteenMinutes) {
  Sessions sessions;
  sessions.open(kPhone, "token", kStart);
  EXPECT_EQ(sessions.find("token", kStart + minutes(14))->device, kPhone);
  EXPECT_FALSE(sessions.find("token", kStart + minutes(15)));
  EXPECT_FALSE(sessions.find("other", kStart));
}

TEST(Sessions, AChallengeWorksOnceWithinAMinute) {
  Sessions sessions;
  sessions.add_challenge("c", kStart);
  EXPECT_TRUE(sessions.take_challenge("c", kStart + seconds(1)));
  EXPECT_FALSE(sessions.take_challenge("c", kStart + seconds(1)));
  sessions.add_challenge("d", kStart);
  EXPECT_FALSE(sessions.take_challenge("d", kStart + seconds(61)));
}

TEST(Sessions, RevokingEndsTokensAndCutsConnectionsOfThatDeviceOnly) {
  Sessions sessions;
  Wire phone;
  Wire laptop;
  sessions.open(kPhone, "phone", kStart);
  sessions.open({8}, "laptop", kStart);
  sessions.enter(kPhone, phone);
  sessions.enter({8}, laptop);
  sessions.revoke(kPhone);
  EXPECT_TRUE(phone.is_cut);
  EXPECT_FALSE(laptop.is_cut);
  EXPECT_FALSE(sessions.find("phone", kStart));
  EXPECT_TRUE(sessions.find("laptop", kStart));
}

TEST(Sessions, ADevicesOldestSessionGoesFirst) {
  Sessions sessions;
  for (std::size_t i = 0; i <= Sessions::kMaxPerDevice; ++i) sessions.open(kPhone, std::to_string(i), kStart);
  EXPECT_FALSE(sessions.find("0", kStart));
  EXPECT_TRUE(sessions.find("1", kStart));
}

}  // namespace
}  // namespace hearth::hub
