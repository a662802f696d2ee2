#include "presence/tariff.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::presence {
namespace {

using testing::HasSubstr;

std::uint16_t at(int hour, int minute) { return static_cast<std::uint16_t>(hour * 60 + minute); }

TEST(Tariff, TellsThePriceOfTheMinute) {
  const auto tariff = Tariff::parse("# per kWh\n22:00-06:00 0.21\r\n\n  06:00-20:00\t0.345 # day\n");
  ASSERT_TRUE(tariff) << tariff.error().message;
  EXPECT_EQ(tariff->price_at(at(22, 0)), 210U);
  EXPECT_EQ(tariff->price_at(at(0, 0)), 210U);
  EXPECT_EQ(tariff->price_at(at(5, 59)), 210U);
  EXPECT_EQ(tariff->price_at(at(6, 0)), 345U);
  EXPECT_EQ(tariff->price_at(at(20, 0)), std::nullopt);
}

TEST(Tariff, TheFirstSpanCountsAndADayMayBeOne) {
  const auto tariff = Tariff::parse("12:00-13:00 9\n00:00-24:00 1");
  ASSERT_TRUE(tariff);
  EXPECT_EQ(tariff->price_at(at(12, 30)), 9'000U);
  EXPECT_EQ(tariff->price_at(at(13, 0)), 1'000U);
}

TEST(Tariff, BadLinesAreRefusedByNumber) {
  for (const char* line : {"22:00 0.2", "22:00-06:00", "22-6 0.2", "25:00-06:00 0.2", "22:60-06:00 0.2",
                           "22:00-24:01 0.2", "22:00-06:00 x", "22:00-06:00 -1", "22:00-06:00 0.2345",
                           "22:00-06:00 0.2 0.3", "22:00-06:00 1e3", "22:00-06:00 .", "price 0.2"}) {
    const auto tariff = Tariff::parse(std::string("00:00-01:00 1\n") + line);
    ASSERT_FALSE(tariff) << line;
    EXPECT_THAT(tariff.error().message, HasSubstr("line 2")) << line;
  }
  EXPECT_FALSE(Tariff::parse("")) << "no price at all";
  EXPECT_FALSE(Tariff::parse("# nothing"));
}

TEST(Tariff, HasAnEnd) {
  std::string text;
  for (int i = 0; i < 1'001; ++i) text += "00:00-01:00 1\n";
  EXPECT_FALSE(Tariff::parse(text));
  EXPECT_FALSE(Tariff::parse(std::string(kMaxTariffBytes + 1, '#')));
}

}  // namespace
}  // namespace hearth::presence
