// What hearth-pictures says of one picture or film: a line, and after it the small picture that was asked for, a JPEG.
// The hub believes none of it: a hostile picture may speak in the helper's name, so everything has a limit.
//
//   "picture 4000 3000 2024:05:17 12:03:11\n" JPEG      width and height as people see it
//   "picture 4000 3000 -\n"                             it does not say when it was taken; no small one was asked for
//   "film 2024:05:17 10:03:11Z\n" JPEG                  by the clock of Greenwich
//   "none it is cut short\n"
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hearth::pictures {

// What is asked of the helper, as it is sent: with it, two descriptors, the picture's and the one for the answer.
struct Order {
  std::uint32_t size = 0;     // the longer side of the small picture, in pixels, 1 to kMaxSize; 0: none is made
  std::uint32_t is_film = 0;  // 1: it is a film; 0: a picture
};

inline constexpr std::uint32_t kMaxSize = 2048;
inline constexpr std::size_t kMaxAnswerBytes = 4 << 20;
inline constexpr std::size_t kMaxWords = 200;  // bytes, of why there is none

struct Picture {
  std::uint32_t width = 0;  // 1 to 1,000,000; both 0: of a film, which is not measured
  std::uint32_t height = 0;
  std::string taken;  // as the camera wrote it; empty: not known. Digits, ':' and ' ' alone, 19 of them; a film's may
                      // end with "Z": UTC
  std::string small;  // begins as a JPEG does; empty: none
};

std::string answer_of(const Picture& picture);
std::string answer_without(std::string_view words);

// Errors: kFailedPrecondition (the helper found no picture, in its words, made harmless), kDataLoss (no answer at all,
// or one that it may not give).
Result<Picture> parse_answer(std::string_view answer);

}  // namespace hearth::pictures
