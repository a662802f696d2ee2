// A real program in a real terminal, watched by way of a socket.
#include "terminal/server.h"

#include <filesystem>
#include <fstream>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "screen/frames.h"
#include "terminal/session.h"

namespace hearth::terminal {
namespace {

using testing::HasSubstr;

// The server in a process of its own, as it runs in a sandbox.
class TerminalServer : public testing::Test {
 protected:
  void TearDown() override {
    if (server_ > 0) ::kill(server_, SIGKILL);
    if (server_ > 0) ::waitpid(server_, nullptr, 0);
    ::close(listener_);
    ::close(watch_listener_);
    ::close(log_[0]);
  }

  void start(const std::vector<std::string>& words) {
    for (int* listener : {&listener_, &watch_listener_}) {
      *listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      sockaddr_in address{};
      address.sin_family = AF_INET;
      address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      ASSERT_EQ(::bind(*listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
      ASSERT_EQ(::listen(*listener, 8), 0);
    }
    ASSERT_EQ(::pipe2(log_.data(), O_CLOEXEC), 0);
    server_ = ::fork();
    if (server_ == 0) {
      ::close(log_[0]);
      const Result<Program> program = start_in_terminal(words, Size());
      ::_exit(program ? serve(*program, {.listener = listener_, .watch_listener = watch_listener_, .log = log_[1]})
                      : 99);
    }
    ::close(log_[1]);
  }

  int connect() const { return connect(listener_); }
  int connect_to_watch() const { return connect(watch_listener_); }
  static int connect(int listener) {
    sockaddr_in address{};
    socklen_t size = sizeof address;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    const int socket = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(socket, reinterpret_cast<sockaddr*>(&address), size), 0);
    return socket;
  }

  static void say(int socket, const v1::FromTerminalViewer& message) {
    const std::string frame = screen::frame_of(message);
    EXPECT_EQ(::send(socket, frame.data(), frame.size(), MSG_NOSIGNAL), static_cast<ssize_t>(frame.size()));
  }
  static void watch(int socket, std::uint32_t rows = 24, std::uint32_t columns = 80) {
    v1::FromTerminalViewer message;
    message.mutable_watch();
    message.mutable_size()->set_rows(rows);
    message.mutable_size()->set_columns(columns);
    say(socket, message);
  }
  static void type(int socket, const std::string& text) {
    v1::FromTerminalViewer message;
    message.set_input(text);
    say(socket, message);
  }

  // What a viewer is shown until that holds `wanted`, or the connection ends.
  struct Seen {
    std::string text;
    std::optional<int> end;
    std::string problem;
  };
  static Seen see(int socket, const std::string& wanted) {
    screen::FrameReader reader(kMaxMessage);
    Seen seen;
    while (!seen.text.contains(wanted)) {
      std::array<char, 4096> buffer{};
      const ssize_t count = ::recv(socket, buffer.data(), buffer.size(), 0);
      if (count <= 0) break;
      EXPECT_TRUE(reader.push({buffer.data(), static_cast<std::size_t>(count)}));
      while (const auto frame = reader.next()) {
        const auto message = parse_to_viewer(*frame);
        if (!message) return seen;
        seen.text += message->output().data();
        if (message->has_end()) seen.end = message->end().exit_code();
        seen.problem += message->problem();
        v1::FromTerminalViewer shown;
        shown.set_shown(message->output().offset() + message->output().data().size());
        if (message->has_output()) say(socket, shown);
      }
      if (seen.end) ::shutdown(socket, SHUT_RDWR);
    }
    return seen;
  }

  int code() {
    int status = 0;
    ::waitpid(server_, &status, 0);
    server_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string rest_of_log() const {
    std::string text;
    std::array<char, 4096> buffer{};
    for (ssize_t count = 1; count > 0;) {
      count = ::read(log_[0], buffer.data(), buffer.size());
      if (count > 0) text.append(buffer.data(), static_cast<std::size_t>(count));
    }
    return text;
  }

 private:
  int listener_ = -1;
  int watch_listener_ = -1;
  std::array<int, 2> log_{-1, -1};
  pid_t server_ = -1;
};

TEST_F(TerminalServer, GivesAProgramATerminalAndLogsWhatItWrites) {
  start({"sh", "-c",
         "echo $TERM $COLORTERM; test -t 0 && test -t 1 && test -t 2 && echo all; read x; echo got $x; exit 7"});
  const int viewer = connect();
  watch(viewer);
  EXPECT_THAT(see(viewer, "all").text, HasSubstr("xterm-256color truecolor\r\nall"));
  type(viewer, "word\r");
  const Seen end = see(viewer, "never");
  EXPECT_THAT(end.text, HasSubstr("got word\r\n"));
  EXPECT_EQ(end.end, 7);
  EXPECT_EQ(code(), 7);
  EXPECT_THAT(rest_of_log(), HasSubstr("got word\r\n"));
  ::close(viewer);
}

TEST_F(TerminalServer, GivesTheProgramTheSizeAndTellsItOfChanges) {
  start({"sh", "-c", "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done"});
  const int viewer = connect();
  watch(viewer, 24, 80);
  see(viewer, "ready");
  watch(viewer, 33, 101);
  EXPECT_THAT(see(viewer, "33 101").text, HasSubstr("33 101"));
  ::close(viewer);
}

TEST_F(TerminalServer, InterruptsAProgramByItsKey) {
  start({"sh", "-c", "echo ready; sleep 1000; echo not"});
  const int viewer = connect();
  watch(viewer);
  see(viewer, "ready");
  type(viewer, "\x03");
  EXPECT_EQ(see(viewer, "never").end, 130);
  EXPECT_EQ(code(), 130);
  ::close(viewer);
}

TEST_F(TerminalServer, GoesOnWithoutViewersAndPastThoseWhoDoNotRead) {
  start({"sh", "-c", "head -c 5000000 /dev/zero | tr '\\0' x; echo; echo done"});
  const int idle = connect();
  watch(idle);
  std::string log;
  EXPECT_TRUE((log = rest_of_log()).ends_with("done\r\n"));
  EXPECT_GT(log.size(), 5'000'000U);
  EXPECT_EQ(code(), 0);
  ::close(idle);
}

TEST_F(TerminalServer, SaysWhatCannotBeStarted) {
  start({"no-such-program-here"});
  EXPECT_THAT(rest_of_log(), HasSubstr("no-such-program-here cannot be started"));
  EXPECT_EQ(code(), 127);
}

TEST_F(TerminalServer, TellsANinthViewerAndDropsOneThatSpeaksOtherwise) {
  start({"sh", "-c", "echo ready; read x"});
  std::vector<int> viewers(8);
  for (int& viewer : viewers) {
    viewer = connect();
    watch(viewer);
    see(viewer, "ready");
  }
  const int ninth = connect();
  EXPECT_THAT(see(ninth, "never").problem, HasSubstr("8 viewers"));
  ::close(ninth);
  ASSERT_EQ(::send(viewers[0], "\xff\xff\xff\xff", 4, MSG_NOSIGNAL), 4);
  see(viewers[0], "never");  // until it is dropped
  const int next = connect();
  watch(next);
  EXPECT_THAT(see(next, "ready").text, HasSubstr("ready"));
  ::close(next);
  for (const int viewer : viewers) ::close(viewer);
}

TEST_F(TerminalServer, LetsAWatcherSeeAndNotType) {
  start({"sh", "-c", "stty -echo; echo ready; while read x; do echo \"got $x $(stty size)\"; done"});
  const int viewer = connect();
  watch(viewer, 30, 90);
  see(viewer, "ready");
  const int watcher = connect_to_watch();
  watch(watcher, 9, 9);
  type(watcher, "bad\n");
  see(watcher, "ready");
  type(viewer, "good\n");
  EXPECT_THAT(see(viewer, "got good 30 90").text, testing::Not(HasSubstr("bad")));
  EXPECT_THAT(see(watcher, "got good 30 90").text, testing::Not(HasSubstr("bad")));
  ::close(viewer);
  ::close(watcher);
}

TEST_F(TerminalServer, EndsThoughSomethingIsLeftBehindThatWrites) {
  start({"sh", "-c", "(trap '' HUP; yes) & sleep 0.2; exit 4"});
  EXPECT_THAT(rest_of_log(), HasSubstr("y\r\ny\r\n"));
  EXPECT_EQ(code(), 4);
}

}  // namespace
}  // namespace hearth::terminal
