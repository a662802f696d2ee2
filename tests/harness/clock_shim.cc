// A library to be preloaded (LD_PRELOAD) into a program whose clocks a test wants to move: the file that
// HEARTH_TEST_CLOCK names holds two 64-bit numbers of seconds, added to the calendar's clock and to the steady clocks.
#include <cstdint>
#include <cstdlib>
#include <ctime>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

namespace {

struct Offsets {
  volatile std::int64_t calendar;
  volatile std::int64_t steady;
};

constinit const Offsets kNone{0, 0};

const Offsets* map_offsets() {
  const char* name = std::getenv("HEARTH_TEST_CLOCK");
  if (name == nullptr) return &kNone;
  const int file = ::open(name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return &kNone;
  void* memory = ::mmap(nullptr, sizeof(Offsets), PROT_READ, MAP_SHARED, file, 0);
  ::close(file);
  return memory == MAP_FAILED ? &kNone : static_cast<const Offsets*>(memory);
}

const Offsets& offsets() {
  static const Offsets* const mapped = map_offsets();
  return *mapped;
}

std::int64_t offset_of(clockid_t clock) {
  switch (clock) {
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
      return offsets().calendar;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
      return offsets().steady;
    default:
      return 0;
  }
}

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* moment) noexcept {
  const long done = ::syscall(SYS_clock_gettime, clock, moment);
  if (done == 0) moment->tv_sec += offset_of(clock);
  return static_cast<int>(done);
}

int gettimeofday(timeval* __restrict moment, void* __restrict) noexcept {
  timespec precise{};
  const int done = clock_gettime(CLOCK_REALTIME, &precise);
  *moment = {.tv_sec = precise.tv_sec, .tv_usec = precise.tv_nsec / 1000};
  return done;
}

time_t time(time_t* place) noexcept {
  timespec moment{};
  clock_gettime(CLOCK_REALTIME, &moment);
  if (place != nullptr) *place = moment.tv_sec;
  return moment.tv_sec;
}
}
