// Programs that are started beside the sandbox: no open file of this process comes along unasked.
#include "sandbox/program.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "sandbox/confined.h"
#include "sandbox/fd.h"

namespace hearth::sandbox {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr int kOurs = 77;

// As asio's sockets: without the mark to be closed.
class Programs : public testing::Test {
 protected:
  void SetUp() override {
    const Fd file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    ASSERT_EQ(::dup2(file.get(), kOurs), kOurs);
  }
  void TearDown() override { ::close(kOurs); }
};

TEST_F(Programs, ThatAreAskedGetNoOpenFile) {
  const Result<std::string> files = ask_program("/bin/ls", {"/proc/self/fd"});
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_THAT(*files, HasSubstr("1\n"));
  EXPECT_THAT(*files, Not(HasSubstr(std::to_string(kOurs))));
}

TEST_F(Programs, ThatAreConfinedGetTheOneThatTheyAreGivenAlone) {
  for (const int given : {-1, kOurs}) {
    const Result<Confined> helper = start_confined({.name = "helper",
                                                    .program = "/bin/sh",
                                                    .bwrap = "bwrap",
                                                    .shown = {},
                                                    .arguments = {"-c", "ls /proc/$$/fd >&0; true"},
                                                    .file = given});
    ASSERT_TRUE(helper) << helper.error().message;
    const Fd socket(helper->socket);
    std::string files;
    std::array<char, 256> piece{};
    for (ssize_t count = 0; (count = ::read(socket.get(), piece.data(), piece.size())) > 0;) {
      files.append(piece.data(), static_cast<std::size_t>(count));
    }
    end_confined(helper->process);
    EXPECT_THAT(files, AllOf(HasSubstr("0\n"), HasSubstr("1\n"), HasSubstr("2\n")));
    EXPECT_EQ(files.contains("3\n"), given >= 0) << files;
    EXPECT_THAT(files, Not(HasSubstr(std::to_string(kOurs))));
  }
}

}  // namespace
}  // namespace hearth::sandbox
