#include "core/drive/path.h"

#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

TEST(DrivePathTest, TakesWhatPeopleNameFilesAndNothingElse) {
  EXPECT_EQ(Path::parse("/")->text(), "/");
  EXPECT_EQ(Path::parse("")->relative(), ".");
  EXPECT_EQ(Path::parse("/Füße/a b/ü.jpg/")->text(), "/Füße/a b/ü.jpg");
  EXPECT_TRUE(Path::parse("/" + std::string(255, 'a')));
  EXPECT_TRUE(Path::parse("/photos/.hearth"));
  using namespace std::string_literals;
  for (const std::string& wrong :
       {"/a/../b"s, "/a//b"s, "/."s, "/a\0b"s, "/a\nb"s, "/\xff"s, "/a\xef\xbf\xbe"s, "/.hearth"s, "/.hearth/trash"s,
        "/" + std::string(256, 'a'), "/" + std::string(5'000, 'a')}) {
    EXPECT_FALSE(Path::parse(wrong)) << wrong;
  }
  std::string deep;
  for (int i = 0; i < 101; ++i) deep += "/a";
  EXPECT_FALSE(Path::parse(deep));
  EXPECT_TRUE(Path::parse("/a/b")->is_within(*Path::parse("/a")));
  EXPECT_FALSE(Path::parse("/ab")->is_within(*Path::parse("/a")));
}

}  // namespace
}  // namespace hearth::drive
