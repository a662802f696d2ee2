// Names of files that come from strangers.
#include <fnmatch.h>

#include "base/bytes.h"
#include "sandbox/sandbox.h"

namespace hearth::sandbox {
namespace {

constexpr std::size_t kMaxPath = 4096;
constexpr std::size_t kMaxPart = 255;

std::string_view first_part(std::string_view path) { return path.substr(0, path.find('/')); }

// Without its first part; empty if it has only one.
std::string_view rest(std::string_view path) {
  std::size_t slash = path.find('/');
  return slash == std::string_view::npos ? std::string_view() : path.substr(slash + 1);
}

bool part_matches(std::string_view pattern, std::string_view part) {
  return ::fnmatch(std::string(pattern).c_str(), std::string(part).c_str(), FNM_PERIOD) == 0;
}

std::vector<std::string_view> split(std::string_view path) {
  std::vector<std::string_view> parts;
  for (; !path.empty(); path = rest(path)) parts.push_back(first_part(path));
  return parts;
}

}  // namespace

bool is_safe_relative_path(std::string_view path) {
  if (path.empty() || path.size() > kMaxPath || path.back() == '/' || !is_plain_utf8(path)) return false;
  for (std::string_view left = path; !left.empty(); left = rest(left)) {
    std::string_view part = first_part(left);
    if (part.empty() || part == "." || part == ".." || part.size() > kMaxPart) return false;
  }
  return true;
}

// Row by row over the pattern's parts: matched[j] says whether the parts so far match the path's first j parts. So the
// work is bounded by the product of the lengths, whatever the pattern.
bool matches_pattern(std::string_view pattern, std::string_view path) {
  std::vector<std::string_view> parts = split(path);
  std::vector<bool> matched(parts.size() + 1, false);
  matched[0] = true;
  for (std::string_view want : split(pattern)) {
    std::vector<bool> next(parts.size() + 1, false);
    bool any_before = false;
    for (std::size_t j = 0; j <= parts.size(); ++j) {
      any_before = any_before || matched[j];
      if (want == "**") {
        next[j] = any_before;
      } else if (j > 0 && matched[j - 1]) {
        next[j] = part_matches(want, parts[j - 1]);
      }
    }
    matched = std::move(next);
  }
  return matched[parts.size()];
}

}  // namespace hearth::sandbox
