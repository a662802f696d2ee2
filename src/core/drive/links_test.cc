#include "core/drive/links.h"

#include <gtest/gtest.h>

namespace hearth::drive {
namespace {

constexpr WallTime kNow{1'800'000'000'000};
constexpr LinkId kId{0x5f3a};
const std::string kHash(32, 'h');

WallTime after(std::int64_t seconds) { return {kNow.unix_millis + seconds * 1'000}; }

Link a_link(LinkId id = kId) {
  return {.id = id, .secret_hash = kHash, .path = *Path::parse("/photos"), .rights = {.see = true}, .made = kNow};
}

std::optional<Code> code_of(const Result<const Link*>& link) {
  return link ? std::nullopt : std::optional(link.error().code);
}

TEST(LinksTest, AnIdIsSpeltInOneWayAndIsNoDevice) {
  EXPECT_EQ(to_text(kId), "000000005f3a");
  EXPECT_EQ(parse_link_id("000000005f3a"), kId);
  for (const char* text :
       {"", "5f3a", "000000005F3A", "000000005f3ag", "0000000005f3a", "-00000005f3a", "00000000 f3a"}) {
    EXPECT_FALSE(parse_link_id(text)) << text;
  }
  EXPECT_EQ(link_of(holder_of(kId)), kId);
  EXPECT_FALSE(link_of(DeviceId{7}));
}

TEST(LinksTest, WhoeverHasTheSecretIsLetInUntilItRunsOut) {
  LinkTable links;
  Link link = a_link();
  link.expires = after(60);
  ASSERT_TRUE(links.add(link, kNow));
  EXPECT_EQ(code_of(links.admit(kId, kHash, after(59))), std::nullopt);
  EXPECT_EQ(code_of(links.admit(kId, std::string(32, 'x'), kNow)), Code::kUnauthenticated);
  EXPECT_EQ(code_of(links.admit(kId, "", kNow)), Code::kUnauthenticated);
  EXPECT_EQ(code_of(links.admit({1}, kHash, kNow)), Code::kNotFound);
  EXPECT_EQ(code_of(links.admit(kId, kHash, after(60))), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(links.admit(kId, std::string(32, 'x'), after(60))), Code::kUnauthenticated);
  EXPECT_EQ(code_of(links.find_living(kId, after(60))), Code::kFailedPrecondition);
  EXPECT_EQ(links.run_out(after(60)), std::vector{kId});
  EXPECT_TRUE(links.run_out(after(59)).empty());
}

TEST(LinksTest, EachWayInIsAUseAndWhoIsInStaysWhenTheyAreUsedUp) {
  LinkTable links;
  Link link = a_link();
  link.max_uses = 2;
  ASSERT_TRUE(links.add(link, kNow));
  links.enter(kId, after(1));
  EXPECT_EQ(code_of(links.admit(kId, kHash, after(2))), std::nullopt);
  links.enter(kId, after(2));
  EXPECT_EQ(code_of(links.admit(kId, kHash, after(3))), Code::kFailedPrecondition);
  EXPECT_EQ(code_of(links.find_living(kId, after(3))), std::nullopt);
  EXPECT_EQ(links.all().front().uses, 2U);
  EXPECT_EQ(links.all().front().last_used, after(2));
  links.note_use(kId, after(9));
  EXPECT_EQ(links.all().front().last_used, after(9));
}

TEST(LinksTest, ARevokedLinkIsAsIfItHadNeverBeen) {
  LinkTable links;
  ASSERT_TRUE(links.add(a_link(), kNow));
  EXPECT_EQ(links.revoke(kId), a_link());
  EXPECT_FALSE(links.revoke(kId));
  EXPECT_EQ(code_of(links.admit(kId, kHash, kNow)), Code::kNotFound);
  EXPECT_EQ(code_of(links.find_living(kId, kNow)), Code::kNotFound);
}

TEST(LinksTest, WhatIsTooMuchIsRefusedByName) {
  LinkTable links;
  const auto refused = [&](auto change) {
    Link link = a_link();
    change(link);
    const Result<void> added = links.add(link, kNow);
    return added ? std::string() : added.error().message;
  };
  EXPECT_NE(refused([](Link& link) { link.rights = {}; }), "");
  EXPECT_NE(refused([](Link& link) { link.label = std::string(101, 'a'); }), "");
  EXPECT_NE(refused([](Link& link) { link.label = "a\nb"; }), "");
  EXPECT_NE(refused([](Link& link) { link.max_uses = 1'000'001; }), "");
  EXPECT_NE(refused([](Link& link) { link.expires = kNow; }), "");
  EXPECT_NE(refused([](Link& link) { link.expires = after(20LL * 366 * 24 * 3600); }), "");
  for (std::uint64_t id = 1; id <= LinkTable::kMaxLinks; ++id) ASSERT_TRUE(links.add(a_link({id}), kNow));
  EXPECT_EQ(links.add(a_link({99'999}), kNow).error().code, Code::kResourceExhausted);
  links.revoke({1});
  EXPECT_EQ(links.add(a_link({2}), kNow).error().code, Code::kAlreadyExists);
}

TEST(LinksTest, WhatHasRunOutSaysSoForAWhile) {
  LinkTable links;
  Link link = a_link();
  link.expires = after(60);
  ASSERT_TRUE(links.add(link, kNow));
  const WallTime later{after(60).unix_millis + LinkTable::kRemembered.micros / 1'000};
  links.forget_old({later.unix_millis - 1});
  EXPECT_EQ(links.size(), 1U);
  links.forget_old(later);
  EXPECT_EQ(links.size(), 0U);
  links.restore(link);
  EXPECT_EQ(links.all(), std::vector{link});
}

}  // namespace
}  // namespace hearth::drive
