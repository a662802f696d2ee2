#include "display/encoder.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <vector>

#include <gtest/gtest.h>
#include <unistd.h>

namespace hearth::display {
namespace {

constexpr Size kSize = {320, 240};
constexpr int kParameters = 7;  // kinds of H.264's units
constexpr int kKeySlice = 5;

std::vector<std::uint8_t> noise(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint8_t> pixels(4UZ * kSize.width * kSize.height);
  for (std::uint8_t& part : pixels) part = static_cast<std::uint8_t>(random());
  return pixels;
}

Encoder::Unit encode(Encoder& encoder, const std::vector<std::uint8_t>& pixels, Encoder::Wish wish) {
  Result<Encoder::Unit> unit = encoder.encode(pixels.data(), 4UZ * kSize.width, wish);
  EXPECT_TRUE(unit);
  return unit ? *unit : Encoder::Unit{};
}

std::vector<int> kinds_in(const std::string& unit) {
  std::vector<int> kinds;
  for (std::size_t at = unit.find(std::string("\0\0\1", 3)); at != std::string::npos && at + 3 < unit.size();
       at = unit.find(std::string("\0\0\1", 3), at + 3)) {
    kinds.push_back(unit[at + 3] & 31);
  }
  return kinds;
}

TEST(Encoder, MakesAKeyPictureWhenItIsAskedForAlone) {
  auto encoder = Encoder::open(kSize, 8'000);
  ASSERT_TRUE(encoder);
  for (int i = 0; i < 40; ++i) {
    const bool key = i == 0 || i == 30;
    const Encoder::Unit unit = encode(**encoder, noise(static_cast<unsigned>(i)), {.key = key});
    EXPECT_EQ(unit.key, key);
    const std::vector<int> kinds = kinds_in(unit.data);
    EXPECT_EQ(std::ranges::count(kinds, kParameters) > 0, key);
    EXPECT_EQ(std::ranges::count(kinds, kKeySlice) > 0, key);
  }
}

TEST(Encoder, SpendsNothingOnWhatIsTheSameUnlessItIsToBeFiner) {
  auto encoder = Encoder::open(kSize, 2'000);
  ASSERT_TRUE(encoder);
  const std::vector<std::uint8_t> picture = noise(1);
  encode(**encoder, picture, {.key = true});
  for (int i = 0; i < 20; ++i) encode(**encoder, picture, {});
  const std::size_t finer = encode(**encoder, picture, {.fineness = Encoder::kFinest}).data.size();
  encode(**encoder, picture, {.fineness = Encoder::kFinest});
  const std::size_t same = encode(**encoder, picture, {}).data.size();
  EXPECT_GT(finer, 10 * same);
}

TEST(Encoder, KeepsToItsRate) {
  auto encoder = Encoder::open(kSize, 4'000);
  ASSERT_TRUE(encoder);
  encode(**encoder, noise(0), {.key = true});
  const auto second = [&](unsigned seed) {
    std::size_t bytes = 0;
    for (unsigned i = 0; i < 60; ++i) bytes += encode(**encoder, noise(seed + i), {}).data.size();
    return bytes;
  };
  second(1000);
  const std::size_t slow = second(2000);
  (*encoder)->set_rate(32'000);
  second(3000);
  EXPECT_GT(second(4000), 2 * slow);
}

// Without a bound on the quantizer x264 left a block red that had become blue, for minutes.
TEST(Encoder, ShowsWhatHasChangedHoweverLittleTheLinkTakes) {
  if (::access("/usr/bin/ffmpeg", X_OK) != 0) GTEST_SKIP() << "SKIPPED: there is no ffmpeg to decode it";
  constexpr Size kPicture = {1280, 720};
  auto encoder = *Encoder::open(kPicture, 8'000);
  std::mt19937 random(1);
  std::vector<std::uint32_t> stripes(2'000);
  for (std::uint32_t& stripe : stripes) stripe = static_cast<std::uint32_t>(random());
  std::string noise(std::size_t{4} * kPicture.width * kPicture.height, '\0');
  // Stripes that run through the picture, but for a block in its corner.
  const auto paint = [&](std::uint32_t colour, std::size_t step) {
    for (std::size_t y = 0; y < kPicture.height; ++y) {
      for (std::size_t x = 0; x < kPicture.width; ++x) {
        const std::uint32_t value = x < 320 && y < 320 ? colour : stripes[(x + (y + 3 * step) % 97 * 7) / 8];
        std::copy_n(reinterpret_cast<const char*>(&value), 4, noise.data() + 4 * (y * kPicture.width + x));
      }
    }
  };
  std::string pattern = "/tmp/hearth-encoder.XXXXXX";
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const std::filesystem::path directory = pattern;
  std::ofstream stream(directory / "stream.h264", std::ios::binary);
  std::uint32_t rate = 8'000;
  for (std::size_t i = 0; i < 240; ++i) {
    if (i % 10 == 9) encoder->set_rate(std::max(400U, rate = rate * 7 / 10));
    paint(i < 150 ? 0xff0000 : 0x0000ff, i);
    stream << encoder->encode(reinterpret_cast<const std::uint8_t*>(noise.data()), 4 * kPicture.width, {})->data;
  }
  stream.close();
  const std::string command = "/usr/bin/ffmpeg -loglevel error -y -f h264 -i " + (directory / "stream.h264").string() +
                              " -update 1 -f image2 -vcodec rawvideo -pix_fmt rgb24 " + (directory / "last").string();
  EXPECT_EQ(std::system(command.c_str()), 0);
  std::ifstream file(directory / "last", std::ios::binary);
  const std::string last{std::istreambuf_iterator<char>(file), {}};
  std::filesystem::remove_all(directory);
  ASSERT_EQ(last.size(), std::size_t{3} * kPicture.width * kPicture.height);
  const std::size_t middle = std::size_t{3} * (100 * kPicture.width + 100);
  EXPECT_LT(static_cast<unsigned char>(last[middle]), 100) << "red";
  EXPECT_GT(static_cast<unsigned char>(last[middle + 2]), 150) << "blue";
}

}  // namespace
}  // namespace hearth::display
