#include "drive/uploads.h"

#include <chrono>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blob/temporary_directory.h"
#include "drive/checksum.h"
#include "drive/files.h"

namespace hearth::drive {
namespace {

using ::testing::HasSubstr;

class UploadsTest : public ::testing::Test {
 protected:
  UploadsTest() : folder_(std::move(*Folder::open(scratch_.path() / "drive"))) {}

  std::string text(const std::string& name) const {
    std::ifstream stream(folder_->root() / name);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  std::string begin(const UploadAbout& about, std::string_view bytes) {
    const Result<std::string> id = create_upload(*folder_, about);
    EXPECT_TRUE(id);
    EXPECT_TRUE(append(*open_upload(*folder_, *id), 0, bytes));
    return *id;
  }

  blob::TemporaryDirectory scratch_;
  std::unique_ptr<Folder> folder_;
};

TEST_F(UploadsTest, WhatIsKnownIsKeptAsItIs) {
  UploadAbout about{.owner = {7}, .bytes = 12, .path = "/a b/é%", .modified = WallTime{-5}, .metadata = "path x,y"};
  EXPECT_EQ(decode_about(encode_about(about)), about);
  about = {.owner = {7}, .is_part = true, .if_exists = UploadAbout::IfExists::kReplace, .placed = "/x"};
  EXPECT_EQ(decode_about(encode_about(about)), about);
  const std::string whole = encode_about(about);
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_FALSE(decode_about(whole.substr(0, size))) << size;
}

TEST_F(UploadsTest, MetadataSaysWhereTheFileIsToLie) {
  UploadAbout about;
  ASSERT_TRUE(read_metadata("path L2EvYi5qcGc=,modified MTAwMA==, ifexists cmVwbGFjZQ==,filename eA==,empty", about));
  EXPECT_EQ(about.path, "/a/b.jpg");
  EXPECT_EQ(about.modified, WallTime{1'000});
  EXPECT_EQ(about.if_exists, UploadAbout::IfExists::kReplace);
  const auto error = [](std::string_view header) {
    UploadAbout ignored;
    const Result<void> read = read_metadata(header, ignored);
    return read ? "" : read.error().message;
  };
  EXPECT_THAT(error("path ***"), HasSubstr("base64"));
  EXPECT_THAT(error("path Li4vYQ=="), HasSubstr("path"));      // ../a
  EXPECT_THAT(error("path Lw=="), HasSubstr("the root"));      // /
  EXPECT_THAT(error("modified LTE="), HasSubstr("modified"));  // -1
  EXPECT_THAT(error("ifexists eA=="), HasSubstr("rename"));
  EXPECT_THAT(error("a " + std::string(9'000, 'a')), HasSubstr("8192"));
}

TEST_F(UploadsTest, IsPlacedWithItsFoldersBesideWhatIsThere) {
  for (const char* expected : {"new/a.txt", "new/a (2).txt"}) {
    UploadAbout about{.owner = {7}, .bytes = 5, .path = "/new/a.txt", .modified = WallTime{1'000'000'000}};
    const std::string id = begin(about, "hello");
    const Result<Placed> placed = place_upload(*folder_, id, about);
    ASSERT_TRUE(placed) << placed.error().message;
    EXPECT_EQ(placed->entry.modified, WallTime{1'000'000'000});
    EXPECT_EQ(about.placed, "/" + std::string(expected));
    EXPECT_EQ(text(expected), "hello");
  }
  UploadAbout about{.bytes = 3, .path = "/new/a.txt", .if_exists = UploadAbout::IfExists::kFail};
  std::string id = begin(about, "new");
  EXPECT_EQ(place_upload(*folder_, id, about).error().code, Code::kFailedPrecondition);
  about.if_exists = UploadAbout::IfExists::kReplace;
  ASSERT_TRUE(place_upload(*folder_, id, about));
  EXPECT_EQ(text("new/a.txt"), "new");
}

TEST_F(UploadsTest, WhatIsSentAgainIsKeptOnce) {
  const auto send = [&](std::string_view bytes, UploadAbout::IfExists if_exists = UploadAbout::IfExists::kRename) {
    UploadAbout about{.owner = {7}, .bytes = bytes.size(), .path = "/photos/a.jpg", .if_exists = if_exists};
    const std::string id = begin(about, bytes);
    if (!rests_on_same(*folder_, id, about)) {
      EXPECT_TRUE(place_upload(*folder_, id, about));
    } else {
      EXPECT_FALSE(upload_bytes(*folder_, id));
    }
    return about.placed;
  };
  const std::string large(600'000, 'x');
  EXPECT_EQ(send(large), "/photos/a.jpg");
  EXPECT_EQ(send(large.substr(1) + "y"), "/photos/a (2).jpg");
  EXPECT_EQ(send(large), "/photos/a.jpg");
  EXPECT_EQ(send(large.substr(1) + "y"), "/photos/a (2).jpg");
  EXPECT_EQ(send("short"), "/photos/a (3).jpg");
  EXPECT_EQ(send(""), "/photos/a (4).jpg");
  EXPECT_EQ(send(""), "/photos/a (4).jpg");
  EXPECT_EQ(send(large, UploadAbout::IfExists::kReplace), "/photos/a.jpg");
  EXPECT_EQ(folder_->list(*Path::parse("/photos"))->size(), 4U);
}

TEST_F(UploadsTest, AfterARestartEachIsWhatTheDiskHolds) {
  UploadAbout half{.owner = {7}, .bytes = 10, .path = "/half"};
  const std::string half_id = begin(half, "hell");
  UploadAbout whole{.owner = {7}, .bytes = 5, .path = "/whole"};
  const std::string whole_id = begin(whole, "hello");
  ASSERT_TRUE(place_upload(*folder_, whole_id, whole));
  const std::string lost = begin({.owner = {7}, .path = "/lost"}, "x");
  std::filesystem::remove(folder_->root() / ".hearth/uploads" / lost);
  std::ofstream(folder_->root() / ".hearth/uploads" / (half_id.substr(1) + "x.about")) << "damaged";

  folder_ = std::move(*Folder::open(folder_->root()));
  const Result<std::vector<KeptUpload>> kept = load_uploads(*folder_);
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 2U);
  for (const KeptUpload& one : *kept) {
    EXPECT_EQ(one.about, one.id == half_id ? half : whole);
    EXPECT_EQ(upload_bytes(*folder_, one.id).value_or(0), one.id == half_id ? 4U : 0U);
  }
}

TEST_F(UploadsTest, BytesThatNobodyKnowsAreRemoved) {
  const std::filesystem::path uploads = folder_->root() / ".hearth/uploads";
  const std::string known = begin({.owner = {7}, .bytes = 10, .path = "/known"}, "hell");
  const std::string orphan = begin({.owner = {7}, .bytes = 10, .path = "/orphan"}, "hell");
  const std::string young = begin({.owner = {7}, .bytes = 10, .path = "/young"}, "hell");
  for (const std::string& id : {orphan, young}) std::filesystem::remove(uploads / (id + ".about"));
  const auto now = std::filesystem::file_time_type::clock::now();
  std::filesystem::last_write_time(uploads / known, now - std::chrono::hours(2));
  std::filesystem::last_write_time(uploads / orphan, now - std::chrono::hours(2));
  const Result<std::vector<KeptUpload>> kept = load_uploads(*folder_);
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_EQ(kept->front().id, known);
  EXPECT_TRUE(std::filesystem::exists(uploads / known));
  EXPECT_FALSE(std::filesystem::exists(uploads / orphan));
  EXPECT_TRUE(std::filesystem::exists(uploads / young));
}

TEST_F(UploadsTest, WhatCannotBeReadIsKeptForLater) {
  const std::filesystem::path uploads = folder_->root() / ".hearth/uploads";
  const std::string id = begin({.owner = {7}, .bytes = 10, .path = "/a"}, "hell");
  std::filesystem::remove(uploads / (id + ".about"));
  std::filesystem::create_symlink("nowhere", uploads / (id + ".about"));  // ELOOP
  const Result<std::vector<KeptUpload>> kept = load_uploads(*folder_);
  ASSERT_TRUE(kept);
  EXPECT_TRUE(kept->empty());
  EXPECT_TRUE(std::filesystem::exists(uploads / id));
}

TEST_F(UploadsTest, ATimeThatItsSenderSaidMakesItNoOlder) {
  const WallTime before = wall_now();
  UploadAbout about{.owner = {7}, .bytes = 5, .path = "/a", .modified = WallTime{1'000'000'000}};
  const std::string id = begin(about, "hello");
  ASSERT_TRUE(place_upload(*folder_, id, about));
  std::filesystem::rename(folder_->root() / "a", folder_->root() / ".hearth/uploads" / id);  // as if it had died before
  const Result<std::vector<KeptUpload>> kept = load_uploads(*folder_);
  ASSERT_TRUE(kept);
  ASSERT_EQ(kept->size(), 1U);
  EXPECT_GE(kept->front().changed.unix_millis, before.unix_millis - 2'000);
}

TEST_F(UploadsTest, WhatNoChecksumHasJudgedDoesNotCountAfterARestart) {
  const std::string id = begin({.owner = {7}, .bytes = 9, .path = "/a", .judged_bytes = 4}, "sure maybe");
  ASSERT_TRUE(load_uploads(*folder_));
  EXPECT_EQ(text(".hearth/uploads/" + id), "sure");
}

TEST_F(UploadsTest, PartsAreJoined) {
  const std::string a = begin({.is_part = true}, "hello ");
  const std::string b = begin({.is_part = true}, "world");
  const std::string whole = begin({.path = "/w"}, "");
  ASSERT_TRUE(join_uploads(*folder_, {a, b, a}, whole));
  EXPECT_EQ(text(".hearth/uploads/" + whole), "hello worldhello ");
}

TEST(ChecksumTest, IsOfTheBytesThatCame) {
  Result<Checksum> checksum = Checksum::parse("sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=");
  ASSERT_TRUE(checksum);
  checksum->update("hel");
  checksum->update("lo");
  EXPECT_TRUE(checksum->matches());
  checksum = Checksum::parse("sha1 qvTGHdzF6KLavt4PO0gs2a6pQ00=");
  checksum->update("hallo");
  EXPECT_FALSE(checksum->matches());
  for (const char* wrong : {"", "sha1", "sha1 ", "sha1 qvTG", "crc32 qvTGHdzF6KLavt4PO0gs2a6pQ00=", "md5 ***"}) {
    EXPECT_FALSE(Checksum::parse(wrong)) << wrong;
  }
}

}  // namespace
}  // namespace hearth::drive
