#include "display/viewer.h"

#include <array>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth::display {
namespace {

using std::chrono::milliseconds;

class ViewerTest : public testing::Test {
 protected:
  ViewerTest() {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    page_ = ends[0];
    viewer_ = std::make_unique<Viewer>(ends[1], Viewer::May::kControl);
  }
  ~ViewerTest() override {
    if (page_ >= 0) ::close(page_);
  }

  void say(const std::string& bytes) const {
    EXPECT_EQ(::send(page_, bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  void show(Clock::time_point now) {
    v1::Picture picture;
    picture.set_data(std::string(1'000, 'x'));
    viewer_->send_picture(picture, now);
    EXPECT_TRUE(viewer_->write());
  }

  int page_ = -1;
  std::unique_ptr<Viewer> viewer_;
  Clock::time_point now_ = Clock::time_point(std::chrono::hours(1));
};

TEST_F(ViewerTest, OfOneWhoMayOnlyWatchTheRestIsNotHeard) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  Viewer watcher(ends[1], Viewer::May::kWatch);
  v1::FromViewer message;
  message.set_text("hello");
  message.mutable_input()->set_buttons(1);
  message.set_shown(3);
  const std::string frame = screen::frame_of(message);
  EXPECT_EQ(::send(ends[0], frame.data(), frame.size(), 0), static_cast<ssize_t>(frame.size()));
  const auto heard = watcher.read();
  ::close(ends[0]);
  ASSERT_TRUE(heard);
  ASSERT_EQ(heard->size(), 1U);
  EXPECT_FALSE(watcher.controls());
  EXPECT_TRUE(heard->front().text().empty());
  EXPECT_FALSE(heard->front().has_input());
  EXPECT_EQ(heard->front().shown(), 3U);
}

TEST_F(ViewerTest, HearsWholeMessages) {
  v1::FromViewer message;
  message.set_text("hello");
  const std::string frame = screen::frame_of(message);
  say(frame.substr(0, 3));
  EXPECT_TRUE(viewer_->read()->empty());
  say(frame.substr(3) + frame);
  const auto heard = viewer_->read();
  ASSERT_TRUE(heard);
  ASSERT_EQ(heard->size(), 2U);
  EXPECT_EQ(heard->back().text(), "hello");
}

TEST_F(ViewerTest, EndsAtWhatItCannotRead) {
  say(std::string("\0\0\0\4nope", 8));
  EXPECT_EQ(viewer_->read().error().code, Code::kInvalidArgument);
}

TEST_F(ViewerTest, EndsAtWhatIsTooLong) {
  say("\xff\xff\xff\xff");
  EXPECT_EQ(viewer_->read().error().code, Code::kInvalidArgument);
}

TEST_F(ViewerTest, EndsWithItsPage) {
  ::close(page_);
  page_ = -1;
  EXPECT_EQ(viewer_->read().error().code, Code::kUnavailable);
}

TEST_F(ViewerTest, IsSentNoMoreThanAFewPicturesAhead) {
  int sent = 0;
  for (; viewer_->has_room(now_) && sent < 1'000; ++sent) show(now_);
  EXPECT_GT(sent, 2);
  EXPECT_LT(sent, 100);
  viewer_->on_shown(static_cast<std::uint64_t>(sent), now_ + milliseconds(20));
  EXPECT_TRUE(viewer_->has_room(now_ + milliseconds(20)));
}

TEST_F(ViewerTest, WaitsForWhatIsLate) {
  show(now_);
  viewer_->on_shown(1, now_ + milliseconds(10));
  show(now_ + milliseconds(20));
  EXPECT_TRUE(viewer_->has_room(now_ + milliseconds(40)));
  EXPECT_FALSE(viewer_->has_room(now_ + milliseconds(400)));
  viewer_->on_shown(2, now_ + milliseconds(410));
  EXPECT_TRUE(viewer_->has_room(now_ + milliseconds(410)));
}

TEST_F(ViewerTest, IsGivenLessOverALinkThatQueuesAndThenMore) {
  const std::uint32_t first = viewer_->kbits();
  std::uint64_t number = 0;
  const auto go_on = [&](milliseconds way) {
    for (int i = 0; i < 100; ++i, now_ += milliseconds(50)) {
      show(now_);
      viewer_->on_shown(++number, now_ + way);
    }
  };
  go_on(milliseconds(10));
  EXPECT_GT(viewer_->kbits(), first);
  go_on(milliseconds(200));
  const std::uint32_t low = viewer_->kbits();
  EXPECT_LT(low, first);
  go_on(milliseconds(10));
  EXPECT_GT(viewer_->kbits(), low);
}

// A hundredth of the packets is lost, and with TCP a tenth of the pictures waits for them.
TEST_F(ViewerTest, IsGivenNoLessForSomePicturesThatAreLate) {
  const std::uint32_t first = viewer_->kbits();
  for (std::uint64_t number = 1; number <= 600; ++number, now_ += milliseconds(16)) {
    show(now_);
    viewer_->on_shown(number, now_ + milliseconds(number % 8 == 0 ? 200 : 60));
  }
  EXPECT_GT(viewer_->kbits(), first);
}

TEST_F(ViewerTest, NeedsAKeyPictureOnce) {
  EXPECT_TRUE(viewer_->needs_key);
  v1::Picture picture;
  picture.set_key(true);
  viewer_->send_picture(picture, now_);
  EXPECT_FALSE(viewer_->needs_key);
}

}  // namespace
}  // namespace hearth::display
