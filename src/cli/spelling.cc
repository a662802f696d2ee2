#include "cli/spelling.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace hearth::cli {
namespace {

constexpr std::size_t kMostEdits = 2;

// The optimal string alignment distance: Levenshtein's, and two neighbours swapped are one edit. Row by row.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before;
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::vector<std::size_t> next(b.size() + 1, i + 1);
    for (std::size_t j = 0; j < b.size(); ++j) {
      next[j + 1] = std::min({row[j] + (a[i] == b[j] ? 0 : 1), next[j] + 1, row[j + 1] + 1});
      const bool is_swap = i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
      if (is_swap) next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
    }
    before = std::exchange(row, std::move(next));
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
