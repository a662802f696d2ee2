#include "core/pool/audiences.h"

#include <gtest/gtest.h>

namespace hearth::pool {
namespace {

constexpr AccountId kMia = {(std::uint64_t{1} << 62U) + 1};
constexpr AccountId kTom = {(std::uint64_t{1} << 62U) + 2};
constexpr Beholder kAnns = {.device = {1}, .is_its = true};
constexpr Beholder kMiasPhone = {.device = {2}, .account = kMia};
constexpr Beholder kMiasTablet = {.device = {3}, .account = kMia};
constexpr Beholder kTomsPhone = {.device = {4}, .account = kTom};
constexpr Beholder kStray = {.device = {5}};

TEST(Audience, NobodyElseSeesWhatIsNotShared) {
  const Audience audience{};
  EXPECT_EQ(audience.right_of(kAnns), AppRight::kControl);
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kNone);
  EXPECT_EQ(audience.right_of(kStray), AppRight::kNone);
  EXPECT_FALSE(audience.may_pass(kMiasPhone));
}

TEST(Audience, APersonIsAnAccountOrADevice) {
  Audience audience;
  ASSERT_TRUE(audience.let_in(kMia, {}));
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kWatch);
  EXPECT_EQ(audience.right_of(kMiasTablet), AppRight::kWatch);
  ASSERT_TRUE(audience.let_in({4}, {}));
  EXPECT_EQ(audience.right_of(kTomsPhone), AppRight::kWatch);
  EXPECT_EQ(audience.right_of({.device = {9}, .account = kTom}), AppRight::kNone);
  EXPECT_EQ(audience.right_of(kStray), AppRight::kNone);
  EXPECT_TRUE(audience.take_back(kMia));
  EXPECT_FALSE(audience.take_back(kMia));
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kNone);
}

TEST(Audience, WhoeverHasTheControllerUsesItAndTheOthersWatch) {
  Audience audience;
  ASSERT_TRUE(audience.let_in(kMia, {.may_control = true}));
  ASSERT_TRUE(audience.let_in(kTom, {}));
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kWatch) << "it is not passed to them yet";
  ASSERT_TRUE(audience.pass(kMia));
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kControl);
  EXPECT_EQ(audience.right_of(kTomsPhone), AppRight::kWatch);
  EXPECT_EQ(audience.right_of(kAnns), AppRight::kWatch);
  EXPECT_TRUE(audience.may_pass(kMiasPhone));
  EXPECT_TRUE(audience.may_pass(kAnns)) << "it is always to be had back";
  EXPECT_FALSE(audience.may_pass(kTomsPhone));
  audience.return_controller();
  EXPECT_EQ(audience.right_of(kAnns), AppRight::kControl);
  EXPECT_FALSE(audience.may_pass(kMiasPhone));
}

TEST(Audience, TheControllerGoesOnlyToWhoMayControl) {
  Audience audience;
  ASSERT_TRUE(audience.let_in(kTom, {}));
  EXPECT_EQ(audience.pass(kTom).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(audience.pass(kMia).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(audience.right_of(kAnns), AppRight::kControl);
}

TEST(Audience, WhoLosesTheRightLosesTheController) {
  Audience audience;
  ASSERT_TRUE(audience.let_in(kMia, {.may_control = true}));
  ASSERT_TRUE(audience.pass(kMia));
  ASSERT_TRUE(audience.let_in(kMia, {}));
  EXPECT_EQ(audience.right_of(kMiasPhone), AppRight::kWatch);
  EXPECT_EQ(audience.controller(), std::nullopt);
  ASSERT_TRUE(audience.let_in(kMia, {.may_control = true}));
  ASSERT_TRUE(audience.pass(kMia));
  EXPECT_TRUE(audience.take_back(kMia));
  EXPECT_EQ(audience.right_of(kAnns), AppRight::kControl);
}

TEST(Audience, IsBounded) {
  Audience audience;
  for (std::uint64_t device = 10; device < 10 + Audience::kMost; ++device) {
    ASSERT_TRUE(audience.let_in({device}, {}));
  }
  EXPECT_EQ(audience.let_in(kMia, {}).error().code, Code::kResourceExhausted);
  EXPECT_TRUE(audience.let_in({10}, {.may_control = true})) << "one that is in may be changed";
}

constexpr WallTime kMade{1'000'000};

WatchLink link_for(Duration life) {
  return {.secret_hash = "hash",
          .label = "television",
          .maker = {7},
          .made = kMade,
          .expires = {kMade.unix_millis + life.micros / 1'000},
          .most_players = 2};
}

TEST(Audience, AWatchLinkLetsInWhoeverHasItsSecretUntilItRunsOut) {
  Audience audience;
  EXPECT_TRUE(audience.is_empty());
  EXPECT_EQ(audience.add_link(link_for(minutes(1))), 1U);
  EXPECT_EQ(audience.add_link(link_for(minutes(2))), 2U);
  EXPECT_FALSE(audience.is_empty());
  const Result<const WatchLink*> link = audience.admit(1, "hash", kMade);
  ASSERT_TRUE(link);
  EXPECT_EQ((*link)->most_players, 2U);
  const WallTime later{kMade.unix_millis + 60'000};
  // Whatever is wrong, the same is said.
  const std::string why = audience.admit(1, "another", kMade).error().message;
  for (const Error& error : {audience.admit(3, "hash", kMade).error(), audience.admit(1, "", kMade).error(),
                             audience.admit(1, "hash", later).error()}) {
    EXPECT_EQ(error.code, Code::kUnauthenticated);
    EXPECT_EQ(error.message, why);
  }
  EXPECT_TRUE(audience.admit(2, "hash", later));
  EXPECT_TRUE(audience.drop_run_out(later));
  EXPECT_FALSE(audience.drop_run_out(later));
  EXPECT_FALSE(audience.revoke_link(1));
  EXPECT_FALSE(audience.drop_made_by({8}));
  EXPECT_TRUE(audience.drop_made_by({7}));
  EXPECT_TRUE(audience.is_empty());
  EXPECT_EQ(audience.right_of({.device = {7}}), AppRight::kNone) << "a link is nobody's right but its players'";
}

TEST(Audience, WatchLinksAreBounded) {
  Audience audience;
  WatchLink link = link_for(minutes(1));
  link.most_players = 0;
  EXPECT_EQ(audience.add_link(link).error().code, Code::kInvalidArgument);
  link.most_players = Audience::kMostPlayers + 1;
  EXPECT_EQ(audience.add_link(link).error().code, Code::kInvalidArgument);
  link = link_for(minutes(1));
  link.label = std::string(101, 'x');
  EXPECT_EQ(audience.add_link(link).error().code, Code::kInvalidArgument);
  EXPECT_EQ(audience.add_link(link_for({})).error().code, Code::kInvalidArgument);
  EXPECT_EQ(audience.add_link(link_for(Audience::kMaxLife + seconds(1))).error().code, Code::kInvalidArgument);
  for (std::size_t i = 0; i < Audience::kMostLinks; ++i) ASSERT_TRUE(audience.add_link(link_for(minutes(1))));
  EXPECT_EQ(audience.add_link(link_for(minutes(1))).error().code, Code::kResourceExhausted);
}

TEST(Audience, AWatchLinksIdIsSpeltInOneWay) {
  EXPECT_EQ(to_text({{17}, 2}), "17-2");
  EXPECT_EQ(parse_watch_link_id("17-2"), (WatchLinkId{{17}, 2}));
  for (const char* text : {"", "-", "17", "17-", "-2", "017-2", "17-02", "17-0", "+17-2", "17-2 ", "17-2-3", "a-b",
                           "99999999999999999999-1", "1-4294967296"}) {
    EXPECT_EQ(parse_watch_link_id(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace hearth::pool
