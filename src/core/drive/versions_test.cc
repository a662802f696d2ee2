#include "core/drive/versions.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

constexpr std::int64_t kSecond = 1'000;
constexpr std::int64_t kHour = 3'600 * kSecond;
constexpr std::int64_t kDay = 24 * kHour;
constexpr WallTime kNow{1'800'000'000'000};
constexpr std::uint64_t kEndless = ~std::uint64_t{0};

KeptVersion version(std::int64_t age, std::string series = "a", std::uint64_t bytes = 1) {
  const WallTime replaced{kNow.unix_millis - age};
  return {
      .series = std::move(series), .replaced = replaced, .id = std::to_string(replaced.unix_millis), .bytes = bytes};
}

TEST(VersionsTest, VersionsApartAreKept) {
  EXPECT_TRUE(versions_to_drop({version(0), version(31 * kSecond), version(2 * kHour), version(4 * kHour),
                                version(3 * kDay), version(5 * kDay), version(60 * kDay), version(70 * kDay)},
                               kNow, kEndless)
                  .empty());
}

TEST(VersionsTest, OfThoseCloseTogetherTheOldestStays) {
  EXPECT_EQ(versions_to_drop({version(0), version(29 * kSecond)}, kNow, kEndless), std::vector{version(0)});
  EXPECT_EQ(versions_to_drop({version(2 * kHour), version(2 * kHour + 59 * 60 * kSecond)}, kNow, kEndless),
            std::vector{version(2 * kHour)});
  EXPECT_EQ(versions_to_drop({version(40 * kDay), version(46 * kDay)}, kNow, kEndless),
            std::vector{version(40 * kDay)});
}

TEST(VersionsTest, ThoseOfOtherFilesDoNotCount) {
  EXPECT_TRUE(versions_to_drop({version(0, "a"), version(1, "b")}, kNow, kEndless).empty());
}

TEST(VersionsTest, AfterAYearNoneIsLeft) {
  EXPECT_EQ(versions_to_drop({version(364 * kDay), version(366 * kDay)}, kNow, kEndless),
            std::vector{version(366 * kDay)});
}

TEST(VersionsTest, TheOldestOfAllGoUntilTheOthersFit) {
  const std::vector<KeptVersion> dropped =
      versions_to_drop({version(10, "a", 50), version(30, "b", 50), version(20, "c", 50)}, kNow, 100);
  EXPECT_EQ(dropped, std::vector{version(30, "b", 50)});
  EXPECT_EQ(versions_to_drop({version(10, "a", 50)}, kNow, 49).size(), 1U);
}

// A file that is saved for two years, thinned out now and then: there is always a version near every age.
TEST(VersionsTest, HoweverOftenAFileIsSavedItsPastStaysCovered) {
  std::mt19937 random(7);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same each time
  std::vector<KeptVersion> kept;
  WallTime now = kNow;
  for (int i = 0; i < 20'000; ++i) {
    now.unix_millis += static_cast<std::int64_t>(random() % (2 * kHour));
    kept.push_back({.series = "a", .replaced = now, .id = std::to_string(now.unix_millis), .bytes = 1});
    if (i % 10 != 0) continue;
    for (const KeptVersion& gone : versions_to_drop(kept, now, kEndless)) std::erase(kept, gone);
    ASSERT_TRUE(versions_to_drop(kept, now, kEndless).empty());
    for (std::size_t j = 1; j < kept.size(); ++j) {
      const std::int64_t age = now.unix_millis - kept[j - 1].replaced.unix_millis;
      const std::int64_t gap = kept[j].replaced.unix_millis - kept[j - 1].replaced.unix_millis;
      ASSERT_LE(gap, age < kDay ? 3 * kHour : age < 30 * kDay ? kDay + 3 * kHour : 8 * kDay) << i << " " << j;
    }
  }
  EXPECT_LT(kept.size(), 140U);
}

}  // namespace
}  // namespace hearth::drive
