#include "drive/disk_wait.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include <gtest/gtest.h>

#include "blob/temporary_directory.h"
#include "drive/folder.h"

namespace hearth::drive {
namespace {

class DiskWaitTest : public testing::Test {
 protected:
  int open_file(const std::string& name) {
    files_.emplace_back(::open((scratch_.path() / name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    EXPECT_EQ(::write(files_.back().get(), "a", 1), 1);
    return files_.back().get();
  }

  blob::TemporaryDirectory scratch_;
  std::vector<Fd> files_;
  DiskWait disk_;
};

TEST_F(DiskWaitTest, WaitsForNoneOneAndSeveralFilesAndFolders) {
  EXPECT_TRUE(disk_.sync({}).empty());
  std::vector<int> files{open_file("a")};
  EXPECT_EQ(disk_.sync(files), std::vector<int>(1));
  files.push_back(open_file("b"));
  files_.emplace_back(::open(scratch_.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  files.push_back(files_.back().get());
  EXPECT_EQ(disk_.sync(files), std::vector<int>(3));
  EXPECT_EQ(disk_.sync(files), std::vector<int>(3));
}

TEST_F(DiskWaitTest, OneThatFailsIsToldAndTheOthersAreWaitedFor) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const Fd reads(ends[0]);
  const Fd writes(ends[1]);
  const int first = open_file("a");
  const int last = open_file("b");
  EXPECT_EQ(disk_.sync(std::vector{first, reads.get(), last}), (std::vector{0, EINVAL, 0}));
  EXPECT_EQ(disk_.sync(std::vector{reads.get(), first}), (std::vector{EINVAL, 0}));
  EXPECT_EQ(disk_.sync(std::vector{first, last, -1}), (std::vector{0, 0, EBADF}));
}

TEST_F(DiskWaitTest, WaitsForMoreThanAreAskedForAtOnce) {
  const int file = open_file("a");
  EXPECT_EQ(disk_.sync(std::vector<int>(1'000, file)), std::vector<int>(1'000));
}

}  // namespace
}  // namespace hearth::drive
