#include "sandbox/swap.h"

#include <gtest/gtest.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>

#include <fstream>

#include "sandbox/testing.h"

namespace hearth::sandbox {
namespace {

namespace fs = std::filesystem;

// A tree with a table of swap spaces; each is a file on the device that `add` describes.
class SwapTest : public testing::Test {
 protected:
  void SetUp() override { write("proc/swaps", "Filename\tType\tSize\tUsed\tPriority\n"); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path, std::ios::app) << text;
  }

  // All of a test's files lie on one device; this is its number's directory in /sys.
  void put_on(const std::string& device) {
    write("swapfile", "");
    write("proc/swaps", "/swapfile   file  1000  0  -2\n");
    struct stat status{};
    ASSERT_EQ(::stat((root_ / "swapfile").c_str(), &status), 0);
    const fs::path numbers = root_ / "sys/dev/block";
    fs::create_directories(numbers);
    fs::create_directories(root_ / "sys/block" / device);
    fs::create_directory_symlink(root_ / "sys/block" / device, numbers / (std::to_string(major(status.st_dev)) + ":" +
                                                                          std::to_string(minor(status.st_dev))));
  }

  TemporaryDirectory temporary_;
  fs::path root_ = temporary_.path();
};

TEST_F(SwapTest, NoneIsNoRisk) { EXPECT_TRUE(plain_swap(root_).empty()); }

TEST_F(SwapTest, APartitionInClearIsNamed) {
  put_on("sda2");
  EXPECT_EQ(plain_swap(root_), std::vector<std::string>{"/swapfile"});
}

TEST_F(SwapTest, MemoryAndEncryptedDevicesAreSafe) {
  put_on("zram0");
  EXPECT_TRUE(plain_swap(root_).empty());
}

TEST_F(SwapTest, AVolumeIsAsSafeAsWhatItLiesOn) {
  put_on("dm-1");
  write("sys/block/dm-1/dm/uuid", "LVM-abc");
  EXPECT_FALSE(plain_swap(root_).empty());
  write("sys/block/dm-0/dm/uuid", "CRYPT-LUKS2-abc");
  fs::create_directories(root_ / "sys/block/dm-1/slaves");
  fs::create_directory_symlink(root_ / "sys/block/dm-0", root_ / "sys/block/dm-1/slaves/dm-0");
  EXPECT_TRUE(plain_swap(root_).empty());
  fs::create_directories(root_ / "sys/block/sdb");
  fs::create_directory_symlink(root_ / "sys/block/sdb", root_ / "sys/block/dm-1/slaves/sdb");
  EXPECT_FALSE(plain_swap(root_).empty()) << "half of it lies in clear";
}

TEST_F(SwapTest, WhatCannotBeToldIsARisk) {
  write("proc/swaps", "/nowhere  file  1000  0  -2\n");
  EXPECT_EQ(plain_swap(root_), std::vector<std::string>{"/nowhere"});
}

}  // namespace
}  // namespace hearth::sandbox
