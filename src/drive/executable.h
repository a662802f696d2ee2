// Whether the owner of the drive's folder may run a file of it: the mode of the file there, and of what it becomes.
#pragma once

#include <sys/stat.h>

namespace hearth::drive {

inline bool is_executable(const struct stat& status) {
  return S_ISREG(status.st_mode) && (status.st_mode & S_IXUSR) != 0;
}
inline bool is_executable(int file) {
  struct stat status{};
  return ::fstat(file, &status) == 0 && is_executable(status);
}

// False: errno says why.
inline bool make_executable(int file) { return ::fchmod(file, S_IRWXU) == 0; }

}  // namespace hearth::drive
