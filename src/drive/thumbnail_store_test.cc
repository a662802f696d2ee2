#include "drive/thumbnail_store.h"

#include <ctime>

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include <gtest/gtest.h>

#include "blob/temporary_directory.h"

namespace hearth::drive {
namespace {

class ThumbnailStoreTest : public testing::Test {
 protected:
  ThumbnailStoreTest() : folder_(std::move(*Folder::open(scratch_.path() / "drive"))) {
    EXPECT_TRUE(store_.open(*folder_));
  }
  std::filesystem::path file(const std::string& name) const { return *folder_->own("thumbs") / name; }
  void age(const std::string& name, std::int64_t days) const {
    const std::array<timespec, 2> times = {timespec{.tv_sec = std::time(nullptr) - days * 86'400},
                                           timespec{.tv_sec = std::time(nullptr) - days * 86'400}};
    EXPECT_EQ(::utimensat(AT_FDCWD, file(name).c_str(), times.data(), 0), 0);
  }

  blob::TemporaryDirectory scratch_;
  std::unique_ptr<Folder> folder_;
  ThumbnailStore store_;
};

TEST_F(ThumbnailStoreTest, NamesFollowFromWhatThePictureIs) {
  EXPECT_EQ(ThumbnailStore::name_of("\"5f2-1000-18f3c2a\"", 320), "5f2-1000-18f3c2a-320");
  EXPECT_EQ(ThumbnailStore::name_of("\"../../x\"", 1600), "x-1600");
}

TEST_F(ThumbnailStoreTest, GivesBackWhatWasKept) {
  EXPECT_EQ(store_.find("a-320"), std::nullopt);
  ASSERT_TRUE(store_.keep("a-320", "one"));
  ASSERT_TRUE(store_.keep("a-320", "other"));
  EXPECT_EQ(store_.find("a-320"), "other");
  ThumbnailStore later;
  ASSERT_TRUE(later.open(*folder_));
  EXPECT_EQ(later.find("a-320"), "other");
  EXPECT_EQ(later.bytes(), 5U);
}

TEST_F(ThumbnailStoreTest, WhatAnEndedProcessWasWritingGoes) {
  std::ofstream(file("b-320.new")) << "half";
  ThumbnailStore later;
  ASSERT_TRUE(later.open(*folder_));
  EXPECT_FALSE(std::filesystem::exists(file("b-320.new")));
  EXPECT_EQ(later.bytes(), 0U);
}

TEST_F(ThumbnailStoreTest, TheOldestUseGoesFirst) {
  const std::string bytes(100, 'x');
  for (const char* name : {"a-320", "b-320", "c-320"}) ASSERT_TRUE(store_.keep(name, bytes));
  age("a-320", 9);
  age("b-320", 10);
  age("c-320", 8);
  EXPECT_TRUE(store_.find("b-320"));  // used just now
  store_.set_limit(350);
  ASSERT_TRUE(store_.keep("d-320", bytes));
  EXPECT_EQ(store_.find("a-320"), std::nullopt);
  EXPECT_TRUE(store_.find("b-320"));
  EXPECT_TRUE(store_.find("c-320"));
  EXPECT_TRUE(store_.find("d-320"));
  EXPECT_EQ(store_.bytes(), 300U);
}

}  // namespace
}  // namespace hearth::drive
