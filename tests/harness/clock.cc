#include "harness/clock.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/check.h"

namespace hearth::e2e {

constexpr std::size_t kBytes = 2 * sizeof(std::int64_t);

MovableClock::MovableClock(Pool& pool, const Scratch& scratch) {
  const std::filesystem::path file = scratch.path() / "clock";
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  CHECK(descriptor >= 0 && ::ftruncate(descriptor, kBytes) == 0);
  void* memory = ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
  ::close(descriptor);
  CHECK(memory != MAP_FAILED);
  offsets_ = static_cast<std::int64_t*>(memory);
  pool.set_env("LD_PRELOAD", HEARTH_CLOCK_SHIM);
  pool.set_env("HEARTH_TEST_CLOCK", file);
}

MovableClock::~MovableClock() { ::munmap(offsets_, kBytes); }

void MovableClock::move_calendar(seconds by) { __atomic_store_n(&offsets_[0], by.count(), __ATOMIC_SEQ_CST); }
void MovableClock::move_steady(seconds by) {
  CHECK(by.count() >= offsets_[1]);
  __atomic_store_n(&offsets_[1], by.count(), __ATOMIC_SEQ_CST);
}

}  // namespace hearth::e2e
