#include "net/mdns.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sdbus-c++/sdbus-c++.h>

namespace hearth::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// A system bus of the test's own.
class PrivateBus {
 public:
  PrivateBus() {
    std::string name = (std::filesystem::temp_directory_path() / "hearth-mdns-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return;
    directory_ = name;
    std::ofstream(directory_ / "bus.conf")
        << R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><listen>unix:path=)"
        << (directory_ / "socket").string()
        << R"(</listen><auth>EXTERNAL</auth><policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>)";
    start();
  }
  ~PrivateBus() {
    if (process_ > 0) {
      ::kill(process_, SIGTERM);
      ::waitpid(process_, nullptr, 0);
    }
    std::filesystem::remove_all(directory_);
  }
  PrivateBus(const PrivateBus&) = delete;
  PrivateBus& operator=(const PrivateBus&) = delete;

  const std::string& address() const { return address_; }  // empty: it did not start

 private:
  // The daemon prints its address once it listens.
  void start() {
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return;
    const std::string config = "--config-file=" + (directory_ / "bus.conf").string();
    process_ = ::fork();
    if (process_ == 0) {
      ::dup2(pipe[1], 1);
      ::execlp("dbus-daemon", "dbus-daemon", config.c_str(), "--nofork", "--nopidfile", "--print-address=1", nullptr);
      ::_exit(127);
    }
    ::close(pipe[1]);
    for (char c = 0; ::read(pipe[0], &c, 1) == 1 && c != '\n';) address_.push_back(c);
    ::close(pipe[0]);
  }

  std::filesystem::path directory_;
  std::string address_;
  pid_t process_ = -1;
};

// What this test needs of Avahi: it records what is published.
class FakeAvahi {
 public:
  FakeAvahi(const std::string& address, std::set<std::string> taken)
      : taken_(std::move(taken)), connection_(sdbus::createSessionBusConnectionWithAddress(address)) {
    server_ = sdbus::createObject(*connection_, "/");
    server_->registerMethod("EntryGroupNew").onInterface("org.freedesktop.Avahi.Server").implementedAs([] {
      return sdbus::ObjectPath("/group1");
    });
    server_->finishRegistration();
    group_ = sdbus::createObject(*connection_, "/group1");
    group_->registerMethod("AddService")
        .onInterface("org.freedesktop.Avahi.EntryGroup")
        .implementedAs([this](std::int32_t interface, std::int32_t protocol, std::uint32_t flags,
                              const std::string& name, const std::string& type, const std::string& domain,
                              const std::string& host, std::uint16_t port,
                              const std::vector<std::vector<std::uint8_t>>& text) {
          if (taken_.contains(name)) throw sdbus::Error("org.freedesktop.Avahi.CollisionError", "taken");
          std::string record = std::to_string(interface) + " " + std::to_string(protocol) + " " +
                               std::to_string(flags) + " [" + name + "] " + type + " [" + domain + host + "] " +
                               std::to_string(port);
          for (const auto& entry : text) record += " " + std::string(entry.begin(), entry.end());
          note(record);
        });
    group_->registerMethod("Commit").onInterface("org.freedesktop.Avahi.EntryGroup").implementedAs([this] {
      note("commit");
    });
    group_->finishRegistration();
    connection_->requestName("org.freedesktop.Avahi");
    connection_->enterEventLoopAsync();
  }
  ~FakeAvahi() { connection_->leaveEventLoop(); }
  FakeAvahi(const FakeAvahi&) = delete;
  FakeAvahi& operator=(const FakeAvahi&) = delete;

  std::vector<std::string> calls() const {
    const std::lock_guard lock(mutex_);
    return calls_;
  }

 private:
  void note(std::string call) {
    const std::lock_guard lock(mutex_);
    calls_.push_back(std::move(call));
  }

  const std::set<std::string> taken_;
  std::unique_ptr<sdbus::IConnection> connection_;
  std::unique_ptr<sdbus::IObject> server_;
  std::unique_ptr<sdbus::IObject> group_;
  mutable std::mutex mutex_;
  std::vector<std::string> calls_;
};

class MdnsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_FALSE(bus.address().empty()) << "dbus-daemon does not start; is the package dbus installed?";
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", bus.address().c_str(), 1);
  }
  void TearDown() override { ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS"); }

  PrivateBus bus;
};

TEST_F(MdnsTest, AnnouncesTheServer) {
  const FakeAvahi avahi(bus.address(), {});
  const auto announcement = Announcement::publish("kitchen", 7443, std::string("\xff\x00\x10", 3));
  ASSERT_TRUE(announcement.has_value()) << announcement.error().message;
  EXPECT_THAT(avahi.calls(), ElementsAre("-1 -1 0 [kitchen] _hearth._tcp [] 7443 id=_wAQ", "commit"));
}

TEST_F(MdnsTest, TakesTheNextNameIfOneIsTaken) {
  const FakeAvahi avahi(bus.address(), {"kitchen", "kitchen (2)"});
  ASSERT_TRUE(Announcement::publish("kitchen", 1, "x").has_value());
  EXPECT_THAT(avahi.calls(), ElementsAre(HasSubstr("[kitchen (3)]"), "commit"));
}

TEST_F(MdnsTest, CutsALongNameBetweenCharacters) {
  const FakeAvahi avahi(bus.address(), {});
  std::string name = "x";
  for (int i = 0; i < 50; ++i) name += "ü";
  ASSERT_TRUE(Announcement::publish(name, 1, "x").has_value());
  EXPECT_THAT(avahi.calls()[0], HasSubstr("[" + name.substr(0, 63) + "]"));
  name.insert(0, "x");
  ASSERT_TRUE(Announcement::publish(name, 1, "x").has_value());
  EXPECT_THAT(avahi.calls()[2], HasSubstr("[" + name.substr(0, 62) + "]"));
}

TEST_F(MdnsTest, SaysThatAvahiIsAbsent) {
  const auto announcement = Announcement::publish("kitchen", 7443, "x");
  ASSERT_FALSE(announcement.has_value());
  EXPECT_EQ(announcement.error().code, Code::kUnavailable);
  EXPECT_THAT(announcement.error().message, HasSubstr("avahi-daemon"));
}

TEST(Mdns, SaysThatTheBusIsAbsent) {
  ::setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nonexistent/socket", 1);
  const auto announcement = Announcement::publish("kitchen", 7443, "x");
  ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
  ASSERT_FALSE(announcement.has_value());
  EXPECT_EQ(announcement.error().code, Code::kUnavailable);
  EXPECT_THAT(announcement.error().message, HasSubstr("D-Bus"));
}

}  // namespace
}  // namespace hearth::net
