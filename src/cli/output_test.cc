#include "cli/output.h"

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

TEST(Table, AlignsColumns) {
  Table table({{"JOB", true}, {"NAME"}, {"STATE"}});
  EXPECT_TRUE(table.empty());
  table.add({"7", "Küche", "running"});
  table.add({"123", "a", "-"});
  EXPECT_EQ(table.text(),
            "JOB  NAME   STATE\n"
            "  7  Küche  running\n"
            "123  a      -\n");
}

TEST(Table, WordsAreBrokenWhereItIsTooWide) {
  Table table({{"NODE"}, {"STATUS"}, {"CORES", true}});
  table.add({"kitchen", "closed by its owner until four o'clock", "16"});
  table.add({"a-name-without-blanks", "idle", "2"});
  EXPECT_EQ(table.text(0),
            "NODE                   STATUS                                  CORES\n"
            "kitchen                closed by its owner until four o'clock     16\n"
            "a-name-without-blanks  idle                                        2\n");
  EXPECT_EQ(table.text(40),
            "NODE             STATUS            CORES\n"
            "kitchen          closed by its        16\n"
            "                 owner until four\n"
            "                 o'clock\n"
            "a-name-without-  idle                  2\n"
            "blanks\n");
  EXPECT_EQ(table.text(1), table.text(29)) << "as narrow as its words let it be";
}

TEST(Table, ControlCharactersAreReplaced) {
  Table table({{"NAME"}});
  table.add({"a\x1b[31m\n"});
  EXPECT_EQ(table.text(), "NAME\na?[31m?\n");
}

TEST(Output, WidthCountsCharacters) {
  EXPECT_EQ(display_width(""), 0U);
  EXPECT_EQ(display_width("Küche"), 5U);
  EXPECT_EQ(display_width("█▀"), 2U);
}

TEST(Output, CsvIsQuotedAndHoldsNoFormula) {
  EXPECT_EQ(csv_line({"a", "", "b c"}), "a,,b c\r\n");
  EXPECT_EQ(csv_line({"a,b", "say \"hi\"", "two\nlines"}), "\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n");
  EXPECT_EQ(csv_line({"=1+1", "+1", "-1", "@x", "\tx", "=\"a\",b"}), "'=1+1,'+1,'-1,'@x,'\tx,\"'=\"\"a\"\",b\"\r\n");
}

TEST(Output, BarsFill) {
  EXPECT_EQ(progress_bar(0, 4, 4), "[....]   0 %");
  EXPECT_EQ(progress_bar(2, 4, 4), "[##..]  50 %");
  EXPECT_EQ(progress_bar(9, 4, 4), "[####] 100 %");
  EXPECT_EQ(progress_bar(0, 0, 4), "[####] 100 %");
}

}  // namespace
}  // namespace hearth::cli
