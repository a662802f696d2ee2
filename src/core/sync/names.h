// Names that a file system, or the eye, takes for the same: those that differ in upper and lower case, or in how an
// accented letter is made (Unicode's normal forms, UAX 15), by utf8proc.
//
//   folded_name("Größe.TXT") == folded_name("GRO\u0308SSE.txt")
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace hearth::sync {

// What such names have in common. Of what is not UTF-8: itself.
std::string folded_name(std::string_view name);

// "name (conflict LAPTOP 2026-11-27).ext", or with a number where that is taken; at most as long as a name may be.
// `label`: "LAPTOP 2026-11-27".
std::string conflict_name(std::string_view name, std::string_view label,
                          const std::function<bool(const std::string&)>& is_taken);

}  // namespace hearth::sync
