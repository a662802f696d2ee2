#include "core/drive/names.h"

#include <algorithm>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

TEST(DriveNamesTest, FoldsLettersInTheirPlaces) {
  EXPECT_EQ(folded("Größe ÄÖÜ.TXT"), "größe äöü.txt");
  EXPECT_EQ(folded("ŠKODA Ÿ ŽŹ Ł"), "škoda ÿ žź ł");
  EXPECT_EQ(folded("ΆΛΦΑ ΈΩ"), "άλφα έω");
  EXPECT_EQ(folded("ЁЖИК Ї"), "ёжик ї");
  for (const char* kept : {"×÷ß", "日本", "\xC3", "\xC3(", "\xC0\x80", "\xFF\xFE", "İı"}) EXPECT_EQ(folded(kept), kept);
  EXPECT_EQ(folded("\xE2\x82\xAC"
                   "A")
                .size(),
            4U);
}

TEST(DriveNamesTest, OrdersAsPeopleDo) {
  std::vector<std::string> names = {"b", "a10", "B2", "Ärger", "a2", "A1", "arm", "z", "1", "007", "10", "_x", "a"};
  std::ranges::sort(names, {}, order_key);
  EXPECT_THAT(names,
              testing::ElementsAre("1", "007", "10", "_x", "a", "A1", "a2", "a10", "Ärger", "arm", "b", "B2", "z"));
  EXPECT_LT(order_key("a" + std::string(250, '9')), order_key("a1" + std::string(250, '0')));
  EXPECT_EQ(order_key("A01"), order_key("a1"));
}

}  // namespace
}  // namespace hearth::drive
