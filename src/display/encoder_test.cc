#include "display/encoder.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

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
  auto encoder = Encoder::open(kSize, 1'000);
  ASSERT_TRUE(encoder);
  encode(**encoder, noise(0), {.key = true});
  const auto second = [&](unsigned seed) {
    std::size_t bytes = 0;
    for (unsigned i = 0; i < 60; ++i) bytes += encode(**encoder, noise(seed + i), {}).data.size();
    return bytes;
  };
  second(1000);
  const std::size_t slow = second(2000);
  (*encoder)->set_rate(8'000);
  second(3000);
  EXPECT_GT(second(4000), 2 * slow);
}

}  // namespace
}  // namespace hearth::display
