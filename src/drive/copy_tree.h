// The drive's folder as its copy sees it: the family's files, and of the drive's own folder what belongs to them
// (trash, versions, links), told by paths that need not be a Path. Reads alone; for both sides.
//
//   Result<CopyTree> tree = CopyTree::open("/home/mia/Hearth");
//   CopyLook look(*tree, [](const std::string& folder) { ... });
//   for (std::optional<LookedAt> folder = look.next(); folder; folder = look.next()) ...
//
// All functions block, and are called by one thread at a time.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/drive/copy.h"
#include "drive/folder.h"

namespace hearth::drive {

inline constexpr const char* kMarkName = "user.hearth.copy";

class CopyTree {
 public:
  // Errors: kNotFound, of the disk.
  static Result<CopyTree> open(const std::filesystem::path& root);

  // Sorted by name; "" is the root. Whether a path belongs to the copy (check_copy_path) is the caller's to ask.
  // Errors: kNotFound, of the disk.
  Result<std::vector<CopyEntry>> list(const std::string& folder) const;

  // And what it is now, without its name. Errors: as list().
  Result<std::pair<Fd, CopyEntry>> read(const std::string& file) const;

  Result<Fd> open_folder(const std::string& folder) const;
  int root_file() const { return root_.get(); }

 private:
  explicit CopyTree(Fd root) : root_(std::move(root)) {}
  Fd root_;
};

std::string copy_digest(const std::vector<CopyEntry>& entries);

struct LookedAt {
  std::string folder;
  std::string digest;
};

// Every folder of the copy, each before those in it, and the drive's own last: what leaves a folder by being thrown
// away, or replaced, is found where it went to. No moment's picture.
class CopyLook {
 public:
  // `before` each folder's list is read.
  explicit CopyLook(const CopyTree& tree, std::function<void(const std::string& folder)> before)
      : tree_(tree), before_(std::move(before)) {}

  std::optional<LookedAt> next();
  // The first folder that could not be read; it was left out.
  const std::optional<Error>& trouble() const { return trouble_; }

 private:
  const CopyTree& tree_;
  const std::function<void(const std::string&)> before_;
  std::vector<std::string> left_ = {std::string(Path::kOwnFolder), ""};  // the last one is next
  std::optional<Error> trouble_;
};

}  // namespace hearth::drive
