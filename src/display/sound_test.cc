#include "display/sound.h"

#include <array>
#include <cmath>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <opus/opus.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hearth::display {
namespace {

constexpr int kPacket = 480;  // samples of each channel

class SoundTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/hearth-sound.XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    for (const char* pipe : {kPlayedPipe, kRecordedPipe}) {
      ASSERT_EQ(::mkfifo((directory_ / pipe).c_str(), 0600), 0);
    }
    auto sound = Sound::open(directory_);
    ASSERT_TRUE(sound);
    sound_ = std::move(*sound);
    app_plays_ = ::open((directory_ / kPlayedPipe).c_str(), O_WRONLY | O_NONBLOCK);
    app_records_ = ::open((directory_ / kRecordedPipe).c_str(), O_RDONLY | O_NONBLOCK);
  }
  void TearDown() override {
    ::close(app_plays_);
    ::close(app_records_);
    std::filesystem::remove_all(directory_);
  }

  // `packets` of a tone, or of silence, are taken one by one, 10 ms each.
  std::vector<v1::Sound> play(int packets, double amplitude) {
    std::vector<v1::Sound> heard;
    for (int i = 0; i < packets; ++i, now_ += 10'000) {
      std::array<std::int16_t, 2 * kPacket> values{};
      for (std::size_t at = 0; at < values.size(); ++at) {
        values[at] = static_cast<std::int16_t>(amplitude * std::sin(0.06 * static_cast<double>(played_ + at / 2)));
      }
      played_ += kPacket;
      EXPECT_EQ(::write(app_plays_, values.data(), sizeof values), static_cast<ssize_t>(sizeof values));
      for (v1::Sound& one : sound_->take(now_)) heard.push_back(std::move(one));
    }
    return heard;
  }

  std::filesystem::path directory_;
  std::unique_ptr<Sound> sound_;
  int app_plays_ = -1;
  int app_records_ = -1;
  std::size_t played_ = 0;
  std::int64_t now_ = 1'000'000;
};

TEST_F(SoundTest, WhatIsPlayedIsHeard) {
  const std::vector<v1::Sound> heard = play(20, 10'000);
  ASSERT_EQ(heard.size(), 20U);
  int error = 0;
  OpusDecoder* decoder = opus_decoder_create(48'000, 2, &error);
  double power = 0;
  for (std::size_t i = 0; i < heard.size(); ++i) {
    if (i > 0) EXPECT_EQ(heard[i].samples(), heard[i - 1].samples() + kPacket);
    std::array<std::int16_t, 2 * kPacket> values{};
    const std::string& opus = heard[i].opus();
    ASSERT_EQ(opus_decode(decoder, reinterpret_cast<const unsigned char*>(opus.data()),
                          static_cast<opus_int32>(opus.size()), values.data(), kPacket, 0),
              kPacket);
    if (i < 10) continue;  // it fades in
    for (const std::int16_t value : values) power += static_cast<double>(value) * value;
  }
  opus_decoder_destroy(decoder);
  EXPECT_NEAR(std::sqrt(power / (10 * 2 * kPacket)), 10'000 / std::sqrt(2), 1'000);
}

TEST_F(SoundTest, SilenceCostsNothing) {
  EXPECT_TRUE(play(50, 0).empty());
  EXPECT_EQ(play(3, 10'000).size(), 3U);
  EXPECT_LT(play(100, 0).size(), 30U);
}

TEST_F(SoundTest, TimePassesWhileNothingIsPlayed) {
  const std::uint64_t before = play(1, 10'000).at(0).samples();
  now_ += 2'000'000;
  const std::uint64_t after = play(1, 10'000).at(0).samples();
  EXPECT_GE(after - before, 2U * 48'000);
}

TEST_F(SoundTest, WhatNobodyHeardIsForgotten) {
  const std::string noise(10'000, 'x');
  ASSERT_GT(::write(app_plays_, noise.data(), noise.size()), 0);
  sound_->forget();
  EXPECT_TRUE(sound_->take(now_).empty());
  EXPECT_EQ(play(2, 10'000).size(), 2U);
}

TEST_F(SoundTest, AVoiceIsRecordedAndNoiseOnTheWireIsNot) {
  int error = 0;
  OpusEncoder* encoder = opus_encoder_create(48'000, 1, OPUS_APPLICATION_VOIP, &error);
  std::array<std::int16_t, kPacket> values{};
  std::array<unsigned char, 1'275> packet{};
  const int size = opus_encode(encoder, values.data(), kPacket, packet.data(), packet.size());
  opus_encoder_destroy(encoder);
  ASSERT_GT(size, 0);
  sound_->record("");
  sound_->record(std::string(1'275, '\xff'));
  std::array<char, 8'192> recorded{};
  static_cast<void>(::read(app_records_, recorded.data(), recorded.size()));
  sound_->record({reinterpret_cast<const char*>(packet.data()), static_cast<std::size_t>(size)});
  EXPECT_EQ(::read(app_records_, recorded.data(), recorded.size()), static_cast<ssize_t>(sizeof values));
  for (int i = 0; i < 100; ++i)
    sound_->record({reinterpret_cast<const char*>(packet.data()), static_cast<std::size_t>(size)});
}

TEST(SoundOfNothing, IsSaidToBeMissing) { EXPECT_EQ(Sound::open("/nowhere").error().code, Code::kUnavailable); }

}  // namespace
}  // namespace hearth::display
