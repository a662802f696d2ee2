#include "base/walk.h"

#include <utility>
#include <vector>

#include "base/entries.h"

namespace hearth {

void walk_below(const std::filesystem::path& directory,
                const std::function<bool(const std::filesystem::directory_entry& entry)>& visit) {
  std::vector<std::filesystem::path> unread = {directory};
  while (!unread.empty()) {
    const std::filesystem::path next = std::move(unread.back());
    unread.pop_back();
    std::error_code error;
    for (const std::filesystem::directory_entry& entry : Entries(next, error)) {
      std::error_code gone;
      const bool is_folder = entry.symlink_status(gone).type() == std::filesystem::file_type::directory;
      if (visit(entry) && is_folder) unread.push_back(entry.path());
    }
  }
}

std::uint64_t bytes_below(const std::filesystem::path& directory) {
  std::uint64_t bytes = 0;
  walk_below(directory, [&](const std::filesystem::directory_entry& entry) {
    std::error_code gone;
    if (entry.symlink_status(gone).type() != std::filesystem::file_type::regular) return true;
    const std::uintmax_t size = entry.file_size(gone);
    if (!gone) bytes += size;
    return true;
  });
  return bytes;
}

}  // namespace hearth
