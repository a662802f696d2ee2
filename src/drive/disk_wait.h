// Waiting until several files, or folders, are on the disk, without a thread for each: the kernel is asked for all of
// them at once (its AIO; io_uring would do as well, but is switched off on some systems).
//
//   DiskWait disk;
//   std::vector<int> errors = disk.sync(files);   // 0, or the errno of that file's fsync
#pragma once

#include <span>
#include <vector>

namespace hearth::drive {

// Used by one thread at a time.
class DiskWait {
 public:
  DiskWait() = default;
  ~DiskWait();
  DiskWait(const DiskWait&) = delete;
  DiskWait& operator=(const DiskWait&) = delete;

  // What fsync() of each gives, in their order. Where the kernel takes none at once, one is waited for after another.
  std::vector<int> sync(std::span<const int> files);

 private:
  bool sync_together(std::span<const int> files, std::vector<int>& errors);

  unsigned long queue_ = 0;  // the kernel's; 0: none yet
  bool has_failed_ = false;
};

}  // namespace hearth::drive
