#include "core/drive/waits.h"

#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

TEST(Waits, OneFileIsWaitedForAloneAndSeveralAtTheSameTime) {
  EXPECT_EQ(wait_for(0), Wait::kNone);
  EXPECT_EQ(wait_for(1), Wait::kOne);
  EXPECT_EQ(wait_for(2), Wait::kTogether);
  EXPECT_EQ(wait_for(kMostTogether), Wait::kTogether);
}

TEST(Waits, OfVeryManyTheWholeDiskIsWaitedFor) {
  EXPECT_EQ(wait_for(kMostTogether + 1), Wait::kAll);
  EXPECT_EQ(wait_for(10'000), Wait::kAll);
}

TEST(Waits, OnlyTheDisksOfThePcAnswerAtOnce) {
  EXPECT_TRUE(is_local(0xEF53));
  EXPECT_TRUE(is_local(0x01021994));
  EXPECT_FALSE(is_local(0x6969));      // NFS
  EXPECT_FALSE(is_local(0x65735546));  // FUSE
  EXPECT_FALSE(is_local(0));
}

}  // namespace
}  // namespace hearth::drive
