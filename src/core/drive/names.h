// How names of files are compared by people: upper and lower case alike, numbers by their value. Pure.
//
//   folded("Größe.TXT")                        "größe.txt"
//   order_key("b2.png") < order_key("B10.png")
#pragma once

#include <string>
#include <string_view>

namespace hearth::drive {

// The text in lower case, byte for byte in the same places: ASCII, the letters of Latin-1 and Latin Extended-A, Greek
// (its accented capitals, too) and Cyrillic. Whatever else there is, also what is not UTF-8, stays as it is.
std::string folded(std::string_view text);

// Of two names, that with the smaller key (as bytes) goes first. Letters of Latin-1 go with those they are made of
// ("ä" with "a"), a run of digits as the number that it is. Names that differ may have the same key.
std::string order_key(std::string_view name);

}  // namespace hearth::drive
