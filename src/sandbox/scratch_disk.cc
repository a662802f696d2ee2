#include "sandbox/scratch_disk.h"

#include <cerrno>

#include <sys/stat.h>

#include "base/log.h"
#include "sandbox/directory_tree.h"

namespace hearth::sandbox {

Result<std::unique_ptr<ScratchDisk>> ScratchDisk::make(const std::filesystem::path& path) {
  auto disk = std::make_unique<ScratchDisk>(path);
  for (const std::filesystem::path& directory : {path, disk->job(), disk->tmp()}) {
    if (::mkdir(directory.c_str(), S_IRWXU) != 0) return fail_errno(errno, "making a directory on the encrypted disk");
  }
  return disk;
}

ScratchDisk::~ScratchDisk() {
  if (Result<void> gone = remove_tree(path_); !gone) log_error("a sandbox's files remain: " + gone.error().message);
}

}  // namespace hearth::sandbox
