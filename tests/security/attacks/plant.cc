#include "security/attacks/plant.h"

#include <cstdio>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <unistd.h>

namespace hearth::attacks {
namespace {

constexpr std::size_t kCopies = 1000;

std::string repeated(const std::string& canary) {
  std::string text;
  for (std::size_t i = 0; i < kCopies; ++i) text.append(canary).push_back('\n');
  return text;
}

bool in_files(const std::string& canary) {
  bool done = true;
  const std::string folder_name = "/folder-" + canary;
  const std::string file_name = "/file-" + canary;
  for (const char* folder : {".", "/tmp", "/dev/shm"}) {
    const std::string directory = folder + folder_name;
    done = done && ::mkdir(directory.c_str(), 0700) == 0;
    std::ofstream file(directory + file_name);
    file << repeated(canary) << std::flush;
    done = done && file.good();
  }
  std::ofstream result("result-" + canary);
  result << repeated(canary) << std::flush;
  return done && result.good();
}

bool map(int file, const std::string& canary) {
  const std::string text = repeated(canary);
  if (file >= 0 && ::ftruncate(file, static_cast<off_t>(text.size())) != 0) return false;
  const int kind = file < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* memory = ::mmap(nullptr, text.size(), PROT_READ | PROT_WRITE, kind, file, 0);
  if (memory == MAP_FAILED) return false;  // NOLINT: that is how mmap() fails
  std::memcpy(memory, text.data(), text.size());
  return file < 0 || ::msync(memory, text.size(), MS_SYNC) == 0;
}

bool in_memory(const std::string& canary) {
  const int id = ::shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0600);
  void* shared = id < 0 ? nullptr : ::shmat(id, nullptr, 0);
  if (shared == nullptr || shared == reinterpret_cast<void*>(-1)) return false;  // NOLINT
  std::memcpy(shared, canary.data(), canary.size());
  return map(-1, canary) && map(::open(("mapped-" + canary).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), canary) &&
         map(::memfd_create(canary.c_str(), MFD_CLOEXEC), canary) &&
         map(::shm_open(("/" + canary).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), canary);
}

// A process with it in its arguments and variables, which stays.
bool in_a_process(const std::string& canary) {
  const pid_t child = ::fork();
  if (child != 0) return child > 0;
  ::setenv("CANARY", canary.c_str(), 1);
  ::execl("/proc/self/exe", "attacks", "wait", canary.c_str(), nullptr);
  ::_exit(127);
}

}  // namespace

int plant(const std::string& canary, bool stay) {
  const bool done = in_files(canary) && in_memory(canary) && in_a_process(canary);
  std::fprintf(stderr, "%s\n", canary.c_str());
  std::printf("%s %s\n", canary.c_str(), done ? "planted" : "not planted");
  std::fflush(stdout);
  if (stay) ::pause();
  return done ? 0 : 1;
}

}  // namespace hearth::attacks
