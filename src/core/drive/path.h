// Where a file lies in the drive: names from the drive's root down, judged once, so that nothing behind this type meets
// a name that leads out of the drive or that some computer of the family cannot keep.
#pragma once

#include <compare>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::drive {

class Path {
 public:
  static constexpr std::size_t kMaxNameBytes = 255;  // what Linux's file systems take
  static constexpr std::size_t kMaxBytes = 4'000;    // of the whole, below PATH_MAX
  static constexpr std::size_t kMaxDepth = 100;

  Path() = default;  // the root

  // "/photos/2026/a.jpg", or the same without the first slash; one slash at the end says nothing. Errors:
  // kInvalidArgument for an empty name, ".", "..", a control character (line break and NUL among them), what is not
  // UTF-8 or cannot stand in XML, too long or too deep a path, and the drive's own folder (kOwnFolder) at the root.
  static Result<Path> parse(std::string_view text);

  // Of the root; what uploads, trash and versions are kept in.
  static constexpr std::string_view kOwnFolder = ".hearth";

  bool is_root() const { return names_.empty(); }
  const std::vector<std::string>& names() const { return names_; }
  const std::string& name() const;                  // not of the root
  Path parent() const;                              // not of the root
  Result<Path> child(std::string_view name) const;  // errors: as parse()

  // Whether it is `folder` or lies somewhere below it.
  bool is_within(const Path& folder) const;

  std::string text() const;      // "/photos/a.jpg"; "/" for the root
  std::string relative() const;  // "photos/a.jpg"; "." for the root: for openat() and the like

  auto operator<=>(const Path&) const = default;

 private:
  std::vector<std::string> names_;
};

// Errors: kInvalidArgument, naming the name.
Result<void> check_name(std::string_view name);

}  // namespace hearth::drive
