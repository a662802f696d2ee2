#include "base/pass_files.h"

#include <array>
#include <string>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace hearth {
namespace {

class PassFiles : public testing::Test {
 protected:
  PassFiles() { EXPECT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends_.data()), 0); }
  ~PassFiles() override {
    for (const int end : ends_) ::close(end);
  }
  int given() const { return ends_[0]; }
  int taken() const { return ends_[1]; }

 private:
  std::array<int, 2> ends_{};
};

TEST_F(PassFiles, ComeWithTheirMessage) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ASSERT_TRUE(send_files(given(), std::string("ab"), pipe));
  for (const int file : pipe) ::close(file);
  std::array<char, 8> message{};
  std::array<int, 2> files = {-1, -1};
  const Passed passed = receive_files(taken(), message, files);
  ASSERT_EQ(passed.bytes, 2);
  ASSERT_EQ(passed.files, 2U);
  EXPECT_EQ(std::string(message.data(), 2), "ab");
  EXPECT_NE(::fcntl(files[0], F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_EQ(::write(files[1], "x", 1), 1);
  EXPECT_EQ(::read(files[0], message.data(), 1), 1);
  for (const int file : files) ::close(file);
}

TEST_F(PassFiles, MayBeNone) {
  std::array<char, 8> message{};
  std::array<int, 1> files = {-1};
  ASSERT_EQ(::send(given(), "a", 1, 0), 1);
  const Passed alone = receive_files(taken(), message, files, MSG_DONTWAIT);
  EXPECT_EQ(alone.bytes, 1);
  EXPECT_EQ(alone.files, 0U);
  EXPECT_EQ(receive_files(taken(), message, files, MSG_DONTWAIT).bytes, -1);
  ::shutdown(given(), SHUT_WR);
  EXPECT_EQ(receive_files(taken(), message, files, MSG_DONTWAIT).bytes, 0);
}

TEST_F(PassFiles, AreClosedWhereMoreComeThanWereAskedFor) {
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ASSERT_TRUE(send_files(given(), std::string("a"), pipe));
  ::close(pipe[1]);
  std::array<char, 1> message{};
  std::array<int, 1> files = {-1};
  EXPECT_EQ(receive_files(taken(), message, files).files, 0U);
  EXPECT_EQ(files[0], -1);
  // Nobody holds the pipe's other end any more.
  EXPECT_EQ(::read(pipe[0], message.data(), 1), 0);
  ::close(pipe[0]);
}

}  // namespace
}  // namespace hearth
