#include "drive/disk_wait.h"

#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "core/drive/waits.h"

namespace hearth::drive {
namespace {

int sync_one(int file) { return ::fsync(file) == 0 ? 0 : errno; }

}  // namespace

DiskWait::~DiskWait() {
  if (queue_ != 0) ::syscall(SYS_io_destroy, queue_);
}

// False: the kernel has taken none of them.
bool DiskWait::sync_together(std::span<const int> files, std::vector<int>& errors) {
  if (queue_ == 0 && !has_failed_) has_failed_ = ::syscall(SYS_io_setup, kMostTogether, &queue_) != 0;
  if (has_failed_) return false;
  std::vector<iocb> asked(files.size());
  std::vector<iocb*> pointers;
  for (std::size_t i = 0; i < files.size(); ++i) {
    asked[i].aio_data = i;
    asked[i].aio_lio_opcode = IOCB_CMD_FSYNC;
    asked[i].aio_fildes = static_cast<unsigned>(files[i]);
    pointers.push_back(&asked[i]);
  }
  const long taken = ::syscall(SYS_io_submit, queue_, static_cast<long>(files.size()), pointers.data());
  if (taken <= 0) return false;
  std::vector<io_event> done(static_cast<std::size_t>(taken));
  for (long count = 0; count < taken;) {
    const long more = ::syscall(SYS_io_getevents, queue_, taken - count, taken - count, done.data(), nullptr);
    if (more < 0 && errno == EINTR) continue;
    CHECK(more > 0);  // nothing else may take them
    for (long i = 0; i < more; ++i) {
      const io_event& event = done[static_cast<std::size_t>(i)];
      errors[event.data] = static_cast<int>(-event.res);
    }
    count += more;
  }
  for (std::size_t i = static_cast<std::size_t>(taken); i < files.size(); ++i) errors[i] = sync_one(files[i]);
  return true;
}

std::vector<int> DiskWait::sync(std::span<const int> files) {
  std::vector<int> errors(files.size());
  const Wait wait = wait_for(files.size());
  if (wait == Wait::kNone) return errors;
  if (wait == Wait::kAll) {
    std::ranges::fill(errors, ::syncfs(files.front()) == 0 ? 0 : errno);
    return errors;
  }
  if (wait == Wait::kTogether && sync_together(files, errors)) return errors;
  std::ranges::transform(files, errors.begin(), sync_one);
  return errors;
}

}  // namespace hearth::drive
