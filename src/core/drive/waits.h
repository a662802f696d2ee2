// How the disk is waited for when several files are to be on it at the same time. Pure.
//
//   switch (wait_for(files.size())) ...
#pragma once

#include <cstddef>
#include <cstdint>

namespace hearth::drive {

enum class Wait : std::uint8_t {
  kNone,      // there is nothing to wait for
  kOne,       // for the one file
  kTogether,  // for each of them, at the same time: one commit of the file system's journal does for all
  kAll,       // for all that the file system has not written yet, what others have just written there too
};

// A disk takes its time for every flush, whether much is left to write or not: eight files one after another take eight
// times as long as one, together hardly longer. So many are asked for at once at most.
inline constexpr std::size_t kMostTogether = 256;

constexpr Wait wait_for(std::size_t files) {
  if (files == 0) return Wait::kNone;
  if (files == 1) return Wait::kOne;
  return files <= kMostTogether ? Wait::kTogether : Wait::kAll;
}

// Whether a file system, by its number (statfs), is one of the PC's own: what it has in memory is had without waiting
// for another machine or program, as NFS and FUSE would.
constexpr bool is_local(std::uint64_t file_system) {
  switch (file_system) {
    case 0xEF53:      // ext2, ext3, ext4
    case 0x58465342:  // XFS
    case 0x9123683E:  // Btrfs
    case 0xF2F52010:  // F2FS
    case 0xCA451A4E:  // bcachefs
    case 0x01021994:  // tmpfs
      return true;
    default:
      return false;
  }
}

}  // namespace hearth::drive
