#include "core/drive/private_folders.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

PrivateFolders family() {
  PrivateFolders folders;
  EXPECT_TRUE(folders.set({.name = "mia", .people = {"mia"}, .max_bytes = 1'000}));
  EXPECT_TRUE(folders.set({.name = "parents", .people = {"tom", "ada"}}));
  return folders;
}

TEST(PrivateFolders, AreClosedToWhoeverIsNotNamed) {
  const PrivateFolders folders = family();
  EXPECT_THAT(folders.closed_to("mia"), ElementsAre("parents"));
  EXPECT_THAT(folders.closed_to("ada"), ElementsAre("mia"));
  EXPECT_THAT(folders.closed_to("guest"), ElementsAre("mia", "parents"));
  EXPECT_THAT(folders.closed_to(""), ElementsAre("mia", "parents")) << "a device that is in no account";
  EXPECT_THAT(PrivateFolders().closed_to(""), IsEmpty());
}

TEST(PrivateFolders, LieAroundAllThatIsInThem) {
  const PrivateFolders folders = family();
  EXPECT_EQ(folders.around(Path()), nullptr);
  EXPECT_EQ(folders.around(*Path::parse("/mia2")), nullptr);
  EXPECT_EQ(folders.around(*Path::parse("/photos/mia")), nullptr) << "only at the top";
  ASSERT_NE(folders.around(*Path::parse("/mia/a/b.jpg")), nullptr);
  EXPECT_EQ(folders.around(*Path::parse("/mia"))->name, "mia");
}

TEST(PrivateFolders, BecomeEverybodysAgain) {
  PrivateFolders folders = family();
  EXPECT_TRUE(folders.open_to_all("mia"));
  EXPECT_THAT(folders.closed_to("ada"), IsEmpty());
  EXPECT_EQ(folders.open_to_all("mia").error().code, Code::kNotFound);
}

TEST(PrivateFolders, RefuseWhatSaysNothing) {
  PrivateFolders folders;
  for (const PrivateFolder& wrong :
       {PrivateFolder{.name = "a/b", .people = {"mia"}}, PrivateFolder{.name = "", .people = {"mia"}},
        PrivateFolder{.name = ".hearth", .people = {"mia"}}, PrivateFolder{.name = "a", .people = {}},
        PrivateFolder{.name = "a", .people = {"mia", "mia"}}, PrivateFolder{.name = "a", .people = {""}},
        PrivateFolder{.name = "a", .people = {"mi\ta"}}}) {
    const Result<void> set = folders.set(wrong);
    ASSERT_FALSE(set) << wrong.name;
    EXPECT_EQ(set.error().code, Code::kInvalidArgument);
  }
  EXPECT_THAT(folders.all(), IsEmpty());
}

TEST(PrivateFolders, AreReadAsTheyWereKept) {
  const PrivateFolders folders = family();
  EXPECT_EQ(folders.encode(), "1000\tmia\tmia\n0\tparents\tada\ttom\n");
  EXPECT_EQ(PrivateFolders::decode(folders.encode()), folders);
  EXPECT_EQ(PrivateFolders::decode(""), PrivateFolders());
  for (const char* broken :
       {"1000\tmia\tmia", "1000\tmia\n", "x\tmia\tmia\n", "0\ta/b\tmia\n", "0\ta\tb\n0\ta\tc\n", "\n"}) {
    const Result<PrivateFolders> read = PrivateFolders::decode(broken);
    ASSERT_FALSE(read) << broken;
    EXPECT_EQ(read.error().code, Code::kDataLoss);
    EXPECT_THAT(read.error().message, HasSubstr("line "));
  }
}

}  // namespace
}  // namespace hearth::drive
