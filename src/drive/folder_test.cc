#include "drive/folder.h"

#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "blob/temporary_directory.h"
#include "drive/files.h"

namespace hearth::drive {
namespace {

using ::testing::ElementsAre;

class FolderTest : public ::testing::Test {
 protected:
  Result<bool> copy(const Path& from, const Path& to, bool replace, bool deep) {
    Result<Copied> copied = folder_->copy_aside(from, to, replace, deep);
    if (!copied) return std::unexpected(copied.error());
    return folder_->place_copy(*copied, from, to, replace);
  }
  FolderTest() : folder_(std::move(*Folder::open(scratch_.path() / "drive"))) {}

  static Path at(std::string_view text) { return *Path::parse(text); }

  Result<Placed> put(std::string_view path, std::string_view text, const Condition& condition = {}) {
    Result<Incoming> file = folder_->receive(text.size());
    if (!file) return std::unexpected(file.error());
    if (Result<void> written = file->write(text); !written) return std::unexpected(written.error());
    return folder_->place(std::move(*file), at(path), condition);
  }
  std::string text(std::string_view path) {
    Result<std::pair<Fd, Entry>> file = folder_->read(at(path));
    if (!file) return "error: " + file.error().message;
    std::string text(file->second.bytes, '\0');
    EXPECT_EQ(::read(file->first.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return text;
  }
  std::vector<std::string> names(std::string_view path) {
    std::vector<std::string> names;
    const Result<std::vector<Entry>> entries = folder_->list(at(path));
    if (!entries) return {"error: " + entries.error().message};
    for (const Entry& entry : *entries) names.push_back(entry.name);
    std::ranges::sort(names);
    return names;
  }
  std::filesystem::path own() const { return folder_->root() / ".hearth"; }
  std::vector<std::string> version_ids(std::string_view path) {
    std::vector<std::string> ids;
    for (const Version& one : folder_->versions(at(path)).value_or(std::vector<Version>())) ids.push_back(one.id);
    return ids;
  }
  std::string version_text(std::string_view path, const std::string& id) {
    const Result<std::pair<Fd, Entry>> file = folder_->read_version(at(path), id);
    if (!file) return "error: " + file.error().message;
    std::string text(file->second.bytes, '\0');
    EXPECT_EQ(::read(file->first.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    return text;
  }
  // As if each version had been kept so long ago.
  void age_versions(std::string_view path, const std::vector<Duration>& ages) {
    const std::vector<std::string> ids = version_ids(path);
    ASSERT_EQ(ids.size(), ages.size());
    for (const auto& series : std::filesystem::directory_iterator(own() / "versions")) {
      for (std::size_t i = 0; i < ids.size(); ++i) {
        if (!std::filesystem::exists(series.path() / ids[i])) continue;
        const std::int64_t then = wall_now().unix_millis - ages[i].micros / 1'000;
        std::filesystem::rename(series.path() / ids[i], series.path() / std::to_string(then));
      }
    }
  }
  std::size_t waiting() const {
    std::size_t count = 0;
    for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator(folder_->root() / ".hearth/new"))
      ++count;
    return count;
  }

  blob::TemporaryDirectory scratch_;
  std::unique_ptr<Folder> folder_;
};

TEST_F(FolderTest, AFileIsAPlainFileOfTheFolder) {
  const Result<Placed> placed = put("/a.txt", "hello");
  ASSERT_TRUE(placed);
  EXPECT_TRUE(placed->created);
  EXPECT_EQ(placed->entry.bytes, 5U);
  EXPECT_EQ(text("/a.txt"), "hello");
  EXPECT_TRUE(std::filesystem::is_regular_file(scratch_.path() / "drive/a.txt"));
  EXPECT_THAT(names("/"), ElementsAre("a.txt"));
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(FolderTest, AReplacedFileHasAnotherEtagAndConditionsHold) {
  const std::string etag = put("/a", "one")->entry.etag;
  EXPECT_EQ(put("/a", "two", {.if_match = "\"other\"", .if_none_match = {}}).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(put("/a", "two", {.if_match = {}, .if_none_match = "*"}).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(text("/a"), "one");
  const Result<Placed> placed = put("/a", "two", {.if_match = etag, .if_none_match = {}});
  ASSERT_TRUE(placed);
  EXPECT_FALSE(placed->created);
  EXPECT_NE(placed->entry.etag, etag);
  EXPECT_EQ(text("/a"), "two");
  EXPECT_EQ(waiting(), 0U) << "what was refused is gone";
}

TEST_F(FolderTest, NothingIsPlacedWithoutItsFolderOrOverAFolder) {
  EXPECT_EQ(put("/no/a", "x").error().code, Code::kNotFound);
  ASSERT_TRUE(folder_->make_folder(at("/photos")));
  EXPECT_EQ(put("/photos", "x").error().code, Code::kAlreadyExists);
  EXPECT_EQ(folder_->make_folder(at("/photos")).error().code, Code::kAlreadyExists);
  EXPECT_EQ(folder_->make_folder(at("/no/below")).error().code, Code::kNotFound);
}

TEST_F(FolderTest, LinksAndPipesLeadNowhere) {
  std::ofstream(scratch_.path() / "secret") << "secret";
  const std::filesystem::path root = folder_->root();
  std::filesystem::create_symlink("../secret", root / "link");
  std::filesystem::create_directory_symlink("..", root / "up");
  ASSERT_EQ(::mkfifo((root / "pipe").c_str(), 0600), 0);
  for (const std::string_view path : {"/link", "/up/secret", "/pipe"}) {
    EXPECT_EQ(folder_->read(at(path)).error().code, Code::kNotFound) << path;
    EXPECT_EQ(folder_->look(at(path)).error().code, Code::kNotFound) << path;
  }
  EXPECT_EQ(put("/up/new", "x").error().code, Code::kNotFound);
  EXPECT_FALSE(put("/link", "x"));
  EXPECT_TRUE(names("/").empty());
}

// Whether it is read at once is the file system's matter; what is read so, is what read() reads.
TEST_F(FolderTest, WhatIsReadAtOnceIsWhatIsThere) {
  ASSERT_TRUE(put("/a", "one"));
  const std::filesystem::path root = folder_->root();
  std::filesystem::create_directory(root / "d");
  std::filesystem::create_symlink("a", root / "link");
  std::filesystem::create_symlink("/etc", root / "out");
  ASSERT_EQ(::mkfifo((root / "pipe").c_str(), 0600), 0);
  if (const auto file = folder_->read_at_once(at("/a"))) {
    EXPECT_EQ(file->second.etag, folder_->read(at("/a"))->second.etag);
    EXPECT_EQ(file->second.name, "a");
    std::string text(3, '\0');
    EXPECT_EQ(::read(file->first.get(), text.data(), text.size()), 3);
    EXPECT_EQ(text, "one");
  }
  for (const char* nothing : {"/", "/d", "/link", "/out/passwd", "/pipe", "/none", "/a/b"}) {
    EXPECT_FALSE(folder_->read_at_once(at(nothing))) << nothing;
  }
}

TEST_F(FolderTest, MovesFilesAndFoldersAndKeepsWhatTheyReplace) {
  ASSERT_TRUE(folder_->make_folder(at("/from")));
  ASSERT_TRUE(put("/from/a", "a"));
  ASSERT_TRUE(put("/b", "b"));
  EXPECT_EQ(folder_->move(at("/from"), at("/b"), false).error().code, Code::kAlreadyExists);
  EXPECT_EQ(folder_->move(at("/from"), at("/from/below"), false).error().code, Code::kInvalidArgument);
  EXPECT_EQ(folder_->move(at("/from"), at("/no/below"), false).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(folder_->move(at("/none"), at("/x"), false).error().code, Code::kNotFound);
  EXPECT_TRUE(*folder_->move(at("/from"), at("/b"), true));
  EXPECT_EQ(text("/b/a"), "a");
  ASSERT_EQ(folder_->trash()->size(), 1U);
  EXPECT_EQ(folder_->trash()->front().path, "/b");
}

TEST_F(FolderTest, TheRootIsNeitherMovedNorCopied) {
  ASSERT_TRUE(folder_->make_folder(at("/a")));
  for (const bool replace : {false, true}) {
    EXPECT_EQ(copy(Path(), at("/b"), replace, true).error().code, Code::kInvalidArgument);
    EXPECT_EQ(copy(at("/a"), Path(), replace, true).error().code, Code::kInvalidArgument);
    EXPECT_EQ(folder_->move(Path(), at("/b"), replace).error().code, Code::kInvalidArgument);
    EXPECT_EQ(folder_->move(at("/a"), Path(), replace).error().code, Code::kInvalidArgument);
  }
  EXPECT_THAT(names("/"), ElementsAre("a"));
}

TEST_F(FolderTest, CopiesWhole) {
  ASSERT_TRUE(folder_->make_folder(at("/from")));
  ASSERT_TRUE(folder_->make_folder(at("/from/inner")));
  ASSERT_TRUE(put("/from/inner/a", std::string(100'000, 'a')));
  std::filesystem::create_symlink("/etc/passwd", folder_->root() / "from/link");
  EXPECT_FALSE(*copy(at("/from"), at("/to"), false, true));
  EXPECT_EQ(text("/to/inner/a"), std::string(100'000, 'a'));
  EXPECT_THAT(names("/to"), ElementsAre("inner"));
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(folder_->root() / "to/link")));
  EXPECT_FALSE(*copy(at("/from"), at("/flat"), false, false));
  EXPECT_TRUE(names("/flat").empty());
  EXPECT_EQ(copy(at("/from"), at("/to"), false, true).error().code, Code::kAlreadyExists);
  EXPECT_EQ(waiting(), 0U);
}

TEST_F(FolderTest, WhatIsRemovedCanBeRestored) {
  ASSERT_TRUE(folder_->make_folder(at("/photos")));
  ASSERT_TRUE(put("/photos/a.jpg", "first"));
  ASSERT_TRUE(folder_->remove(at("/photos/a.jpg")));
  EXPECT_TRUE(names("/photos").empty());
  ASSERT_TRUE(put("/photos/a.jpg", "second"));
  const std::string first = folder_->trash()->front().id;
  EXPECT_EQ(folder_->restore(first)->text(), "/photos/a (2).jpg");
  EXPECT_EQ(text("/photos/a (2).jpg"), "first");
  ASSERT_TRUE(folder_->remove(at("/photos")));
  const std::vector<Trashed> trash = *folder_->trash();
  ASSERT_EQ(trash.size(), 1U);
  EXPECT_EQ(trash.front().bytes, 11U);
  EXPECT_EQ(folder_->restore(trash.front().id)->text(), "/photos");
  EXPECT_EQ(text("/photos/a.jpg"), "second");
  EXPECT_EQ(folder_->restore("../../etc").error().code, Code::kNotFound);
  EXPECT_EQ(folder_->remove(Path()).error().code, Code::kInvalidArgument);
}

TEST_F(FolderTest, TheTrashIsErasedForGood) {
  ASSERT_TRUE(put("/a", "a"));
  ASSERT_TRUE(put("/b", "b"));
  ASSERT_TRUE(folder_->remove(at("/a")));
  ASSERT_TRUE(folder_->remove(at("/b")));
  EXPECT_EQ(folder_->discard_older(minutes(1))->size(), 0U);
  EXPECT_TRUE(folder_->discard(folder_->trash()->front().id));
  EXPECT_EQ(folder_->discard_older(seconds(-10))->size(), 1U);
  EXPECT_TRUE(folder_->trash()->empty());
  EXPECT_EQ(folder_->discard("..").error().code, Code::kNotFound);
}

TEST_F(FolderTest, WhatIsDiscardedIsErasedBitByBit) {
  ASSERT_TRUE(folder_->make_folder(at("/f")));
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(put("/f/" + std::to_string(i), "x"));
  std::filesystem::create_directory_symlink(scratch_.path(), folder_->root() / "f/link");
  ASSERT_TRUE(folder_->remove(at("/f")));
  const Result<std::filesystem::path> away = folder_->discard(folder_->trash()->front().id);
  ASSERT_TRUE(away);
  EXPECT_TRUE(folder_->trash()->empty());
  EXPECT_FALSE(*erase_some(*away, own(), milliseconds(0)));
  EXPECT_TRUE(std::filesystem::exists(*away));
  EXPECT_TRUE(*erase_some(*away, own(), minutes(1)));
  EXPECT_FALSE(std::filesystem::exists(*away));
  EXPECT_TRUE(std::filesystem::exists(folder_->root())) << "a link was followed";
}

TEST_F(FolderTest, AReplacedFileIsKeptAsAVersion) {
  ASSERT_TRUE(put("/a", "one"));
  EXPECT_TRUE(version_ids("/a").empty());
  ASSERT_TRUE(put("/a", "two"));
  ASSERT_TRUE(put("/a", "three"));
  const std::vector<std::string> ids = version_ids("/a");
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_EQ(version_text("/a", ids[0]), "two");
  EXPECT_EQ(version_text("/a", ids[1]), "one");
  EXPECT_EQ(text("/a"), "three");
  EXPECT_GE(folder_->kept_bytes(), 6U);
}

TEST_F(FolderTest, AVersionIsBroughtBackAndWhatItReplacesIsOne) {
  ASSERT_TRUE(put("/a", "one"));
  ASSERT_TRUE(put("/a", "two"));
  ASSERT_TRUE(folder_->restore_version(at("/a"), version_ids("/a").front()));
  EXPECT_EQ(text("/a"), "one");
  ASSERT_EQ(version_ids("/a").size(), 1U);
  EXPECT_EQ(version_text("/a", version_ids("/a").front()), "two");
}

TEST_F(FolderTest, VersionsGoWhereTheFileGoes) {
  ASSERT_TRUE(folder_->make_folder(at("/f")));
  ASSERT_TRUE(put("/a", "one"));
  ASSERT_TRUE(put("/a", "two"));
  ASSERT_TRUE(folder_->move(at("/a"), at("/f/b"), false));
  EXPECT_EQ(version_ids("/f/b").size(), 1U);
  std::filesystem::rename(folder_->root() / "f/b", folder_->root() / "c");
  EXPECT_EQ(version_ids("/c").size(), 1U) << "moved by another program";
  ASSERT_TRUE(copy(at("/c"), at("/d"), false, true));
  EXPECT_TRUE(version_ids("/d").empty()) << "a copy begins anew";
  ASSERT_TRUE(folder_->remove(at("/c")));
  ASSERT_TRUE(folder_->restore(folder_->trash()->front().id));
  EXPECT_EQ(version_ids("/c").size(), 1U);
}

TEST_F(FolderTest, WhatIsErasedForGoodLeavesNoVersions) {
  ASSERT_TRUE(put("/a", "one"));
  ASSERT_TRUE(put("/a", "two"));
  ASSERT_TRUE(folder_->remove(at("/a")));
  EXPECT_FALSE(std::filesystem::is_empty(own() / "versions"));
  ASSERT_TRUE(*erase_some(*folder_->discard(folder_->trash()->front().id), own(), minutes(1)));
  EXPECT_TRUE(std::filesystem::is_empty(own() / "versions"));
}

TEST_F(FolderTest, VersionsAreThinnedOut) {
  for (const char* text : {"1", "22", "333", "4444", "now"}) ASSERT_TRUE(put("/a", text));
  age_versions("/a", {seconds(1), minutes(90), minutes(100), minutes(366 * 24 * 60)});
  EXPECT_EQ(*folder_->thin_versions(), 6U);
  const std::vector<std::string> ids = version_ids("/a");
  ASSERT_EQ(ids.size(), 2U);
  EXPECT_EQ(version_text("/a", ids[0]), "4444");
  EXPECT_EQ(version_text("/a", ids[1]), "22");
  EXPECT_EQ(text("/a"), "now");
}

TEST_F(FolderTest, APutThatDiedJustBeforeItsRenameTakesNoVersionsAlong) {
  ASSERT_TRUE(put("/a", "one"));
  ASSERT_TRUE(put("/a", "two"));
  ASSERT_EQ(version_ids("/a").size(), 1U);
  std::array<char, 32> series{};
  ASSERT_EQ(::getxattr((folder_->root() / "a").c_str(), "user.hearth.versions", series.data(), series.size()), 32);
  std::ofstream(own() / "new/left") << "three";
  ASSERT_EQ(::setxattr((own() / "new/left").c_str(), "user.hearth.versions", series.data(), series.size(), 0), 0);
  folder_ = *Folder::open(folder_->root());
  EXPECT_TRUE(std::filesystem::is_empty(own() / "new"));
  EXPECT_EQ(version_ids("/a").size(), 1U);
}

TEST_F(FolderTest, AVersionIsNamedByDigitsAlone) {
  ASSERT_TRUE(put("/a", "one"));
  ASSERT_TRUE(put("/a", "two"));
  for (const char* id : {"", ".", "..", "../../locks", "1", "-1", "99999999999999999999"}) {
    EXPECT_EQ(folder_->read_version(at("/a"), id).error().code, Code::kNotFound) << id;
    EXPECT_EQ(folder_->restore_version(at("/a"), id).error().code, Code::kNotFound) << id;
  }
  EXPECT_EQ(folder_->versions(at("/b")).error().code, Code::kNotFound);
}

// As when the hub dies between the two: the content has its second name, and nothing has replaced the first.
TEST_F(FolderTest, TheContentItselfIsNoVersion) {
  ASSERT_TRUE(put("/a", "one"));
  ASSERT_TRUE(put("/a", "two"));
  const std::filesystem::path series = std::filesystem::directory_iterator(own() / "versions")->path();
  std::filesystem::create_hard_link(folder_->root() / "a", series / "1");
  EXPECT_EQ(version_ids("/a").size(), 1U);
  ASSERT_TRUE(folder_->thin_versions());
  EXPECT_TRUE(std::filesystem::exists(series / "1")) << "one that is about to be replaced was dropped";
}

TEST_F(FolderTest, PropertiesGoWithTheFile) {
  ASSERT_TRUE(folder_->make_folder(at("/f")));
  ASSERT_TRUE(put("/f/a", "one"));
  const XmlName colour{.space = "urn:n", .local = "colour"};
  const auto colour_of = [&](std::string_view path) {
    const Result<Properties> properties = folder_->properties(at(path));
    return properties && properties->contains(colour) ? properties->at(colour) : "";
  };
  ASSERT_TRUE(folder_->change_properties(at("/f/a"), {{.name = colour, .xml = "<colour xmlns=\"urn:n\">b</colour>"}}));
  ASSERT_TRUE(folder_->change_properties(at("/f"), {{.name = colour, .xml = "<colour xmlns=\"urn:n\">r</colour>"}}));
  ASSERT_TRUE(put("/f/a", "two"));
  EXPECT_EQ(colour_of("/f/a"), "<colour xmlns=\"urn:n\">b</colour>");
  ASSERT_TRUE(copy(at("/f"), at("/g"), false, true));
  EXPECT_EQ(colour_of("/g"), "<colour xmlns=\"urn:n\">r</colour>");
  EXPECT_EQ(colour_of("/g/a"), "<colour xmlns=\"urn:n\">b</colour>");
  ASSERT_TRUE(folder_->change_properties(at("/f/a"), {{.name = colour, .is_removed = true, .xml = ""}}));
  EXPECT_EQ(colour_of("/f/a"), "");
  const std::vector<PropertyChange> large{{.name = colour, .xml = "<a>" + std::string(100'000, 'x') + "</a>"}};
  EXPECT_EQ(folder_->change_properties(at("/f/a"), large).error().code, Code::kResourceExhausted);
  EXPECT_EQ(text("/f/a"), "two");
}

TEST_F(FolderTest, TheDiskIsNotFilledToItsEnd) {
  const Result<Incoming> file = folder_->receive(1ULL << 60);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code, Code::kResourceExhausted);
  EXPECT_THAT(file.error().message, ::testing::HasSubstr("besides 256 MiB that stay free"));
}

TEST_F(FolderTest, WhatAnEndedProcessReceivedIsGone) {
  std::ofstream(folder_->root() / ".hearth/new/half") << "half";
  folder_ = std::move(*Folder::open(folder_->root()));
  EXPECT_EQ(waiting(), 0U);
}

}  // namespace
}  // namespace hearth::drive
