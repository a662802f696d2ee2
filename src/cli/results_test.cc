#include "cli/results.h"

#include <fcntl.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "cli/temp_directory.h"

namespace hearth::cli {
namespace {

v1::Tree tree(std::initializer_list<std::pair<const char*, const char*>> files) {
  v1::Tree made;
  for (const auto& [path, content] : files) {
    v1::TreeFile& file = *made.add_files();
    file.set_path(path);
    file.mutable_blob()->set_sha256(content);
    file.mutable_blob()->set_size(10);
  }
  return made;
}

std::vector<std::string> paths(const ResultsPlan& plan) {
  std::vector<std::string> all;
  for (const PlannedFile& file : plan.files()) all.push_back(file.path);
  return all;
}

using Paths = std::vector<std::string>;

TEST(ResultsPlan, DifferentFilesKeepTheirPaths) {
  ResultsPlan plan;
  ASSERT_TRUE(plan.add(0, tree({{"frames/0.png", "a"}})));
  ASSERT_TRUE(plan.add(1, tree({{"frames/1.png", "b"}})));
  EXPECT_EQ(paths(plan), (Paths{"frames/0.png", "frames/1.png"}));
  EXPECT_TRUE(plan.warnings().empty());
  EXPECT_EQ(plan.bytes(), 20U);
}

TEST(ResultsPlan, TheSameFileTwiceIsFetchedOnce) {
  ResultsPlan plan;
  ASSERT_TRUE(plan.add(0, tree({{"log", "a"}})));
  ASSERT_TRUE(plan.add(1, tree({{"log", "a"}})));
  EXPECT_EQ(paths(plan), Paths{"log"});
  EXPECT_TRUE(plan.warnings().empty());
}

TEST(ResultsPlan, LaterFilesOfTheSamePathAreNamedAfterTheirTask) {
  ResultsPlan plan;
  ASSERT_TRUE(plan.add(0, tree({{"out/a.txt", "a"}, {"out/a.txt.task-2", "x"}})));
  ASSERT_TRUE(plan.add(1, tree({{"out/a.txt", "b"}})));
  ASSERT_TRUE(plan.add(2, tree({{"out/a.txt", "c"}})));
  EXPECT_EQ(paths(plan), (Paths{"out/a.txt", "out/a.txt.task-2", "out/a.txt.task-1", "out/a.txt.task-2.2"}));
  EXPECT_EQ(plan.warnings().size(), 2U);
  EXPECT_EQ(plan.warnings()[0], "out/a.txt of task 1 differs from an earlier task's; written as out/a.txt.task-1");
}

TEST(ResultsPlan, AFileAndADirectoryOfOneNameDoNotMeet) {
  ResultsPlan plan;
  ASSERT_TRUE(plan.add(0, tree({{"a", "1"}, {"b/c", "2"}})));
  ASSERT_TRUE(plan.add(1, tree({{"a/x", "3"}, {"b", "4"}})));
  EXPECT_EQ(paths(plan), (Paths{"a", "b/c", "a.task-1/x", "b.task-1"}));
}

TEST(ResultsPlan, RefusesHostileNames) {
  for (const char* path : {"../a", "a/../../b", "/etc/passwd", "", "a//b", "./a", "a/.", "a/", "a\nb", "a\x1b[2J"}) {
    ResultsPlan plan;
    const Result<void> added = plan.add(3, tree({{path, "a"}}));
    ASSERT_FALSE(added) << path;
    EXPECT_EQ(added.error().code, Code::kDataLoss);
    EXPECT_TRUE(plan.files().empty());
  }
}

// What fetch_file() does: a temporary file beside it, then rename.
void fill(const Destination::Place& place, const std::string& content) {
  const std::filesystem::path temporary = place.file().string() + ".part";
  const int file = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  ASSERT_GE(file, 0);
  ASSERT_EQ(::write(file, content.data(), content.size()), static_cast<ssize_t>(content.size()));
  ::close(file);
  ASSERT_EQ(::rename(temporary.c_str(), place.file().c_str()), 0);
}

TEST(Destination, MakesDirectoriesAndReplacesFiles) {
  const TempDirectory temporary;
  const Result<Destination> destination = Destination::open(temporary.path() / "new");
  ASSERT_TRUE(destination);
  for (const char* content : {"one", "two"}) {
    const Result<Destination::Place> place = destination->place("a/b/c.txt");
    ASSERT_TRUE(place) << place.error().message;
    fill(*place, content);
    EXPECT_EQ(temporary.read("new/a/b/c.txt"), content);
  }
}

TEST(Destination, GoesThroughNoLink) {
  const TempDirectory temporary;
  temporary.write("outside/keep", "untouched");
  const Result<Destination> destination = Destination::open(temporary.path() / "cwd");
  ASSERT_TRUE(destination);
  std::filesystem::create_symlink("../outside", temporary.path() / "cwd/link");
  const Result<Destination::Place> through = destination->place("link/keep");
  ASSERT_FALSE(through);
  EXPECT_EQ(through.error().code, Code::kFailedPrecondition);
  EXPECT_NE(through.error().message.find("--to DIR"), std::string::npos);

  // A link in the file's own place is replaced; what it points to stays as it is.
  std::filesystem::create_symlink("../outside/keep", temporary.path() / "cwd/file");
  const Result<Destination::Place> place = destination->place("file");
  ASSERT_TRUE(place);
  fill(*place, "new");
  EXPECT_FALSE(std::filesystem::is_symlink(temporary.path() / "cwd/file"));
  EXPECT_EQ(temporary.read("outside/keep"), "untouched");
}

TEST(Destination, ALinkPutInBetweenChangesNothing) {
  const TempDirectory temporary;
  std::filesystem::create_directory(temporary.path() / "outside");
  const Result<Destination> destination = Destination::open(temporary.path() / "cwd");
  ASSERT_TRUE(destination);
  const Result<Destination::Place> place = destination->place("sub/file");
  ASSERT_TRUE(place);
  std::filesystem::rename(temporary.path() / "cwd/sub", temporary.path() / "cwd/moved");
  std::filesystem::create_symlink("../outside", temporary.path() / "cwd/sub");
  fill(*place, "new");
  EXPECT_TRUE(std::filesystem::is_empty(temporary.path() / "outside"));
  EXPECT_EQ(temporary.read("cwd/moved/file"), "new");
}

TEST(Destination, KeepsWhatIsThereBesideWhatTakesItsPlace) {
  const TempDirectory temporary;
  const Result<Destination> destination = Destination::open(temporary.path());
  ASSERT_TRUE(destination);
  const Result<Destination::Place> place = destination->place("a/b.txt");
  ASSERT_TRUE(place);
  EXPECT_EQ(place->keep().value(), "") << "there is nothing";
  for (const char* content : {"one", "two", "three"}) {
    temporary.write("a/b.txt", content);
    ASSERT_TRUE(place->keep());
    fill(*place, "new");
  }
  EXPECT_EQ(temporary.read("a/b.txt"), "new");
  EXPECT_EQ(temporary.read("a/b.txt.before"), "one");
  EXPECT_EQ(temporary.read("a/b.txt.before.2"), "two");
  EXPECT_EQ(temporary.read("a/b.txt.before.3"), "three");
  std::filesystem::create_symlink("b.txt", temporary.path() / "a/link");
  EXPECT_EQ(destination->place("a/link")->keep().value(), "link.before");
  EXPECT_TRUE(std::filesystem::is_symlink(temporary.path() / "a/link.before"));
}

TEST(Destination, RefusesWhatIsInTheWay) {
  const TempDirectory temporary;
  temporary.write("cwd/file", "x");
  temporary.write("cwd/directory/inner", "x");
  const Result<Destination> destination = Destination::open(temporary.path() / "cwd");
  ASSERT_TRUE(destination);
  EXPECT_EQ(destination->place("file/below").error().code, Code::kFailedPrecondition);
  EXPECT_EQ(destination->place("directory").error().code, Code::kFailedPrecondition);
  for (const char* path : {"../a", "/etc/passwd", "", "a/../b"}) {
    EXPECT_EQ(destination->place(path).error().code, Code::kInvalidArgument) << path;
  }
}

}  // namespace
}  // namespace hearth::cli
