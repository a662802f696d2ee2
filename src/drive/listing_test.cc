#include "drive/listing.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blob/temporary_directory.h"

namespace hearth::drive {
namespace {

using ::testing::ElementsAre;

class ListingTest : public ::testing::Test {
 protected:
  ListingTest() : folder_(std::move(*Folder::open(scratch_.path() / "drive"))) {}

  std::filesystem::path file(const std::string& name) const { return folder_->root() / name; }
  void write(const std::string& name, std::size_t bytes = 1, std::int64_t second = 1'000) {
    std::ofstream(file(name)) << std::string(bytes, 'x');
    set_time(name, second);
  }
  void set_time(const std::string& name, std::int64_t second) {
    const timespec times[2] = {{.tv_sec = second, .tv_nsec = 0}, {.tv_sec = second, .tv_nsec = 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, file(name).c_str(), times, 0), 0);
  }
  std::vector<std::string> names(const PageAsked& asked, std::string_view path = "/") {
    const Result<ListedPage> page = listings_.page(*folder_, *Path::parse(path), asked);
    if (!page) return {"error: " + page.error().message};
    std::vector<std::string> names;
    for (const Entry& entry : page->entries) names.push_back(entry.name);
    return names;
  }

  blob::TemporaryDirectory scratch_;
  std::unique_ptr<Folder> folder_;
  Listings listings_;
};

TEST_F(ListingTest, OrdersByNameWithFoldersFirst) {
  for (const char* name : {"b10", "B2", "a", "_"}) write(name);
  std::filesystem::create_directory(file("z"));
  std::filesystem::create_symlink("/etc", file("link"));
  EXPECT_THAT(names({.count = 100}), ElementsAre("z", "_", "a", "B2", "b10"));
  EXPECT_THAT(names({.offset = 1, .count = 2}), ElementsAre("_", "a"));
  EXPECT_THAT(names({.offset = 9, .count = 2}), ElementsAre());
  EXPECT_EQ(listings_.page(*folder_, Path(), {.count = 1})->total, 5U);
}

TEST_F(ListingTest, OrdersByTimeAndSize) {
  write("old", 3, 10);
  write("new", 2, 30);
  write("middle", 9, 20);
  std::filesystem::create_directory(file("folder"));
  set_time("folder", 5);
  EXPECT_THAT(names({.order = Order::kNewest, .count = 9}), ElementsAre("new", "middle", "old", "folder"));
  EXPECT_THAT(names({.order = Order::kLargest, .count = 9}), ElementsAre("middle", "old", "new", "folder"));
}

TEST_F(ListingTest, KeepsAnOrderUntilTheFolderChanges) {
  std::filesystem::create_directory(file("photos"));
  write("photos/a");
  write("photos/b", 7);
  set_time("photos", 1'000);
  EXPECT_THAT(names({.count = 1}, "/photos"), ElementsAre("a"));
  EXPECT_EQ(listings_.kept(), 1U);
  std::ofstream(file("photos/0")) << "unseen";
  set_time("photos", 1'000);
  EXPECT_THAT(names({.count = 9}, "/photos"), ElementsAre("a", "b")) << "it was read again";
  set_time("photos", 1'001);
  EXPECT_THAT(names({.count = 9}, "/photos"), ElementsAre("0", "a", "b"));
  EXPECT_EQ(listings_.kept(), 1U);
  std::filesystem::remove(file("photos/a"));
  set_time("photos", 1'001);
  const Result<ListedPage> page = listings_.page(*folder_, *Path::parse("/photos"), {.count = 9});
  EXPECT_EQ(page->entries.size(), 2U) << "what went away meanwhile";
}

TEST_F(ListingTest, KeepsNoMoreThanItsLimit) {
  Listings small(1'000);
  for (int folder = 0; folder < 30; ++folder) {
    const std::string name = std::to_string(folder);
    std::filesystem::create_directory(file(name));
    write(name + "/" + std::string(100, 'a'));
    set_time(name, 1'000);
    ASSERT_TRUE(small.page(*folder_, *Path::parse(name), {.count = 1}));
    ASSERT_TRUE(listings_.page(*folder_, *Path::parse(name), {.count = 1}));
  }
  EXPECT_EQ(small.kept(), 1'000U / (sizeof(std::string) + 100));
  EXPECT_EQ(listings_.kept(), 16U);
}

TEST_F(ListingTest, RefusesWhatIsNoFolder) {
  write("a");
  EXPECT_EQ(listings_.page(*folder_, *Path::parse("/a"), {}).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(listings_.page(*folder_, *Path::parse("/b"), {}).error().code, Code::kNotFound);
}

}  // namespace
}  // namespace hearth::drive
