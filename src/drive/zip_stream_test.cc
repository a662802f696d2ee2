#include "drive/zip_stream.h"

#include <archive.h>
#include <archive_entry.h>
#include <sys/stat.h>

#include <fstream>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blob/temporary_directory.h"

namespace hearth::drive {
namespace {

using ::testing::ElementsAre;
using ::testing::Pair;

class ZipStreamTest : public ::testing::Test {
 protected:
  ZipStreamTest() : folder_(std::move(*Folder::open(scratch_.path() / "drive"))) {}

  void write(const std::string& name, const std::string& text) {
    const std::filesystem::path file = folder_->root() / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  Result<std::string> zip(std::string_view path, const std::vector<std::string>& names = {}) {
    auto zip = ZipStream::begin(*folder_, *Path::parse(path), names);
    if (!zip) return std::unexpected(zip.error());
    std::string all;
    for (;;) {
      const Result<std::string> piece = (*zip)->next();
      if (!piece) return piece;
      if (piece->empty()) return all;
      largest_ = std::max(largest_, piece->size());
      all += *piece;
    }
  }
  // Name and text of each, by another reader than that which wrote them.
  std::map<std::string, std::string> unzipped(const std::string& bytes) {
    std::ofstream(scratch_.path() / "a.zip", std::ios::binary) << bytes;
    std::map<std::string, std::string> files;
    archive* reader = ::archive_read_new();
    ::archive_read_support_format_zip_seekable(reader);
    EXPECT_EQ(::archive_read_open_filename(reader, (scratch_.path() / "a.zip").c_str(), 10'240), ARCHIVE_OK);
    archive_entry* entry = nullptr;
    while (::archive_read_next_header(reader, &entry) == ARCHIVE_OK) {
      std::string text(static_cast<std::size_t>(::archive_entry_size(entry)), '\0');
      EXPECT_EQ(::archive_read_data(reader, text.data(), text.size()), static_cast<la_ssize_t>(text.size()));
      files[::archive_entry_pathname(entry)] = text;
    }
    EXPECT_EQ(::archive_error_string(reader), nullptr);
    ::archive_read_free(reader);
    return files;
  }

  blob::TemporaryDirectory scratch_;
  std::unique_ptr<Folder> folder_;
  std::size_t largest_ = 0;
};

TEST_F(ZipStreamTest, SendsAFolderWithoutLinksOrOnlyWhatIsNamed) {
  write("p/a", "1");
  write("p/sub/b", "22");
  write("p/empty", "");
  std::filesystem::create_symlink("/etc/passwd", folder_->root() / "p/link");
  EXPECT_THAT(unzipped(*zip("/p")),
              ElementsAre(Pair("a", "1"), Pair("empty", ""), Pair("sub/", ""), Pair("sub/b", "22")));
  EXPECT_THAT(unzipped(*zip("/p", {"sub", "a"})), ElementsAre(Pair("a", "1"), Pair("sub/", ""), Pair("sub/b", "22")));
  EXPECT_EQ(unzipped(*zip("/")).count(".hearth/"), 0U);
  std::filesystem::create_directory(folder_->root() / "none");
  EXPECT_EQ(*zip("/none"), std::string("PK\5\6") + std::string(18, '\0')) << "an archive that holds nothing";
}

TEST_F(ZipStreamTest, IsMadeInPieces) {
  const std::string large(3 << 20, 'x');
  write("p/large", large);
  EXPECT_THAT(unzipped(*zip("/p")), ElementsAre(Pair("large", large)));
  EXPECT_LT(largest_, 1U << 20);
}

TEST_F(ZipStreamTest, RefusesAndFailsAloud) {
  write("p/a", std::string(1 << 20, 'x'));
  write("p/b", "x");
  EXPECT_EQ(zip("/p/a").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(zip("/p", {"a", "none"}).error().code, Code::kNotFound);
  EXPECT_EQ(zip("/p", {"../p"}).error().code, Code::kInvalidArgument);
  auto shrinking = ZipStream::begin(*folder_, *Path::parse("/p"), {});
  ASSERT_TRUE((*shrinking)->next());
  std::filesystem::resize_file(folder_->root() / "p/a", 10);
  EXPECT_EQ((*shrinking)->next().error().code, Code::kAborted);
  auto vanishing = ZipStream::begin(*folder_, *Path::parse("/p"), {"a", "b"});
  std::filesystem::remove(folder_->root() / "p/b");
  EXPECT_EQ((*vanishing)->next().error().code, Code::kNotFound);
}

}  // namespace
}  // namespace hearth::drive
