#include "core/pool/preference.h"

#include <cmath>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/pool/pool_test_world.h"
#include "core/pool/preference_table.h"

namespace hearth::pool {
namespace {

using testing::HasSubstr;

constexpr NodeId kThird{3};

const Attributes kFast = {{"speed", 400.0}, {"watts", 300.0}, {"cores", 4.0}, {"price", 0.3}, {"os", "debian"}};
const Attributes kSlow = {{"speed", 200.0}, {"watts", 40.0}, {"cores", 4.0}, {"price", 0.3}, {"label.rank", 2.0}};

bool is_preferred(std::string_view text, const Attributes& one, const Attributes& other) {
  const Result<Preference> preference = Preference::parse(text);
  EXPECT_TRUE(preference) << text;
  return preference && preference->rank(one) < preference->rank(other);
}

TEST(Preference, MostOrLeastOfANumber) {
  EXPECT_TRUE(is_preferred("speed", kFast, kSlow));
  EXPECT_TRUE(is_preferred("-speed", kSlow, kFast));
  EXPECT_TRUE(is_preferred("-watts / speed", kSlow, kFast));
  EXPECT_TRUE(is_preferred(" watts*speed ", kFast, kSlow));
  EXPECT_TRUE(is_preferred("-price, speed", kFast, kSlow)) << "alike in the first, the second decides";
  EXPECT_FALSE(is_preferred("price", kFast, kSlow) || is_preferred("price", kSlow, kFast));
}

TEST(Preference, WordsForWhatPeopleWant) {
  EXPECT_TRUE(is_preferred("fast", kFast, kSlow));
  EXPECT_TRUE(is_preferred("frugal", kSlow, kFast));
  EXPECT_TRUE(is_preferred("cheap", kSlow, kFast));
  Attributes at_night = kFast;
  at_night["price"] = 0.01;
  EXPECT_TRUE(is_preferred("cheap", at_night, kSlow));
}

TEST(Preference, WhatIsNotSaidComesLast) {
  EXPECT_TRUE(is_preferred("label.rank", kSlow, kFast));
  EXPECT_TRUE(is_preferred("-label.rank", kSlow, kFast));
  EXPECT_TRUE(
      is_preferred("-watts/label.zero", {{"watts", 9.0}, {"label.zero", 1.0}}, {{"watts", 1.0}, {"label.zero", 0.0}}));
  const Result<Preference> odd = Preference::parse("label.a/label.a");
  ASSERT_TRUE(odd);
  EXPECT_FALSE(std::isnan(odd->rank({{"label.a", 0.0}})[0]));
  EXPECT_TRUE(is_preferred("label.a", {{"label.a", 1.0}}, {{"label.a", "text"}}));
}

TEST(Preference, SaysWhatIsWrong) {
  const auto error = [](const std::string& text) {
    const Result<Preference> preference = Preference::parse(text);
    return preference ? "" : preference.error().message;
  };
  EXPECT_THAT(error("quick"), HasSubstr("'quick' is no number that nodes have: write fast, frugal or cheap"));
  EXPECT_THAT(error("os"), HasSubstr("speed, watts, price, label.NAME"));
  EXPECT_THAT(error(""), HasSubstr("''"));
  EXPECT_THAT(error("speed,"), HasSubstr("''"));
  EXPECT_THAT(error("speed*/watts"), HasSubstr("''"));
  EXPECT_THAT(error("label."), HasSubstr("label."));
  EXPECT_THAT(error("speed,speed,speed,speed,speed"), HasSubstr("at most 4 terms"));
  EXPECT_THAT(error("speed*speed*speed*speed*speed*speed*speed*speed*speed"), HasSubstr("at most 8 numbers"));
  EXPECT_THAT(error(std::string(300, ' ')), HasSubstr("at most 256"));
}

class PreferenceInPool : public testing::Test, public World {
 protected:
  PreferenceInPool() {
    join_as(kFirst, cores(8), kSlow);
    join_as(kSecond, cores(2), kFast);
  }
  NodeId placed(const std::string& prefer) {
    const JobId job = submit(JobRequest{.prefer = prefer});
    return pool.node_of({job, 0}).value_or(NodeId{});
  }
};

TEST_F(PreferenceInPool, TasksGoWhereTheirJobPrefersAsLongAsThereIsRoom) {
  EXPECT_EQ(placed(""), kFirst) << "the emptiest";
  EXPECT_EQ(placed("fast"), kSecond);
  EXPECT_EQ(placed("fast"), kSecond);
  EXPECT_EQ(placed("fast"), kFirst) << "a preference is no reason to wait";
  EXPECT_EQ(placed("frugal"), kFirst);
}

TEST_F(PreferenceInPool, NodesThatAreAlikeShareTheWork) {
  join_as(kThird, cores(8), kSlow);
  const JobId job = submit(JobRequest{.tasks = 8, .prefer = "frugal"});
  EXPECT_EQ(leased(kFirst), 4U);
  EXPECT_EQ(leased(kThird), 4U);
  EXPECT_EQ(view(job).running, 8U);
}

TEST_F(PreferenceInPool, WhatANodeSaysAnewCounts) {
  EXPECT_EQ(placed("fast"), kSecond);
  Attributes upgraded = kSlow;
  upgraded["speed"] = 900.0;
  pool.on_attributes(kFirst, upgraded, now);
  EXPECT_EQ(placed("fast"), kFirst);
  pool.on_node_gone(kFirst, now);
  settle();
  EXPECT_EQ(placed("fast"), kSecond);
}

TEST_F(PreferenceInPool, SoManyDifferentOnesAndNoMore) {
  pool.on_node_gone(kFirst, now);
  pool.on_node_gone(kSecond, now);
  for (std::size_t i = 0; i < PreferenceTable::kMost; ++i) {
    submit(JobRequest{.prefer = "label.n" + std::to_string(i)});
    ASSERT_TRUE(submitted) << i;
  }
  submit(JobRequest{.prefer = "fast"});
  ASSERT_FALSE(submitted);
  EXPECT_EQ(submitted.error().code, Code::kResourceExhausted);
  EXPECT_THAT(submitted.error().message, HasSubstr("prefer: the pool's jobs have 32 different preferences"));
  submit(JobRequest{.prefer = "label.n0"});
  EXPECT_TRUE(submitted) << "as another has it";
  pool.on_cancel(JobId{2}, now);
  settle();
  submit(JobRequest{.prefer = "fast"});
  EXPECT_TRUE(submitted);
}

TEST_F(PreferenceInPool, NonsenseIsRefused) {
  submit(JobRequest{.prefer = "quick"});
  ASSERT_FALSE(submitted);
  EXPECT_THAT(submitted.error().message, HasSubstr("prefer: 'quick'"));
}

}  // namespace
}  // namespace hearth::pool
