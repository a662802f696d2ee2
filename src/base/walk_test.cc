#include "base/walk.h"

#include <fstream>
#include <set>
#include <string>

#include <stdlib.h>

#include <gtest/gtest.h>

namespace hearth {
namespace {

namespace fs = std::filesystem;

class WalkTest : public testing::Test {
 protected:
  WalkTest() {
    for (const char* folder : {"a/deep", "b/deep", "c/deep"}) {
      fs::create_directories(root_ / folder);
      std::ofstream(root_ / folder / "file") << "x";
    }
    fs::create_directory_symlink("a", root_ / "link");
  }
  ~WalkTest() override { fs::remove_all(root_); }

  static fs::path make_root() {
    std::string name = fs::temp_directory_path() / "hearth-walk-XXXXXX";
    return ::mkdtemp(name.data());
  }

  const fs::path root_ = make_root();
};

TEST_F(WalkTest, SeesAllButWhatIsBehindLinks) {
  std::set<std::string> seen;
  walk_below(root_, [&](const fs::directory_entry& entry) {
    EXPECT_TRUE(seen.insert(entry.path().lexically_relative(root_)).second);
    return entry.path().filename() != "b";
  });
  EXPECT_EQ(seen, (std::set<std::string>{"a", "a/deep", "a/deep/file", "b", "c", "c/deep", "c/deep/file", "link"}));
}

TEST_F(WalkTest, GoesOnWhereFoldersGoMeanwhile) {
  int folders = 0;
  int files = 0;
  walk_below(root_, [&](const fs::directory_entry& entry) {
    if (entry.is_regular_file()) ++files;
    if (entry.is_directory() && !entry.is_symlink() && ++folders == 1) fs::remove_all(entry.path());
    return true;
  });
  EXPECT_EQ(folders, 5);
  EXPECT_EQ(files, 2);
}

TEST_F(WalkTest, CountsFiles) { EXPECT_EQ(bytes_below(root_), 3U); }

TEST_F(WalkTest, OfNothingIsNothing) {
  walk_below(root_ / "none", [](const fs::directory_entry& entry) {
    ADD_FAILURE() << entry.path();
    return true;
  });
}

}  // namespace
}  // namespace hearth
