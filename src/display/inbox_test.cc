#include "display/inbox.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace hearth::display {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class InboxTest : public testing::Test {
 protected:
  InboxTest() {
    std::string path = testing::TempDir() + "inbox-XXXXXX";
    EXPECT_NE(::mkdtemp(path.data()), nullptr);
    folder_ = path;
  }
  ~InboxTest() override { std::filesystem::remove_all(folder_); }

  static v1::FilePiece piece(std::uint32_t number, const std::string& name, const std::string& data) {
    v1::FilePiece piece;
    piece.set_number(number);
    piece.set_name(name);
    piece.set_size(data.size());
    piece.set_data(data);
    piece.set_last(true);
    return piece;
  }
  std::string content(const std::string& name) const {
    std::ostringstream out;
    out << std::ifstream(folder_ / name, std::ios::binary).rdbuf();
    return out.str();
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : std::filesystem::directory_iterator(folder_)) all.push_back(entry.path().filename());
    return all;
  }

  std::filesystem::path folder_;
};

TEST_F(InboxTest, SavesWhatComesInPieces) {
  Inbox inbox(folder_, 100);
  v1::FilePiece first = piece(1, "a.txt", "one");
  first.set_size(6);
  first.set_last(false);
  EXPECT_EQ(inbox.take(first).received(), 3U);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "a.txt"));
  v1::FilePiece second = piece(1, "", "two");
  second.set_offset(3);
  const v1::FileProgress done = inbox.take(second);
  EXPECT_EQ(done.saved_as(), "a.txt");
  EXPECT_EQ(done.received(), 6U);
  EXPECT_EQ(content("a.txt"), "onetwo");
  EXPECT_THAT(names(), UnorderedElementsAre("a.txt"));
}

TEST_F(InboxTest, TakesNoOtherFilesPlace) {
  Inbox inbox(folder_, 100);
  EXPECT_EQ(inbox.take(piece(1, "a.txt", "first")).saved_as(), "a.txt");
  EXPECT_EQ(inbox.take(piece(2, "a.txt", "second")).saved_as(), "a (2).txt");
  std::filesystem::create_symlink("/nowhere", folder_ / "link");
  EXPECT_EQ(inbox.take(piece(3, "link", "third")).saved_as(), "link (2)");
  EXPECT_EQ(content("a.txt"), "first");
  EXPECT_EQ(content("a (2).txt"), "second");
  EXPECT_FALSE(std::filesystem::exists("/nowhere"));
}

TEST_F(InboxTest, LeavesNothingOfAFileThatDidNotComeWhole) {
  v1::FilePiece half = piece(1, "a.txt", "half");
  half.set_size(8);
  half.set_last(false);
  {
    Inbox inbox(folder_, 100);
    inbox.take(half);
    EXPECT_EQ(names().size(), 1U);
  }
  EXPECT_THAT(names(), IsEmpty());
  Inbox inbox(folder_, 100);
  inbox.take(half);
  half.set_cancelled(true);
  EXPECT_EQ(inbox.take(half).problem(), "");
  EXPECT_THAT(names(), IsEmpty());
  half.set_cancelled(false);
  half.set_number(2);
  half.set_last(true);
  EXPECT_THAT(inbox.take(half).problem(), HasSubstr("cut short"));
  EXPECT_THAT(names(), IsEmpty());
}

TEST_F(InboxTest, RefusesWhatIsTooLargeOrDoesNotFit) {
  Inbox inbox(folder_, 4);
  EXPECT_THAT(inbox.take(piece(1, "a", "12345")).problem(), HasSubstr("at most 4 bytes"));
  v1::FilePiece later = piece(1, "", "6");
  EXPECT_EQ(inbox.take(later).problem(), "");  // said once
  v1::FilePiece longer = piece(2, "b", "1234");
  longer.set_size(2);
  EXPECT_THAT(inbox.take(longer).problem(), HasSubstr("do not fit together"));
  v1::FilePiece gap = piece(3, "c", "1");
  gap.set_offset(1);
  gap.set_size(3);
  EXPECT_THAT(inbox.take(gap).problem(), HasSubstr("do not fit together"));
  EXPECT_THAT(names(), IsEmpty());
  Inbox vast(folder_, ~std::uint64_t{0});
  v1::FilePiece huge = piece(1, "d", "1");
  huge.set_size(std::uint64_t{1} << 62);
  EXPECT_THAT(vast.take(huge).problem(), HasSubstr("too large for the app's folder"));
}

TEST_F(InboxTest, RemovesWhatAnEarlierProcessLeft) {
  std::ofstream(folder_ / ".hearth-file-abcdef") << "half";
  std::ofstream(folder_ / "kept") << "whole";
  Inbox::remove_leftovers(folder_);
  EXPECT_THAT(names(), UnorderedElementsAre("kept"));
}

}  // namespace
}  // namespace hearth::display
