#include "display/encoder.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace hearth::display {
namespace {

constexpr Size kSize = {320, 240};
constexpr Size kLarge = {1280, 720};
constexpr int kParameters = 7;  // kinds of H.264's units
constexpr int kKeySlice = 5;

std::vector<std::uint8_t> noise(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> pixels(4UZ * kSize.width * kSize.height);
  for (std::uint8_t& part : pixels) part = static_cast<std::uint8_t>(random());
  return pixels;
}

// Stripes that run through the picture, but for a block in its corner.
class Stripes {
 public:
  std::vector<std::uint8_t> paint(std::uint32_t colour, std::size_t step) const {
    std::vector<std::uint8_t> pixels(4UZ * kLarge.width * kLarge.height);
    for (std::size_t y = 0; y < kLarge.height; ++y) {
      for (std::size_t x = 0; x < kLarge.width; ++x) {
        const std::uint32_t value = x < 320 && y < 320 ? colour : colours_[(x + (y + 3 * step) % 97 * 7) / 8];
        std::memcpy(pixels.data() + 4 * (y * kLarge.width + x), &value, 4);
      }
    }
    return pixels;
  }

 private:
  std::vector<std::uint32_t> colours_ = [] {
    std::mt19937 random(1);
    std::vector<std::uint32_t> colours(2'000);
    for (std::uint32_t& colour : colours) colour = static_cast<std::uint32_t>(random());
    return colours;
  }();
};

std::vector<int> kinds_in(const std::string& unit) {
  std::vector<int> kinds;
  for (std::size_t at = unit.find(std::string("\0\0\1", 3)); at != std::string::npos && at + 3 < unit.size();
       at = unit.find(std::string("\0\0\1", 3), at + 3)) {
    kinds.push_back(unit[at + 3] & 31);
  }
  return kinds;
}

std::string little_endian(std::size_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text.push_back(static_cast<char>(value >> 8 * i));
  return text;
}

class EncoderTest : public testing::TestWithParam<v1::Codec> {
 protected:
  void open(Size size, std::uint32_t kbits) {
    Result<std::unique_ptr<Encoder>> encoder = Encoder::open(GetParam(), size, kbits);
    ASSERT_TRUE(encoder);
    encoder_ = std::move(*encoder);
    size_ = size;
  }

  Encoder::Unit encode(const std::vector<std::uint8_t>& pixels, Encoder::Wish wish) {
    planes_.take(pixels.data(), 4UZ * size_.width, size_);
    Result<Encoder::Unit> unit = encoder_->encode(planes_, wish);
    EXPECT_TRUE(unit);
    if (!unit) return {};
    EXPECT_LT(unit->data.size(), 4U << 20);
    if (is_vp8()) stream_ += little_endian(unit->data.size(), 4) + little_endian(count_++, 8);
    stream_ += unit->data;
    return *unit;
  }

  bool is_vp8() const { return GetParam() == v1::CODEC_VP8; }

  // The last picture of all that was encoded, its planes behind each other.
  std::string decoded() const {
    std::string pattern = "/tmp/hearth-encoder.XXXXXX";
    if (::mkdtemp(pattern.data()) == nullptr) return "";
    const std::filesystem::path directory = pattern;
    std::ofstream(directory / "stream", std::ios::binary)
        << (is_vp8() ? std::string("DKIF\0\0\x20\0VP80", 12) + little_endian(size_.width, 2) +
                           little_endian(size_.height, 2) + little_endian(60, 4) + little_endian(1, 4) +
                           little_endian(count_, 8)
                     : std::string())
        << stream_;
    const std::string command = "/usr/bin/ffmpeg -loglevel error -y -f " + std::string(is_vp8() ? "ivf" : "h264") +
                                " -i " + (directory / "stream").string() +
                                " -update 1 -f image2 -vcodec rawvideo -pix_fmt yuv420p " +
                                (directory / "last").string();
    EXPECT_EQ(std::system(command.c_str()), 0);
    std::ifstream file(directory / "last", std::ios::binary);
    std::string last{std::istreambuf_iterator<char>(file), {}};
    std::filesystem::remove_all(directory);
    EXPECT_EQ(last.size(), 3UZ * size_.width * size_.height / 2);
    return last;
  }

  std::unique_ptr<Encoder> encoder_;
  Size size_;
  Planes planes_;
  std::string stream_;
  std::size_t count_ = 0;
};

TEST_P(EncoderTest, MakesAKeyPictureWhenItIsAskedForAlone) {
  open(kSize, 8'000);
  for (int i = 0; i < 40; ++i) {
    const bool key = i == 0 || i == 30;
    const Encoder::Unit unit = encode(noise(static_cast<unsigned>(i)), {.key = key});
    EXPECT_EQ(unit.key, key);
    if (is_vp8()) {
      EXPECT_EQ((unit.data[0] & 1) == 0, key) << "RFC 6386, 9.1";
      continue;
    }
    const std::vector<int> kinds = kinds_in(unit.data);
    EXPECT_EQ(std::ranges::count(kinds, kParameters) > 0, key);
    EXPECT_EQ(std::ranges::count(kinds, kKeySlice) > 0, key);
  }
}

TEST_P(EncoderTest, SpendsNothingOnWhatIsTheSameUnlessItIsToBeFiner) {
  open(kSize, 2'000);
  const std::vector<std::uint8_t> picture = noise(1);
  encode(picture, {.key = true});
  for (int i = 0; i < 20; ++i) encode(picture, {});
  const std::size_t finer = encode(picture, {.fineness = Encoder::kFinest}).data.size();
  encode(picture, {.fineness = Encoder::kFinest});
  const std::size_t same = encode(picture, {}).data.size();
  EXPECT_GT(finer, 10 * same);
}

TEST_P(EncoderTest, KeepsToItsRate) {
  open(kSize, 4'000);
  encode(noise(0), {.key = true});
  const auto second = [&](unsigned seed) {
    std::size_t bytes = 0;
    for (unsigned i = 0; i < 60; ++i) bytes += encode(noise(seed + i), {}).data.size();
    return bytes;
  };
  second(1000);
  const std::size_t slow = second(2000);
  encoder_->set_rate(32'000);
  second(3000);
  EXPECT_GT(second(4000), 2 * slow);
}

// Without a bound on the quantizer x264 left a block red that had become blue, for minutes.
TEST_P(EncoderTest, ShowsWhatHasChangedHoweverLittleTheLinkTakes) {
  if (::access("/usr/bin/ffmpeg", X_OK) != 0) GTEST_SKIP() << "SKIPPED: there is no ffmpeg to decode it";
  open(kLarge, 8'000);
  const Stripes stripes;
  std::uint32_t rate = 8'000;
  for (std::size_t i = 0; i < 240; ++i) {
    if (i % 10 == 9) encoder_->set_rate(std::max(400U, rate = rate * 7 / 10));
    encode(stripes.paint(i < 150 ? 0xff0000 : 0x0000ff, i), {});
  }
  const std::string last = decoded();
  const std::size_t pixels = std::size_t{kLarge.width} * kLarge.height;
  const std::size_t middle = 50UZ * (kLarge.width / 2) + 50;
  ASSERT_GT(last.size(), pixels * 5 / 4 + middle);
  EXPECT_GT(static_cast<unsigned char>(last[pixels + middle]), 180) << "blue";
  EXPECT_LT(static_cast<unsigned char>(last[pixels * 5 / 4 + middle]), 150) << "red";
}

// Else a text that scrolls takes so many bits that a link of a few Mbit/s shows a few of its pictures.
TEST_P(EncoderTest, FindsWhatHasScrolled) {
  open(kLarge, 2'000);
  std::mt19937 random(1);
  std::vector<std::uint8_t> page(4UZ * kLarge.width * (kLarge.height + 300), 255);
  // Short strokes on white.
  for (int i = 0; i < 60'000; ++i) {
    const std::size_t at = 4 * (random() % (page.size() / 4 - 8));
    std::memset(page.data() + at, 0, 4 * (2 + random() % 6));
  }
  const auto scrolled = [&](std::size_t rows) {
    const auto from = page.begin() + static_cast<std::ptrdiff_t>(4UZ * kLarge.width * rows);
    return std::vector<std::uint8_t>(from, from + static_cast<std::ptrdiff_t>(4UZ * kLarge.width * kLarge.height));
  };
  for (std::size_t i = 0; i < 30; ++i) encode(scrolled(5 * i), {});
  const std::size_t so_far = stream_.size();
  for (std::size_t i = 30; i < 60; ++i) encode(scrolled(5 * i), {});
  EXPECT_LT(stream_.size() - so_far, 165'000U) << "in half a second, whose part of the rate is 125,000";
}

// x264 keeps to its rate even then, so it takes more pictures (track.cc).
TEST_P(EncoderTest, WhatStandsStillBecomesAsGoodAsTheOriginal) {
  if (::access("/usr/bin/ffmpeg", X_OK) != 0) GTEST_SKIP() << "SKIPPED: there is no ffmpeg to decode it";
  open(kLarge, 2'000);
  const Stripes stripes;
  const auto move = [&](std::size_t from) {
    const std::size_t before = stream_.size();
    for (std::size_t i = from; i < from + 30; ++i) encode(stripes.paint(0xff0000, i), {});
    return stream_.size() - before;
  };
  // Of brightness, on the mean, of 255.
  const auto wrong = [&] {
    const std::string last = decoded();
    const std::uint8_t* original = planes_.plane(0).bytes;
    const std::size_t pixels = std::size_t{kLarge.width} * kLarge.height;
    double sum = 0;
    for (std::size_t at = 0; at < pixels; ++at) sum += std::abs(static_cast<unsigned char>(last.at(at)) - original[at]);
    return sum / static_cast<double>(pixels);
  };
  const std::size_t at_first = move(0);
  const double coarse = wrong();
  const std::vector<std::uint8_t> still = stripes.paint(0xff0000, 29);
  for (int fineness = 1; fineness < Encoder::kFinest; ++fineness) encode(still, {.fineness = fineness});
  EXPECT_EQ(encode(still, {.fineness = Encoder::kFinest}).held_back, !is_vp8());
  for (int more = 0; !is_vp8() && more < 240; ++more) encode(still, {.fineness = Encoder::kFinest});
  EXPECT_LT(wrong(), 1.5);
  EXPECT_GT(coarse, 5.0);
  EXPECT_LT(move(30), at_first * 3 / 2) << "and then it goes on as before";
}

INSTANTIATE_TEST_SUITE_P(Codecs, EncoderTest, testing::Values(v1::CODEC_H264, v1::CODEC_VP8),
                         [](const auto& codec) { return codec.param == v1::CODEC_VP8 ? "Vp8" : "H264"; });

}  // namespace
}  // namespace hearth::display
