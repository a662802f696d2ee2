#include "display/track.h"

#include <algorithm>
#include <array>
#include <optional>
#include <random>

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth::display {
namespace {

using std::chrono::milliseconds;

constexpr Size kSize = {320, 240};

// A screen whose viewers are the other ends of sockets.
class TrackTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const int page : pages_) ::close(page);
  }

  Viewer& admit(v1::Codec codec) {
    std::array<int, 2> ends{};
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
    const int space = 1 << 20;
    ::setsockopt(ends[1], SOL_SOCKET, SO_SNDBUF, &space, sizeof space);
    pages_.push_back(ends[0]);
    readers_.emplace_back(screen::kMaxToViewer);
    Viewer& viewer = *viewers_.emplace_back(std::make_unique<Viewer>(ends[1], Viewer::May::kControl));
    viewer.watches = true;
    viewer.codec = codec;
    return viewer;
  }

  // Whether each made a picture: of H.264, of VP8.
  std::pair<bool, bool> look(bool changed, milliseconds later = milliseconds(16)) {
    now_ += later;
    std::array<bool, 2> made{};
    const Track::Moment moment{.now = now_, .changed = changed};
    std::vector<std::uint8_t> pixels(4UZ * size_.width * size_.height, static_cast<std::uint8_t>(++shade_ * 8));
    if (noise_) {
      std::mt19937 generator(*noise_);
      for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(generator());
    }
    planes_.take(pixels.data(), 4UZ * size_.width, size_);
    const bool any = std::ranges::any_of(tracks_, [&](Track& track) { return track.due(viewers_, moment) <= now_; });
    for (std::size_t i = 0; any && i < tracks_.size(); ++i) {
      made.at(i) = tracks_.at(i).due(viewers_, moment) <= now_;
      if (made.at(i)) {
        EXPECT_TRUE(tracks_.at(i).show(planes_, viewers_, moment, milliseconds(1)));
      } else {
        tracks_.at(i).pass_over(moment);
      }
    }
    return {made[0], made[1]};
  }

  // What came to one of them since.
  std::vector<v1::Picture> seen_by(std::size_t which) {
    EXPECT_TRUE(viewers_.at(which)->write());
    std::vector<v1::Picture> pictures;
    std::string bytes(1 << 20, '\0');
    const ssize_t count = ::recv(pages_.at(which), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count <= 0) return pictures;
    EXPECT_TRUE(readers_.at(which).push(std::string_view(bytes).substr(0, static_cast<std::size_t>(count))));
    while (const std::optional<std::string> frame = readers_.at(which).next()) {
      pictures.push_back(screen::parse_to_viewer(*frame)->picture());
      viewers_.at(which)->on_shown(pictures.back().number(), now_);
    }
    return pictures;
  }

  std::array<Track, 2> tracks_ = {Track(v1::CODEC_H264), Track(v1::CODEC_VP8)};
  Viewers viewers_;
  Planes planes_;
  Size size_ = kSize;
  int shade_ = 0;
  std::optional<unsigned> noise_;  // what is on the screen, in the place of a shade
  Clock::time_point now_ = Clock::time_point(std::chrono::hours(1));

 private:
  std::vector<int> pages_;
  std::vector<screen::FrameReader> readers_;
};

using Made = std::pair<bool, bool>;

TEST_F(TrackTest, EachViewerGetsTheCodecThatItAskedFor) {
  admit(v1::CODEC_H264);
  admit(v1::CODEC_VP8);
  admit(v1::CODEC_VP8);
  EXPECT_EQ(look(true), Made(true, true));
  for (const auto& [which, codec] : {std::pair(0UZ, v1::CODEC_H264), {1UZ, v1::CODEC_VP8}, {2UZ, v1::CODEC_VP8}}) {
    const std::vector<v1::Picture> pictures = seen_by(which);
    ASSERT_EQ(pictures.size(), 1U);
    EXPECT_EQ(pictures[0].codec(), codec);
    EXPECT_TRUE(pictures[0].key());
    EXPECT_EQ(pictures[0].width(), kSize.width);
  }
  EXPECT_EQ(look(true), Made(true, true));
  EXPECT_FALSE(seen_by(0).at(0).key());
  EXPECT_EQ(seen_by(1).at(0).data(), seen_by(2).at(0).data()) << "encoded once";
}

TEST_F(TrackTest, ThereIsAnEncoderOnlyWhileSomebodyWatchesByIt) {
  Viewer& viewer = admit(v1::CODEC_H264);
  EXPECT_EQ(look(true), Made(true, false));
  EXPECT_TRUE(tracks_[0].is_at_work());
  EXPECT_FALSE(tracks_[1].is_at_work());
  const auto rest = [&] {
    for (Track& track : tracks_) track.rest_without(viewers_);
  };
  seen_by(0);
  viewer.codec = v1::CODEC_VP8;
  viewer.needs_key = true;
  rest();
  EXPECT_FALSE(tracks_[0].is_at_work());
  EXPECT_EQ(look(true, milliseconds(400)), Made(false, true));
  rest();
  EXPECT_TRUE(tracks_[1].is_at_work());
  EXPECT_TRUE(seen_by(0).back().key());
  viewers_.clear();
  rest();
  EXPECT_FALSE(tracks_[1].is_at_work());
  EXPECT_EQ(look(true), Made(false, false));
}

// The other's pictures take the change away from the screen.
TEST_F(TrackTest, WhoHadNoRoomForAChangeSeesItLater) {
  size_ = {1280, 720};
  admit(v1::CODEC_H264);
  Viewer& slow = admit(v1::CODEC_VP8);
  look(true);
  seen_by(0);
  seen_by(1);
  slow.set_rate(400);  // too little for sixty pictures a second
  EXPECT_EQ(look(true), Made(true, true));
  seen_by(0);
  seen_by(1);
  EXPECT_EQ(look(true), Made(true, false));
  EXPECT_EQ(look(false), Made(false, false));
  EXPECT_EQ(look(false, milliseconds(60)), Made(false, true));
  EXPECT_EQ(seen_by(1).size(), 1U);
}

TEST_F(TrackTest, AKeyPictureForOneIsNoneForThoseOfTheOtherCodec) {
  Viewer& first = admit(v1::CODEC_H264);
  admit(v1::CODEC_VP8);
  look(true);
  seen_by(0);
  seen_by(1);
  first.needs_key = true;
  EXPECT_EQ(look(false), Made(false, false)) << "it has just had one";
  EXPECT_EQ(look(true, milliseconds(400)), Made(true, true));
  EXPECT_TRUE(seen_by(0).at(0).key());
  EXPECT_FALSE(seen_by(1).at(0).key());
}

TEST_F(TrackTest, BecomesFinerInThreeStepsOnceNothingMoves) {
  admit(v1::CODEC_VP8);
  look(true);
  seen_by(0);
  EXPECT_EQ(look(false, milliseconds(50)), Made(false, false));
  int finer = 0;
  for (int i = 0; i < 40; ++i) {
    finer += look(false, milliseconds(50)).second ? 1 : 0;
    for (const v1::Picture& picture : seen_by(0)) EXPECT_FALSE(picture.key());
    if (i == 15) {
      EXPECT_EQ(finer, 3) << "within a second";
    }
  }
  EXPECT_EQ(finer, 3);
}

// H.264's are held back by the rate.
TEST_F(TrackTest, GoesOnUntilItIsAsFineAsItCanBe) {
  Viewer& viewer = admit(v1::CODEC_H264);
  viewer.set_rate(2'000);
  for (noise_ = 0; *noise_ < 30; ++*noise_) {
    look(true);
    seen_by(0);
  }
  int made = 0;
  for (int i = 0; i < 63; ++i) {
    made += look(false).first ? 1 : 0;
    seen_by(0);
  }
  EXPECT_GT(made, 10) << "in a second";
  int none = 0;
  for (int i = 0; i < 300; ++i) {
    none = look(false).first ? 0 : none + 1;
    seen_by(0);
  }
  EXPECT_GT(none, 50) << "and then nothing";
}

TEST_F(TrackTest, AnotherSizeBeginsAnew) {
  admit(v1::CODEC_VP8);
  look(true);
  seen_by(0);
  size_ = {400, 300};
  look(true, milliseconds(400));
  const std::vector<v1::Picture> pictures = seen_by(0);
  ASSERT_EQ(pictures.size(), 1U);
  EXPECT_TRUE(pictures[0].key());
  EXPECT_EQ(pictures[0].width(), 400U);
}

}  // namespace
}  // namespace hearth::display
