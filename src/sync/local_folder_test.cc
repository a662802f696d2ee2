#include "sync/local_folder.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "sync/state_file.h"

namespace hearth::sync {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;

class LocalFolderTest : public testing::Test {
 protected:
  LocalFolderTest() {
    std::string name = (fs::temp_directory_path() / "hearth-sync-test-XXXXXX").string();
    CHECK(::mkdtemp(name.data()) != nullptr);
    root_ = name;
    folder_ = *LocalFolder::open(root_);
  }
  ~LocalFolderTest() override { fs::remove_all(root_); }

  void write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text;
  }
  std::string text(const std::string& path) {
    std::ifstream stream(root_ / path);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }
  Aside aside(const std::string& text) {
    Aside file = *folder_->receive("file");
    EXPECT_TRUE(write_all_to(file.file.get(), text));
    LocalFolder::set_modified(file, 1'000'000'000'000);
    EXPECT_TRUE(LocalFolder::finish({&file}));
    return file;
  }

  fs::path root_;
  std::unique_ptr<LocalFolder> folder_;
};

TEST_F(LocalFolderTest, FindsFilesAndFoldersAndNamesTheRest) {
  write("d/x", "123");
  fs::create_symlink("/etc", root_ / "link");
  write("bad", "");
  const Scan scan = folder_->scan([](const std::string& path) {
    return path == "bad" ? Result<void>(fail(Code::kInvalidArgument, "no such name")) : Result<void>();
  });
  EXPECT_EQ(scan.seen.size(), 2U);
  EXPECT_EQ(scan.seen.at("d").side.kind, Kind::kFolder);
  EXPECT_EQ(scan.seen.at("d/x").bytes, 3U);
  EXPECT_THAT(scan.left, ElementsAre(".hearth-sync", "bad", "link"));
  EXPECT_EQ(scan.remarks.size(), 2U);
}

TEST_F(LocalFolderTest, PlacesNothingOverWhatWasNotLookedAt) {
  write("x", "first");
  EXPECT_FALSE(folder_->place(aside("new"), "x", std::nullopt)) << "there is one by now";
  const std::optional<Side> before = folder_->look("x");
  write("x", "other");
  EXPECT_EQ(folder_->place(aside("new"), "x", before).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(text("x"), "other");
  fs::permissions(root_ / "x", fs::perms::owner_all);
  const Result<Side> placed = folder_->place(aside("new"), "x", folder_->look("x"));
  ASSERT_TRUE(placed);
  EXPECT_EQ(*placed, folder_->look("x"));
  EXPECT_EQ(text("x"), "new");
  EXPECT_EQ(fs::status(root_ / "x").permissions(), fs::perms::owner_all);
  EXPECT_TRUE(fs::is_empty(root_ / ".hearth-sync/new"));
  fs::create_directory_symlink("/tmp", root_ / "out");
  EXPECT_FALSE(folder_->place(aside("new"), "out/x", std::nullopt));
  EXPECT_FALSE(folder_->place(aside("new"), "../x", std::nullopt));
}

TEST_F(LocalFolderTest, GivesAFileTheTimeThatItHasThereOfAnyYear) {
  for (const std::int64_t millis : {-1'500L, -1L, 0L, 1'500'000'000'123L, 10'000'000'000'000L}) {
    const Aside file = aside("old");
    LocalFolder::set_modified(file, millis);
    struct stat status{};
    ASSERT_EQ(::fstat(file.file.get(), &status), 0);
    EXPECT_EQ(status.st_mtim.tv_sec * 1'000 + status.st_mtim.tv_nsec / 1'000'000, millis);
  }
}

TEST_F(LocalFolderTest, AProgramIsOneForWhoeverMayReadIt) {
  const auto mode_of = [&](const std::string& name) { return fs::status(root_ / name).permissions(); };
  const mode_t before = ::umask(027);
  const Aside program = *folder_->receive("file-1");
  LocalFolder::make_executable(program);
  const Result<Side> placed = folder_->place(program, "run", std::nullopt);
  ASSERT_TRUE(placed);
  EXPECT_EQ(mode_of("run"), fs::perms(0750));
  EXPECT_TRUE(folder_->scan([](const std::string&) { return Result<void>(); }).seen.at("run").is_executable);
  const Aside plain = *folder_->receive("file-2");
  ASSERT_TRUE(folder_->place(plain, "run", *placed));
  EXPECT_EQ(mode_of("run"), fs::perms(0750)) << "it stays one";
  ::umask(before);
  // As on a file system without modes, which says so of every file.
  fs::permissions(folder_->own("lock"), fs::perms(0700));
  folder_.reset();
  folder_ = *LocalFolder::open(root_);
  EXPECT_FALSE(folder_->scan([](const std::string&) { return Result<void>(); }).seen.at("run").is_executable);
}

TEST_F(LocalFolderTest, RemovesWhatItWasAndKeepsIt) {
  write("d/x", "1");
  const Side before = *folder_->look("d/x");
  write("d/x", "12");
  EXPECT_EQ(folder_->remove("d/x", before).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(folder_->remove("d", *folder_->look("d")).error().code, Code::kFailedPrecondition) << "it is not empty";
  EXPECT_TRUE(folder_->remove("d/x", *folder_->look("d/x")));
  write("d/x", "again");
  EXPECT_TRUE(folder_->remove("d/x", *folder_->look("d/x")));
  EXPECT_TRUE(folder_->remove("d", *folder_->look("d")));
  EXPECT_FALSE(fs::exists(root_ / "d"));
  const fs::path run = fs::directory_iterator(root_ / ".hearth-sync/trash")->path();
  EXPECT_EQ(text(fs::path(run / "d/x").lexically_relative(root_)), "12");
  EXPECT_EQ(text(fs::path(run / "d/x.2").lexically_relative(root_)), "again");
}

TEST_F(LocalFolderTest, RenamesOverNothing) {
  write("x", "1");
  write("taken", "2");
  EXPECT_FALSE(folder_->rename("x", "taken", *folder_->look("x")));
  const Result<Side> now = folder_->rename("x", "y", *folder_->look("x"));
  ASSERT_TRUE(now);
  EXPECT_EQ(*now, folder_->look("y"));
}

TEST_F(LocalFolderTest, OneAtATimeAndPartsOutliveARun) {
  EXPECT_EQ(LocalFolder::open(root_).error().code, Code::kFailedPrecondition);
  ASSERT_TRUE(folder_->receive("part-1"));
  ASSERT_TRUE(folder_->receive("file-1"));
  folder_.reset();
  folder_ = *LocalFolder::open(root_);
  EXPECT_TRUE(folder_->open_left("part-1"));
  EXPECT_FALSE(folder_->open_left("file-1"));
}

TEST_F(LocalFolderTest, TheStateGoesOnBehindWhatACrashHasCut) {
  const fs::path file = folder_->own("state");
  {
    StateFile state = *StateFile::open(file);
    EXPECT_FALSE(state.is_bound());
    state.bind({.hub = std::string(32, 'h'), .folder = "/"});
    state.note("a", {.base = {.here = {.version = "1"}, .there = {.version = "1"}}});
    EXPECT_TRUE(state.flush());
    state.note("b", {.base = {.here = {.version = "2"}, .there = {.version = "2"}}});
    EXPECT_TRUE(state.flush());
  }
  fs::resize_file(file, fs::file_size(file) - 3);
  StateFile state = *StateFile::open(file);
  EXPECT_TRUE(state.is_bound());
  EXPECT_EQ(state.state().known.size(), 1U);
  state.note("c", {.base = {.here = {.version = "3"}, .there = {.version = "3"}}});
  EXPECT_TRUE(state.finish());
  EXPECT_EQ(StateFile::open(file)->state().known.size(), 2U);
  for (int i = 0; i < 3'000; ++i) state.note("c", {.base = {.here = {.version = "4"}, .there = {.version = "4"}}});
  const auto before = state.state().lines;
  EXPECT_TRUE(state.finish());
  EXPECT_LT(state.state().lines, before) << "written anew";
  EXPECT_EQ(StateFile::open(file)->state().known, state.state().known);
  std::ofstream(file) << "nonsense";
  EXPECT_EQ(StateFile::open(file).error().code, Code::kDataLoss);
}

// As on a full disk: half a line is written, and there is room again later.
TEST_F(LocalFolderTest, TheStateGoesOnBehindWhatDidNotFit) {
  const fs::path file = folder_->own("state");
  StateFile state = *StateFile::open(file);
  state.bind({.hub = std::string(32, 'h'), .folder = "/"});
  state.note("a", {.base = {.here = {.version = "1"}, .there = {.version = "1"}}});
  ASSERT_TRUE(state.flush());
  const auto before = ::signal(SIGXFSZ, SIG_IGN);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &limit), 0);
  const rlimit small{.rlim_cur = fs::file_size(file) + 3, .rlim_max = limit.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  state.note("b", {.base = {.here = {.version = "2"}, .there = {.version = "2"}}});
  EXPECT_FALSE(state.flush());
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  ::signal(SIGXFSZ, before);
  state.note("c", {.base = {.here = {.version = "3"}, .there = {.version = "3"}}});
  EXPECT_TRUE(state.flush());
  EXPECT_EQ(StateFile::open(file)->state().known, state.state().known);
}

}  // namespace
}  // namespace hearth::sync
