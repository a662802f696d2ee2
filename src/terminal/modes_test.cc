#include "terminal/modes.h"

#include <gtest/gtest.h>

namespace hearth::terminal {
namespace {

Modes after(std::string_view output) {
  Modes modes;
  modes.feed(output);
  return modes;
}

TEST(Modes, AreThoseThatAFreshTerminalLacks) {
  EXPECT_EQ(after("$ ls\r\nfile \x1b[1;31mred\x1b[0m\r\n").prelude(), "");
  EXPECT_EQ(after("\x1b[?1049h\x1b[?1h\x1b=\x1b[?25l").prelude(), "\x1b[?1049h\x1b[?1h\x1b[?25l\x1b=");
  EXPECT_EQ(after("\x1b[?1000;1006h\x1b[?2004h").prelude(), "\x1b[?1000h\x1b[?1006h\x1b[?2004h");
  EXPECT_EQ(after("\x1b[?25l\x1b[?25h\x1b[?1049h\x1b[?1049l").prelude(), "");
  EXPECT_EQ(after("\x1b[?7l").prelude(), "\x1b[?7l");
  EXPECT_EQ(after("\x1b(0lqk").prelude(), "\x1b(0");
  EXPECT_EQ(after("\x1b(0lqk\x1b(B").prelude(), "");
}

TEST(Modes, AreForgottenByAReset) {
  EXPECT_EQ(after("\x1b[?1049h\x1b[?1000h\x1b=\x1b"
                  "c")
                .prelude(),
            "");
  EXPECT_EQ(after("\x1b[?1000h\x1b[?25l\x1b[?1h\x1b=\x1b[!p").prelude(), "\x1b[?1000h");
}

TEST(Modes, KnowWhichScreenIsShown) {
  for (const char* number : {"47", "1047", "1049"}) {
    const std::string on = "\x1b[?" + std::string(number) + "h";
    EXPECT_TRUE(after(on).on_alternate_screen()) << number;
    EXPECT_FALSE(after(on + "\x1b[?1049l").on_alternate_screen()) << number;
  }
}

TEST(Modes, AreNotTakenFromText) {
  EXPECT_EQ(after("\x1b]0;a title with [?1049h\x07").prelude(), "");
  EXPECT_EQ(after("\x1bPq[?1049h\x1b\\").prelude(), "");
  EXPECT_EQ(after("\x1b[?1049\x18h").prelude(), "") << "cancelled";
  EXPECT_EQ(after("\x1b[1049h").prelude(), "") << "no private one";
  EXPECT_EQ(after("\x1b[?1049x").prelude(), "");
  EXPECT_EQ(after("\x1b[?99999999999999999999h\x1b[?;h").prelude(), "");
  EXPECT_EQ(after("\x1b[?" + std::string(1'000, '1') + "h").prelude(), "");
}

TEST(Modes, TellWhereOutputMayBeCut) {
  for (const char* open : {"\x1b", "\x1b[", "\x1b[?10", "\x1b]0;title", "\x1b]0;title\x1b", "\x1b(", "\xe2", "\xe2\x82",
                           "\xf0\x9f\x94", "\xc3"}) {
    EXPECT_FALSE(after(open).at_boundary()) << open;
  }
  for (const char* closed : {"", "a", "\x1b[m", "\x1b]0;title\x07", "\x1b]0;title\x1b\\", "\x1b(B", "\xe2\x82\xac",
                             "\xf0\x9f\x94\xa5", "\xff", "\xe2\x82x", "\x80"}) {
    EXPECT_TRUE(after(closed).at_boundary()) << closed;
  }
}

TEST(Modes, TellWhetherATerminalMayAnswer) {
  for (const char* asks : {"\x1b[6n", "\x1b[c", "\x1b[>c", "\x1b[18t", "\x1b[>0q", "\x1b[?2026$p", "\x1b[?u",
                           "\x1b]11;?\x07", "\x1b]11;?\x1b\\", "\x1bP$qm\x1b\\", "\x1bP+q544e\x1b\\"}) {
    Modes modes = after(std::string("text ") + asks);
    EXPECT_TRUE(modes.take_question()) << asks;
    EXPECT_FALSE(modes.take_question());
  }
  EXPECT_FALSE(after("$ ls?\r\n\x1b[1;31mred\x1b[m\x1b[2 q\x1b[?25l\x1b]0;title\x07\x1b(B").take_question());
}

TEST(Modes, AreUndoneForAShell) {
  Modes modes = after("\x1b[?1049h\x1b[?1000h\x1b[?25l\x1b=\x1b(0\x1b]0;ti");
  modes.feed(modes.epilogue());
  EXPECT_EQ(modes.prelude(), "");
  EXPECT_TRUE(modes.at_boundary());
}

}  // namespace
}  // namespace hearth::terminal
