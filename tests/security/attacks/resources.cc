// Taking more than was given. Each stops once it has it: outside that is a harmless amount.
#include <cerrno>
#include <cstring>
#include <vector>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "security/attacks/attacks.h"

namespace hearth::attacks {
namespace {

constexpr std::uint64_t kPiece = 1 << 20;

int fork_bomb(const World& world) {
  std::vector<pid_t> children;
  int refusal = 0;
  while (refusal == 0 && children.size() < world.processes) {
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    if (child < 0) refusal = errno;
    if (child > 0) children.push_back(child);
  }
  for (const pid_t child : children) ::kill(child, SIGKILL);
  for (const pid_t child : children) ::waitpid(child, nullptr, 0);
  return refusal;
}

int thread_bomb(const World& world) {
  pthread_attr_t small;
  ::pthread_attr_init(&small);
  ::pthread_attr_setstacksize(&small, 64 << 10);
  for (std::uint64_t count = 0; count < world.processes; ++count) {
    pthread_t thread{};
    const int refusal = ::pthread_create(
        &thread, &small,
        [](void*) -> void* {
          ::pause();
          return nullptr;
        },
        nullptr);
    if (refusal != 0) return refusal;
  }
  return 0;
}

// Every page is written: a promise of memory costs nothing.
int touch(void* memory, std::uint64_t bytes) {
  if (memory == MAP_FAILED) return errno;  // NOLINT: that is how mmap() fails
  constexpr std::uint64_t kPage = 4096;
  for (std::uint64_t at = 0; at < bytes; at += kPage) static_cast<volatile char*>(memory)[at] = 1;
  return 0;
}

int memory_bomb(const World& world) {
  return touch(::mmap(nullptr, world.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), world.bytes);
}

int shared_memory_bomb(const World& world) {
  return touch(::mmap(nullptr, world.bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), world.bytes);
}

int system_v_memory_bomb(const World& world) {
  const int id = ::shmget(IPC_PRIVATE, world.bytes, 0600);
  if (id < 0) return errno;
  void* memory = ::shmat(id, nullptr, 0);
  ::shmctl(id, IPC_RMID, nullptr);  // goes with this process
  return touch(memory, world.bytes);
}

int fill(int file, std::uint64_t bytes) {
  if (file < 0) return errno;
  const std::string piece(kPiece, 'x');
  int refusal = 0;
  for (std::uint64_t done = 0; refusal == 0 && done < bytes; done += kPiece) {
    const ssize_t count = ::write(file, piece.data(), piece.size());
    if (count < 0) refusal = errno;
    if (count >= 0 && count < static_cast<ssize_t>(kPiece)) refusal = ENOSPC;
  }
  ::close(file);
  return refusal;
}

int fill_file(const std::string& path, std::uint64_t bytes) {
  const int refusal = fill(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), bytes);
  ::unlink(path.c_str());
  return refusal;
}

std::string of_this_process(const char* directory) {
  return std::string(directory) + "/hearth-attack-" + std::to_string(::getpid());
}

int memory_file_bomb(const World& world) { return fill(::memfd_create("bomb", MFD_CLOEXEC), world.bytes); }
int fill_working_directory(const World& world) { return fill_file("big", world.bytes); }
int fill_tmp(const World& world) { return fill_file(of_this_process("/tmp"), world.bytes); }
int fill_shared_memory(const World& world) { return fill_file(of_this_process("/dev/shm"), world.bytes); }

int fill_with_names(const World& world) {
  const std::string directory = of_this_process("/dev/shm");
  if (::mkdir(directory.c_str(), 0700) != 0) return errno;
  int refusal = 0;
  std::uint64_t made = 0;
  for (; refusal == 0 && made < world.files; ++made) {
    refusal = open_only(directory + "/" + std::to_string(made), O_WRONLY | O_CREAT);
  }
  for (std::uint64_t i = 0; i < made; ++i) ::unlink((directory + "/" + std::to_string(i)).c_str());
  ::rmdir(directory.c_str());
  return refusal;
}

int descriptor_bomb(const World& world) {
  for (std::uint64_t count = 0; count < world.processes; ++count) {
    if (::open("/dev/null", O_RDONLY | O_CLOEXEC) < 0) return errno;
  }
  return 0;
}

constexpr Entry kEntries[] = {
    {"fork_bomb", fork_bomb},
    {"thread_bomb", thread_bomb},
    {"memory_bomb", memory_bomb},
    {"shared_memory_bomb", shared_memory_bomb},
    {"system_v_memory_bomb", system_v_memory_bomb},
    {"memory_file_bomb", memory_file_bomb},
    {"fill_working_directory", fill_working_directory},
    {"fill_tmp", fill_tmp},
    {"fill_shared_memory", fill_shared_memory},
    {"fill_with_names", fill_with_names},
    {"descriptor_bomb", descriptor_bomb},
};

}  // namespace

const Class kResources = {"resources", kEntries};

}  // namespace hearth::attacks
