#include "cli/values.h"

#include <gtest/gtest.h>

#include "base/sizes.h"

namespace hearth::cli {
namespace {

TEST(Values, CountsAreWholeNumbersInRange) {
  EXPECT_EQ(parse_count("--cores", "1", {1, 64}).value(), 1U);
  EXPECT_EQ(parse_count("--cores", "64", {1, 64}).value(), 64U);
  for (const char* wrong : {"", "0", "65", "-1", "+1", "1.5", "x", "1x", " 1", "99999999999999999999"}) {
    EXPECT_FALSE(parse_count("--cores", wrong, {1, 64})) << wrong;
  }
  EXPECT_EQ(parse_count("--cores", "0", {1, 64}).error(),
            (Error{Code::kInvalidArgument, "--cores 0: a whole number from 1 to 64 is needed"}));
}

TEST(Values, SizesAreInRange) {
  EXPECT_EQ(parse_size("--memory", "2G", {kMiB, 4 * kTiB}).value(), 2 * kGiB);
  for (const char* wrong : {"", "1K", "5T", "two", "-1G"}) {
    EXPECT_FALSE(parse_size("--memory", wrong, {kMiB, 4 * kTiB})) << wrong;
  }
  EXPECT_EQ(parse_size("--memory", "1K", {kMiB, 4 * kTiB}).error().message,
            "--memory 1K: a size from 1 MiB to 4 TiB is needed, for example 512M or 2G");
}

TEST(Values, TimeLimits) {
  EXPECT_EQ(parse_time_limit("--time", "90s").value(), 90);
  EXPECT_EQ(parse_time_limit("--time", "90").value(), 90);
  EXPECT_EQ(parse_time_limit("--time", "10m").value(), 600);
  EXPECT_EQ(parse_time_limit("--time", "1h30m").value(), 5400);
  EXPECT_EQ(parse_time_limit("--time", "30d").value(), 30 * 86400);
  for (const char* wrong :
       {"", "0", "0s", "31d", "30d1s", "10", "1y", "m", "10m5", "-1s", "1.5h", "99999999999999999s"}) {
    if (std::string_view(wrong) == "10") continue;
    EXPECT_FALSE(parse_time_limit("--time", wrong)) << wrong;
  }
}

TEST(Values, Hours) {
  EXPECT_EQ(parse_hours("--hours", "22-7").value(), (Hours{22 * 60, 7 * 60}));
  EXPECT_EQ(parse_hours("--hours", "8:30-24").value(), (Hours{8 * 60 + 30, 0}));
  EXPECT_EQ(format_hours({22 * 60, 7 * 60}), "22:00-07:00");
  EXPECT_EQ(parse_hours("--hours", format_hours({5, 1439})).value(), (Hours{5, 1439}));
  for (const char* wrong : {"", "22", "22-", "-7", "25-7", "22:60-7", "22:5-7", "24:01-7", "a-b", "22-7-8"}) {
    EXPECT_FALSE(parse_hours("--hours", wrong)) << wrong;
  }
}

TEST(Values, SpansAndMomentsRead) {
  EXPECT_EQ(format_duration(milliseconds(420)), "0.4 s");
  EXPECT_EQ(format_duration(seconds(12)), "12 s");
  EXPECT_EQ(format_duration(seconds(200)), "3 min 20 s");
  EXPECT_EQ(format_duration(minutes(125)), "2 h 5 min");
  EXPECT_EQ(format_duration(minutes(60 * 76)), "3 d 4 h");
  const WallTime now{1'000'000'000'000};
  EXPECT_EQ(format_age({}, now), "-");
  EXPECT_EQ(format_age({now.unix_millis + 5000}, now), "just now");
  EXPECT_EQ(format_age({now.unix_millis - 40'000}, now), "40 s ago");
  EXPECT_EQ(format_age({now.unix_millis - 200'000}, now), "3 min ago");
  EXPECT_EQ(format_age({now.unix_millis - 3 * 86'400'000LL}, now), "3 d ago");
  EXPECT_EQ(format_count(1'234'567), "1,234,567");
  EXPECT_EQ(format_count(999), "999");
}

TEST(Values, DaysAreDaysOfTheCalendar) {
  EXPECT_EQ(parse_day("--since", "1970-01-02")->unix_millis, 86'400'000);
  EXPECT_EQ(format_moment(*parse_day("--since", "2024-02-29")), "2024-02-29 00:00:00");
  EXPECT_EQ(format_moment({1'769'860'807'999}), "2026-01-31 12:00:07");
  for (const char* wrong : {"", "today", "2026-02-29", "2026-13-01", "2026-1-31", "2026-01-31x", "1969-12-31"}) {
    const auto day = parse_day("--since", wrong);
    ASSERT_FALSE(day) << wrong;
    EXPECT_EQ(day.error().message, "--since " + std::string(wrong) + ": a day is needed, for example 2026-01-31");
  }
}

TEST(Values, PlainTextMovesNoCursor) {
  EXPECT_EQ(plain("Küche"), "Küche");
  EXPECT_EQ(plain("a\x1b[2Jb\n"), "a?[2Jb?");
  EXPECT_EQ(plain("\xff\xc3"), "??");
  EXPECT_EQ(plain("ü\xff€"), "ü?€");
}

}  // namespace
}  // namespace hearth::cli
