// Several files that are placed together.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <utility>

#include "drive/files.h"

namespace hearth::drive {

Result<void> Folder::sync_together(const std::vector<Arriving>& files) {
  for (const Arriving& one : files) {
    if (!set_modified(one.file.descriptor(), one.modified)) return fail_errno(errno, one.path.text());
    ::sync_file_range(one.file.descriptor(), 0, 0, SYNC_FILE_RANGE_WRITE);
  }
  for (const Arriving& one : files) {
    if (::fsync(one.file.descriptor()) != 0) return fail_errno(errno, one.path.text());
  }
  return {};
}

std::vector<Result<Placed>> Folder::place_together(std::vector<Arriving> files) {
  std::vector<Result<Placed>> placed;
  std::set<Path> folders;
  for (Arriving& one : files) {
    placed.push_back(
        place_named(one.file.path_, one.file.descriptor(), one.path, one.condition, {}, Synced::kByCaller));
    if (!placed.back()) continue;
    one.file.path_.clear();
    folders.insert(one.path.parent());
  }
  for (const Path& path : folders) {
    const Result<OpenFile> folder = open_beneath(path, O_RDONLY | O_DIRECTORY);
    if (folder && ::fsync(folder->get()) == 0) continue;
    const Error error = folder ? fail_errno(errno, path.text()).error() : folder.error();
    for (std::size_t i = 0; i < files.size(); ++i) {
      if (placed[i] && files[i].path.parent() == path) placed[i] = std::unexpected(error);
    }
  }
  return placed;
}

}  // namespace hearth::drive
