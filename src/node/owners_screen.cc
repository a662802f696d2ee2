#include "node/owners_screen.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "base/log.h"
#include "base/pass_files.h"

namespace hearth::node {
namespace {

using Local = asio::local::stream_protocol;

constexpr Duration kPatience = seconds(10);
constexpr std::size_t kMaxWord = 32;

// Root may do what it likes anyway.
bool is_owners(Local::socket& socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  const bool known = ::getsockopt(socket.native_handle(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0;
  return known && (peer.uid == ::geteuid() || peer.uid == 0);
}

}  // namespace

struct OwnersScreen::Share {
  explicit Share(Local::socket connected) : socket(std::move(connected)) {}
  Local::socket socket;
  std::optional<JobId> job;
  bool claimed = false;
  std::function<void()> on_end;

  void close() {
    asio::error_code ignored;
    socket.shutdown(asio::socket_base::shutdown_both, ignored);
    socket.close(ignored);
  }
};

struct OwnersScreen::Listener {
  explicit Listener(net::Loop& loop) : acceptor(loop.executor()) {}
  Local::acceptor acceptor;
};

std::optional<JobId> parse_owners_word(std::string_view line) {
  constexpr std::string_view kJob = "job ";
  if (!line.starts_with(kJob)) return std::nullopt;
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(line.data() + kJob.size(), line.data() + line.size(), number);
  const bool is_number = error == std::errc() && end == line.data() + line.size() && number > 0;
  return is_number ? std::optional(JobId{number}) : std::nullopt;
}

OwnersScreen::OwnersScreen(net::Loop& loop, std::filesystem::path directory)
    : loop_(loop), directory_(std::move(directory)) {}

OwnersScreen::~OwnersScreen() {
  end();
  if (!listener_) return;
  std::error_code ignored;
  std::filesystem::remove(directory_ / "screen", ignored);
}

void OwnersScreen::start() {
  const std::filesystem::path path = directory_ / "screen";
  std::error_code ignored;
  std::filesystem::remove(path, ignored);
  auto listener = std::make_unique<Listener>(loop_);
  asio::error_code error;
  listener->acceptor.open(Local(), error);
  if (!error && path.string().size() < sizeof(sockaddr_un::sun_path)) {
    listener->acceptor.bind(Local::endpoint(path.string()), error);
  } else if (!error) {
    error = asio::error::name_too_long;
  }
  if (!error) ::chmod(path.c_str(), 0600);
  if (!error) listener->acceptor.listen(4, error);
  if (error) return log_warning("the owner's screen cannot be shared: " + path.string() + ": " + error.message());
  listener_ = std::move(listener);
  loop_.spawn(accept_for_ever());
}

net::Async<void> OwnersScreen::accept_for_ever() {
  for (;;) {
    asio::error_code error;
    Local::socket accepted =
        co_await listener_->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      co_await net::sleep_for(milliseconds(200));  // no descriptors, most likely
      continue;
    }
    if (!is_owners(accepted)) continue;
    if (share_) {
      constexpr std::string_view kTaken = "no: this PC's screen is shared already; end that first\n";
      static_cast<void>(::send(accepted.native_handle(), kTaken.data(), kTaken.size(), MSG_DONTWAIT | MSG_NOSIGNAL));
      continue;
    }
    share_ = std::make_shared<Share>(std::move(accepted));
    loop_.spawn(serve(share_));
  }
}

// Whatever is said after the job is not heeded.
net::Async<void> OwnersScreen::serve(std::shared_ptr<Share> share) {
  asio::error_code error;
  co_await asio::async_write(share->socket, asio::buffer(std::string_view("ok\n")),
                             asio::redirect_error(asio::use_awaitable, error));
  std::string word;
  std::array<char, kMaxWord> buffer{};
  while (!error) {
    const std::size_t count =
        co_await share->socket.async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error || share->job) continue;
    word.append(buffer.data(), count);
    const std::size_t end = word.find('\n');
    if (end == std::string::npos && word.size() < kMaxWord) continue;
    share->job = parse_owners_word(std::string_view(word).substr(0, end));
    if (!share->job) break;
    changed_.notify();
  }
  share->close();
  if (share_ == share) share_ = nullptr;
  changed_.notify();
  if (const auto on_end = std::exchange(share->on_end, nullptr)) on_end();
}

net::Async<Result<void>> OwnersScreen::claim(JobId job) {
  const Time until = loop_.now() + kPatience;
  while (share_ && !share_->job && loop_.now() < until) co_await changed_.wait(until - loop_.now());
  const bool is_meant = share_ && share_->job == job && !share_->claimed;
  if (is_meant) {
    share_->claimed = true;
    co_return Result<void>();
  }
  co_return fail(Code::kPermissionDenied,
                 "nobody who sits at that PC says that its screen is to be seen by this; there: hearth app "
                 "share-screen");
}

void OwnersScreen::begin(JobId job, std::function<void()> on_end) {
  if (share_ && share_->job == job && share_->claimed) {
    share_->on_end = std::move(on_end);
  } else {
    loop_.post(std::move(on_end));
  }
}

Result<int> OwnersScreen::connect(JobId job, bool watches) const {
  if (!share_ || share_->job != job || !share_->claimed) {
    return fail(Code::kFailedPrecondition, "the screen is shared no more");
  }
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) return fail_errno(errno, "a socket");
  const char right = watches ? 'w' : 'c';
  const bool sent = send_files(share_->socket.native_handle(), {&right, 1}, {&ends[1], 1}, MSG_DONTWAIT);
  ::close(ends[1]);
  if (sent) return ends[0];
  ::close(ends[0]);
  return fail(Code::kUnavailable, "what makes the pictures of the screen does not answer");
}

void OwnersScreen::end(JobId job) {
  if (share_ && share_->job == job) end();
}

void OwnersScreen::end() {
  if (share_) share_->close();
}

}  // namespace hearth::node
