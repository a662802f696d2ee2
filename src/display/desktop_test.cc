// Before X11, whose macros have names of its own.
#include <gtest/gtest.h>

#include <algorithm>

#include "display/screen.h"

#include <X11/keysym.h>

#include "display/test_display.h"

namespace hearth::display {
namespace {

// A desktop with somebody else's programs on it.
class DesktopTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!server_.runs()) GTEST_SKIP() << "SKIPPED: Xvfb is missing";
    other_ = std::move(*connect());
    Result<std::unique_ptr<Screen>> attached = Screen::attach();
    ASSERT_TRUE(attached) << attached.error().message;
    screen_ = std::move(*attached);
  }
  bool is_held(KeySym key) const {
    std::array<char, 32> down{};
    ::XQueryKeymap(other_.get(), down.data());
    const KeyCode code = ::XKeysymToKeycode(other_.get(), key);
    return (static_cast<unsigned char>(down[code / 8]) >> (code % 8) & 1U) != 0;
  }
  unsigned buttons() const {
    Window window = 0;
    int place = 0;
    unsigned state = 0;
    ::XQueryPointer(other_.get(), DefaultRootWindow(other_.get()), &window, &window, &place, &place, &place, &place,
                    &state);
    return state & Button1Mask;
  }
  std::vector<KeySym> keys() const {
    int first = 0;
    int last = 0;
    int each = 0;
    ::XDisplayKeycodes(other_.get(), &first, &last);
    KeySym* map = ::XGetKeyboardMapping(other_.get(), static_cast<KeyCode>(first), last - first + 1, &each);
    std::vector<KeySym> found(map, map + static_cast<std::ptrdiff_t>(last - first + 1) * each);
    ::XFree(map);
    std::erase(found, KeySym{NoSymbol});
    return found;
  }

  TestServer server_;
  Connection other_;
  std::unique_ptr<Screen> screen_;
};

TEST_F(DesktopTest, IsShownAsItIsAndItsWindowsAreLeftAlone) {
  EXPECT_EQ(screen_->size(), (Size{800, 600}));
  screen_->watch({400, 300});
  EXPECT_EQ(screen_->size(), (Size{800, 600}));
  EXPECT_FALSE(screen_->follow_size().value());
  const TestProgram program;
  ::XMapWindow(program.display(), program.window());
  ::XSync(program.display(), False);
  screen_->look(Clock::now());
  screen_->move_pointer(790, 590);
  screen_->hold_buttons(1);
  screen_->hold_buttons(0);
  XWindowAttributes window{};
  ::XGetWindowAttributes(other_.get(), program.window(), &window);
  EXPECT_EQ(window.map_state, IsViewable);
  EXPECT_EQ(window.width, 300);
  EXPECT_EQ(window.height, 200);
  XWindowAttributes root{};
  ::XGetWindowAttributes(other_.get(), DefaultRootWindow(other_.get()), &root);
  EXPECT_EQ(root.all_event_masks & SubstructureRedirectMask, 0) << "its window manager is another program";
  ASSERT_TRUE(screen_->capture());
}

TEST_F(DesktopTest, ReleasesWhatIsHeldAtItsEnd) {
  const std::vector<KeySym> before = keys();
  screen_->type("ж", Clock::now());
  EXPECT_NE(keys(), before) << "a key was lent";
  screen_->hold_keys({XK_a}, Clock::now());
  screen_->hold_buttons(1);
  EXPECT_TRUE(comes_to_be([&] { return is_held(XK_a) && buttons() != 0; }));
  screen_.reset();
  EXPECT_FALSE(is_held(XK_a));
  EXPECT_EQ(buttons(), 0U);
  EXPECT_EQ(keys(), before);
}

}  // namespace
}  // namespace hearth::display
