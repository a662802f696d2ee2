// What somebody who mistyped probably meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hearth::cli {

// The known word that is at most two letters added, left out, replaced or swapped away, and less than half of its own
// letters;
// the first of several. Nothing if none is that near.
std::optional<std::string> nearest_word(std::string_view typed, const std::vector<std::string>& known);

}  // namespace hearth::cli
