#include "core/drive/names.h"

#include <algorithm>
#include <cstdint>

namespace hearth::drive {
namespace {

constexpr std::uint32_t kFirstOfTwoBytes = 0x80;
constexpr std::uint32_t kEndOfTwoBytes = 0x800;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Of Unicode's simple case folding, what stays within two bytes of UTF-8.
std::uint32_t lower(std::uint32_t c) {
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if (c == 0x178) return 0xFF;
  const bool has_odd_capitals = (c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E);
  const bool has_even_capitals = (c >= 0x100 && c <= 0x12F) || (c >= 0x132 && c <= 0x137) || (c >= 0x14A && c <= 0x177);
  if ((has_odd_capitals && c % 2 == 1) || (has_even_capitals && c % 2 == 0)) return c + 1;
  if (c == 0x386) return 0x3AC;
  if (c >= 0x388 && c <= 0x38A) return c + 37;
  if (c == 0x38C) return 0x3CC;
  if (c == 0x38E || c == 0x38F) return c + 63;
  if (c >= 0x391 && c <= 0x3AB && c != 0x3A2) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if ((c >= 0x460 && c <= 0x480) || (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F)) return c | 1U;
  return c;
}

// From U+00E0 on, for each letter the one that it is made of.
constexpr std::string_view kPlainLatin = "aaaaaaaceeeeiiiidnooooo/ouuuuyty";

}  // namespace

std::string folded(std::string_view text) {
  std::string lowered(text);
  for (std::size_t i = 0; i < lowered.size(); ++i) {
    const auto first = static_cast<unsigned char>(lowered[i]);
    if (first >= 'A' && first <= 'Z') lowered[i] = static_cast<char>(first + 32);
    if ((first & 0xE0U) != 0xC0 || i + 1 == lowered.size()) continue;
    const auto second = static_cast<unsigned char>(lowered[i + 1]);
    const std::uint32_t letter = (first & 0x1FU) << 6U | (second & 0x3FU);
    if ((second & 0xC0U) != 0x80 || letter < kFirstOfTwoBytes) continue;
    const std::uint32_t small = lower(letter);
    if (small >= kEndOfTwoBytes) continue;
    lowered[i] = static_cast<char>(0xC0U | small >> 6U);
    lowered[++i] = static_cast<char>(0x80U | (small & 0x3FU));
  }
  return lowered;
}

std::string order_key(std::string_view name) {
  const std::string lowered = folded(name);
  std::string key;
  key.reserve(lowered.size() + 4);
  for (std::size_t i = 0; i < lowered.size();) {
    if (!is_digit(lowered[i])) {
      const bool is_latin = lowered[i] == '\xC3' && i + 1 < lowered.size() && (lowered[i + 1] & 0x3F) >= 0x20;
      key += is_latin ? kPlainLatin[static_cast<std::size_t>(lowered[i + 1] & 0x3F) - 0x20] : lowered[i];
      i += is_latin ? 2 : 1;
      continue;
    }
    const auto begin = lowered.begin() + static_cast<std::ptrdiff_t>(i);
    const auto end = std::find_if_not(begin, lowered.end(), is_digit);
    const auto number = std::find_if(begin, end, [](char c) { return c != '0'; });
    // '0', how many digits the number has, and those: among numbers the longer one is larger.
    key += '0';
    key += static_cast<char>(std::min<std::ptrdiff_t>(end - number, 255));
    key.append(number, end);
    i = static_cast<std::size_t>(end - lowered.begin());
  }
  return key;
}

}  // namespace hearth::drive
