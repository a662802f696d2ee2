#include "terminal/history.h"

#include <gtest/gtest.h>

namespace hearth::terminal {
namespace {

std::string all_of(const History& history) { return std::string(history.read(history.begin(), 1 << 30)); }

TEST(History, KeepsTheLast) {
  History history(160);
  std::string written;
  for (int i = 0; i < 1'000; ++i) {
    const std::string piece = std::to_string(i) + ",";
    history.add(piece);
    written += piece;
    ASSERT_EQ(history.end(), written.size());
    ASSERT_LE(history.end() - history.begin(), 170U);
    ASSERT_GE(history.end() - history.begin(), std::min<std::size_t>(written.size(), 160));
    ASSERT_EQ(all_of(history), written.substr(history.begin()));
  }
  EXPECT_EQ(history.read(history.end(), 10), "");
  EXPECT_EQ(history.read(history.end() - 4, 2), "99");
}

TEST(History, DropsWholeSequencesAndCharacters) {
  History history(19);
  history.add("0123\x1b[?1049h4567\xe2\x82\xac");
  history.add("0123456789");  // what is to be dropped ends within the sequence
  EXPECT_EQ(all_of(history),
            "4567\xe2\x82\xac"
            "0123456789");
  EXPECT_TRUE(history.cut_at(history.begin()).modes.on_alternate_screen());
  history.add("abcdefg");
  EXPECT_EQ(all_of(history), "0123456789abcdefg") << "the character's first byte alone was to go";
}

TEST(History, CutsWhereNothingIsCutInTwo) {
  History history(1'000);
  history.add("ab\x1b[?25lcd");
  EXPECT_EQ(history.cut_at(1).offset, 1U);
  EXPECT_EQ(history.cut_at(1).modes.prelude(), "");
  EXPECT_EQ(history.cut_at(4).offset, 8U);
  EXPECT_EQ(history.cut_at(4).modes.prelude(), "\x1b[?25l");
  EXPECT_EQ(history.cut_at(10).offset, 10U);
}

TEST(History, TakesWhatNothingEnds) {
  History history(64);
  history.add("\x1b]0;" + std::string(10'000, 'x'));
  EXPECT_LE(history.end() - history.begin(), 68U);
  EXPECT_EQ(history.end(), 10'004U);
}

}  // namespace
}  // namespace hearth::terminal
