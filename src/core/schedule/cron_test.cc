#include "core/schedule/cron.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hearth::schedule {
namespace {

constexpr std::int64_t kHour = 3600;

std::int64_t utc(std::int64_t) { return 0; }

// Seconds since 1970 of a time in UTC.
std::int64_t at(int year, int month, int day, int hour, int minute, int second = 0) {
  const int y = month <= 2 ? year - 1 : year;
  const int era = y / 400;
  const int yoe = y - era * 400;
  const int doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  const std::int64_t days = std::int64_t{era} * 146'097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719'468;
  return days * 86'400 + hour * kHour + minute * 60 + second;
}

std::int64_t next(const std::string& text, std::int64_t after, const OffsetAt& zone = utc) {
  const Result<Cron> cron = Cron::parse(text);
  EXPECT_TRUE(cron) << text << ": " << (cron ? "" : cron.error().message);
  return cron ? cron->next_after(after, zone).value_or(-1) : -2;
}

// Berlin in 2026: an hour ahead, and from 29 March 01:00 UTC to 25 October 01:00 UTC two.
std::int64_t berlin(std::int64_t moment) {
  return moment >= at(2026, 3, 29, 1, 0) && moment < at(2026, 10, 25, 1, 0) ? 2 * kHour : kHour;
}

TEST(Cron, IsDueWhenAllFieldsSaySo) {
  const std::int64_t now = at(2026, 11, 26, 9, 41, 15);  // a Thursday
  EXPECT_EQ(next("* * * * *", now), at(2026, 11, 26, 9, 42));
  EXPECT_EQ(next("0 3 * * *", now), at(2026, 11, 27, 3, 0));
  EXPECT_EQ(next("*/15 9-17 * * *", now), at(2026, 11, 26, 9, 45));
  EXPECT_EQ(next("5/20 * * * *", now), at(2026, 11, 26, 9, 45));
  EXPECT_EQ(next("10,50 22 * * *", now), at(2026, 11, 26, 22, 10));
  EXPECT_EQ(next("0 0 1 jan *", now), at(2027, 1, 1, 0, 0));
  EXPECT_EQ(next("30 8 * * MON-fri", at(2026, 11, 27, 8, 30)), at(2026, 11, 30, 8, 30)) << "not the moment itself";
  EXPECT_EQ(next("@hourly", now), at(2026, 11, 26, 10, 0));
  EXPECT_EQ(next("@weekly", now), at(2026, 11, 29, 0, 0));
  EXPECT_EQ(next("@monthly", now), at(2026, 12, 1, 0, 0));
  EXPECT_EQ(next("@yearly", now), at(2027, 1, 1, 0, 0));
}

TEST(Cron, SundayHasTwoNumbers) {
  for (const char* sunday : {"0 0 * * 0", "0 0 * * 7", "0 0 * * sun"}) {
    EXPECT_EQ(next(sunday, at(2026, 11, 26, 9, 0)), at(2026, 11, 29, 0, 0)) << sunday;
  }
  EXPECT_EQ(next("0 0 * * 5-7", at(2026, 11, 28, 9, 0)), at(2026, 11, 29, 0, 0));
}

TEST(Cron, EitherDayDoesIfBothAreGiven) {
  EXPECT_EQ(next("0 0 13 * fri", at(2026, 11, 26, 9, 0)), at(2026, 11, 27, 0, 0));
  EXPECT_EQ(next("0 0 28 * fri", at(2026, 11, 27, 9, 0)), at(2026, 11, 28, 0, 0));
  EXPECT_EQ(next("0 0 */2 * fri", at(2026, 11, 26, 9, 0)), at(2026, 11, 27, 0, 0))
      << "a star restricts together with it";
}

TEST(Cron, MonthsEndWhereTheyEnd) {
  EXPECT_EQ(next("0 0 31 * *", at(2026, 1, 31, 0, 0)), at(2026, 3, 31, 0, 0));
  EXPECT_EQ(next("0 0 30 * *", at(2026, 1, 30, 0, 0)), at(2026, 3, 30, 0, 0));
  EXPECT_EQ(next("0 0 29 2 *", at(2026, 1, 1, 0, 0)), at(2028, 2, 29, 0, 0));
  EXPECT_EQ(next("0 0 29 2 *", at(2096, 3, 1, 0, 0)), at(2104, 2, 29, 0, 0)) << "2100 has none";
  EXPECT_EQ(next("59 23 31 12 *", at(2026, 12, 31, 23, 59)), at(2027, 12, 31, 23, 59));
}

TEST(Cron, TimesAreLocal) {
  EXPECT_EQ(next("0 3 * * *", at(2026, 1, 1, 2, 30), berlin), at(2026, 1, 2, 2, 0));
  EXPECT_EQ(next("0 3 * * *", at(2026, 7, 1, 2, 30), berlin), at(2026, 7, 2, 1, 0));
  const auto kathmandu = [](std::int64_t) { return 5 * kHour + 45 * 60; };
  EXPECT_EQ(next("0 0 * * *", at(2026, 1, 1, 0, 0), kathmandu), at(2026, 1, 1, 18, 15));
}

TEST(Cron, WhatTheClockLeavesOutIsDueOnceItIsPassed) {
  const std::int64_t change = at(2026, 3, 29, 1, 0);  // 2:00 becomes 3:00
  EXPECT_EQ(next("30 2 * * *", change - 2 * kHour, berlin), change);
  EXPECT_EQ(next("30 2 * * *", change, berlin), at(2026, 3, 30, 0, 30)) << "once";
  EXPECT_EQ(next("*/20 2 29 3 *", change - kHour, berlin), change);
  EXPECT_EQ(next("0 3 * * *", change - kHour, berlin), change);
  EXPECT_EQ(next("0 3 * * *", change, berlin), at(2026, 3, 30, 1, 0));
  EXPECT_EQ(next("59 1 * * *", change - kHour, berlin), change - 60);
  const auto midnight_is_left_out = [change](std::int64_t moment) { return moment >= change ? 0 : -kHour; };
  EXPECT_EQ(next("30 0 * * *", change - 20 * kHour, midnight_is_left_out), change);
}

TEST(Cron, WhatTheClockShowsTwiceIsDueTheFirstTime) {
  const std::int64_t change = at(2026, 10, 25, 1, 0);  // 3:00 becomes 2:00
  EXPECT_EQ(next("30 2 * * *", change - 2 * kHour, berlin), change - kHour / 2);
  EXPECT_EQ(next("30 2 * * *", change - kHour / 2, berlin), at(2026, 10, 26, 1, 30));
  EXPECT_EQ(next("0 3 * * *", change - kHour / 2, berlin), at(2026, 10, 25, 2, 0));
}

TEST(Cron, WhatIsDueEveryHourKeepsItsPace) {
  for (const std::int64_t change : {at(2026, 3, 29, 1, 0), at(2026, 10, 25, 1, 0)}) {
    std::int64_t moment = change - 2 * kHour;
    for (int i = 0; i < 16; ++i) {
      const std::int64_t following = next("*/15 * * * *", moment, berlin);
      EXPECT_EQ(following - moment, 900);
      moment = following;
    }
  }
}

TEST(Cron, OnceADayIsOnceADayAllYear) {
  for (const char* daily : {"30 2 * * *", "0 0 * * *", "59 23 * * *", "15 1 * * *", "0 3 * * *"}) {
    std::int64_t moment = at(2025, 12, 31, 22, 59);
    int count = 0;
    for (; moment < at(2026, 12, 31, 23, 0); ++count) moment = next(daily, moment, berlin);
    EXPECT_EQ(count, 366) << daily << ": the last one is beyond the year";
  }
}

TEST(Cron, WhatIsNoneIsRefusedWithTheField) {
  const std::vector<std::pair<std::string, std::string>> wrong = {{"", "minute hour"},
                                                                  {"* * * *", "minute hour"},
                                                                  {"* * * * * *", "minute hour"},
                                                                  {"@sometimes", "minute"},
                                                                  {"60 * * * *", "minute \"60\""},
                                                                  {"* 24 * * *", "hour \"24\""},
                                                                  {"* * 0 * *", "day of the month"},
                                                                  {"* * 32 * *", "day of the month"},
                                                                  {"* * * 13 *", "month \"13\""},
                                                                  {"* * * foo *", "month"},
                                                                  {"* * * * 8", "day of the week"},
                                                                  {"5-1 * * * *", "minute \"5-1\""},
                                                                  {"*/0 * * * *", "minute"},
                                                                  {"1, * * * *", "minute"},
                                                                  {"1-2-3 * * * *", "minute"},
                                                                  {"-1 * * * *", "minute"},
                                                                  {"*/99 * * * *", "minute"},
                                                                  {"1/x * * * *", "minute"},
                                                                  {"0 0 30 2 *", "ever"},
                                                                  {"0 0 31 4,6,9,11 *", "ever"},
                                                                  {std::string(300, '*'), "minute hour"}};
  for (const auto& [text, named] : wrong) {
    const Result<Cron> cron = Cron::parse(text);
    ASSERT_FALSE(cron) << text;
    EXPECT_EQ(cron.error().code, Code::kInvalidArgument) << text;
    EXPECT_NE(cron.error().message.find(named), std::string::npos) << text << ": " << cron.error().message;
  }
  EXPECT_TRUE(Cron::parse("0 0 30 2 mon")) << "Mondays come in February";
}

}  // namespace
}  // namespace hearth::schedule
