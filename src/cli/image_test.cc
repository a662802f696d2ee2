#include "cli/image.h"

#include <chrono>

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
