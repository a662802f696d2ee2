#include "core/drive/zip_turns.h"

#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

TEST(ZipTurnsTest, OneHasNoMoreThanItsPart) {
  ZipTurns turns;
  for (std::size_t i = 0; i < ZipTurns::kMostOfOne; ++i) ASSERT_TRUE(turns.take(DeviceId{1}));
  EXPECT_EQ(turns.take(DeviceId{1}).error().code, Code::kResourceExhausted);
  EXPECT_TRUE(turns.take(DeviceId{2}));
  turns.give_back(DeviceId{1});
  EXPECT_TRUE(turns.take(DeviceId{1}));
}

TEST(ZipTurnsTest, AllTogetherHaveNoMoreThanThereAre) {
  ZipTurns turns;
  for (std::uint64_t i = 0; i < ZipTurns::kMostInAll; ++i) ASSERT_TRUE(turns.take(DeviceId{i + 1}));
  EXPECT_EQ(turns.take(DeviceId{100}).error().code, Code::kUnavailable);
  turns.give_back(DeviceId{3});
  EXPECT_TRUE(turns.take(DeviceId{100}));
  EXPECT_EQ(turns.take(DeviceId{3}).error().code, Code::kUnavailable);
}

}  // namespace
}  // namespace hearth::drive
