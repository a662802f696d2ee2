#include "hub/visibility.h"

#include <gtest/gtest.h>

namespace hearth::hub {
namespace {

constexpr DeviceId kSelf{7};
constexpr DeviceId kOther{8};

TEST(Visibility, HomeIsShownEverything) {
  const Visibility visible(kSelf, Ring::kHome);
  EXPECT_TRUE(visible.is_whole());
  EXPECT_TRUE(visible.covers(kSelf));
  EXPECT_TRUE(visible.covers(kOther));
}

TEST(Visibility, EveryOtherRingIsShownItsOwnAlone) {
  for (const Ring ring : {Ring::kFriend, Ring::kMember, Ring::kStranger}) {
    const Visibility visible(kSelf, ring);
    EXPECT_FALSE(visible.is_whole()) << name_of(ring);
    EXPECT_TRUE(visible.covers(kSelf)) << name_of(ring);
    EXPECT_FALSE(visible.covers(kOther)) << name_of(ring);
    EXPECT_FALSE(visible.covers({})) << name_of(ring);
  }
}

}  // namespace
}  // namespace hearth::hub
