// A library to be preloaded (LD_PRELOAD) into a program whose disk a test wants to fail: as long as the file that
// HEARTH_TEST_DISK names exists, nothing that is written reaches the disk, and fsync says so.
#include <cerrno>
#include <cstdlib>

#include <sys/syscall.h>
#include <unistd.h>

namespace {

int sync_if_it_works(int file, long number) {
  const char* sign = std::getenv("HEARTH_TEST_DISK");
  if (sign != nullptr && ::access(sign, F_OK) == 0) {
    errno = EIO;
    return -1;
  }
  return static_cast<int>(::syscall(number, file));
}

}  // namespace

extern "C" {

int fsync(int file) { return sync_if_it_works(file, SYS_fsync); }
int fdatasync(int file) { return sync_if_it_works(file, SYS_fdatasync); }
}
