// Files that are placed together.
#include <unistd.h>

#include <fstream>

#include <gtest/gtest.h>

#include "blob/temporary_directory.h"
#include "drive/folder.h"

namespace hearth::drive {
namespace {

TEST(FolderBatchTest, EachIsPlacedByItselfWhateverBecomesOfTheOthers) {
  const blob::TemporaryDirectory scratch;
  const std::unique_ptr<Folder> folder = *Folder::open(scratch.path() / "drive");
  ASSERT_TRUE(folder->make_folder(*Path::parse("/d")));
  std::ofstream(scratch.path() / "drive/old") << "old";
  std::ofstream(scratch.path() / "drive/kept") << "kept";
  const std::string etag = folder->look(*Path::parse("/old"))->etag;
  std::vector<Arriving> files;
  const auto add = [&](const char* path, const Condition& condition) {
    Incoming file = *folder->receive(3);
    ASSERT_TRUE(file.write("new"));
    files.push_back(
        {.file = std::move(file), .path = *Path::parse(path), .condition = condition, .modified = {1'000'000'000'123}});
  };
  const Condition fresh{.if_match = {}, .if_none_match = "*"};
  add("/d/a", fresh);
  add("/kept", fresh);
  add("/none/b", fresh);
  add("/old", {.if_match = etag, .if_none_match = {}});
  add("/d", fresh);
  add("/c", fresh);
  ASSERT_TRUE(Folder::sync_together(files));
  const std::vector<Result<Placed>> placed = folder->place_together(std::move(files));
  ASSERT_EQ(placed.size(), 6U);
  EXPECT_TRUE(placed[0] && placed[0]->created);
  EXPECT_EQ(placed[0]->entry.modified.unix_millis, 1'000'000'000'123);
  EXPECT_EQ(placed[0]->entry.etag, folder->look(*Path::parse("/d/a"))->etag);
  EXPECT_EQ(placed[1].error().code, Code::kFailedPrecondition);
  EXPECT_EQ(placed[2].error().code, Code::kNotFound);
  EXPECT_TRUE(placed[3] && !placed[3]->created);
  EXPECT_EQ(placed[4].error().code, Code::kAlreadyExists);
  EXPECT_TRUE(placed[5]);
  EXPECT_TRUE(std::filesystem::is_empty(scratch.path() / "drive/.hearth/new"));
  std::ifstream kept(scratch.path() / "drive/kept");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(kept), {}), "kept");
}

}  // namespace
}  // namespace hearth::drive
