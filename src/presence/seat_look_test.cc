// Sessions of logind's mock, with a compositor and a desktop of the test's own.
#include "presence/seat_look.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "presence/fake_compositor.h"
#include "presence/mock_bus.h"

namespace hearth::presence {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

// This process's environment while it lives: a session of this user without anything in it.
class SeatLookTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hearth-seat-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
    ::setenv("XDG_RUNTIME_DIR", directory.c_str(), 1);
    ::setenv("DBUS_SESSION_BUS_ADDRESS", mocks.address().c_str(), 1);
    for (const char* unset : {"DISPLAY", "WAYLAND_DISPLAY"}) ::unsetenv(unset);
    ASSERT_TRUE(mocks.runs()) << "dbus-daemon does not start; is the package dbus installed?";
  }
  void TearDown() override {
    for (const char* name : {"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "WAYLAND_DISPLAY"}) ::unsetenv(name);
    fs::remove_all(directory);
  }

  // Whose logind hints that nobody was there since the machine started.
  void add_session_of(std::uint32_t user) {
    ASSERT_TRUE(mocks.add("logind", kLogind)) << "is the package python3-dbusmock installed?";
    mocks.add_session(user);
    mocks.set_idle(true);
    mocks.update(kLogind, kSessionPath, kSession, {{"Type", sdbus::Variant(std::string("wayland"))}});
  }
  std::string socket() const { return (directory / "wayland-0").string(); }

  MockBus mocks;
  fs::path directory;
  std::map<std::string, SourceState> sources;
};

TEST_F(SeatLookTest, TheCompositorCountsMoreThanTheHint) {
  ASSERT_NO_FATAL_FAILURE(add_session_of(::geteuid()));
  FakeCompositor compositor(socket());
  SeatLook look;
  EXPECT_EQ(look.look(sources).idle, Duration{});
  EXPECT_TRUE(sources["wayland"].ok) << sources["wayland"].detail;
  mocks.set_idle(false);
  compositor.become_idle();
  EXPECT_GE(look.look(sources).idle, seconds(1)) << "though its desktop hints that somebody is there";
}

TEST_F(SeatLookTest, ACompositorThatHangsLeavesTheHint) {
  ASSERT_NO_FATAL_FAILURE(add_session_of(::geteuid()));
  mocks.set_idle(false);
  FakeCompositor compositor(socket());
  SeatLook look;
  compositor.become_idle();
  look.look(sources);
  compositor.hang();
  EXPECT_EQ(look.look(sources).idle, Duration{}) << "what is not known is the owner";
  EXPECT_THAT(sources["wayland"].detail, HasSubstr("does not answer"));
}

TEST_F(SeatLookTest, AnotherUsersSessionIsNotAsked) {
  ASSERT_NO_FATAL_FAILURE(add_session_of(::geteuid() + 1));
  FakeCompositor compositor(socket());
  EXPECT_GT(SeatLook().look(sources).idle, seconds(1)) << "its compositor would say that somebody is there";
  EXPECT_THAT(sources["wayland"].detail, HasSubstr("another user's"));
  EXPECT_FALSE(sources["desktop"].ok);
}

TEST_F(SeatLookTest, GnomeIsAskedWhereItsCompositorTellsNothing) {
  ASSERT_NO_FATAL_FAILURE(add_session_of(::geteuid()));
  constexpr const char* kMutter = "org.gnome.Mutter.IdleMonitor";
  constexpr const char* kCore = "/org/gnome/Mutter/IdleMonitor/Core";
  constexpr const char* kManager = "org.gnome.SessionManager";
  ASSERT_TRUE(mocks.add_object(kMutter, kCore, kMutter));
  ASSERT_TRUE(mocks.add_object(kManager, "/org/gnome/SessionManager", kManager));
  mocks.answer(kMutter, kCore, kMutter, "GetIdletime", "", "t", "ret = 7000");
  FakeCompositor compositor(socket(), {.standard = false});
  SeatLook look;
  EXPECT_EQ(look.look(sources).idle, seconds(7));
  EXPECT_THAT(sources["wayland"].detail, HasSubstr("has no idle notifications"));
  EXPECT_TRUE(sources["desktop"].ok) << sources["desktop"].detail;
  mocks.answer(kManager, "/org/gnome/SessionManager", kManager, "IsInhibited", "u", "b", "ret = True");
  EXPECT_EQ(look.look(sources).idle, Duration{}) << "a film";
}

TEST_F(SeatLookTest, WithoutLogindTheCompositorOfThisProcessIsAllThereIs) {
  SeatLook look;
  EXPECT_FALSE(look.look(sources).has_seat);
  ::setenv("WAYLAND_DISPLAY", "wayland-0", 1);
  EXPECT_FALSE(look.look(sources).has_seat) << "nobody listens there";
  FakeCompositor compositor(socket());
  EXPECT_TRUE(look.look(sources).has_seat);
  EXPECT_EQ(look.look(sources).idle, Duration{});
  compositor.become_idle();
  EXPECT_GE(look.look(sources).idle, seconds(1));
  compositor.hang();
  EXPECT_TRUE(look.look(sources).has_seat);
  EXPECT_EQ(look.look(sources).idle, std::nullopt) << "it cannot be told";
}

}  // namespace
}  // namespace hearth::presence
