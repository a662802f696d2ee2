// All that lies below a folder, one after the other, each folder before what it holds; no symbolic link is followed.
// Keeps one open file for each level.
//
//   for (const Walked* found = walk.next(); found != nullptr; found = walk.next()) ...
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "core/drive/private_folders.h"
#include "drive/folder.h"

namespace hearth::drive {

struct Walked {
  std::string name;
  Kind kind = Kind::kFile;
};

class Walk {
 public:
  // `without`: folders at the drive's top that are left out.
  static Result<Walk> below(const Folder& folder, const Path& path, FolderNames without = {});

  // Of the drive's own `name` ("trash"); paths are then meaningless.
  static Result<Walk> below_own(const Folder& folder, std::string_view name);

  // Nothing: that was all. What it points at lives until the next call. Blocks.
  const Walked* next();

  // Of what next() gave. Nothing: a path that is too long; it is not there any more.
  std::optional<Path> path() const;
  std::optional<Entry> entry() const;
  bool is_executable() const;
  // Errors: of the disk.
  Result<Fd> open() const;

  // The first folder that could not be read; it was left out, as is what lies deeper than Path::kMaxDepth.
  const std::optional<Error>& trouble() const { return trouble_; }

 private:
  struct Level {
    Fd file;
    Path path;
    std::vector<Walked> left;  // the last one is next
  };

  Walk() = default;
  void enter(Fd file, Path path);

  FolderNames without_;
  std::deque<Level> levels_;
  Walked now_;
  bool is_first_ = true;
  std::optional<Error> trouble_;
};

}  // namespace hearth::drive
