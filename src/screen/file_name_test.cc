#include "screen/file_name.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::screen {
namespace {

TEST(PlainName, IsOnePartOfAPathThatHidesNothing) {
  EXPECT_EQ(plain_name("letter.txt"), "letter.txt");
  EXPECT_EQ(plain_name("größe 📷.jpg"), "größe 📷.jpg");
  EXPECT_EQ(plain_name("../../etc/passwd"), "passwd");
  EXPECT_EQ(plain_name("C:\\Users\\me\\a.doc"), "a.doc");
  EXPECT_EQ(plain_name("/"), "file");
  EXPECT_EQ(plain_name(".."), "file");
  EXPECT_EQ(plain_name(""), "file");
  EXPECT_EQ(plain_name(".bashrc"), "_bashrc");
  EXPECT_EQ(plain_name("-rf"), "_rf");
  EXPECT_EQ(plain_name(" a\nb\tc\x7f. "), "abc");
  EXPECT_EQ(plain_name("gpj\u202etxt.exe"), "gpjtxt.exe");
}

TEST(PlainName, IsCutBetweenLettersAndKeepsItsEnding) {
  std::string umlauts;
  for (int i = 0; i < 200; ++i) umlauts += "ü";
  const std::string name = plain_name(umlauts + ".tar");
  EXPECT_EQ(name.size(), 200U);
  EXPECT_THAT(name, testing::EndsWith("ü.tar"));
}

}  // namespace
}  // namespace hearth::screen
