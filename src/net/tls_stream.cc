#include "net/tls_stream.h"

#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include "base/check.h"
#include "base/sizes.h"

namespace hearth::net {
namespace {

using Tcp = asio::ip::tcp;

constexpr std::size_t kRecordBytes = 16 * kKiB;
constexpr std::size_t kLingerBytes = kMiB;
constexpr Duration kLingerLimit = seconds(1);

std::string address_text(const asio::ip::address& address) {
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

// An end that TLS did not announce, and what a peer does to a connection, need no explanation by OpenSSL.
std::string ssl_problem() {
  unsigned long code = ERR_peek_error();
  if (code == 0) return errno == 0 ? "the peer closed the connection" : std::strerror(errno);
  if (ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) return "the peer closed the connection";
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "TLS failed" : std::string("TLS: ") + reason;
}

}  // namespace

TlsStream::TlsStream(Tcp::socket socket, std::shared_ptr<const TlsContext> context)
    : socket_(std::move(socket)),
      context_(std::move(context)),
      reading_{.deadline = Deadline(socket_.get_executor(), [this] { expire(reading_); })},
      writing_{.deadline = Deadline(socket_.get_executor(), [this] { expire(writing_); })},
      fd_(socket_.native_handle()) {
  asio::error_code ignored;
  socket_.non_blocking(true, ignored);
  socket_.set_option(Tcp::no_delay(true), ignored);
}

void TlsStream::expire(Side& side) {
  side.expired = true;
  asio::error_code ignored;
  socket_.cancel(ignored);  // wakes the other side too, which looks again and waits on
}

std::unexpected<Error> TlsStream::failure() const {
  return fail(Code::kUnavailable, cut_               ? "the connection was cut"
                                  : problem_.empty() ? "the connection is closed"
                                                     : problem_);
}

Async<Result<void>> TlsStream::wait(Tcp::socket::wait_type type, Side& side, Time due) {
  side.expired = false;
  side.deadline.arm(due);
  asio::error_code error;
  co_await socket_.async_wait(type, asio::redirect_error(asio::use_awaitable, error));
  side.deadline.disarm();
  if (cut_) co_return failure();
  if (side.expired) {
    failed_ = failed_ || &side == &writing_;  // a record may have gone out in part
    co_return fail(Code::kDeadlineExceeded, "the peer sent or took nothing for too long");
  }
  co_return Result<void>();
}

Async<Result<void>> TlsStream::wait_for(Outcome outcome, Side& side, Time due) {
  return wait(outcome == Outcome::kWantRead ? Tcp::socket::wait_read : Tcp::socket::wait_write, side, due);
}

TlsStream::Outcome TlsStream::outcome_of(int result) {
  if (result > 0) return Outcome::kDone;
  switch (SSL_get_error(ssl_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Outcome::kWantRead;
    case SSL_ERROR_WANT_WRITE:
      return Outcome::kWantWrite;
    case SSL_ERROR_ZERO_RETURN:
      return Outcome::kEnd;
    default:
      failed_ = true;
      problem_ = ssl_problem();
      return Outcome::kFailed;
  }
}

Async<Result<void>> TlsStream::handshake(Time due) {
  const TlsContext::State& context = context_->state();
  if (context.is_server) {
    Result<void> ready = co_await wait(Tcp::socket::wait_read, reading_, due);
    if (!ready) co_return ready;
    Result<void> is_tls = co_await refuse_plain_http();
    if (!is_tls) co_return is_tls;
  }
  ssl_.reset(SSL_new(context.context.get()));
  CHECK(ssl_ && SSL_set_fd(ssl_.get(), fd_) == 1);
  if (context.is_of_the_web) bind_to_host();
  context.is_server ? SSL_set_accept_state(ssl_.get()) : SSL_set_connect_state(ssl_.get());
  while (true) {
    clear_openssl_errors();
    errno = 0;
    Outcome outcome = outcome_of(SSL_do_handshake(ssl_.get()));
    if (outcome == Outcome::kDone) break;
    if (outcome == Outcome::kEnd || outcome == Outcome::kFailed) co_return failure();
    Result<void> ready = co_await wait_for(outcome, reading_, due);
    if (!ready) co_return ready;
  }
  established_ = true;
  co_return Result<void>();
}

void TlsStream::bind_to_host() {
  CHECK(!host_.empty());
  asio::error_code is_name;
  static_cast<void>(asio::ip::make_address(host_, is_name));
  if (is_name) {
    SSL_set_hostflags(ssl_.get(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    CHECK(SSL_set1_host(ssl_.get(), host_.c_str()) == 1);
    CHECK(SSL_set_tlsext_host_name(ssl_.get(), host_.c_str()) == 1);
  } else {
    CHECK(X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl_.get()), host_.c_str()) == 1);
  }
}

Async<Result<void>> TlsStream::refuse_plain_http() {
  char first = 0;
  if (::recv(fd_, &first, 1, MSG_PEEK) != 1) co_return failure();
  if (first < 'A' || first > 'Z') co_return Result<void>();  // a TLS record begins with 0x16
  constexpr std::string_view kAnswer =
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\nContent-Length: 53\r\n\r\n"
      "400 bad request: this port speaks https://, not http\n";
  static_cast<void>(::send(fd_, kAnswer.data(), kAnswer.size(), MSG_NOSIGNAL | MSG_DONTWAIT));
  // What the peer has sent is taken, lest closing reset the connection before it reads the answer.
  std::array<char, 4096> dropped{};
  ::shutdown(fd_, SHUT_WR);
  static_cast<void>(::recv(fd_, dropped.data(), dropped.size(), MSG_DONTWAIT));
  problem_ = "the peer spoke plain HTTP";
  failed_ = true;
  co_return failure();
}

TlsStream::Outcome TlsStream::try_read(std::span<char> buffer, std::size_t& count) {
  clear_openssl_errors();
  errno = 0;
  count = 0;
  return outcome_of(SSL_read_ex(ssl_.get(), buffer.data(), buffer.size(), &count));
}

// As many records as there are. What ends the reading after the first is found again by the next call.
TlsStream::Outcome TlsStream::try_fill(std::span<char> buffer, std::size_t& count) {
  Outcome outcome = try_read(buffer, count);
  std::size_t more = count;
  while (more > 0 && count < buffer.size()) {
    if (try_read(buffer.subspan(count), more) != Outcome::kDone) break;
    count += more;
  }
  return outcome;
}

TlsStream::Outcome TlsStream::try_append(std::string& buffer, std::size_t& count) {
  std::array<char, kRecordBytes> record;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by the read
  Outcome outcome = try_read(record, count);
  if (outcome == Outcome::kDone) buffer.append(record.data(), count);
  return outcome;
}

template <class Try>
Async<Result<std::size_t>> TlsStream::read_with(Try attempt, Time due) {
  while (true) {
    if (cut_ || failed_) co_return failure();
    std::size_t count = 0;
    Outcome outcome = attempt(count);
    if (outcome == Outcome::kDone || outcome == Outcome::kEnd) co_return count;
    if (outcome == Outcome::kFailed) co_return failure();
    Result<void> ready = co_await wait_for(outcome, reading_, due);
    if (!ready) co_return std::unexpected(ready.error());
  }
}

Async<Result<std::size_t>> TlsStream::read_some(std::span<char> buffer, Time due) {
  return read_with([this, buffer](std::size_t& count) { return try_fill(buffer, count); }, due);
}

Async<Result<std::size_t>> TlsStream::read_append(std::string& buffer, Time due) {
  return read_with([this, &buffer](std::size_t& count) { return try_append(buffer, count); }, due);
}

Async<Result<void>> TlsStream::write(std::string_view bytes, Duration stall) {
  Time due = steady_now() + stall;
  while (!bytes.empty()) {
    if (cut_ || failed_) co_return failure();
    clear_openssl_errors();
    errno = 0;
    std::size_t count = 0;
    Outcome outcome = outcome_of(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count));
    if (outcome == Outcome::kEnd || outcome == Outcome::kFailed) co_return failure();
    if (outcome == Outcome::kDone) {
      bytes.remove_prefix(count);
      if (!bytes.empty()) due = steady_now() + stall;
      continue;
    }
    Result<void> ready = co_await wait_for(outcome, writing_, due);
    if (!ready) co_return ready;
  }
  co_return Result<void>();
}

void TlsStream::write_now(std::string_view bytes) {
  if (cut_ || failed_) return;
  clear_openssl_errors();
  std::size_t count = 0;
  Outcome outcome = outcome_of(SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &count));
  failed_ = failed_ || outcome != Outcome::kDone || count < bytes.size();
}

void TlsStream::say_goodbye() {
  if (!established_ || cut_ || failed_) return;
  clear_openssl_errors();
  SSL_shutdown(ssl_.get());
  clear_openssl_errors();
  ::shutdown(fd_, SHUT_WR);
}

Async<void> TlsStream::close() {
  say_goodbye();
  Time due = steady_now() + kLingerLimit;
  std::size_t dropped = 0;
  while (dropped < kLingerBytes && !cut_) {
    std::array<char, 4096> bytes{};
    ssize_t count = ::recv(fd_, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count == 0 || (count < 0 && errno != EAGAIN)) break;
    if (count > 0) {
      dropped += static_cast<std::size_t>(count);
    } else if (!co_await wait(Tcp::socket::wait_read, reading_, due)) {
      break;
    }
  }
  cut();
}

void TlsStream::cut() {
  if (cut_) return;
  cut_ = true;
  // Not closed: OpenSSL and whoever is in the middle of a call still know the descriptor by its number.
  ::shutdown(fd_, SHUT_RDWR);
  asio::error_code ignored;
  socket_.cancel(ignored);
}

bool TlsStream::gone() const {
  if (cut_ || failed_ || (ssl_ && (SSL_get_shutdown(ssl_.get()) & SSL_RECEIVED_SHUTDOWN) != 0)) return true;
  pollfd entry{.fd = fd_, .events = POLLRDHUP, .revents = 0};
  return ::poll(&entry, 1, 0) > 0;
}

bool TlsStream::has_input() const {
  if (ssl_ && SSL_has_pending(ssl_.get()) == 1) return true;
  pollfd entry{.fd = fd_, .events = POLLIN | POLLRDHUP, .revents = 0};
  return ::poll(&entry, 1, 0) > 0;
}

void TlsStream::acknowledge_now() {
  int on = 1;
  ::setsockopt(fd_, IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
}

void TlsStream::keep_alive() {
  constexpr int kOn = 1;
  constexpr int kIdleSeconds = 60;
  constexpr int kEverySeconds = 20;
  constexpr int kProbes = 6;
  ::setsockopt(fd_, SOL_SOCKET, SO_KEEPALIVE, &kOn, sizeof kOn);
  ::setsockopt(fd_, IPPROTO_TCP, TCP_KEEPIDLE, &kIdleSeconds, sizeof kIdleSeconds);
  ::setsockopt(fd_, IPPROTO_TCP, TCP_KEEPINTVL, &kEverySeconds, sizeof kEverySeconds);
  ::setsockopt(fd_, IPPROTO_TCP, TCP_KEEPCNT, &kProbes, sizeof kProbes);
}

std::string TlsStream::peer_address() const {
  asio::error_code error;
  Tcp::endpoint endpoint = socket_.remote_endpoint(error);
  return error ? std::string() : address_text(endpoint.address());
}

std::string TlsStream::local_address() const {
  asio::error_code error;
  Tcp::endpoint endpoint = socket_.local_endpoint(error);
  return error ? std::string() : address_text(endpoint.address());
}

CertificatePtr TlsStream::peer_certificate() const { return CertificatePtr(SSL_get1_peer_certificate(ssl_.get())); }

}  // namespace hearth::net
