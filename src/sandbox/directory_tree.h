// Trees of files that guests made: measured, walked and removed without following a link, however they are named and
// nested. All functions block; on a worker.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>

#include <sys/stat.h>

#include "base/result.h"

namespace hearth::sandbox {

// How many directories a tree may lie in each other; each that is open costs a descriptor.
constexpr unsigned kMaxTreeDepth = 128;

// What a tree takes of the disk.
struct TreeSize {
  std::uint64_t bytes = 0;
  std::uint64_t files = 0;  // directories and links too

  void add(const struct stat& status) {
    bytes += static_cast<std::uint64_t>(status.st_blocks) * 512;
    ++files;
  }
  // A name costs the disk something too: 1 KiB, say.
  std::uint64_t with_names() const { return bytes + files * 1024; }
};

// Calls visit(directory, name, status) for everything below `directory`, a directory before what is in it; `directory`
// there is a descriptor of where `name` lies. What is gone meanwhile is passed over. Stops at the first error.
// Errors: of `visit`; of the disk; kPermissionDenied (a directory that its owner may not read); kResourceExhausted (too
// deep).
using Visit = std::function<Result<void>(int directory, const char* name, const struct stat& status)>;
Result<void> walk_tree(const std::filesystem::path& directory, const Visit& visit);

// Of what is below the directory, which may change meanwhile. Errors: as walk_tree()'s.
Result<TreeSize> measure_tree(const std::filesystem::path& directory);

// Removes a tree that nobody works in, whatever its depth and the modes of its directories. None is there: no error.
// Errors: of the disk.
Result<void> remove_tree(const std::filesystem::path& directory);

}  // namespace hearth::sandbox
