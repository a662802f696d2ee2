#include "display/gamepad.h"

#include <array>
#include <filesystem>
#include <string>
#include <utility>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "display/gamepad_wire.h"

namespace hearth::display {
namespace {

using std::chrono::milliseconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

constexpr std::uint32_t kA = 1;
constexpr std::uint32_t kBack = 1 << 8;
constexpr std::uint32_t kUp = 1 << 12;
constexpr std::uint32_t kRight = 1 << 15;

v1::Pad pad_of(std::uint32_t buttons, std::int32_t left_x = 0) {
  v1::Pad pad;
  pad.set_buttons(buttons);
  pad.set_left_x(left_x);
  return pad;
}

// Code and value of each but the last, which says that the device has told all of one moment.
std::vector<std::pair<int, int>> told_of(const std::vector<input_event>& events) {
  std::vector<std::pair<int, int>> told;
  for (const input_event& event : events) {
    if (event.type != EV_SYN) told.emplace_back(event.code, event.value);
  }
  if (!events.empty()) EXPECT_EQ(events.back().type, EV_SYN);
  return told;
}

TEST(GamepadEvents, TellWhatHasChanged) {
  EXPECT_THAT(told_of(events_between(pad_of(0), pad_of(kA | kBack, -500))),
              ElementsAre(Pair(BTN_A, 1), Pair(BTN_SELECT, 1), Pair(ABS_X, -500)));
  EXPECT_THAT(told_of(events_between(pad_of(kA | kUp), pad_of(kRight))),
              ElementsAre(Pair(BTN_A, 0), Pair(ABS_HAT0X, 1), Pair(ABS_HAT0Y, 0)));
  EXPECT_THAT(events_between(pad_of(kA, 3), pad_of(kA, 3)), IsEmpty());
}

TEST(GamepadEvents, TellTriggersAsAxesAlone) {
  v1::Pad pulled = pad_of(1 << 6);
  pulled.set_left_trigger(200);
  EXPECT_THAT(told_of(events_between(pad_of(0), pulled)), ElementsAre(Pair(ABS_Z, 200)));
}

TEST(GamepadEvents, AreOfAllWhoHold) {
  v1::Pad other = pad_of(kBack, 30'000);
  other.set_right_trigger(9);
  const v1::Pad both = merged(pad_of(kA, 20'000), other);
  EXPECT_EQ(both.buttons(), kA | kBack);
  EXPECT_EQ(both.left_x(), 32'767);
  EXPECT_EQ(both.right_trigger(), 9U);
}

// A program with its device open.
class Program {
 public:
  explicit Program(const std::string& path) : socket_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::ranges::copy(path, std::begin(address.sun_path));
    EXPECT_EQ(::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  std::vector<std::pair<int, int>> read() {
    std::array<input_event, 4'096> events{};
    const ssize_t count = ::recv(socket_.get(), events.data(), sizeof events, MSG_DONTWAIT);
    const std::size_t whole = count < 0 ? 0 : static_cast<std::size_t>(count) / sizeof(input_event);
    return told_of({events.begin(), events.begin() + static_cast<std::ptrdiff_t>(whole)});
  }
  void write(std::uint16_t type, std::uint16_t code, std::int32_t value, std::int64_t seconds = 0) {
    input_event event{.type = type, .code = code, .value = value};
    event.time.tv_sec = seconds;
    EXPECT_EQ(::send(socket_.get(), &event, sizeof event, MSG_NOSIGNAL), static_cast<ssize_t>(sizeof event));
  }
  bool is_cut() {
    char byte = 0;
    return ::recv(socket_.get(), &byte, 1, MSG_DONTWAIT) == 0;
  }

 private:
  Fd socket_;
};

class GamepadTest : public testing::Test {
 protected:
  GamepadTest() {
    std::string folder = std::filesystem::temp_directory_path() / "hearth-pad-XXXXXX";
    folder_ = ::mkdtemp(folder.data());
    listener_ = std::move(*listen_for_programs(path()));
    gamepad_.emplace(listener_.get());
  }
  ~GamepadTest() override { std::filesystem::remove_all(folder_); }

  std::string path() const { return folder_ / "gamepad"; }
  Gamepad& gamepad() { return *gamepad_; }

  const Gamepad::Clock::time_point now_{milliseconds(1'000'000)};

 private:
  std::filesystem::path folder_;
  Fd listener_;
  std::optional<Gamepad> gamepad_;
};

TEST_F(GamepadTest, GivesEachProgramWhatIsHeld) {
  Program one(path());
  gamepad().look(now_);
  gamepad().hold(pad_of(kA));
  EXPECT_THAT(one.read(), ElementsAre(Pair(BTN_A, 1)));
  Program other(path());
  gamepad().look(now_);
  EXPECT_THAT(other.read(), ElementsAre(Pair(BTN_A, 1))) << "it is held since before it came";
  gamepad().hold(pad_of(0));
  EXPECT_THAT(one.read(), ElementsAre(Pair(BTN_A, 0)));
  EXPECT_THAT(other.read(), ElementsAre(Pair(BTN_A, 0)));
}

TEST_F(GamepadTest, ATapIsSeenThoughNobodyReadsMeanwhile) {
  Program program(path());
  gamepad().look(now_);
  gamepad().hold(pad_of(kA));
  gamepad().hold(pad_of(0));
  EXPECT_THAT(program.read(), ElementsAre(Pair(BTN_A, 1), Pair(BTN_A, 0)));
}

// What waits for it has a bound, and in the end it has what is held then.
TEST_F(GamepadTest, AProgramThatDoesNotReadGetsWhatIsHeldInTheEnd) {
  Program program(path());
  gamepad().look(now_);
  for (int step = 1; step <= 20'000; ++step) gamepad().hold(pad_of(step % 2 == 0 ? kA : 0, step));
  gamepad().hold(pad_of(kBack, -7));
  EXPECT_TRUE(std::ranges::any_of(gamepad().files(), [](const pollfd& file) { return (file.events & POLLOUT) != 0; }));
  std::pair<int, int> last;
  for (auto told = program.read(); !told.empty(); told = program.read()) {
    gamepad().look(now_);
    last = told.back();
  }
  EXPECT_THAT(last, Pair(ABS_X, -7));
}

TEST_F(GamepadTest, SaysWhetherItIsRead) {
  EXPECT_FALSE(gamepad().take_told(now_));
  {
    Program program(path());
    gamepad().look(now_);
    EXPECT_TRUE(gamepad().take_told(now_)->read());
    EXPECT_FALSE(gamepad().take_told(now_));
  }
  gamepad().look(now_);
  EXPECT_FALSE(gamepad().take_told(now_)->read());
}

TEST_F(GamepadTest, ShakesAsAProgramWishes) {
  Program program(path());
  program.write(kUploadEffect, 3, 0x1234'5678, 400);
  program.write(EV_FF, 3, 2);
  gamepad().look(now_);
  const std::optional<v1::Gamepad> told = gamepad().take_told(now_);
  ASSERT_TRUE(told);
  EXPECT_EQ(told->strong(), 0x1234U);
  EXPECT_EQ(told->weak(), 0x5678U);
  EXPECT_EQ(told->millis(), 800U);
  EXPECT_EQ(gamepad().told(now_ + milliseconds(300)).millis(), 500U) << "for a viewer who comes";
  EXPECT_EQ(gamepad().told(now_ + milliseconds(900)).strong(), 0U);
  program.write(EV_FF, 3, 0);
  gamepad().look(now_);
  EXPECT_EQ(gamepad().take_told(now_)->strong(), 0U);
}

TEST_F(GamepadTest, StopsShakingWithItsProgram) {
  {
    Program program(path());
    program.write(kUploadEffect, 0, -1, 0);
    program.write(EV_FF, 0, 1);
    gamepad().look(now_);
    EXPECT_EQ(gamepad().take_told(now_)->millis(), 60'000U) << "what has no end has one";
  }
  gamepad().look(now_);
  EXPECT_EQ(gamepad().take_told(now_)->strong(), 0U);
}

TEST_F(GamepadTest, HeedsNoNonsense) {
  Program program(path());
  program.write(EV_FF, 5, 1);  // never uploaded
  program.write(kUploadEffect, kMaxEffects, 1, 1);
  program.write(EV_KEY, BTN_A, 1);
  program.write(kEraseEffect, 9, 0);
  gamepad().look(now_);
  EXPECT_EQ(gamepad().take_told(now_)->strong(), 0U);
  std::vector<std::unique_ptr<Program>> many;
  for (int i = 0; i < 9; ++i) {
    many.push_back(std::make_unique<Program>(path()));
    gamepad().look(now_);
  }
  EXPECT_TRUE(many.back()->is_cut()) << "8 programs at most";
  EXPECT_FALSE(many.front()->is_cut());
}

}  // namespace
}  // namespace hearth::display
