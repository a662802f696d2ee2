#include "core/drive/copy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr std::string_view kHolder = "aaaa";
constexpr std::string_view kSelf = "bbbb";

CopyEntry there(const std::string& name, const std::string& etag, std::uint64_t bytes = 5) {
  return {.name = name, .etag = etag, .bytes = bytes, .mode = 0600};
}
CopyEntry copied(const std::string& name, const std::string& theirs, const std::string& ours) {
  CopyEntry entry = there(name, ours);
  entry.mark = CopyMark{.source = std::string(kHolder), .theirs = theirs, .ours = ours};
  return entry;
}
CopyEntry folder(const std::string& name) { return {.name = name, .is_folder = true, .mode = 0700}; }

std::vector<CopyStep> steps(const std::vector<CopyEntry>& theirs, const std::vector<CopyEntry>& ours) {
  std::vector<CopyStep> steps;
  for (const CopyAction& action : plan_copy(theirs, ours, kHolder, kSelf)) steps.push_back(action.step);
  return steps;
}

TEST(Copy, WhatIsThereAndHasNotChangedIsLeft) {
  EXPECT_THAT(steps({there("a", "1"), folder("d")}, {copied("a", "1", "x"), folder("d")}), IsEmpty());
}

TEST(Copy, WhatIsNewOrChangedThereComes) {
  EXPECT_THAT(steps({there("a", "1"), folder("d")}, {}), ElementsAre(CopyStep::kFetch, CopyStep::kMakeFolder));
  EXPECT_THAT(steps({there("a", "2")}, {copied("a", "1", "x")}), ElementsAre(CopyStep::kFetch));
  CopyEntry said = there("a", "1");
  said.attributes["user.hearth.properties"] = "<p/>";
  EXPECT_THAT(steps({said}, {copied("a", "1", "x")}), ElementsAre(CopyStep::kAttributes));
}

TEST(Copy, WhatTheHolderHasNotIsRemovedIfItIsItsCopyAndElseKept) {
  EXPECT_THAT(steps({}, {copied("a", "1", "x"), folder("d")}), ElementsAre(CopyStep::kRemove, CopyStep::kRemove));
  EXPECT_THAT(steps({}, {there("a", "1")}), ElementsAre(CopyStep::kSetAside));
  CopyEntry changed = copied("a", "1", "x");
  changed.etag = "y";
  EXPECT_THAT(steps({}, {changed}), ElementsAre(CopyStep::kSetAside));
}

TEST(Copy, WhatIsNobodysCopyIsNeverWrittenOver) {
  EXPECT_THAT(steps({there("a", "1", 7)}, {there("a", "x")}), ElementsAre(CopyStep::kSetAside, CopyStep::kFetch));
  EXPECT_THAT(steps({there("a", "1")}, {there("a", "x")}), ElementsAre(CopyStep::kCompare)) << "it may be the same";
  CopyEntry changed = copied("a", "1", "x");
  changed.etag = "y";
  EXPECT_THAT(steps({there("a", "1", 7)}, {changed}), ElementsAre(CopyStep::kSetAside, CopyStep::kFetch));
  EXPECT_THAT(steps({there("a", "1")}, {folder("a")}), ElementsAre(CopyStep::kSetAside, CopyStep::kFetch));
  EXPECT_THAT(steps({folder("a")}, {copied("a", "1", "x")}), ElementsAre(CopyStep::kSetAside, CopyStep::kMakeFolder));
}

// The roles have changed: the holder has copied this file from here.
TEST(Copy, WhatTheHolderHasFromHereIsTheSame) {
  CopyEntry theirs = there("a", "1");
  theirs.mark = CopyMark{.source = std::string(kSelf), .theirs = "x", .ours = "1"};
  EXPECT_THAT(steps({theirs}, {there("a", "x")}), ElementsAre(CopyStep::kAdopt));
  EXPECT_THAT(steps({theirs}, {there("a", "y")}), ElementsAre(CopyStep::kCompare));
  theirs.etag = "2";  // changed there since
  EXPECT_THAT(steps({theirs}, {there("a", "x")}), ElementsAre(CopyStep::kCompare));
  EXPECT_THAT(copy_keys_of_wanted(theirs, kHolder, kSelf), ElementsAre("aaaa 2"));
  theirs.etag = "1";
  EXPECT_THAT(copy_keys_of_wanted(theirs, kHolder, kSelf),
              ElementsAre("aaaa 1", copy_key_of_kept(there("b", "x"), kHolder, kSelf)));
  EXPECT_EQ(copy_key_of_kept(copied("b", "1", "x"), kHolder, kSelf), "aaaa 1");
}

TEST(Copy, NamesWhatBelongsToIt) {
  for (const char* good : {"", "a", "a/b c", ".hearth", ".hearth/trash/1/content", ".hearth/links", "a/.hearth"}) {
    EXPECT_TRUE(check_copy_path(good)) << good;
  }
  for (const char* bad : {"/a", "a/", "a//b", "..", "a/../b", ".hearth/new/x", ".hearth/aside", ".hearth/id", "a\nb"}) {
    EXPECT_FALSE(check_copy_path(bad)) << bad;
  }
  EXPECT_FALSE(check_copy_path(std::string(5'000, 'a')));
  std::string deep;
  for (int i = 0; i < 200; ++i) deep += "d/";
  EXPECT_FALSE(check_copy_path(deep + "e"));
  EXPECT_FALSE(is_copied("", ".hearth")) << "the drive's own is looked at by itself";
}

TEST(Copy, MarksAreReadBack) {
  const CopyMark mark{.source = "s", .theirs = "\"1-2-3\"", .ours = "\"4-5-6\""};
  EXPECT_EQ(decode_copy_mark(encode(mark)), mark);
  for (const char* bad : {"", "a", "a b", "a b ", "a  c", " b c", "a b c d"})
    EXPECT_FALSE(decode_copy_mark(bad)) << bad;
  EXPECT_FALSE(decode_copy_mark(std::string(600, 'a') + " b c"));
}

TEST(Copy, ADigestKnowsEachChange) {
  const std::string before = copy_digest_text({there("a", "1"), folder("d")});
  CopyEntry marked = there("a", "1");
  marked.mark = CopyMark{"s", "t", "u"};
  EXPECT_EQ(copy_digest_text({marked, folder("d")}), before) << "that is each PC's own";
  CopyEntry mode = there("a", "1");
  mode.mode = 0644;
  CopyEntry said = there("a", "1");
  said.attributes["user.hearth.versions"] = "x";
  for (const CopyEntry& changed : {there("a", "2"), there("b", "1"), mode, said}) {
    EXPECT_NE(copy_digest_text({changed, folder("d")}), before);
  }
}

}  // namespace
}  // namespace hearth::drive
