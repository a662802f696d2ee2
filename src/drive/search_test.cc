#include "drive/search.h"

#include <sys/stat.h>

#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "blob/temporary_directory.h"

namespace hearth::drive {
namespace {

using ::testing::ElementsAre;

class SearchTest : public ::testing::Test {
 protected:
  SearchTest() : folder_(std::move(*Folder::open(scratch_.path() / "drive"))) {}

  void write(const std::string& name, const std::string& text = "") {
    const std::filesystem::path file = folder_->root() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  Search search(const std::string& text, bool inside = false, std::string_view below = "/") {
    Search search(*Walk::below(*folder_, *Path::parse(below)), {.text = text, .inside = inside});
    while (search.step(milliseconds(5))) continue;
    return search;
  }
  static std::vector<std::string> paths(const Search& search) {
    std::vector<std::string> paths;
    for (const FoundFile& one : search.found()) paths.push_back(one.path.text());
    return paths;
  }

  blob::TemporaryDirectory scratch_;
  std::unique_ptr<Folder> folder_;
};

TEST_F(SearchTest, FindsNamesInAnyCaseBelowTheFolder) {
  for (const char* name : {"Bücher/a.txt", "x/y/BÜCHEREI.pdf", "x/other", ".hearth/trash/bücher"}) write(name);
  std::filesystem::create_directory_symlink("/usr/share", folder_->root() / "bücher-link");
  const Search all = search("bÜCHER");
  EXPECT_THAT(paths(all), ElementsAre("/Bücher", "/x/y/BÜCHEREI.pdf"));
  EXPECT_TRUE(all.is_complete());
  EXPECT_THAT(paths(search("bücher", false, "/x")), ElementsAre("/x/y/BÜCHEREI.pdf"));
  EXPECT_THAT(paths(search("a.txt", false, "/x")), ElementsAre());
  EXPECT_EQ(Walk::below(*folder_, *Path::parse("/none")).error().code, Code::kNotFound);
}

TEST_F(SearchTest, FindsLinesWithinTextFiles) {
  write("a.txt", "first\r\nthe Größe\tof it\nlast Größe");
  write("binary", std::string("größe\0", 8));
  write("late", std::string(Search::kReadOfFile, 'x') + "größe");
  const Search found = search("GRÖSSE", true);
  EXPECT_THAT(paths(found), ElementsAre());
  const Search again = search("GRÖßE", true);
  ASSERT_THAT(paths(again), ElementsAre("/a.txt"));
  EXPECT_EQ(again.found()[0].line, "the Größe of it");
  EXPECT_EQ(again.found()[0].entry.bytes, 37U);
  EXPECT_THAT(paths(search("größe")), ElementsAre());
}

TEST_F(SearchTest, CutsLongLinesBetweenCharacters) {
  std::string text = "x";
  for (int i = 0; i < 300; ++i) text += "ü";
  write("long", text + "needle" + text);
  write("wild", std::string("a\x1b[2J needle \xff\xfe"));
  const Search found = search("NEEDLE", true);
  ASSERT_EQ(found.found().size(), 2U);
  const std::string& line = found.found()[0].line;
  EXPECT_TRUE(is_utf8(line));
  EXPECT_LE(line.size(), Search::kMaxLine);
  EXPECT_GT(line.size(), Search::kMaxLine - 4);
  EXPECT_NE(line.find("needle"), std::string::npos);
  EXPECT_EQ(found.found()[1].line, "a?[2J needle ??");
}

TEST_F(SearchTest, EndsWithEnough) {
  for (int i = 0; i < 501; ++i) write("f" + std::to_string(i));
  const Search found = search("f");
  EXPECT_EQ(found.found().size(), Search::kMaxFound);
  EXPECT_FALSE(found.is_complete());
}

TEST_F(SearchTest, AWalkMeetsNoPipeAndTellsWhatItCouldNotRead) {
  write("a/b");
  ASSERT_EQ(::mkfifo((folder_->root() / "pipe").c_str(), 0600), 0);
  Result<Walk> walk = Walk::below(*folder_, Path());
  std::vector<std::string> names;
  while (const Walked* one = walk->next()) names.push_back(one->name);
  EXPECT_THAT(names, ElementsAre("a", "b"));
  EXPECT_FALSE(walk->trouble());
  Result<Walk> other = Walk::below(*folder_, Path());
  ASSERT_EQ(other->next()->name, "a");
  std::filesystem::remove_all(folder_->root() / "a");
  EXPECT_EQ(other->next(), nullptr);
  ASSERT_TRUE(other->trouble());
  EXPECT_EQ(other->trouble()->code, Code::kNotFound);
}

}  // namespace
}  // namespace hearth::drive
