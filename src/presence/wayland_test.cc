// Against a compositor of the test's own, and against programs that are none.
#include "presence/wayland.h"

#include <csignal>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "presence/fake_compositor.h"

namespace hearth::presence {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

int listen_at(const std::string& socket, int queue) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  socket.copy(address.sun_path, sizeof address.sun_path - 1);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  EXPECT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(::listen(listener, queue), 0);
  return listener;
}

class Wayland : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "hearth-wayland-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory = name;
  }
  void TearDown() override { fs::remove_all(directory); }

  std::string socket(int number = 0) const { return (directory / ("wayland-" + std::to_string(number))).string(); }

  fs::path directory;
};

class WaylandProtocol : public Wayland, public testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(, WaylandProtocol, testing::Values(false, true),
                         [](const auto& kde) { return kde.param ? "OfKde" : "Standard"; });

TEST_P(WaylandProtocol, TellsHowLongNobodyTouchedAnything) {
  FakeCompositor fake(socket(), {.standard = !GetParam(), .kde = GetParam()});
  ASSERT_TRUE(fake.runs());
  auto compositor = Compositor::open(socket());
  ASSERT_TRUE(compositor) << compositor.error().message;
  EXPECT_EQ((*compositor)->idle(), Duration{}) << "it has said nothing yet";
  fake.become_idle();
  const auto before = (*compositor)->idle();
  ASSERT_TRUE(before) << before.error().message;
  EXPECT_GE(*before, seconds(1)) << "a quiet second has passed when it says so";
  ::usleep(50'000);
  EXPECT_GE((*compositor)->idle().value(), *before + milliseconds(50));
  fake.resume();
  EXPECT_EQ((*compositor)->idle(), Duration{});
  fake.become_idle();
  EXPECT_GE((*compositor)->idle().value(), seconds(1));
}

TEST_F(Wayland, TheSeatThatWasTouchedLastCounts) {
  FakeCompositor fake(socket());
  auto compositor = Compositor::open(socket());
  ASSERT_TRUE(compositor) << compositor.error().message;
  EXPECT_EQ((*compositor)->idle(), Duration{});
  fake.become_idle();
  EXPECT_GE((*compositor)->idle().value(), seconds(1));
  fake.add_seat();
  EXPECT_TRUE((*compositor)->idle());  // hears of it
  EXPECT_EQ((*compositor)->idle(), Duration{}) << "of the new seat nothing is known yet";
  fake.remove_newest_seat();
  EXPECT_GE((*compositor)->idle().value(), seconds(1));
}

TEST_F(Wayland, ACompositorThatCannotTellIsNamed) {
  EXPECT_EQ(Compositor::open(socket()).error().code, Code::kNotFound);
  EXPECT_EQ(Compositors().idle(directory).error().code, Code::kNotFound);
  FakeCompositor without(socket(0), {.standard = false});
  const auto refused = Compositor::open(socket(0));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kUnimplemented);
  EXPECT_THAT(refused.error().message, HasSubstr("ext-idle-notify-v1"));
  FakeCompositor seatless(socket(1), {.seats = 0});
  auto compositor = Compositor::open(socket(1));
  ASSERT_TRUE(compositor) << compositor.error().message;
  EXPECT_THAT((*compositor)->idle().error().message, HasSubstr("has no seat"));
  FakeCompositor crowded(socket(2), {.seats = 17});
  compositor = Compositor::open(socket(2));
  ASSERT_TRUE(compositor) << compositor.error().message;
  EXPECT_THAT((*compositor)->idle().error().message, HasSubstr("more than 16 seats"));
}

TEST_F(Wayland, ACompositorThatDiesIsAnErrorAndNotOurEnd) {
  FakeCompositor fake(socket());
  auto compositor = Compositor::open(socket());
  ASSERT_TRUE(compositor);
  fake.become_idle();
  fake.die();
  EXPECT_FALSE((*compositor)->idle());
  EXPECT_THAT((*compositor)->idle().error().message, HasSubstr("is gone"));
  EXPECT_EQ(Compositor::open(socket()).error().code, Code::kNotFound) << "its socket is still there";
}

TEST_F(Wayland, ACompositorThatHangsIsNotWaitedFor) {
  FakeCompositor fake(socket());
  auto compositor = Compositor::open(socket());
  ASSERT_TRUE(compositor);
  EXPECT_TRUE((*compositor)->idle());
  fake.become_idle();
  fake.hang();
  EXPECT_THAT((*compositor)->idle().error().message, HasSubstr("does not answer"));
  EXPECT_THAT(Compositor::open(socket()).error().message, HasSubstr("does not answer"));
  fake.go_on();
  EXPECT_GE((*compositor)->idle().value(), seconds(1)) << "it still stands by what it said";
}

TEST_F(Wayland, AProgramThatAcceptsNobodyIsNotWaitedFor) {
  const int listener = listen_at(socket(), 0);
  std::vector<Result<std::unique_ptr<Compositor>>> tries;
  tries.reserve(3);
  for (int i = 0; i < 3; ++i) tries.push_back(Compositor::open(socket()));
  for (const auto& one : tries) EXPECT_FALSE(one);
  ::close(listener);
}

TEST_F(Wayland, AProgramThatSpeaksNoWaylandIsAnErrorAndNotOurEnd) {
  const int listener = listen_at(socket(), 4);
  const pid_t babbler = ::fork();
  if (babbler == 0) {
    ::signal(SIGPIPE, SIG_IGN);
    std::string noise(1 << 16, '\0');
    for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(i * 167 >> 3);
    for (;;) {
      const int peer = ::accept(listener, nullptr, nullptr);
      while (::write(peer, noise.data(), noise.size()) > 0) {
      }
      ::close(peer);
    }
  }
  ::close(listener);
  EXPECT_FALSE(Compositor::open(socket()));
  ::kill(babbler, SIGKILL);
  ::waitpid(babbler, nullptr, 0);
}

TEST_F(Wayland, TheLeastOfAllCompositorsCountsAndOneThatIsSilentSilencesAll) {
  std::ofstream(directory / "wayland-0.lock") << "";
  FakeCompositor outer(socket(0));
  FakeCompositor inner(socket(1));
  Compositors all;
  EXPECT_EQ(all.idle(directory), Duration{});
  inner.become_idle();
  EXPECT_EQ(all.idle(directory), Duration{}) << "the outer one is in use";
  outer.become_idle();
  EXPECT_GE(all.idle(directory).value(), seconds(1));
  inner.die();
  EXPECT_FALSE(all.idle(directory)) << "it was there a moment ago";
  fs::remove(socket(1));
  EXPECT_GE(all.idle(directory).value(), seconds(1));
  FakeCompositor without(socket(2), {.standard = false});
  EXPECT_EQ(all.idle(directory).error().code, Code::kUnimplemented);
}

}  // namespace
}  // namespace hearth::presence
