// Before X11, whose macros have names of its own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "display/screen.h"

#include <array>

#include <poll.h>

#include <X11/Xutil.h>

#include "display/test_display.h"
#include "display/windows.h"

namespace hearth::display {
namespace {

using testing::ElementsAre;

// A window that notes what it is given.
class Listener {
 public:
  Listener() : display_(std::move(*connect())) {
    window_ = ::XCreateSimpleWindow(display_.get(), DefaultRootWindow(display_.get()), 0, 0, 100, 100, 0, 0, 0);
    ::XSelectInput(display_.get(), window_, KeyPressMask | KeyReleaseMask | PointerMotionMask | FocusChangeMask);
    ::XMapWindow(display_.get(), window_);
    ::XSync(display_.get(), False);
  }

  void go_on() {
    while (::XPending(display_.get()) > 0) {
      XEvent event{};
      ::XNextEvent(display_.get(), &event);
      if (event.type == MappingNotify) ::XRefreshKeyboardMapping(&event.xmapping);
      if (event.type == FocusIn) focused = true;
      if (event.type == KeyPress) pressed.push_back(meaning(event.xkey));
      if (event.type == KeyRelease) ++released;
      if (event.type == MotionNotify) {
        x = event.xmotion.x;
        y = event.xmotion.y;
      }
    }
  }

  void draw() const {
    ::XClearArea(display_.get(), window_, 0, 0, 10, 10, False);
    ::XFlush(display_.get());
  }

  bool focused = false;
  std::vector<KeySym> pressed;
  std::size_t released = 0;
  int x = -1;
  int y = -1;

 private:
  static KeySym meaning(XKeyEvent& event) {
    KeySym key = 0;
    ::XLookupString(&event, nullptr, 0, &key, nullptr);
    return key;
  }

  Connection display_;
  Window window_ = 0;
};

class DisplayTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!server_.runs()) GTEST_SKIP() << "SKIPPED: Xvfb is missing";
    screen_ = std::move(*Screen::open({400, 300}));
    listener_ = std::make_unique<Listener>();
    ASSERT_TRUE(comes([&] { return listener_->focused; }));
  }
  template <class Condition>
  bool comes(Condition condition) {
    return comes_to_be([&] {
      screen_->look(now_);
      listener_->go_on();
      now_ += std::chrono::milliseconds(5);
      return condition();
    });
  }

  TestServer server_;
  std::unique_ptr<Screen> screen_;
  std::unique_ptr<Listener> listener_;
  Clock::time_point now_ = Clock::now();
};

// Whether whoever waits for its file and no longer than until_due() would look.
bool would_look(const Screen& screen, Clock::time_point now) {
  pollfd file{.fd = screen.file(), .events = POLLIN, .revents = 0};
  return ::poll(&file, 1, 0) > 0 || screen.until_due(now) == Clock::duration(0);
}

TEST_F(DisplayTest, MissesNothingThatComesWhileSomethingIsSent) {
  for (int i = 0; i < 50; ++i) {
    screen_->look(now_);
    ASSERT_TRUE(screen_->capture());
    screen_->look(now_);
    listener_->draw();
    ASSERT_TRUE(comes_to_be([&] { return would_look(*screen_, now_); }));
    screen_->move_pointer(i, i);
    EXPECT_TRUE(would_look(*screen_, now_));
    screen_->look(now_);
    EXPECT_TRUE(screen_->changed());
  }
}

TEST_F(DisplayTest, PushesThePointerAndKeepsItWithinWhatIsWatched) {
  screen_->move_pointer(100, 100);
  EXPECT_TRUE(comes([&] { return listener_->x == 100 && listener_->y == 100; }));
  screen_->push_pointer(30, -20);
  EXPECT_TRUE(comes([&] { return listener_->x == 130 && listener_->y == 80; }));
  screen_->push_pointer(500, 500);
  EXPECT_TRUE(comes([&] { return listener_->x == 399 && listener_->y == 299; }));
  screen_->push_pointer(-500, -500);
  EXPECT_TRUE(comes([&] { return listener_->x == 0 && listener_->y == 0; }));
}

TEST(Windows, HaveRoomInTheProportionsOfWhoeverWatches) {
  EXPECT_EQ(with_room_for({400, 300}, {}), (Size{400, 300}));
  EXPECT_EQ(with_room_for({400, 300}, {400, 300}), (Size{400, 300}));
  EXPECT_EQ(with_room_for({600, 1000}, {640, 480}), (Size{640, 1068}));
  EXPECT_EQ(with_room_for({1000, 600}, {640, 801}), (Size{1336, 802}));
  EXPECT_EQ(with_room_for({160, 2048}, {1000, 10}), (Size{1000, 2048})) << "not more than the display has";
  EXPECT_EQ(with_room_for({400, 300}, {100'000, 100'000}), (Size{2048, 2048}));
}

TEST_F(DisplayTest, ShowsWindowsWholeThatAreLargerThanWhatIsWatched) {
  const auto size_is = [&](Size size) {
    return comes([&] { return screen_->follow_size().has_value() && screen_->size() == size; });
  };
  const Connection program = std::move(*connect());
  Display* display = program.get();
  const auto open = [&](unsigned width, unsigned height, long flags) {
    const Window window = ::XCreateSimpleWindow(display, DefaultRootWindow(display), 0, 0, width, height, 0, 0, 0);
    XSizeHints hints{};
    hints.flags = flags;
    hints.min_width = hints.max_width = static_cast<int>(width);
    hints.min_height = hints.max_height = static_cast<int>(height);
    ::XSetWMNormalHints(display, window, &hints);
    ::XMapWindow(display, window);
    ::XSync(display, False);
    return window;
  };
  const auto place_of = [&](Window window) {
    XWindowAttributes now{};
    ::XGetWindowAttributes(display, window, &now);
    return std::array{now.x, now.y, now.width, now.height};
  };
  const Window game = open(480, 200, PMinSize | PMaxSize);
  EXPECT_TRUE(size_is({480, 360}));
  EXPECT_TRUE(screen_->capture());
  EXPECT_EQ(place_of(game), (std::array{0, 80, 480, 200}));
  ::XResizeWindow(display, game, 500, 300);
  ::XSync(display, False);
  EXPECT_TRUE(size_is({500, 376}));
  const Window editor = open(300, 450, PMinSize);
  EXPECT_TRUE(size_is({600, 450}));
  EXPECT_EQ(place_of(editor), (std::array{0, 0, 600, 450}));
  ::XDestroyWindow(display, editor);
  ::XUnmapWindow(display, game);
  ::XSync(display, False);
  EXPECT_TRUE(size_is({400, 300}));
  screen_->watch({300, 400});
  EXPECT_TRUE(size_is({300, 400}));
}

TEST_F(DisplayTest, TypesMoreLettersThanThereAreKeysToLend) {
  std::string text;
  std::vector<KeySym> wanted;
  for (unsigned point = 0x4e00; point < 0x4e00 + 100; ++point) {
    text += {static_cast<char>(0xe0 | point >> 12), static_cast<char>(0x80 | (point >> 6 & 0x3f)),
             static_cast<char>(0x80 | (point & 0x3f))};
    wanted.push_back(0x01000000 | point);
  }
  screen_->type(text + "🔥a", now_);
  wanted.push_back(0x0101f525);
  wanted.push_back('a');
  EXPECT_LT(screen_->until_due(now_), std::chrono::seconds(1));
  EXPECT_TRUE(comes([&] { return listener_->released >= wanted.size(); }));
  EXPECT_EQ(listener_->pressed, wanted);
  EXPECT_TRUE(comes([&] { return screen_->until_due(now_) > std::chrono::seconds(1); }));
}

TEST_F(DisplayTest, HoldsKeysOnlyOnceWhatCameBeforeIsTyped) {
  std::string text;
  for (unsigned point = 0; point < 40; ++point) text += {'\xe3', '\x81', static_cast<char>(0x80 + point)};
  screen_->type(text, now_);
  screen_->hold_keys({0xff0d}, now_);
  screen_->hold_keys({}, now_);
  EXPECT_TRUE(comes([&] { return listener_->released >= 41; }));
  ASSERT_EQ(listener_->pressed.size(), 41U);
  EXPECT_EQ(listener_->pressed.back(), KeySym{0xff0d});
}

TEST_F(DisplayTest, ReleasesWhatIsNoLongerHeld) {
  screen_->hold_keys({'a', 'b'}, now_);
  screen_->hold_keys({'b'}, now_);
  EXPECT_TRUE(comes([&] { return listener_->released == 1; }));
  screen_->hold_keys({}, now_);
  EXPECT_TRUE(comes([&] { return listener_->released == 2; }));
  EXPECT_THAT(listener_->pressed, ElementsAre('a', 'b'));
}

}  // namespace
}  // namespace hearth::display
