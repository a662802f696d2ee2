// A bus with the mocks of python3-dbusmock on it, for tests: logind, UPower, NetworkManager, what a desktop has.
//
//   MockBus mocks;
//   ASSERT_TRUE(mocks.runs() && mocks.add("logind", kLogind));
//   mocks.add_session();
//   mocks.set_idle(true);
#pragma once

#include <array>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <fcntl.h>
#include <sdbus-c++/sdbus-c++.h>
#include <sys/wait.h>
#include <unistd.h>

namespace hearth::presence {

inline constexpr const char* kMock = "org.freedesktop.DBus.Mock";
inline constexpr const char* kLogind = "org.freedesktop.login1";
inline constexpr const char* kLogindPath = "/org/freedesktop/login1";
inline constexpr const char* kSession = "org.freedesktop.login1.Session";
inline constexpr const char* kSessionPath = "/org/freedesktop/login1/session/c1";
inline constexpr const char* kUPower = "org.freedesktop.UPower";
inline constexpr const char* kNetwork = "org.freedesktop.NetworkManager";

inline pid_t start_mock(const std::vector<std::string>& argv, int output) {
  const pid_t process = ::fork();
  if (process != 0) return process;
  if (output >= 0) ::dup2(output, 1);
  std::vector<char*> words;
  words.reserve(argv.size() + 1);
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execvp(words[0], words.data());
  ::_exit(127);
}

// A system bus with mocks on it; this process's DBUS_SYSTEM_BUS_ADDRESS while it lives.
class MockBus {
 public:
  MockBus() {
    std::string name = (std::filesystem::temp_directory_path() / "hearth-presence-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) return;
    directory_ = name;
    std::ofstream(directory_ / "bus.conf")
        << R"(<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=)"
        << (directory_ / "socket").string()
        << R"(</listen><auth>EXTERNAL</auth><policy context="default"><allow send_destination="*" eavesdrop="true"/>
<allow eavesdrop="true"/><allow own="*"/></policy></busconfig>)";
    std::array<int, 2> pipe{};
    if (::pipe2(pipe.data(), O_CLOEXEC) != 0) return;
    processes_.push_back(start_mock({"dbus-daemon", "--config-file=" + (directory_ / "bus.conf").string(), "--nofork",
                                     "--nopidfile", "--print-address=1"},
                                    pipe[1]));
    ::close(pipe[1]);
    std::string address;
    for (char c = 0; ::read(pipe[0], &c, 1) == 1 && c != '\n';) address.push_back(c);
    ::close(pipe[0]);
    address_ = address;
    ::setenv("DBUS_SYSTEM_BUS_ADDRESS", address.c_str(), 1);
    if (!address.empty()) connection_ = sdbus::createSystemBusConnection();
  }
  ~MockBus() {
    connection_.reset();
    for (auto process = processes_.rbegin(); process != processes_.rend(); ++process) {
      ::kill(*process, SIGTERM);
      ::waitpid(*process, nullptr, 0);
    }
    ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
    std::filesystem::remove_all(directory_);
  }
  MockBus(const MockBus&) = delete;
  MockBus& operator=(const MockBus&) = delete;

  bool runs() const { return connection_ != nullptr; }
  const std::string& address() const { return address_; }

  // Returns once the mock answers.
  bool add(const std::string& mock, const std::string& service) { return start({"--template", mock}, service); }

  // A service with an object of one interface that has no methods yet.
  bool add_object(const std::string& service, const std::string& path, const std::string& interface) {
    return start({service, path, interface}, service);
  }

  // What a method of an object answers: a line of Python that sets `ret`.
  void answer(const std::string& service, const std::string& path, const std::string& interface,
              const std::string& method, const std::string& arguments, const std::string& reply,
              const std::string& code) {
    proxy(service, path)
        ->callMethod("AddMethod")
        .onInterface(kMock)
        .withArguments(interface, method, arguments, reply, code);
  }

  std::unique_ptr<sdbus::IProxy> proxy(const std::string& service, const std::string& path) {
    return sdbus::createProxy(*connection_, service, path);
  }

  void update(const std::string& service, const std::string& path, const std::string& interface,
              const std::map<std::string, sdbus::Variant>& properties) {
    proxy(service, path)->callMethod("UpdateProperties").onInterface(kMock).withArguments(interface, properties);
  }

  // A session of somebody at seat0.
  void add_session(std::uint32_t user = 1000) {
    proxy(kLogind, kLogindPath)
        ->callMethod("AddSession")
        .onInterface(kMock)
        .withArguments(std::string("c1"), std::string("seat0"), user, std::string("ada"), true);
  }

  // Whether that somebody has touched nothing, since just after the machine started, or is there now.
  void set_idle(bool idle) {
    update(kLogind, kSessionPath, kSession,
           {{"IdleHint", sdbus::Variant(idle)}, {"IdleSinceHintMonotonic", sdbus::Variant(std::uint64_t{1})}});
  }

 private:
  bool start(std::vector<std::string> what, const std::string& service) {
    what.insert(what.begin(), {"/usr/bin/python3", "-m", "dbusmock", "--system"});
    processes_.push_back(start_mock(what, -1));
    for (int tries = 0; tries < 1'200; ++tries) {
      bool is_there = false;
      sdbus::createProxy(*connection_, "org.freedesktop.DBus", "/org/freedesktop/DBus")
          ->callMethod("NameHasOwner")
          .onInterface("org.freedesktop.DBus")
          .withArguments(service)
          .storeResultsTo(is_there);
      if (is_there) return true;
      ::usleep(50'000);
    }
    return false;
  }

  std::filesystem::path directory_;
  std::string address_;
  std::vector<pid_t> processes_;
  std::unique_ptr<sdbus::IConnection> connection_;
};

}  // namespace hearth::presence
