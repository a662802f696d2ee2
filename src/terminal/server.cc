#include "terminal/server.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <memory>
#include <optional>
#include <random>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "screen/frames.h"
#include "terminal/session.h"

namespace hearth::terminal {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr std::size_t kReadAtOnce = 64 << 10;
constexpr std::size_t kMaxUnlogged = 64 << 10;  // then the program waits for the log's reader
constexpr int kSendBuffer = 64 << 10;           // in a socket: what is there a key's echo waits behind
constexpr int kLastRounds = 3;                  // of reading: the kernel keeps 64 KiB
constexpr milliseconds kFarewell(2'000);        // for viewers to be told of the end
constexpr milliseconds kRedraw(60);             // between two changes of the size, so that the program sees both

int signalled = -1;  // the write end of a pipe

void on_child(int) {
  const int error = errno;
  const char byte = 0;
  static_cast<void>(!::write(signalled, &byte, 1));
  errno = error;
}

bool is_passing(int error) { return error == EAGAIN || error == EINTR; }

std::uint64_t draw_run() {
  std::random_device random;
  const std::uint64_t run = std::uint64_t{random()} << 32 | random();
  return run == 0 ? 1 : run;
}

// One viewer's connection.
class Connection {
 public:
  explicit Connection(int socket) : socket_(socket) {}
  ~Connection() { ::close(socket_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int socket() const { return socket_; }
  bool has_more_to_write() const { return written_ < out_.size(); }
  void send(const v1::ToTerminalViewer& message) { out_ += screen::frame_of(message); }

  // Errors: it is gone, or says what cannot be read.
  Result<std::vector<v1::FromTerminalViewer>> read() {
    std::array<char, 16 << 10> buffer{};
    std::vector<v1::FromTerminalViewer> messages;
    const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), MSG_DONTWAIT);
    if (count < 0 && is_passing(errno)) return messages;
    if (count <= 0) return fail(Code::kUnavailable, "the viewer is gone");
    if (Result<void> pushed = reader_.push({buffer.data(), static_cast<std::size_t>(count)}); !pushed) {
      return std::unexpected(pushed.error());
    }
    while (std::optional<std::string> frame = reader_.next()) {
      Result<v1::FromTerminalViewer> message = parse_from_viewer(*frame);
      if (!message) return std::unexpected(message.error());
      messages.push_back(std::move(*message));
    }
    return messages;
  }

  // What can be sent now. False: it is gone.
  bool write() {
    while (has_more_to_write()) {
      const ssize_t count =
          ::send(socket_, out_.data() + written_, out_.size() - written_, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) return true;
      if (count <= 0) return false;
      written_ += static_cast<std::size_t>(count);
    }
    out_.clear();
    written_ = 0;
    return true;
  }

 private:
  int socket_;
  screen::FrameReader reader_{kMaxMessage};
  std::string out_;
  std::size_t written_ = 0;
};

class Server {
 public:
  Server(const Program& program, const Files& files, int child_ended)
      : program_(program), files_(files), child_ended_(child_ended) {}

  int run() {
    while (!is_over()) turn();
    flush_log();
    return *exit_code_;
  }

 private:
  struct Ready {
    bool control = false;
    bool watch = false;
    bool output = false;
    std::vector<int> viewers;
  };

  Ready wait();
  milliseconds patience() const;
  void turn();
  void accept(int listener, Session::May may);
  void take_output();
  void give_input();
  void give_size();
  void log();
  void flush_log();
  void look_after_program();
  void serve_viewers(const std::vector<int>& ready);
  bool serve_viewer(int number, Connection& connection, bool is_ready);
  bool is_over() const;

  Program program_;
  Files files_;
  int child_ended_;  // readable, then
  Session session_{draw_run()};
  std::map<int, std::unique_ptr<Connection>> connections_;  // by the session's numbers
  int last_number_ = 0;
  std::string unlogged_;
  Size given_;
  std::optional<Clock::time_point> redraw_;  // when the true size is to be given again
  std::optional<int> exit_code_;
  bool output_ended_ = false;
  Clock::time_point last_word_{};  // viewers are waited for until then
};

milliseconds Server::patience() const {
  std::optional<Clock::time_point> until = redraw_;
  if (exit_code_) until = until ? std::min(*until, last_word_) : last_word_;
  if (!until) return milliseconds(-1);
  return std::max(milliseconds(0), std::chrono::ceil<milliseconds>(*until - Clock::now()));
}

// Until there is something to do.
Server::Ready Server::wait() {
  std::vector<pollfd> files = {{.fd = child_ended_, .events = POLLIN, .revents = 0},
                               {.fd = files_.listener, .events = POLLIN, .revents = 0},
                               {.fd = files_.watch_listener, .events = POLLIN, .revents = 0}};
  constexpr std::size_t kTerminal = 3;
  const bool wants_output = !output_ended_ && unlogged_.size() < kMaxUnlogged;
  const int terminal_events = (wants_output ? POLLIN : 0) | (session_.input().empty() ? 0 : POLLOUT);
  files.push_back({.fd = !output_ended_ && terminal_events != 0 ? program_.terminal : -1,
                   .events = static_cast<short>(terminal_events),
                   .revents = 0});
  files.push_back({.fd = unlogged_.empty() ? -1 : files_.log, .events = POLLOUT, .revents = 0});
  const std::size_t first_viewer = files.size();
  for (const auto& [number, connection] : connections_) {
    const int events = (session_.takes_input() ? POLLIN : 0) | (connection->has_more_to_write() ? POLLOUT : 0);
    files.push_back({.fd = connection->socket(), .events = static_cast<short>(events), .revents = 0});
  }
  ::poll(files.data(), files.size(), static_cast<int>(patience().count()));
  if (files[0].revents != 0) {
    std::array<char, 64> bytes{};
    static_cast<void>(!::read(child_ended_, bytes.data(), bytes.size()));
  }
  Ready ready{.control = files[1].revents != 0,
              .watch = files[2].revents != 0,
              .output = wants_output && files[kTerminal].revents != 0};
  std::size_t at = first_viewer;
  for (const auto& [number, connection] : connections_) {
    if ((files[at++].revents & ~POLLOUT) != 0) ready.viewers.push_back(number);
  }
  return ready;
}

void Server::accept(int listener, Session::May may) {
  const int socket = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (socket < 0) return;
  const int yes = 1;
  ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  ::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kSendBuffer, sizeof kSendBuffer);
  auto connection = std::make_unique<Connection>(socket);
  if (session_.add(++last_number_, may)) {
    connections_.emplace(last_number_, std::move(connection));
    return;
  }
  v1::ToTerminalViewer refusal;
  refusal.set_problem(may == Session::May::kControl ? "8 viewers watch this program already; close one of them"
                                                    : "as many watch this program already as it takes");
  connection->send(refusal);
  static_cast<void>(connection->write());
}

void Server::take_output() {
  std::array<char, kReadAtOnce> buffer{};
  for (std::size_t taken = 0; taken < kReadAtOnce;) {
    const ssize_t count = ::read(program_.terminal, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count <= 0) {  // EIO: nobody has the terminal open any more
      output_ended_ = true;
      break;
    }
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(count));
    session_.write(bytes);
    if (files_.log >= 0) unlogged_ += bytes;
    taken += bytes.size();
  }
}

void Server::give_input() {
  if (session_.input().empty()) return;
  if (output_ended_) return session_.drop_input(session_.input().size());
  const ssize_t count = ::write(program_.terminal, session_.input().data(), session_.input().size());
  if (count > 0) session_.drop_input(static_cast<std::size_t>(count));
}

// A program draws its screen anew when the size has changed; where it has not, it changes for a moment.
void Server::give_size() {
  const Size wanted = session_.size();
  const auto now = Clock::now();
  const bool asked = session_.take_redraw();
  if (asked && wanted == given_ && !redraw_) {
    const std::uint32_t rows = wanted.rows > 1 ? wanted.rows - 1 : wanted.rows + 1;
    resize(program_, {.rows = rows, .columns = wanted.columns});
    redraw_ = now + kRedraw;
  } else if (wanted != given_ || (redraw_ && now >= *redraw_)) {
    resize(program_, wanted);
    given_ = wanted;
    redraw_.reset();
  }
}

void Server::log() {
  if (unlogged_.empty()) return;
  const ssize_t count = ::write(files_.log, unlogged_.data(), unlogged_.size());
  if (count > 0) unlogged_.erase(0, static_cast<std::size_t>(count));
  if (count < 0 && !is_passing(errno)) {  // nobody reads it
    files_.log = -1;
    unlogged_.clear();
  }
}

void Server::flush_log() {
  if (files_.log >= 0) ::fcntl(files_.log, F_SETFL, 0);
  while (!unlogged_.empty()) log();
}

void Server::look_after_program() {
  int status = 0;
  if (exit_code_ || ::waitpid(program_.process, &status, WNOHANG) != program_.process) return;
  // What it left behind may go on writing for ever: what is there now counts.
  for (int round = 0; round < kLastRounds && !output_ended_; ++round) take_output();
  exit_code_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  output_ended_ = true;
  session_.end(*exit_code_);
  last_word_ = Clock::now() + kFarewell;
}

// False: it is to go.
bool Server::serve_viewer(int number, Connection& connection, bool is_ready) {
  if (is_ready) {
    const Result<std::vector<v1::FromTerminalViewer>> said = connection.read();
    if (!said) return false;
    for (const v1::FromTerminalViewer& message : *said) session_.hear(number, message);
  }
  do {
    while (!connection.has_more_to_write()) {
      const std::optional<v1::ToTerminalViewer> message = session_.next(number);
      if (!message) return true;
      connection.send(*message);
    }
    if (!connection.write()) return false;
  } while (!connection.has_more_to_write());
  return true;
}

void Server::serve_viewers(const std::vector<int>& ready) {
  std::erase_if(connections_, [&](const auto& one) {
    const bool is_ready = std::ranges::find(ready, one.first) != ready.end();
    const bool stays = serve_viewer(one.first, *one.second, is_ready);
    if (!stays) session_.remove(one.first);
    return !stays;
  });
}

void Server::turn() {
  const Ready ready = wait();
  if (ready.control) accept(files_.listener, Session::May::kControl);
  if (ready.watch) accept(files_.watch_listener, Session::May::kWatch);
  if (ready.output) take_output();
  look_after_program();
  log();
  serve_viewers(ready.viewers);
  give_size();  // first: who changes it and types means the new one
  give_input();
}

// Viewers leave when they have been told: were this process gone before, what is still on its way might be lost.
bool Server::is_over() const { return exit_code_ && (connections_.empty() || Clock::now() >= last_word_); }

}  // namespace

int serve(const Program& program, const Files& files) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) return -1;
  signalled = pipe[1];
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGCHLD, &on_child);
  on_child(SIGCHLD);  // it may have ended already
  if (files.log >= 0) ::fcntl(files.log, F_SETFL, O_NONBLOCK);
  return Server(program, files, pipe[0]).run();
}

}  // namespace hearth::terminal
