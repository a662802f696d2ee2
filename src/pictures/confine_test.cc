// What a reader of pictures can still do once it has shut itself off. Each in a process of its own.
#include "pictures/confine.h"

#include <cerrno>
#include <functional>
#include <thread>

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace hearth::pictures {
namespace {

constexpr int kConfineFailed = 99;

// The status that a shut-off process ends with after the attempt: 0 if that failed as it must.
int ends_with(const std::function<bool()>& succeeds, bool (*shut_off)() = &confine) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!shut_off()) ::_exit(kConfineFailed);
    ::_exit(succeeds() ? 1 : 0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return status;
}

TEST(ConfineTest, OpensNothing) {
  EXPECT_EQ(ends_with([] { return ::open("/etc/passwd", O_RDONLY) >= 0; }), 0);
  EXPECT_EQ(ends_with([] { return ::open("/proc/self/mem", O_RDWR) >= 0; }), 0);
  EXPECT_EQ(ends_with([] { return ::memfd_create("x", 0) >= 0; }), 0);
}

TEST(ConfineTest, ReachesNobody) {
  EXPECT_EQ(ends_with([] { return ::socket(AF_INET, SOCK_STREAM, 0) >= 0; }), 0);
  EXPECT_EQ(ends_with([] { return ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0; }), 0);
  EXPECT_EQ(ends_with([] { return ::kill(::getppid(), 0) == 0; }), 0);
}

TEST(ConfineTest, StartsNothing) {
  EXPECT_EQ(ends_with([] { return ::fork() >= 0; }), 0);
  EXPECT_EQ(ends_with([] { return ::execl("/bin/true", "true", nullptr) == 0; }), 0);
  EXPECT_EQ(ends_with([] {
              return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                     MAP_FAILED;
            }),
            0);
}

TEST(ConfineTest, HasNoMoreMemoryThanItIsGiven) {
  constexpr std::size_t kTooMuch = 600ULL << 20;
  EXPECT_EQ(ends_with([] {
              return ::mmap(nullptr, kTooMuch, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) !=
                     MAP_FAILED;
            }),
            0);
}

TEST(ConfineTest, AProgramReadsFilesAndNoMore) {
  EXPECT_EQ(ends_with([] { return ::open("/etc/passwd", O_RDONLY) < 0; }, &confine_program), 0);
  EXPECT_EQ(ends_with([] { return ::execl("/bin/true", "true", nullptr) == 0; }, &confine_program), 0);
  EXPECT_EQ(ends_with([] { return ::open("/proc/self/mem", O_RDWR) >= 0; }, &confine_program), 0);
  EXPECT_EQ(ends_with([] { return ::open("/dev/null", O_WRONLY) >= 0; }, &confine_program), 0);
  EXPECT_EQ(ends_with([] { return ::open("/tmp/made-by-a-film", O_RDONLY | O_CREAT, 0600) >= 0; }, &confine_program),
            0);
  EXPECT_EQ(ends_with([] { return ::socket(AF_UNIX, SOCK_STREAM, 0) >= 0; }, &confine_program), 0);
  EXPECT_EQ(ends_with([] { return ::kill(::getppid(), 0) == 0; }, &confine_program), 0);
  EXPECT_EQ(ends_with([] { return ::fork() >= 0; }, &confine_program), 0);
  EXPECT_EQ(ends_with(
                [] {
                  return ::mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                                0) != MAP_FAILED;
                },
                &confine_program),
            0);
}

TEST(ConfineTest, ThinksAndAnswers) {
  EXPECT_EQ(ends_with([] {
              bool ran = false;
              std::thread([&] { ran = true; }).join();
              return !ran;
            }),
            0);
  EXPECT_EQ(ends_with([] { return ::write(STDERR_FILENO, "", 0) != 0; }), 0);
}

}  // namespace
}  // namespace hearth::pictures
