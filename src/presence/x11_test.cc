// Against a real X server without a screen (Xvfb), touched by xdotool.
#include "presence/x11.h"

#include <array>
#include <csignal>
#include <cstdlib>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

namespace hearth::presence {
namespace {

class XServer {
 public:
  XServer() {
    std::array<int, 2> pipe{};
    if (::pipe(pipe.data()) != 0) return;
    process_ = ::fork();
    if (process_ == 0) {
      ::close(pipe[0]);
      // Not closed: the server would take the number for a file of its own and then write errors there.
      ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
      const std::string to = std::to_string(pipe[1]);
      // A number of its own: servers that look for a free one at the same time take each other's.
      const std::string display = ":" + std::to_string(100 + ::getpid() % 50'000);
      ::execlp("Xvfb", "Xvfb", display.c_str(), "-displayfd", to.c_str(), "-screen", "0", "64x64x8", "-nolisten", "tcp",
               nullptr);
      ::_exit(127);
    }
    ::close(pipe[1]);
    std::string number;
    for (char c = 0; ::read(pipe[0], &c, 1) == 1 && c != '\n';) number.push_back(c);
    ::close(pipe[0]);
    if (!number.empty()) name = ":" + number;
  }
  ~XServer() { stop(); }
  XServer(const XServer&) = delete;
  XServer& operator=(const XServer&) = delete;

  void stop() {
    if (process_ <= 0) return;
    ::kill(process_, SIGTERM);
    ::waitpid(process_, nullptr, 0);
    process_ = -1;
  }

  // Presses a key, as a person would.
  void touch() const { ASSERT_EQ(std::system(("DISPLAY=" + name + " xdotool key a").c_str()), 0); }

  std::string name;  // ":5"; empty: it did not start

 private:
  pid_t process_ = -1;
};

// A server that has said its number may take a moment more before it lets anybody in.
Result<std::unique_ptr<Display>> open(const XServer& server) {
  Result<std::unique_ptr<Display>> display = Display::open(server.name, "");
  for (int tries = 0; !display && tries < 100; ++tries) {
    ::usleep(100'000);
    display = Display::open(server.name, "");
  }
  return display;
}

TEST(X11, TellsHowLongNobodyTouchedTheDisplay) {
  XServer server;
  ASSERT_FALSE(server.name.empty()) << "Xvfb does not start; is the package xvfb installed?";
  auto display = open(server);
  ASSERT_TRUE(display) << display.error().message;
  ::usleep(300'000);
  const auto before = (*display)->idle();
  ASSERT_TRUE(before);
  EXPECT_GE(*before, milliseconds(300));
  // However slow this machine is, the key came after the first look.
  const Duration waited = *before;
  timespec begin{};
  ::clock_gettime(CLOCK_MONOTONIC, &begin);
  server.touch();
  const auto after = (*display)->idle();
  timespec end{};
  ::clock_gettime(CLOCK_MONOTONIC, &end);
  ASSERT_TRUE(after);
  const Duration passed = seconds(end.tv_sec - begin.tv_sec) + microseconds((end.tv_nsec - begin.tv_nsec) / 1000);
  EXPECT_LE(*after, passed + milliseconds(1));
  EXPECT_LT(*after, waited + passed) << "the count did not begin anew";
}

TEST(X11, ADisplayThatEndsIsAnErrorAndNotOurEnd) {
  XServer server;
  ASSERT_FALSE(server.name.empty());
  auto display = open(server);
  ASSERT_TRUE(display);
  server.stop();
  EXPECT_FALSE((*display)->idle());
  EXPECT_FALSE((*display)->idle());
}

TEST(X11, WhatIsNoDisplayHereIsSaidSo) {
  EXPECT_EQ(Display::open(":47113", "").error().code, Code::kNotFound);
  EXPECT_EQ(Display::open("elsewhere:0", "").error().code, Code::kUnimplemented);
  EXPECT_EQ(Display::open("", "").error().code, Code::kUnimplemented);
}

TEST(X11, FindsTheCookieOfItsDisplay) {
  const auto field = [](std::string_view text) {
    return std::string{static_cast<char>(text.size() / 256), static_cast<char>(text.size() % 256)} + std::string(text);
  };
  const std::string family("\x01\x00", 2);
  const std::string file = family + field("pc") + field("1") + field("MIT-MAGIC-COOKIE-1") + field("one") + family +
                           field("pc") + field("0") + field("XDM-AUTHORIZATION-1") + field("no") + family +
                           field("pc") + field("0") + field("MIT-MAGIC-COOKIE-1") + field("zero");
  EXPECT_EQ(find_cookie(file, "0"), "zero");
  EXPECT_EQ(find_cookie(file, "1"), "one");
  EXPECT_EQ(find_cookie(file, "2"), "");
  EXPECT_EQ(find_cookie(file.substr(0, file.size() - 1), "0"), "") << "cut short";
  EXPECT_EQ(find_cookie("", "0"), "");
}

}  // namespace
}  // namespace hearth::presence
