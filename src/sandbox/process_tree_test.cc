#include "sandbox/process_tree.h"

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <ctime>
#include <string>
#include <utility>

#include "sandbox/fd.h"

namespace hearth::sandbox {
namespace {

// A shell whose children and grandchildren write as fast as they can into a pipe.
class ProcessTreeTest : public testing::Test {
 protected:
  void SetUp() override {
    Result<Pipe> pipe = make_pipe(O_CLOEXEC);
    ASSERT_TRUE(pipe);
    read_end_ = std::move(pipe->read_end);
    root_ = ::fork();
    ASSERT_GE(root_, 0);
    if (root_ == 0) {
      ::setpgid(0, 0);
      ::dup2(pipe->write_end.get(), 1);
      ::execl("/bin/sh", "sh", "-c",
              "for i in 1 2 3; do sh -c 'sh -c \"while :; do echo x; done\" & while :; do echo y; done' & done; wait",
              nullptr);
      ::_exit(127);
    }
    ASSERT_EQ(::fcntl(read_end_.get(), F_SETFL, O_NONBLOCK), 0);
    while (read_all() == 0) ::usleep(1000);
  }
  void TearDown() override {
    if (root_ <= 0) return;
    ::kill(-root_, SIGKILL);
    ::waitpid(root_, nullptr, 0);
  }

  // How many bytes there are now.
  std::size_t read_all() {
    std::size_t bytes = 0;
    char piece[65536];
    for (ssize_t count = 0; (count = ::read(read_end_.get(), piece, sizeof piece)) > 0;) {
      bytes += static_cast<std::size_t>(count);
    }
    return bytes;
  }

  Fd read_end_;
  pid_t root_ = -1;
};

TEST_F(ProcessTreeTest, StandsStillAndGoesOn) {
  ASSERT_TRUE(stop_tree(root_));
  read_all();
  ::usleep(50'000);
  EXPECT_EQ(read_all(), 0U) << "somebody still writes";
  continue_tree(root_);
  std::size_t bytes = 0;
  for (int i = 0; i < 10'000 && bytes == 0; ++i, ::usleep(1000)) bytes = read_all();
  EXPECT_GT(bytes, 0U);
}

TEST_F(ProcessTreeTest, LeavesOthersAlone) {
  ASSERT_TRUE(stop_tree(root_));
  const pid_t other = ::fork();
  if (other == 0) ::_exit(7);
  int status = 0;
  ASSERT_EQ(::waitpid(other, &status, 0), other);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  continue_tree(root_);
}

TEST_F(ProcessTreeTest, ThatIsGoneStandsStill) {
  ::kill(-root_, SIGKILL);
  ::waitpid(root_, nullptr, 0);
  EXPECT_TRUE(stop_tree(std::exchange(root_, -1)));
}

// As shells start programs: the parent does not run, nor can it be stopped, until its child has come to its exec.
TEST(ProcessTree, StopsWhatWaitsInVforkForAChildThatWasStopped) {
  Result<Pipe> pipe = make_pipe(O_CLOEXEC);
  ASSERT_TRUE(pipe);
  const pid_t root = ::fork();
  ASSERT_GE(root, 0);
  if (root == 0) {
    if (::vfork() == 0) {
      const pid_t own = ::getpid();
      static_cast<void>(!::write(pipe->write_end.get(), &own, sizeof own));
      for (const clock_t end = ::clock() + CLOCKS_PER_SEC / 50; ::clock() < end;) continue;
      ::execl("/bin/sleep", "sleep", "1000", nullptr);
      ::_exit(127);
    }
    for (;;) ::pause();
  }
  pid_t child = 0;
  ASSERT_EQ(::read(pipe->read_end.get(), &child, sizeof child), static_cast<ssize_t>(sizeof child))
      << "it is on its way";
  EXPECT_TRUE(stop_tree(root));
  for (const pid_t one : {root, child}) {
    EXPECT_TRUE(read_text("/proc/" + std::to_string(one) + "/stat", 4096).contains(") T ")) << one;
  }
  ::kill(child, SIGKILL);
  ::kill(root, SIGKILL);
  ::waitpid(root, nullptr, 0);
}

}  // namespace
}  // namespace hearth::sandbox
