#include "core/drive/scope.h"

#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

Scope shared(const char* path, const Rights& rights = kAllRights) {
  return {.root = *Path::parse(path), .rights = rights};
}

TEST(ScopeTest, TheRootOfAScopeIsItsCallersRootAndNothingOutsideHasAName) {
  const Scope photos = shared("/photos/2026");
  for (const char* root : {"", "/"}) EXPECT_EQ(photos.inside(root)->text(), "/photos/2026") << root;
  EXPECT_EQ(photos.inside("/a.jpg")->text(), "/photos/2026/a.jpg");
  EXPECT_EQ(photos.inside("a/b/")->text(), "/photos/2026/a/b");
  for (const char* path : {"..", "/..", "/../b", "/a/../../b", "/./a", "//a", "/a//b", "//", "/a\n", "/a/.."}) {
    EXPECT_FALSE(photos.inside(path)) << path;
  }
  // What is called so below is no folder of the drive's own.
  EXPECT_EQ(photos.inside("/.hearth")->text(), "/photos/2026/.hearth");
  EXPECT_FALSE(shared("/").inside("/.hearth/links"));
}

TEST(ScopeTest, WhatIsInAScopeIsToldAsItsCallerSeesIt) {
  const Scope photos = shared("/photos/2026");
  EXPECT_EQ(photos.outside(*Path::parse("/photos/2026/b/a.jpg")), "/b/a.jpg");
  for (const char* path : {"/photos/2026", "/photos", "/secret/a.jpg", "/photos/2026b/a"}) {
    EXPECT_EQ(photos.outside(*Path::parse(path)), "/") << path;
  }
  EXPECT_EQ(shared("/").outside(*Path::parse("/a")), "/a");
  const auto told = [&](const char* message) { return photos.told({Code::kNotFound, message}).message; };
  EXPECT_EQ(told("there is no /photos/2026/b, nor /photos/2026"), "there is no /b, nor /");
  EXPECT_EQ(shared("/").told({Code::kNotFound, "there is no /photos"}).message, "there is no /photos");
}

TEST(ScopeTest, ARightIsGrantedOrNot) {
  const Scope seen = shared("/a", {.see = true});
  EXPECT_TRUE(seen.allow({.see = true}));
  EXPECT_EQ(seen.allow({.see = true, .download = true}).error().message, "this link lets nobody download");
  EXPECT_EQ(seen.allow({.add = true}).error().message, "this link lets nobody add anything");
  EXPECT_EQ(seen.allow({.edit = true}).error().code, Code::kPermissionDenied);
  const Scope box = shared("/a", {.add = true});
  EXPECT_TRUE(box.allow({.add = true}));
  EXPECT_FALSE(box.allow({.see = true}));
}

TEST(ScopeTest, TheSharedThingItselfStaysWhereItIs) {
  const Scope edited = shared("/a");
  EXPECT_FALSE(edited.is_whole());
  EXPECT_FALSE(edited.allow_change(*Path::parse("/a")));
  EXPECT_TRUE(edited.allow_change(*Path::parse("/a/b")));
  EXPECT_FALSE(shared("/a", {.see = true}).allow_change(*Path::parse("/a/b")));
  EXPECT_TRUE(Scope().is_whole());
  EXPECT_TRUE(Scope().allow_change(*Path::parse("/a")));
}

TEST(ScopeTest, AGrantSaysSomethingAndCanBeKeptTo) {
  EXPECT_TRUE(check_rights({.see = true}));
  EXPECT_TRUE(check_rights({.see = true, .download = true}));
  EXPECT_TRUE(check_rights({.add = true}));
  EXPECT_TRUE(check_rights(kAllRights));
  EXPECT_FALSE(check_rights({}));
  EXPECT_FALSE(check_rights({.download = true}));
  EXPECT_FALSE(check_rights({.see = true, .edit = true}));
}

TEST(ScopeTest, WhatIsClosedIsNotThere) {
  const Scope tom{.closed = {"mia"}, .settled = {"mia", "both"}};
  EXPECT_EQ(tom.inside("/both/a")->text(), "/both/a");
  EXPECT_EQ(tom.inside("/photos/mia")->text(), "/photos/mia") << "only at the top";
  for (const char* path : {"/mia", "mia/", "/mia/a.txt"}) {
    const Result<Path> inside = tom.inside(path);
    ASSERT_FALSE(inside) << path;
    EXPECT_EQ(inside.error().code, Code::kPermissionDenied);
  }
  EXPECT_TRUE(tom.reaches(Path()));
  EXPECT_FALSE(tom.reaches(*Path::parse("/mia/b")));
  // A link's guest is told nothing of the names above what he sees.
  const Scope guest{.root = *Path::parse("/both"), .closed = {"mia"}};
  EXPECT_EQ(guest.inside("/mia")->text(), "/both/mia");
  EXPECT_FALSE(guest.reaches(*Path::parse("/open.txt")));
}

TEST(ScopeTest, WhatIsSettledStaysWhereItIs) {
  const Scope mia{.closed = {}, .settled = {"mia"}};
  EXPECT_FALSE(mia.allow_change(*Path::parse("/mia")));
  EXPECT_TRUE(mia.allow_change(*Path::parse("/mia/a")));
  EXPECT_TRUE(mia.allow_change(*Path::parse("/photos")));
  EXPECT_FALSE(mia.allow_in_place_of(*Path::parse("/mia")));
  EXPECT_TRUE(mia.allow_in_place_of(*Path::parse("/mia/a")));
  EXPECT_TRUE(mia.allow_in_place_of(*Path::parse("/photos")));
  EXPECT_FALSE((Scope{.root = *Path::parse("/photos")}).allow_in_place_of(*Path::parse("/photos")));
}

}  // namespace
}  // namespace hearth::drive
