// Before X11, whose macros have names of its own.
#include <gtest/gtest.h>

#include "display/drag.h"
#include "display/test_display.h"

namespace hearth::display {
namespace {

TEST(AddressOf, IsThatOfALocalFile) {
  EXPECT_EQ(address_of("/job/a b.txt"), "file:///job/a%20b.txt");
  EXPECT_EQ(address_of("/job/ü%\n"), "file:///job/%C3%BC%25%0A");
}

// A window that takes drops, as toolkits do.
class DropWindow : public TestProgram {
 public:
  explicit DropWindow(long version) : version_(version) {
    set("XdndAware", XA_ATOM, version);
    ::XMapWindow(display(), window());
    ::XSync(display(), False);
  }
  void set(const char* name, Atom type, long value) const {
    ::XChangeProperty(display(), window(), atom(name), type, 32, PropModeReplace,
                      reinterpret_cast<unsigned char*>(&value), 1);
    ::XSync(display(), False);
  }

  int refusals = 0;      // of the first positions
  bool finishes = true;  // says so when it has what was dropped
  int dropped = 0;
  int left = 0;
  int x = -1;
  int y = -1;

 protected:
  void on_message(const XClientMessageEvent& event) override {
    source_ = static_cast<Window>(event.data.l[0]);
    if (event.message_type == atom("XdndPosition")) {
      x = static_cast<int>(event.data.l[2] >> 16);
      y = static_cast<int>(event.data.l[2] & 0xffff);
      answer("XdndStatus", refusals-- > 0 ? 0 : 1);
    } else if (event.message_type == atom("XdndDrop")) {
      ++dropped;
      paste("XdndSelection", "text/uri-list");
    } else if (event.message_type == atom("XdndLeave")) {
      ++left;
    }
  }

 public:
  void finish_if_pasted() {
    if (!pasted() || !finishes || dropped == 0) return;
    answer("XdndFinished", version_ >= 5 ? 1 : 0);
    finishes = false;
  }

 private:
  void answer(const char* name, long word) const {
    XEvent event{};
    event.xclient.type = ClientMessage;
    event.xclient.window = source_;
    event.xclient.message_type = atom(name);
    event.xclient.format = 32;
    event.xclient.data.l[0] = static_cast<long>(window());
    event.xclient.data.l[1] = word;
    event.xclient.data.l[4] = static_cast<long>(atom("XdndActionCopy"));
    ::XSendEvent(display(), source_, False, NoEventMask, &event);
    ::XFlush(display());
  }

  long version_;
  Window source_ = 0;
};

class DragTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!server_.runs()) GTEST_SKIP() << "SKIPPED: Xvfb is missing";
    drag_ = std::move(*Drag::open());
  }
  // Time goes on from one thing that is due to the next.
  bool outcome(DropWindow& window) {
    std::optional<bool> taken;
    EXPECT_TRUE(comes_to_be([&] {
      drag_->look(now_);
      window.go_on();
      window.finish_if_pasted();
      now_ += std::chrono::milliseconds(5);
      taken = drag_->take_outcome();
      return taken.has_value();
    }));
    EXPECT_FALSE(drag_->busy());
    return taken.value_or(false);
  }

  TestServer server_;
  std::unique_ptr<Drag> drag_;
  Clock::time_point now_ = Clock::now();
};

TEST_F(DragTest, GivesFilesToTheWindowThere) {
  for (const long version : {3L, 5L}) {
    DropWindow window(version);
    drag_->drop({"/job/a.txt", "/job/b c.txt"}, 20, 30, now_);
    EXPECT_TRUE(drag_->busy());
    EXPECT_TRUE(outcome(window));
    EXPECT_EQ(window.got(), "file:///job/a.txt\r\nfile:///job/b%20c.txt\r\n");
    EXPECT_EQ(window.x, 20);
    EXPECT_EQ(window.y, 30);
    EXPECT_EQ(window.dropped, 1);
  }
}

TEST_F(DragTest, AsksAgainWhereAWindowHasToLookFirst) {
  DropWindow window(5);
  window.refusals = 3;
  drag_->drop({"/job/a"}, 20, 30, now_);
  EXPECT_TRUE(outcome(window));
  EXPECT_EQ(window.dropped, 1);
}

TEST_F(DragTest, LeavesAWindowThatRefuses) {
  DropWindow window(5);
  window.refusals = 1'000;
  drag_->drop({"/job/a"}, 20, 30, now_);
  EXPECT_FALSE(outcome(window));
  EXPECT_TRUE(comes_to_be([&] {
    window.go_on();
    return window.left == 1;
  }));
  EXPECT_EQ(window.dropped, 0);
}

TEST_F(DragTest, GivesNothingWhereNoWindowTakesDrops) {
  DropWindow old(2);
  drag_->drop({"/job/a"}, 20, 30, now_);  // it speaks a protocol that is too old
  EXPECT_FALSE(outcome(old));
  drag_->drop({"/job/a"}, 700, 500, now_);  // nothing is there
  EXPECT_FALSE(outcome(old));
}

TEST_F(DragTest, DoesNotWaitForeverForAnAnswer) {
  DropWindow window(5);
  window.finishes = false;
  drag_->drop({"/job/a"}, 20, 30, now_);
  EXPECT_TRUE(outcome(window));  // it has fetched them, and says no more
  DropWindow silent(5);
  drag_->drop({"/job/a"}, 20, 30, now_);
  now_ += std::chrono::seconds(6);
  drag_->look(now_);
  EXPECT_EQ(drag_->take_outcome(), false);
}

TEST_F(DragTest, PassesOverAProxyThatDoesNotKnowOfIt) {
  DropWindow window(5);
  TestProgram stale;
  window.set("XdndProxy", XA_WINDOW, static_cast<long>(stale.window()));
  drag_->drop({"/job/a"}, 20, 30, now_);
  EXPECT_TRUE(outcome(window));
}

}  // namespace
}  // namespace hearth::display
