#include "cli/map_script.h"

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

TEST(MapScript, NamesTheFile) {
  const std::string script = map_script("tool {} > {stem}.x; echo {name} {i}");
  EXPECT_TRUE(script.ends_with("tool \"$input\" > \"$stem\".x; echo \"$name\" {i}")) << script;
  EXPECT_FALSE(script.contains("exec <"));
  EXPECT_TRUE(map_script("wc -l").contains("exec <\"$input\" || exit\nwc -l"));
}

TEST(MapScript, ReducesAllResults) {
  EXPECT_TRUE(reduce_script("sort -m {}").ends_with("sort -m \"$@\""));
  EXPECT_TRUE(reduce_script("wc -l").contains("cat \"$@\" | {\nwc -l\n}"));
  EXPECT_EQ(reduce_list({"a b", "it's"}), "set -- 'results/a b' 'results/it'\\''s'\n");
}

}  // namespace
}  // namespace hearth::cli
