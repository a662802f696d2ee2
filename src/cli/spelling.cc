#include "cli/spelling.h"

#include <algorithm>
#include <numeric>

namespace hearth::cli {
namespace {

constexpr std::size_t kMostEdits = 2;

// Levenshtein's distance, row by row.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::string> nearest_word(std::string_view typed, const std::vector<std::string>& known) {
  std::optional<std::string> nearest;
  std::size_t fewest = kMostEdits + 1;
  for (const std::string& word : known) {
    // Also bounds what a long argument costs.
    if (std::max(typed.size(), word.size()) - std::min(typed.size(), word.size()) > kMostEdits) continue;
    const std::size_t edits = edits_between(typed, word);
    if (edits >= fewest || 2 * edits >= word.size()) continue;
    fewest = edits;
    nearest = word;
  }
  return nearest;
}

}  // namespace hearth::cli
