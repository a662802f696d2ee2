#include "base/folder_watch.h"

#include <cstdlib>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

namespace hearth {
namespace {

namespace fs = std::filesystem;

class FolderWatchTest : public testing::Test {
 protected:
  FolderWatchTest() {
    std::string name = fs::temp_directory_path() / "folder-watch-XXXXXX";
    folder_ = ::mkdtemp(name.data());
  }
  ~FolderWatchTest() override { fs::remove_all(folder_); }
  fs::path folder_;
};

TEST_F(FolderWatchTest, TellsOnceOfWhatHappened) {
  FolderWatch watch;
  ASSERT_TRUE(watch.add(folder_));
  ASSERT_TRUE(watch.add(folder_));
  EXPECT_FALSE(watch.changed());
  std::ofstream(folder_ / "a") << "a";
  EXPECT_TRUE(watch.changed());
  EXPECT_FALSE(watch.changed());
  fs::permissions(folder_ / "a", fs::perms::owner_read);
  EXPECT_TRUE(watch.changed());
  fs::rename(folder_ / "a", folder_ / "b");
  EXPECT_TRUE(watch.changed());
  fs::remove(folder_ / "b");
  EXPECT_TRUE(watch.changed());
  EXPECT_FALSE(watch.changed(milliseconds(1)));
}

TEST_F(FolderWatchTest, WatchesFoldersAlone) {
  FolderWatch watch;
  std::ofstream(folder_ / "a") << "a";
  fs::create_directory(folder_ / "of");
  fs::create_directory_symlink(folder_ / "of", folder_ / "link");
  EXPECT_FALSE(watch.add(folder_ / "a"));
  EXPECT_FALSE(watch.add(folder_ / "link"));
  EXPECT_FALSE(watch.add(folder_ / "none"));
  std::ofstream(folder_ / "of/b") << "b";
  EXPECT_FALSE(watch.changed());
  EXPECT_GT(FolderWatch::fair_share(), 0U);
}

}  // namespace
}  // namespace hearth
