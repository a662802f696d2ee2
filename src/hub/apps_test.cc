#include "hub/apps.h"

#include <gtest/gtest.h>

namespace hearth::hub {
namespace {

v1::AppList one_app() {
  v1::AppList list;
  list.add_apps()->set_name("Clock");
  list.mutable_apps(0)->add_argv("xclock");
  return list;
}

TEST(HubApps, AreThoseThatANodeToldLast) {
  Apps apps;
  EXPECT_EQ(apps.find({1}), nullptr);
  ASSERT_TRUE(apps.set({1}, one_app()));
  ASSERT_NE(apps.find({1}), nullptr);
  EXPECT_EQ(apps.find({1})->apps(0).name(), "Clock");
  EXPECT_EQ(apps.find({2}), nullptr);
  ASSERT_TRUE(apps.set({1}, v1::AppList()));
  EXPECT_EQ(apps.find({1})->apps_size(), 0);
  apps.forget({1});
  EXPECT_EQ(apps.find({1}), nullptr);
}

TEST(HubApps, BeyondTheSchemasLimitsAreRefused) {
  Apps apps;
  v1::AppList nameless = one_app();
  nameless.mutable_apps(0)->clear_name();
  v1::AppList unprintable = one_app();
  unprintable.mutable_apps(0)->set_name("a\nb");
  v1::AppList nothing = one_app();
  nothing.mutable_apps(0)->clear_argv();
  v1::AppList wordy = one_app();
  wordy.mutable_apps(0)->add_argv(std::string(5'000, 'x'));
  v1::AppList large = one_app();
  large.mutable_apps(0)->set_icon(std::string(17 << 10, 'x'));
  v1::AppList many;
  for (int i = 0; i < 201; ++i) *many.add_apps() = one_app().apps(0);
  for (const v1::AppList& bad : {nameless, unprintable, nothing, wordy, large, many}) EXPECT_FALSE(apps.set({1}, bad));
  EXPECT_EQ(apps.find({1}), nullptr);
}

}  // namespace
}  // namespace hearth::hub
