#include "sandbox/directory_tree.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

class DirectoryTree : public testing::Test {
 protected:
  DirectoryTree() {
    std::string pattern = testing::TempDir() + "directory_tree.XXXXXX";
    top_ = ::mkdtemp(pattern.data());
    tree_ = top_ / "tree";
    fs::create_directories(tree_);
  }
  ~DirectoryTree() override { std::system(("rm -rf " + top_.string()).c_str()); }

  // Directories in each other, deeper than any path may be long.
  void nest(unsigned levels) {
    const std::string name(200, 'd');
    int at = ::open(tree_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (unsigned i = 0; i < levels; ++i) {
      ASSERT_EQ(::mkdirat(at, name.c_str(), 0755), 0);
      const int next = ::openat(at, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      ::close(std::exchange(at, next));
    }
    const int file = ::openat(at, "file", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    ASSERT_GE(file, 0);
    ::close(file);
    ::close(at);
  }

  fs::path top_;
  fs::path tree_;
};

TEST_F(DirectoryTree, CountsWhatIsThereAndFollowsNoLink) {
  fs::create_directories(tree_ / "a" / "b");
  std::ofstream(tree_ / "a" / "file") << std::string(100'000, 'x') << std::flush;
  fs::create_symlink("/usr", tree_ / "a" / "link");
  const Result<TreeSize> size = measure_tree(tree_);
  ASSERT_TRUE(size) << size.error().message;
  EXPECT_EQ(size->files, 4U);
  EXPECT_GE(size->bytes, 100'000U);
  EXPECT_LT(size->bytes, 1'000'000U);
}

TEST_F(DirectoryTree, NothingHidesInTheDepth) {
  nest(kMaxTreeDepth + 1);
  EXPECT_EQ(measure_tree(tree_).error().code, Code::kResourceExhausted);
}

TEST_F(DirectoryTree, GoesHoweverDeepItIsAndWhateverItsModesAre) {
  nest(3 * kMaxTreeDepth);
  fs::create_directories(tree_ / "closed" / "inner");
  fs::create_directories(tree_ / "moved-1" / "by another's choice");
  std::ofstream(tree_ / "moved-2") << "x";
  fs::permissions(tree_ / "closed", fs::perms::none);
  const Result<void> removed = remove_tree(tree_);
  EXPECT_TRUE(removed) << removed.error().message;
  EXPECT_FALSE(fs::exists(tree_));
  EXPECT_TRUE(remove_tree(tree_)) << "it is gone already";
}

TEST_F(DirectoryTree, ALinkGoesAndWhatItLeadsToStays) {
  const fs::path outside = top_ / "outside";
  fs::create_directories(outside);
  std::ofstream(outside / "kept") << "x";
  fs::permissions(outside, fs::perms::owner_all);
  fs::create_directory_symlink(outside, tree_ / "link");
  ASSERT_TRUE(remove_tree(tree_));
  EXPECT_TRUE(fs::exists(outside / "kept"));
  fs::create_directory_symlink(outside, tree_);
  ASSERT_TRUE(remove_tree(tree_));
  EXPECT_TRUE(fs::exists(outside / "kept"));
  EXPECT_FALSE(fs::exists(fs::symlink_status(tree_)));
}

}  // namespace
}  // namespace hearth::sandbox
