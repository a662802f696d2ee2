// `hearth drive`, against a real pool.
#include <filesystem>
#include <fstream>

#include <sys/stat.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

class DriveCommandsTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    fs::create_directories(here("album/sub"));
    write(here("a.txt"), "hello Größe");
    write(here("album/b 1.txt"), "b");
    write(here("album/sub/ü?.txt"), "c");
    const timespec times[2] = {{.tv_sec = 1'000'000'000, .tv_nsec = 0}, {.tv_sec = 1'000'000'000, .tv_nsec = 0}};
    ASSERT_EQ(::utimensat(AT_FDCWD, here("a.txt").c_str(), times, 0), 0);
  }

  fs::path here(const std::string& name) { return scratch().path() / "files" / name; }
  fs::path there(const std::string& name) { return pool().home() / "drive" / name; }
  static void write(const fs::path& file, const std::string& text) { std::ofstream(file) << text; }
  static std::string text(const fs::path& file) {
    std::ifstream stream(file);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  Ended drive(std::vector<std::string> words) {
    words.insert(words.begin(), "drive");
    return pool().cli(words);
  }
  std::string done(std::vector<std::string> words) {
    const Ended ended = drive(std::move(words));
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out;
  }
  std::vector<std::string> names(const std::string& path) {
    std::vector<std::string> names;
    for (const json& one : json::parse(done({"ls", path, "--json"}))["entries"]) names.push_back(one["name"]);
    return names;
  }
};

TEST_F(DriveCommandsTest, FilesGoThereAndComeBack) {
  EXPECT_EQ(done({"ls"}), "");
  done({"mkdir", "/photos"});
  const json sent = json::parse(done({"put", "-r", "--json", here("a.txt"), here("album"), "/photos"}));
  EXPECT_EQ(sent["files"], 3);
  EXPECT_THAT(names("/photos"), ElementsAre("album", "a.txt"));
  EXPECT_EQ(text(there("photos/album/sub/ü?.txt")), "c");
  EXPECT_THAT(done({"ls", "photos"}), AllOf(HasSubstr("album/"), HasSubstr("2001-09-09 01:46:40")));

  const fs::path back = scratch().path() / "back";
  done({"get", "/photos", "/photos/a.txt", "-o", back});
  EXPECT_EQ(text(back / "photos/album/b 1.txt"), "b");
  EXPECT_EQ(text(back / "photos/album/sub/ü?.txt"), "c");
  struct stat status{};
  ASSERT_EQ(::stat((back / "a.txt").c_str(), &status), 0);
  EXPECT_EQ(status.st_mtim.tv_sec, 1'000'000'000);
  EXPECT_EQ(std::distance(fs::directory_iterator(back), fs::directory_iterator()), 2) << "parts are left";
}

TEST_F(DriveCommandsTest, AProgramComesBackAsOne) {
  const auto is_program = [](const fs::path& file) {
    return (fs::status(file).permissions() & fs::perms::owner_exec) != fs::perms::none;
  };
  write(here("run.sh"), "#!/bin/sh\n");
  fs::permissions(here("run.sh"), fs::perms(0755));
  done({"put", here("run.sh"), here("a.txt"), "/"});
  EXPECT_TRUE(is_program(there("run.sh")));
  EXPECT_FALSE(is_program(there("a.txt")));
  done({"cp", "/run.sh", "/copy.sh"});
  fs::permissions(here("run.sh"), fs::perms(0644));
  done({"put", "--replace", here("run.sh"), "/"});
  const fs::path back = scratch().path() / "back";
  done({"get", "/run.sh", "/copy.sh", "/a.txt", "-o", back});
  EXPECT_TRUE(is_program(back / "run.sh")) << "what takes its place is one, too";
  EXPECT_TRUE(is_program(back / "copy.sh"));
  EXPECT_FALSE(is_program(back / "a.txt"));
}

TEST_F(DriveCommandsTest, WhatTheDriveHasNoNameForIsLeftOutAndTheRestGoes) {
  write(here("album/a\nb.txt"), "x");
  fs::create_directories(here("album/c\nd"));
  write(here("album/c\nd/inside"), "x");
  fs::create_symlink("/etc/passwd", here("album/link"));
  ASSERT_EQ(::mkfifo(here("album/pipe").c_str(), 0600), 0);
  const Ended ended = drive({"put", "-r", here("album"), "/"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("a?b.txt: left out: "), HasSubstr("c?d: left out: "),
                               HasSubstr("link: left out: it is a symbolic link"),
                               HasSubstr("pipe: left out: it is neither"), HasSubstr("4 left out, see above")));
  EXPECT_EQ(text(there("album/b 1.txt")), "b");
  EXPECT_EQ(text(there("album/sub/ü?.txt")), "c");
  EXPECT_THAT(drive({"mv", "/album", "/album2"}).err, "");
  write(here("z.txt"), "z");
  done({"put", here("z.txt"), "/"});
  EXPECT_THAT(drive({"mv", "/z.txt", "/z.txt"}).err, HasSubstr("both what is moved and where to"));
}

TEST_F(DriveCommandsTest, AFolderThatCannotBeReadIsLeftOutAndTheRestGoes) {
  fs::create_directories(here("album/closed/within"));
  fs::permissions(here("album/closed"), fs::perms::none);
  write(here("album/mine"), "x");
  fs::permissions(here("album/mine"), fs::perms::none);
  // Root would read them.
  std::vector<std::string> words = {hearth_program(), "drive", "put", "-r", here("album"), "/"};
  const std::vector<std::string> without = {"setpriv", "--bounding-set", "-dac_override,-dac_read_search"};
  if (::geteuid() == 0) words.insert(words.begin(), without.begin(), without.end());
  const Ended ended = run_program(words, {.env = {{"HEARTH_HOME", pool().home()}}});
  fs::permissions(here("album/closed"), fs::perms::owner_all);
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("album/closed: left out: Permission denied"),
                               HasSubstr("album/mine: left out: Permission denied"), HasSubstr("2 left out")));
  EXPECT_EQ(text(there("album/sub/ü?.txt")), "c");
}

TEST_F(DriveCommandsTest, FoldersWithoutFilesComeBackToo) {
  done({"mkdir", "/empty"});
  done({"mkdir", "/empty/within"});
  const fs::path back = scratch().path() / "back";
  done({"get", "/empty", "-o", back});
  EXPECT_TRUE(fs::is_directory(back / "empty/within"));
  EXPECT_THAT(drive({"get", "", "-o", back}).err, HasSubstr("PATHS: a value is needed"));
  EXPECT_THAT(drive({"put", here("a.txt"), here("none"), "/"}).err, HasSubstr("none: No such file"));
  EXPECT_FALSE(fs::exists(there("a.txt"))) << "nothing is sent where one is missing";
}

TEST_F(DriveCommandsTest, NothingIsReplacedUnasked) {
  done({"put", here("a.txt"), "/"});
  write(here("a.txt"), "new");
  const Ended again = drive({"put", here("a.txt"), "/"});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("/a.txt: it is there already: --replace"));
  EXPECT_EQ(text(there("a.txt")), "hello Größe");
  EXPECT_THAT(drive({"get", "a.txt", "-o", here("")}).err, HasSubstr("a.txt is there already: --replace"));
  EXPECT_EQ(text(here("a.txt")), "new");
  done({"put", "--replace", here("a.txt"), "/"});
  EXPECT_EQ(text(there("a.txt")), "new");
  write(here("a.txt"), "mine");
  done({"get", "--replace", "a.txt", "-o", here("")});
  EXPECT_EQ(text(here("a.txt")), "new");
}

TEST_F(DriveCommandsTest, MovesCopiesRemovesAndBringsBack) {
  done({"put", here("a.txt"), "/"});
  done({"mkdir", "folder"});
  EXPECT_EQ(done({"mv", "/a.txt", "/b.txt"}), "/b.txt\n");
  EXPECT_EQ(done({"cp", "/b.txt", "/folder"}), "/folder/b.txt\n");
  EXPECT_EQ(done({"cp", "b.txt", "folder/"}), "/folder/b (2).txt\n");
  EXPECT_THAT(drive({"mv", "b.txt", "folder/b.txt"}).err, HasSubstr("folder/b.txt is there already"));
  EXPECT_THAT(drive({"mv", "b.txt", "none/"}).err, HasSubstr("there is no folder none/ in the drive"));
  done({"rm", "/folder", "/b.txt"});
  EXPECT_THAT(names("/"), ElementsAre());
  const std::string trash = done({"trash"});
  EXPECT_THAT(trash, AllOf(HasSubstr("/folder/"), HasSubstr("/b.txt")));
  const json listed = json::parse(done({"trash", "--json"}));
  ASSERT_EQ(listed["trashed"].size(), 2U);
  const std::string id = listed["trashed"][1]["id"];
  EXPECT_EQ(done({"restore", id.substr(0, 8)}), "/folder\n");
  EXPECT_THAT(names("/folder"), ElementsAre("b (2).txt", "b.txt"));
  EXPECT_THAT(drive({"restore", "xyz"}).err, HasSubstr("nothing in the trash has that ID"));
  done({"empty-trash"});
  EXPECT_EQ(json::parse(done({"trash", "--json"}))["trashed"].size(), 0U);
}

TEST_F(DriveCommandsTest, EarlierVersionsAreListedFetchedAndBroughtBack) {
  done({"put", here("a.txt"), "/"});
  EXPECT_THAT(drive({"versions", "a.txt"}).err, HasSubstr("no earlier version of it is kept"));
  write(here("a.txt"), "new");
  done({"put", "--replace", here("a.txt"), "/"});
  EXPECT_THAT(done({"versions", "a.txt"}), HasSubstr("2001-09-09 01:46:40"));
  const json versions = json::parse(done({"versions", "/a.txt", "--json"}))["versions"];
  ASSERT_EQ(versions.size(), 1U);
  const std::string id = versions[0]["id"];
  const fs::path back = scratch().path() / "back";
  done({"get", "a.txt", "--version", id, "-o", back});
  EXPECT_EQ(text(back / "a.txt"), "hello Größe");
  EXPECT_EQ(text(there("a.txt")), "new");
  done({"versions", "a.txt", "--restore", id});
  EXPECT_EQ(text(there("a.txt")), "hello Größe");
  EXPECT_THAT(drive({"versions", "a.txt", "--restore", id}).err, HasSubstr("no version of it has that number"));
  EXPECT_THAT(drive({"get", "a.txt", "--version", "x&y"}).err, HasSubstr("the digits that are shown by"));
  EXPECT_THAT(drive({"get", "/", "--version", id, "-o", back}).err, HasSubstr("a folder; --version is for a file"));
}

TEST_F(DriveCommandsTest, FindsAndCounts) {
  done({"put", "-r", here("a.txt"), here("album"), "/"});
  EXPECT_EQ(done({"find", "B 1"}), "/album/b 1.txt\n");
  EXPECT_EQ(done({"find", "GRÖ", "--inside"}), "/a.txt: hello Größe\n");
  EXPECT_EQ(drive({"find", "GRÖ", "--inside", "--in", "/album"}).exit_code, 1) << "as grep has it";
  EXPECT_THAT(done({"usage"}), AllOf(HasSubstr("15 bytes in 3 files"), HasSubstr(there("").parent_path().string())));
  EXPECT_EQ(json::parse(done({"usage", "--json"}))["files"], "3");
}

TEST_F(DriveCommandsTest, SaysWhatIsWrong) {
  EXPECT_EQ(drive({"put", here("a.txt")}).exit_code, 2);
  EXPECT_EQ(drive({"mv", "/a"}).exit_code, 2);
  EXPECT_THAT(drive({"put", here("album"), "/"}).err, HasSubstr("is a folder: -r sends it"));
  EXPECT_THAT(drive({"put", here("none"), "/"}).err, HasSubstr("No such file"));
  EXPECT_THAT(drive({"put", here("a.txt"), "/none"}).err, HasSubstr("there is no folder /none"));
  EXPECT_THAT(drive({"get", "/none"}).err, HasSubstr("/none"));
  EXPECT_EQ(drive({"ls", "/../etc"}).exit_code, 2);
  EXPECT_THAT(drive({"rm"}).err, HasSubstr("PATHS is required"));
  EXPECT_THAT(drive({"mkdir", "/a/b"}).err, HasSubstr("/a: No such file"));
}

// The printed lines themselves are run, but that rclone lists where it would mount: that needs a kernel that lets it.
TEST_F(DriveCommandsTest, TheRecipeForRcloneWorks) {
  done({"put", here("a.txt"), "/"});
  const std::string recipe = done({"mount"});
  EXPECT_THAT(recipe, AllOf(HasSubstr("mount -t davfs"), HasSubstr("rclone mount :webdav: ~/hearth-drive")));
  std::string script = recipe.substr(0, recipe.find("\n# With davfs2"));
  const auto replace = [&script](const std::string& what, const std::string& by) {
    const std::size_t at = script.find(what);
    ASSERT_NE(at, std::string::npos) << what;
    script.replace(at, what.size(), by);
  };
  replace("hearth token", hearth_program() + " token");
  replace("mkdir -p ~/hearth-drive\n", "");
  replace("rclone mount :webdav: ~/hearth-drive", "rclone lsf :webdav:");
  replace(" --vfs-cache-mode writes --daemon", "");
  const Ended listed = run_program(
      {"sh", "-c",
       "export HOME=" + scratch().path().string() + " HEARTH_HOME=" + pool().home().string() + "\n" + script});
  EXPECT_EQ(listed.out, "a.txt\n") << listed.err;
}

}  // namespace
}  // namespace hearth::e2e
