#include <gtest/gtest.h>

#include "sandbox/sandbox.h"

namespace hearth::sandbox {
namespace {

TEST(SafePath, TakesWhatStaysInside) {
  for (const char* path : {"a", "a/b", "a b/c", "über/größe.txt", "..a", "a..", "...", ".hidden", "a.tar.gz"}) {
    EXPECT_TRUE(is_safe_relative_path(path)) << path;
  }
  EXPECT_TRUE(is_safe_relative_path(std::string(255, 'x')));
}

TEST(SafePath, RefusesTheRest) {
  for (const char* path : {"", "/", "/a", "a/", "a//b", ".", "..", "a/..", "../a", "a/../b", "./a", "a/.", "a\nb",
                           "a\x7f", "\x80", "\xff", "\xed\xa0\x80"}) {
    EXPECT_FALSE(is_safe_relative_path(path)) << path;
  }
  EXPECT_FALSE(is_safe_relative_path(std::string_view("a\0b", 3)));
  EXPECT_FALSE(is_safe_relative_path(std::string(256, 'x')));
  std::string deep = "a";
  while (deep.size() <= 4096) deep += "/a";
  EXPECT_FALSE(is_safe_relative_path(deep));
}

struct PatternCase {
  const char* pattern;
  const char* path;
  bool matches;
};

TEST(Pattern, FollowsGlobPerPart) {
  constexpr PatternCase kCases[] = {
      {"*.png", "a.png", true},
      {"*.png", "d/a.png", false},
      {"*.png", ".a.png", false},
      {".*.png", ".a.png", true},
      {"frame-??.png", "frame-07.png", true},
      {"frame-??.png", "frame-7.png", false},
      {"[a-c].txt", "b.txt", true},
      {"[!a-c].txt", "b.txt", false},
      {"a/*/c", "a/b/c", true},
      {"a/*/c", "a/c", false},
      {"**", "a", true},
      {"**", "a/b/c", true},
      {"**/x", "x", true},
      {"**/x", "a/b/x", true},
      {"**/x", "a/b/y", false},
      {"a/**", "a/b/c", true},
      {"a/**/z", "a/z", true},
      {"a/**/z", "a/b/c/z", true},
      {"a/**/b/**/c", "a/b/c", true},
      {"a/**/b/**/c", "a/x/c", false},
      {"exact", "exact", true},
      {"exact", "exactly", false},
      {"\\*", "*", true},
      {"\\*", "x", false},
      {"", "a", false},
  };
  for (const PatternCase& each : kCases) {
    EXPECT_EQ(matches_pattern(each.pattern, each.path), each.matches) << each.pattern << " on " << each.path;
  }
}

TEST(Pattern, CostsLittleWhateverItIs) {
  std::string pattern = "**";
  std::string path = "a";
  for (int i = 0; i < 200; ++i) pattern += "/**/a";
  for (int i = 0; i < 200; ++i) path += "/a";
  EXPECT_TRUE(matches_pattern(pattern, path));
  EXPECT_FALSE(matches_pattern(pattern + "/b", path));
}

}  // namespace
}  // namespace hearth::sandbox
