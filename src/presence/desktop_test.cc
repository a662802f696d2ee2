// Against mocks of GNOME's and KDE's services, on a bus of their own.
#include "presence/desktop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "presence/mock_bus.h"

namespace hearth::presence {
namespace {

using testing::HasSubstr;

constexpr const char* kMutter = "org.gnome.Mutter.IdleMonitor";
constexpr const char* kManager = "org.gnome.SessionManager";
constexpr const char* kSaver = "org.freedesktop.ScreenSaver";

class DesktopTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(mocks.runs()) << "dbus-daemon does not start; is the package dbus installed?"; }

  bool add_gnome() {
    return mocks.add_object(kMutter, "/org/gnome/Mutter/IdleMonitor/Core", kMutter) &&
           mocks.add_object(kManager, "/org/gnome/SessionManager", kManager);
  }
  void mutter_says(const std::string& code) {
    mocks.answer(kMutter, "/org/gnome/Mutter/IdleMonitor/Core", kMutter, "GetIdletime", "", "t", code);
  }
  void saver_says(const std::string& method, const std::string& type, const std::string& code) {
    mocks.answer(kSaver, "/org/freedesktop/ScreenSaver", kSaver, method, "", type, code);
  }

  MockBus mocks;
};

TEST_F(DesktopTest, GnomeTellsTheSpanAndWhatKeepsTheScreenAwake) {
  ASSERT_TRUE(add_gnome()) << "is the package python3-dbusmock installed?";
  Desktop desktop(mocks.address());
  mutter_says("ret = 90500");
  auto word = desktop.ask(true);
  ASSERT_TRUE(word) << word.error().message;
  EXPECT_EQ(word->idle, milliseconds(90'500));
  EXPECT_FALSE(word->keeps_awake);
  mutter_says("ret = 2**64 - 1");
  EXPECT_GT(desktop.ask(true)->idle, minutes(60)) << "no span is so long that it turns round";
  mocks.answer(kManager, "/org/gnome/SessionManager", kManager, "IsInhibited", "u", "b", "ret = args[0] == 8");
  EXPECT_TRUE(desktop.ask(true)->keeps_awake);
  EXPECT_EQ(desktop.ask(false)->idle, std::nullopt) << "it was not asked for";
}

TEST_F(DesktopTest, OthersTellByTheScreenSaver) {
  ASSERT_TRUE(mocks.add_object(kSaver, "/org/freedesktop/ScreenSaver", kSaver));
  Desktop desktop(mocks.address());
  EXPECT_EQ(desktop.ask(true).error().code, Code::kUnimplemented) << "it has neither method";
  saver_says("GetActive", "b", "ret = False");
  auto word = desktop.ask(true);
  ASSERT_TRUE(word) << word.error().message;
  EXPECT_EQ(word->idle, std::nullopt);
  EXPECT_FALSE(word->saver_is_on);
  saver_says("GetActive", "b", "ret = True");
  saver_says("GetSessionIdleTime", "u", "ret = 0");
  EXPECT_EQ(desktop.ask(true)->idle, std::nullopt) << "0 is what those say that do not know";
  EXPECT_TRUE(desktop.ask(true)->saver_is_on);
  saver_says("GetSessionIdleTime", "u", "ret = 1500");
  EXPECT_EQ(desktop.ask(true)->idle, milliseconds(1'500));
  saver_says("GetActive", "s", "ret = 'yes'");
  EXPECT_FALSE(desktop.ask(true)->saver_is_on) << "another type than is documented";
}

TEST_F(DesktopTest, NobodyThereIsSaid) {
  const auto word = Desktop(mocks.address()).ask(true);
  ASSERT_FALSE(word);
  EXPECT_EQ(word.error().code, Code::kUnimplemented);
  EXPECT_THAT(word.error().message, HasSubstr(kSaver));
  EXPECT_TRUE(Desktop(mocks.address()).ask(false)) << "nothing keeps the screen awake";
  EXPECT_EQ(Desktop("unix:path=/nonexistent/socket").ask(true).error().code, Code::kUnavailable);
  EXPECT_EQ(Desktop("nonsense").ask(true).error().code, Code::kUnavailable);
}

TEST_F(DesktopTest, AServiceThatHangsIsNotWaitedFor) {
  ASSERT_TRUE(add_gnome());
  Desktop desktop(mocks.address());
  mutter_says("import time; time.sleep(3); ret = 90500");
  EXPECT_FALSE(desktop.ask(true)) << "it answers after 3 s";
  EXPECT_EQ(desktop.ask(true).error().code, Code::kUnavailable) << "and is not asked again soon";
}

TEST_F(DesktopTest, ABusThatHangsIsNotWaitedFor) {
  sockaddr_un address{.sun_family = AF_UNIX};
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address.sun_family), 0);
  ASSERT_EQ(::listen(listener, 4), 0);
  socklen_t length = sizeof address;
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const std::string name(address.sun_path + 1, length - sizeof address.sun_family - 1);
  Desktop desktop("unix:abstract=" + name);
  EXPECT_EQ(desktop.ask(true).error().code, Code::kUnavailable);
  ::close(listener);
}

}  // namespace
}  // namespace hearth::presence
