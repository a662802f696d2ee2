// Before X11, whose macros have names of its own.
#include <gtest/gtest.h>

#include "display/sign.h"

#include <X11/Xutil.h>
#include <X11/extensions/XTest.h>
#include <X11/keysym.h>

#include "display/test_display.h"

namespace hearth::display {
namespace {

TEST(StopKeyText, NamesModifiersAndAKey) {
  const Result<StopKey> usual = parse_stop_key("Ctrl+Alt+Escape");
  ASSERT_TRUE(usual);
  EXPECT_EQ(usual->modifiers, unsigned{ControlMask | Mod1Mask});
  EXPECT_EQ(usual->key, KeySym{XK_Escape});
  EXPECT_EQ(parse_stop_key("Pause")->key, KeySym{XK_Pause});
  EXPECT_EQ(parse_stop_key("Super+Shift+s")->modifiers, unsigned{Mod4Mask | ShiftMask});
  for (const char* wrong : {"", "a", "Shift+a", "Return", "Ctrl+", "+", "Ctrl", "Hyper+a", "Ctrl+Nothing", "Ctrl a"}) {
    EXPECT_FALSE(parse_stop_key(wrong)) << wrong;
  }
}

class SignTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!server_.runs()) GTEST_SKIP() << "SKIPPED: Xvfb is missing";
    other_ = std::move(*connect());
  }
  static Result<std::unique_ptr<Sign>> open(const char* keys = "Ctrl+Alt+Escape") {
    return Sign::open(*parse_stop_key(keys));
  }
  void press(KeySym key, bool down) const {
    ::XTestFakeKeyEvent(other_.get(), ::XKeysymToKeycode(other_.get(), key), down ? True : False, 0);
    ::XSync(other_.get(), False);
  }
  void press_stop() const {
    for (const int key : {XK_Control_L, XK_Alt_L, XK_Escape}) press(static_cast<KeySym>(key), true);
  }
  // Until it ends; with what.
  std::optional<Code> end_of(Sign& sign) {
    Result<void> looked;
    comes_to_be([&] { return !(looked = look(sign)); });
    return looked ? std::nullopt : std::optional(looked.error().code);
  }
  Result<void> look(Sign& sign) {
    now_ += std::chrono::milliseconds(50);
    return sign.look(now_);
  }
  // At the upper edge, in its middle: the desktop is black.
  unsigned long pixel(int y = 2) const {
    XImage* image = ::XGetImage(other_.get(), DefaultRootWindow(other_.get()), 400, y, 1, 1, AllPlanes, ZPixmap);
    const unsigned long colour = XGetPixel(image, 0, 0) & 0xffffff;
    XDestroyImage(image);
    return colour;
  }
  Window cover(bool by_itself) const {
    XSetWindowAttributes wish{};
    wish.override_redirect = by_itself ? True : False;
    const Window window = ::XCreateWindow(other_.get(), DefaultRootWindow(other_.get()), 0, 0, 800, 600, 0,
                                          CopyFromParent, InputOutput, CopyFromParent, CWOverrideRedirect, &wish);
    ::XMapRaised(other_.get(), window);
    ::XSync(other_.get(), False);
    return window;
  }
  Window sign_window() const {
    Window root = 0;
    Window parent = 0;
    Window* children = nullptr;
    unsigned count = 0;
    ::XQueryTree(other_.get(), DefaultRootWindow(other_.get()), &root, &parent, &children, &count);
    Window found = 0;
    for (unsigned i = 0; i < count; ++i) {
      char* name = nullptr;
      if (::XFetchName(other_.get(), children[i], &name) == 0) continue;
      if (std::string_view(name).contains("this screen is shared")) found = children[i];
      ::XFree(name);
    }
    if (children != nullptr) ::XFree(children);
    return found;
  }

  TestServer server_;
  Connection other_;
  Clock::time_point now_ = Clock::now();
};

TEST_F(SignTest, IsInFrontOfEverythingAndStaysThere) {
  const auto sign = open();
  ASSERT_TRUE(sign) << sign.error().message;
  EXPECT_EQ(pixel(), 0xb3261eU);
  for (const bool by_itself : {false, true}) {
    cover(by_itself);
    EXPECT_TRUE(comes_to_be([&] { return look(**sign) && pixel() == 0xb3261eU; }));
  }
  (*sign)->tell(1, 2);
  EXPECT_TRUE(look(**sign));
}

TEST_F(SignTest, TheKeysStopItWithAnyLocksOn) {
  const auto sign = open();
  ASSERT_TRUE(sign);
  EXPECT_TRUE(look(**sign));
  press(XK_Escape, true);
  press(XK_Escape, false);
  EXPECT_TRUE(look(**sign)) << "that key alone";
  press(XK_Num_Lock, true);
  press(XK_Num_Lock, false);
  press_stop();
  EXPECT_EQ(end_of(**sign), Code::kCanceled);
}

TEST_F(SignTest, TheKeysStopItWhileAnotherProgramHasTheKeyboard) {
  const auto sign = open();
  ASSERT_TRUE(sign);
  ASSERT_EQ(
      ::XGrabKeyboard(other_.get(), DefaultRootWindow(other_.get()), False, GrabModeAsync, GrabModeAsync, CurrentTime),
      GrabSuccess);
  press_stop();
  EXPECT_EQ(end_of(**sign), Code::kCanceled);
}

TEST_F(SignTest, IsRefusedWhereTheKeysAreTaken) {
  ::XGrabKey(other_.get(), ::XKeysymToKeycode(other_.get(), XK_Escape), ControlMask | Mod1Mask,
             DefaultRootWindow(other_.get()), False, GrabModeAsync, GrabModeAsync);
  ::XSync(other_.get(), False);
  const auto refused = open();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("--stop-key"), std::string::npos);
  EXPECT_TRUE(open("Super+F12"));
}

TEST_F(SignTest, SaysWhereItWasTakenAway) {
  const auto hidden = open();
  ASSERT_TRUE(hidden);
  ::XUnmapWindow(other_.get(), sign_window());
  ::XSync(other_.get(), False);
  EXPECT_EQ(end_of(**hidden), Code::kFailedPrecondition);
}

TEST_F(SignTest, AClickMovesItOutOfTheWay) {
  const auto sign = open();
  ASSERT_TRUE(sign);
  ::XTestFakeMotionEvent(other_.get(), -1, 400, 2, 0);
  ::XTestFakeButtonEvent(other_.get(), 1, True, 0);
  ::XTestFakeButtonEvent(other_.get(), 1, False, 0);
  ::XSync(other_.get(), False);
  EXPECT_TRUE(comes_to_be([&] { return look(**sign) && pixel(2) == 0 && pixel(597) == 0xb3261eU; }));
}

}  // namespace
}  // namespace hearth::display
