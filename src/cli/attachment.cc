#include "cli/attachment.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/follow.h"
#include "cli/output.h"
#include "cli/sending.h"
#include "cli/values.h"
#include "net/tunnel.h"
#include "screen/frames.h"
#include "terminal/messages.h"

namespace hearth::cli {
namespace {

constexpr Duration kForever = minutes(60L * 24 * 365);
constexpr Duration kPause = milliseconds(300);
constexpr Duration kAnswers = milliseconds(150);  // this terminal takes to answer what it was shown
constexpr int kKeyPatienceMillis = 50;
constexpr std::uint16_t kNormal = 1000;

struct Typed {
  std::string keys;
  bool ended = false;  // the terminal is gone
};

// Blocks, but not for long.
Typed read_typed() {
  pollfd waiting{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, kKeyPatienceMillis) <= 0) return {};
  std::array<char, 4096> buffer{};
  const ssize_t count = ::read(STDIN_FILENO, buffer.data(), buffer.size());
  if (count > 0) return {.keys = std::string(buffer.data(), static_cast<std::size_t>(count))};
  return {.ended = count == 0 || (errno != EINTR && errno != EAGAIN)};
}

// The task is yet to begin, its hub or node is away for a while: not, if it never will, or is none of this device's.
bool may_come(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded || code == Code::kAborted ||
         code == Code::kFailedPrecondition;
}

}  // namespace

RawMode::RawMode(int file) : file_(file) {
  termios now{};
  if (::tcgetattr(file, &now) != 0) return;
  before_ = now;
  ::cfmakeraw(&now);
  ::tcsetattr(file, TCSADRAIN, &now);
}

void RawMode::restore() {
  if (before_) ::tcsetattr(file_, TCSADRAIN, &*before_);
  before_.reset();
}

net::Async<Result<Attachment::End>> Attachment::run() {
  const std::weak_ptr<Attachment> self = weak_from_this();
  client_.loop().on_signal({SIGWINCH}, [self](int) {
    if (const auto alive = self.lock()) alive->client_.loop().spawn(alive->tell_size());
  });
  client_.loop().on_signal({SIGHUP, SIGTERM}, [self](int signal) {
    if (const auto alive = self.lock()) alive->leave(128 + signal);
  });
  Result<End> end = co_await follow();
  over_ = true;
  while (reading_) co_await net::sleep_for(milliseconds(5));
  restore_terminal();
  co_return end;
}

net::Async<Result<Attachment::End>> Attachment::follow() {
  since_ = client_.loop().now();
  for (;;) {
    const Result<void> opened = co_await open();
    if (opened) {
      co_await pump();
      socket_.reset();
      since_ = client_.loop().now();
    }
    if (end_) co_return *end_;
    if (!problem_.empty()) co_return fail(Code::kResourceExhausted, problem_);
    const Error error = opened ? Error{Code::kUnavailable, "the link was cut"} : opened.error();
    if (std::optional<Result<End>> last = co_await after(error)) co_return std::move(*last);
    co_await net::sleep_for(kPause);
  }
}

// What the job says when there is no way to its terminal; nothing: it is to be tried again.
net::Async<std::optional<Result<Attachment::End>>> Attachment::after(Error error) {
  const Result<v1::Job> job = co_await fetch_job(client_, job_);
  if (end_) co_return *end_;
  if (job && has_ended(*job)) co_return End{.how = End::How::kJob};
  if (!may_come(error.code)) co_return std::unexpected(client_.explain(std::move(error)));
  const Time now = client_.loop().now();
  const bool waits = job && job->running() == 0;  // for its turn, however long that takes
  if (!waits && now - since_ > kPatience) co_return std::unexpected(client_.explain(std::move(error)));
  if (!waits) co_return std::nullopt;
  since_ = now;
  if (!raw_ && !said_waiting_) say(fmt::format("waiting for it to begin (why: hearth why {})", job_));
  said_waiting_ = true;
  co_return std::nullopt;
}

net::Async<Result<void>> Attachment::open() {
  const Result<std::string> token = co_await client_.session().token();
  if (!token) co_return std::unexpected(token.error());
  net::Headers headers;
  headers.add("authorization", "Bearer " + *token);
  auto opened =
      co_await client_.session().client().websocket(fmt::format("/forward?job={}&task=0&port={}", job_, screen::kPort),
                                                    headers, net::kTunnelProtocol, net::kMaxTunnelMessage);
  if (!opened && opened.error().code == Code::kUnauthenticated) {  // a hub that started again knows no session
    static_cast<void>(co_await client_.session().token(true));
    co_return fail(Code::kUnavailable, opened.error().message);
  }
  if (!opened) co_return std::unexpected(opened.error());
  socket_ = std::move(*opened);
  v1::FromTerminalViewer hello;
  hello.mutable_watch()->set_run(run_);
  hello.mutable_watch()->set_from(shown_);
  co_await send(std::move(hello));
  co_await tell_size();
  co_return Result<void>();
}

net::Async<void> Attachment::send(v1::FromTerminalViewer message) {
  const std::shared_ptr<net::WebSocket> socket = socket_;
  if (socket) static_cast<void>(co_await socket->write(screen::frame_of(message)));
}

net::Async<void> Attachment::tell_size() {
  const auto self = shared_from_this();
  winsize window{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &window) != 0 || window.ws_row == 0 || window.ws_col == 0) co_return;
  v1::FromTerminalViewer message;
  message.mutable_size()->set_rows(window.ws_row);
  message.mutable_size()->set_columns(window.ws_col);
  co_await send(std::move(message));
}

// Until the link is cut, or nothing more is to come.
net::Async<void> Attachment::pump() {
  screen::FrameReader reader(terminal::kMaxMessage);
  while (!over_ && !end_) {
    const Result<std::string> piece = co_await socket_->read(kForever);
    if (!piece || piece->empty() || !reader.push(*piece)) break;
    const std::uint64_t before = shown_;
    while (const std::optional<std::string> frame = reader.next()) {
      const Result<v1::ToTerminalViewer> message = terminal::parse_to_viewer(*frame);
      if (!message || !hear(*message)) {
        socket_->close(kNormal, "");
        co_return;
      }
    }
    if (shown_ == before) continue;
    v1::FromTerminalViewer shown;
    shown.set_shown(shown_);
    co_await send(std::move(shown));
  }
  socket_->close(kNormal, "");
}

// False: it is over.
bool Attachment::hear(const v1::ToTerminalViewer& message) {
  if (message.has_start()) begin(message.start());
  if (message.has_output()) show(message.output());
  if (message.has_end()) end_ = End{.how = End::How::kProgram, .exit_code = message.end().exit_code()};
  problem_ = plain(message.problem());
  return !message.has_end() && problem_.empty();
}

void Attachment::begin(const v1::TerminalStart& start) {
  std::string text;
  if (!raw_) {
    raw_ = std::make_unique<RawMode>(STDIN_FILENO);
    client_.loop().spawn(read_keys());
  } else if (start.reset()) {
    text = modes_.epilogue() + "\x1b[2J\x1b[H";
  }
  text += start.prelude();
  modes_.feed(text);
  static_cast<void>(write_all(STDOUT_FILENO, text));
  run_ = start.run();
  shown_ = start.offset();
  present_ = start.present();
}

void Attachment::show(const v1::TerminalOutput& output) {
  modes_.feed(output.data());
  const bool is_old_question = modes_.take_question() && shown_ < present_;
  if (!write_all(STDOUT_FILENO, output.data())) leave(128 + SIGHUP);
  shown_ = output.offset() + output.data().size();
  if (is_old_question) deaf_until_ = client_.loop().now() + kAnswers;
}

net::Async<void> Attachment::read_keys() {
  const auto self = shared_from_this();
  reading_ = true;
  while (!over_ && !end_) {
    Typed typed = co_await client_.workers().run(read_typed);
    if (typed.ended) leave(128 + SIGHUP);
    if (!typed.keys.empty()) on_typed(std::move(typed.keys));
  }
  reading_ = false;
}

void Attachment::on_typed(std::string typed) {
  const std::size_t detach = typed.find(kDetachKey);
  if (detach != std::string::npos) typed.resize(detach);
  const bool is_answer = client_.loop().now() < deaf_until_;
  if (!typed.empty() && !is_answer) {
    v1::FromTerminalViewer message;
    message.set_input(typed);
    client_.loop().spawn(send(std::move(message)));
  }
  if (detach != std::string::npos) leave(0);
}

void Attachment::leave(int code) {
  if (end_) return;
  end_ = End{.how = End::How::kLeft, .exit_code = code};
  over_ = true;
  if (socket_) socket_->close(kNormal, "");
}

void Attachment::restore_terminal() {
  if (!raw_) return;
  static_cast<void>(write_all(STDOUT_FILENO, modes_.epilogue()));
  raw_.reset();
}

}  // namespace hearth::cli
