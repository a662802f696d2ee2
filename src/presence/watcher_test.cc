// The watcher against the mocks of logind, UPower and NetworkManager that python3-dbusmock has, on a bus of its own.
#include <atomic>

#include <gtest/gtest.h>

#include "presence/logind.h"
#include "presence/mock_bus.h"
#include "presence/power.h"
#include "presence/presence.h"

namespace hearth::presence {
namespace {

class LogindTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(mocks.runs()) << "dbus-daemon does not start; is the package dbus installed?";
    ASSERT_TRUE(mocks.add("logind", kLogind)) << "is the package python3-dbusmock installed?";
  }

  MockBus mocks;
};

TEST_F(LogindTest, ListsWhoIsAtASeat) {
  Bus bus;
  auto sessions = list_sessions(bus);
  ASSERT_TRUE(sessions) << sessions.error().message;
  EXPECT_TRUE(sessions->empty());
  mocks.add_session();
  sessions = list_sessions(bus);
  ASSERT_EQ(sessions->size(), 1U);
  EXPECT_TRUE(sessions->front().on_seat);
  EXPECT_TRUE(sessions->front().active);
  EXPECT_EQ(sessions->front().kind, "user");
  EXPECT_EQ(sessions->front().idle, std::nullopt);
  mocks.set_idle(true);
  sessions = list_sessions(bus);
  ASSERT_TRUE(sessions->front().idle);
  EXPECT_GT(*sessions->front().idle, seconds(1)) << "since the machine started, nearly";
  mocks.update(kLogind, kSessionPath, kSession, {{"LockedHint", sdbus::Variant(true)}});
  EXPECT_TRUE(list_sessions(bus)->front().locked);
}

TEST_F(LogindTest, NamesWhoKeepsTheScreenAwake) {
  Bus bus;
  EXPECT_EQ(find_inhibitor(bus).value(), "");
  const auto inhibit = [&](const char* what, const char* who, const char* mode) {
    sdbus::UnixFd held;
    mocks.proxy(kLogind, kLogindPath)
        ->callMethod("Inhibit")
        .onInterface("org.freedesktop.login1.Manager")
        .withArguments(std::string(what), std::string(who), std::string("playing"), std::string(mode))
        .storeResultsTo(held);
    return held;
  };
  const sdbus::UnixFd lid = inhibit("handle-lid-switch:sleep", "desktop", "block");
  const sdbus::UnixFd delay = inhibit("idle", "polite", "delay");
  EXPECT_EQ(find_inhibitor(bus).value(), "") << "neither speaks of idleness";
  const sdbus::UnixFd film = inhibit("sleep:idle", "VLC", "block");
  EXPECT_EQ(find_inhibitor(bus).value(), "VLC (playing)");
}

TEST_F(LogindTest, TheWatcherTellsWhatChanges) {
  mocks.add_session();
  std::atomic<int> active = 0;
  std::atomic<int> idle = 0;
  const auto watcher = Watcher::start({.look = milliseconds(20)}, [&](const Sight& sight) {
    if (sight.has_seat && sight.idle == Duration{}) ++active;
    if (sight.has_seat && sight.idle > seconds(1)) ++idle;
  });
  EXPECT_TRUE(watcher->sight().has_seat);
  EXPECT_EQ(watcher->sight().idle, Duration{}) << "the first look comes before start() returns";
  mocks.set_idle(true);
  for (int tries = 0; tries < 3'000 && idle == 0; ++tries) ::usleep(10'000);
  EXPECT_GT(idle, 0);
  EXPECT_GT(active, 0);
  bool said = false;
  for (const SourceState& source : watcher->sources()) said = said || (source.name == "logind" && source.ok);
  EXPECT_TRUE(said);
}

TEST(Power, BatteryAndMeteredLink) {
  MockBus mocks;
  ASSERT_TRUE(mocks.runs());
  Bus bus;
  EXPECT_FALSE(on_battery(bus)) << "nobody tells";
  ASSERT_TRUE(mocks.add("upower", kUPower));
  ASSERT_TRUE(mocks.add("networkmanager", kNetwork));
  EXPECT_EQ(on_battery(bus).value(), false);
  mocks.update(kUPower, "/org/freedesktop/UPower", kUPower, {{"OnBattery", sdbus::Variant(true)}});
  EXPECT_EQ(on_battery(bus).value(), true);
  EXPECT_EQ(on_metered_link(bus).value(), false);
  mocks.proxy(kNetwork, "/org/freedesktop/NetworkManager")
      ->callMethod("AddProperty")
      .onInterface(kMock)
      .withArguments(std::string(kNetwork), std::string("Metered"), sdbus::Variant(std::uint32_t{3}));
  EXPECT_EQ(on_metered_link(bus).value(), true);
}

TEST(Watcher, WithoutABusAndADisplayNobodyIsThere) {
  ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/socket", 1);
  for (const char* name : {"DISPLAY", "WAYLAND_DISPLAY"}) ::unsetenv(name);
  const auto watcher = Watcher::start({}, [](const Sight&) {});
  ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
  EXPECT_FALSE(watcher->sight().has_seat);
  EXPECT_FALSE(watcher->sight().on_battery);
  for (const SourceState& source : watcher->sources()) {
    if (!source.ok) EXPECT_FALSE(source.detail.empty()) << source.name;
  }
}

}  // namespace
}  // namespace hearth::presence
