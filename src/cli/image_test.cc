#include "cli/image.h"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/recipes.h"
#include "cli/temp_directory.h"

namespace hearth::cli {
namespace {

using testing::HasSubstr;

TEST(Image, PackageNamesAreDebians) {
  for (const char* good : {"python3", "g++", "libc6", "python3.11-minimal", "0ad"})
    EXPECT_TRUE(is_package_name(good)) << good;
  for (const char* bad : {"", "x", "-y", "--include", "a b", "Python", "?essential", "/etc/passwd", "a;b", "a_b"}) {
    EXPECT_FALSE(is_package_name(bad)) << bad;
  }
}

TEST(Image, EveryRecipeIsMadeOfPackages) {
  for (const Recipe& recipe : recipes()) {
    EXPECT_FALSE(recipe.packages.empty());
    for (const std::string_view package : recipe.packages) EXPECT_TRUE(is_package_name(package)) << package;
    EXPECT_EQ(find_recipe(recipe.name), &recipe);
  }
  EXPECT_EQ(find_recipe("nothing"), nullptr);
}

TEST(Image, TheReleaseIsReadOffTheSystem) {
  EXPECT_EQ(codename_of("NAME=\"Debian\"\nVERSION_CODENAME=bookworm\n"), "bookworm");
  EXPECT_EQ(codename_of("VERSION_CODENAME=\"noble\""), "noble");
  EXPECT_EQ(codename_of("NAME=Arch\n"), "");
  EXPECT_EQ(codename_of("VERSION_CODENAME=a; rm -rf /\n"), "");
}

TEST(Image, OnlySourcesOfTheReleaseItselfAreTaken) {
  EXPECT_TRUE(is_source_of("deb http://deb.debian.org/debian bookworm main\n", "bookworm"));
  EXPECT_TRUE(is_source_of("Types: deb\nURIs: http://x\nSuites: bookworm bookworm-updates\n", "bookworm"));
  EXPECT_FALSE(is_source_of("# deb http://deb.debian.org/debian bookworm main\n", "bookworm"));
  EXPECT_FALSE(is_source_of("deb https://example.org/apt tool-bookworm main\n", "bookworm"));
}

TEST(Image, SubordinateIdsAreFoundByNameAndNumber) {
  EXPECT_TRUE(has_subordinate_ids("ann:100000:65536\n", "ann", 1000));
  EXPECT_TRUE(has_subordinate_ids("bob:1:2\n1000:100000:65536\n", "ann", 1000));
  EXPECT_FALSE(has_subordinate_ids("ann:100000:1000\n", "ann", 1000));
  EXPECT_FALSE(has_subordinate_ids("annabel:100000:65536\n", "ann", 1000));
  EXPECT_FALSE(has_subordinate_ids("ann\nann:\n::\n", "ann", 1000));
}

TEST(Workshop, ShowsTheLastWordsOfWhatFailed) {
  const TempDirectory directory;
  const Result<Workshop> workshop = Workshop::open(directory.path());
  ASSERT_TRUE(workshop);
  const Result<void> failed = workshop->run("trying", {{{"sh", "-c", "echo one; echo two >&2; exit 3"}, "dash"}});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("sh failed with exit code 3"));
  EXPECT_THAT(failed.error().message, HasSubstr("\n  one\n  two"));
  EXPECT_TRUE(workshop->run(
      "trying", {{{"sh", "-c", "test \"$GIVEN\" = yes && test -z \"$HOME\""}, "dash", {"GIVEN=yes", "HOME"}}}));
  const Result<void> missing = workshop->run("trying", {{{"hearth-no-such-tool"}, "some-package"}});
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().message, HasSubstr("apt install some-package"));
}

TEST(Workshop, RunsToolsInARowAndEndsThemTogether) {
  const TempDirectory directory;
  const Result<Workshop> workshop = Workshop::open(directory.path());
  ASSERT_TRUE(workshop);
  const std::string out = (directory.path() / "out").string();
  EXPECT_TRUE(
      workshop->run("piping", {{{"sh", "-c", "echo through"}, "dash"}, {{"sh", "-c", "cat > " + out}, "dash"}}));
  EXPECT_EQ(directory.read("out"), "through\n");
  // The second would wait for ever.
  const Result<void> failed =
      workshop->run("piping", {{{"sh", "-c", "exit 7"}, "dash"}, {{"sleep", "3600"}, "coreutils"}});
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().message, HasSubstr("sh failed with exit code 7"));
  EXPECT_EQ(workshop->lines_of({{"printf", "a\\nb\\n"}, "coreutils"}), (std::vector<std::string>{"a", "b"}));
}

TEST(Workshop, AsksAToolWhateverItsExitCode) {
  const TempDirectory directory;
  const Result<Workshop> workshop = Workshop::open(directory.path());
  ASSERT_TRUE(workshop);
  ::setenv("HEARTH_TEST_LEAK_A", "a", 1);
  ::setenv("HEARTH_TEST_LEAK_B", "b", 1);
  const Result<Ran> ran = workshop->ask(
      "asking", {.argv = {"sh", "-c", "pwd; echo \"$HEARTH_TEST_LEAK_A|$HEARTH_TEST_LEAK_B\"; echo odd >&2; exit 3"},
                 .package = "dash",
                 .variables = {"HEARTH_TEST_LEAK*", "HEARTH_TEST_LEAK_B=given"},
                 .directory = "/usr"});
  ASSERT_TRUE(ran);
  EXPECT_EQ(ran->exit_code, 3);
  EXPECT_EQ(ran->printed, "/usr\n|given\n");
  EXPECT_EQ(ran->said, "odd\n");
  const Result<Ran> killed = workshop->ask("asking", {{"sh", "-c", "kill -9 $$"}, "dash"});
  ASSERT_FALSE(killed);
  EXPECT_THAT(killed.error().message, HasSubstr("sh was ended by signal 9"));
  EXPECT_EQ(workshop->ask("asking", {{"hearth-no-such-tool"}, "some-package"}).error().code, Code::kFailedPrecondition);
}

TEST(Workshop, IsGoneAfterwardsWhateverWasPutThere) {
  const TempDirectory directory;
  {
    const Result<Workshop> workshop = Workshop::open(directory.path() / "parent");
    ASSERT_TRUE(workshop);
    std::filesystem::create_directories(workshop->directory() / "a" / "b");
    std::ofstream(workshop->directory() / "a" / "b" / "c") << "x";
    std::filesystem::permissions(workshop->directory() / "a" / "b", std::filesystem::perms::none);
    std::filesystem::permissions(workshop->directory() / "a", std::filesystem::perms::none);
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path() / "parent"));
}

TEST(Workshop, ClearsWhatKilledOnesHaveLeftAndNothingOfTheLiving) {
  const TempDirectory directory;
  directory.write("work-killed/a/b", "x");
  directory.write("worked/a", "x");
  std::filesystem::permissions(directory.path() / "work-killed/a", std::filesystem::perms::none);
  const Result<Workshop> one = Workshop::open(directory.path());
  ASSERT_TRUE(one);
  EXPECT_FALSE(std::filesystem::exists(directory.path() / "work-killed"));
  EXPECT_TRUE(std::filesystem::exists(directory.path() / "worked"));
  const Result<Workshop> other = Workshop::open(directory.path());
  ASSERT_TRUE(other);
  EXPECT_TRUE(std::filesystem::exists(one->directory()));
}

TEST(Workshop, OneWhoseToolHasOutlivedItIsNotDeadYet) {
  const TempDirectory directory;
  const std::filesystem::path mark = directory.path() / "tool";
  const pid_t killed = ::fork();
  if (killed == 0) {
    const Result<Workshop> workshop = Workshop::open(directory.path());
    (void)workshop->run("waiting", {{{"sh", "-c", "echo $$ > " + mark.string() + "; exec sleep 100"}, "dash"}});
    ::_exit(1);
  }
  std::string tool;
  while (!tool.ends_with('\n')) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    tool = std::filesystem::exists(mark) ? directory.read("tool") : "";
  }
  ::kill(killed, SIGKILL);
  ::waitpid(killed, nullptr, 0);
  const auto left = [&] {
    const std::filesystem::directory_iterator all(directory.path());
    return std::count_if(begin(all), end(all), [](const auto& one) { return one.is_directory(); });
  };
  EXPECT_TRUE(Workshop::open(directory.path()));
  EXPECT_EQ(left(), 1);
  ::kill(std::stoi(tool), SIGKILL);
  while (left() > 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    ASSERT_TRUE(Workshop::open(directory.path()));
  }
}

TEST(Image, ADirectoryGivesTheSameBytesWheneverAndWhereverItIs) {
  const TempDirectory directory;
  const Result<Workshop> workshop = Workshop::open(directory.path() / "work");
  ASSERT_TRUE(workshop);
  std::vector<std::string> images;
  for (const char* name : {"first", "second"}) {
    const std::filesystem::path tree = directory.path() / name;
    for (const char* file :
         images.empty() ? std::initializer_list<const char*>{"a", "b"} : std::initializer_list<const char*>{"b", "a"}) {
      directory.write(std::string(name) + "/etc/" + file, file);
    }
    std::filesystem::last_write_time(tree / "etc" / "a", std::filesystem::file_time_type::clock::now() -
                                                             std::chrono::hours(images.empty() ? 1 : 100));
    const Result<std::filesystem::path> image = image_of_directory(*workshop, tree);
    ASSERT_TRUE(image) << image.error().message;
    std::ifstream in(*image, std::ios::binary);
    images.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
  }
  EXPECT_TRUE(images[0].starts_with("hsqs"));
  EXPECT_TRUE(images[0] == images[1]);
  directory.write("third/tmp", "a file, not a directory");
  const Result<std::filesystem::path> wrong = image_of_directory(*workshop, directory.path() / "third");
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().message, HasSubstr("/tmp must be a directory"));
}

}  // namespace
}  // namespace hearth::cli
