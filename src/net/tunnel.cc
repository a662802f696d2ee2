#include "net/tunnel.h"

#include <cerrno>
#include <cstring>
#include <optional>

#include <sys/socket.h>
#include <asio/generic/stream_protocol.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/local/stream_protocol.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "net/deadlines.h"

namespace hearth::net {
namespace {

using Tcp = asio::ip::tcp;
using Stream = asio::generic::stream_protocol;

// A tunnel may be idle for long. Who has gone without a word is found out by TCP's own keep-alive.
constexpr Duration kForever = minutes(60L * 24 * 365);
constexpr std::uint16_t kNormal = 1000;
constexpr std::uint16_t kProtocolError = 1002;

// Runs both to their ends at once.
Async<void> both(Loop& loop, Async<void> one, Async<void> other) {
  struct End {
    bool reached = false;
    Event told;
  };
  auto end = std::make_shared<End>();
  loop.spawn([](Async<void> running, std::shared_ptr<End> its) -> Async<void> {
    co_await std::move(running);
    its->reached = true;
    its->told.notify();
  }(std::move(one), end));
  co_await std::move(other);
  while (!end->reached) co_await end->told.wait();
}

Async<void> copy(WebSocket& from, WebSocket& to) {
  for (;;) {
    Result<std::string> message = co_await from.read(kForever);
    if (!message || !co_await to.write(std::move(*message))) break;
  }
  from.close(kNormal, "");
  to.close(kNormal, "");
}

}  // namespace

struct Connected::State {
  explicit State(Stream::socket connected) : socket(std::move(connected)) {}
  Stream::socket socket;
  bool said_all = false;  // the connection's own side
  bool heard_all = false;

  void close() {
    asio::error_code ignored;
    socket.close(ignored);
  }
};

namespace {

struct Carried {
  std::shared_ptr<Connected::State> connection;
  std::shared_ptr<WebSocket> tunnel;

  void end(std::uint16_t code, std::string_view reason) const {
    connection->close();
    tunnel->close(code, reason);
  }
  void end_if_all_is_said() const {
    if (connection->said_all && connection->heard_all) end(kNormal, "");
  }
};

Async<void> send_up(Carried carried) {
  std::string buffer;
  for (;;) {
    asio::error_code error;
    buffer.resize(kMaxTunnelMessage);
    const std::size_t count = co_await carried.connection->socket.async_read_some(
        asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
    if (error && error != asio::error::eof) co_return carried.end(kNormal, "the connection broke");
    buffer.resize(count);
    if (!co_await carried.tunnel->write(buffer)) co_return carried.end(kNormal, "");
    if (error) break;
  }
  carried.connection->said_all = true;
  carried.end_if_all_is_said();
}

// Goes on reading after the other side's last word, to hear of the tunnel's own end.
Async<void> send_down(Carried carried) {
  for (;;) {
    const Result<std::string> message = co_await carried.tunnel->read(kForever);
    if (!message) co_return carried.end(kNormal, "");
    if (carried.connection->heard_all) co_return carried.end(kProtocolError, "a message after the last one");
    asio::error_code error;
    if (message->empty()) {
      carried.connection->heard_all = true;
      carried.connection->socket.shutdown(asio::socket_base::shutdown_send, error);
      carried.end_if_all_is_said();
    } else {
      co_await asio::async_write(carried.connection->socket, asio::buffer(*message),
                                 asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return carried.end(kNormal, "the connection broke");
    }
  }
}

class TcpListenerImpl final : public TcpListener {
 public:
  explicit TcpListenerImpl(Tcp::acceptor acceptor) : acceptor_(std::move(acceptor)) {}

  std::uint16_t port() const override { return acceptor_.local_endpoint().port(); }

  Async<Connected> accept() override {
    for (;;) {
      asio::error_code error;
      Tcp::socket accepted = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (!error) {
        accepted.set_option(Tcp::no_delay(true), error);
        co_return Connected(std::make_shared<Connected::State>(std::move(accepted)));
      }
      co_await sleep_for(milliseconds(200));  // no descriptors, most likely
    }
  }

 private:
  Tcp::acceptor acceptor_;
};

Code code_of(const asio::error_code& error) {
  if (error == asio::error::address_in_use) return Code::kAlreadyExists;
  if (error == asio::error::access_denied) return Code::kPermissionDenied;
  return Code::kInvalidArgument;
}

bool is_ipv6(int socket) {
  int family = 0;
  socklen_t size = sizeof family;
  return ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) == 0 && family == AF_INET6;
}

}  // namespace

Async<Result<Connected>> connect_to_loopback(Loop& loop, int socket, std::uint16_t port, Duration limit) {
  const bool six = is_ipv6(socket);
  Tcp::socket connecting(loop.executor(), six ? Tcp::v6() : Tcp::v4(), socket);
  const asio::ip::address to =
      six ? asio::ip::address(asio::ip::address_v6::loopback()) : asio::ip::address(asio::ip::address_v4::loopback());
  bool late = false;
  asio::error_code error;
  Deadline deadline(loop.executor(), [&] {
    late = true;
    asio::error_code ignored;
    connecting.close(ignored);
  });
  deadline.arm(steady_now() + limit);
  co_await connecting.async_connect({to, port}, asio::redirect_error(asio::use_awaitable, error));
  if (late) co_return fail(Code::kDeadlineExceeded, "the program does not take connections");
  if (error) co_return fail(Code::kUnavailable, error.message());
  connecting.set_option(Tcp::no_delay(true), error);
  co_return Connected(std::make_shared<Connected::State>(std::move(connecting)));
}

Connected adopt(Loop& loop, int socket) {
  using Local = asio::local::stream_protocol;
  return Connected(std::make_shared<Connected::State>(Local::socket(loop.executor(), Local(), socket)));
}

Result<std::unique_ptr<TcpListener>> TcpListener::listen(Loop& loop, const std::string& address, std::uint16_t port) {
  asio::error_code error;
  const asio::ip::address at = asio::ip::make_address(address, error);
  if (error)
    return fail(Code::kInvalidArgument, address + " is no address; give one of this machine's, like 127.0.0.1");
  Tcp::acceptor acceptor(loop.executor());
  const Tcp::endpoint endpoint(at, port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return fail(code_of(error), "listening on " + address + " port " + std::to_string(port) + ": " + error.message());
  return std::make_unique<TcpListenerImpl>(std::move(acceptor));
}

Async<void> carry(Loop& loop, Connected connection, std::shared_ptr<WebSocket> tunnel) {
  const Carried carried{std::move(connection.state_), std::move(tunnel)};
  co_await both(loop, send_up(carried), send_down(carried));
}

Async<void> join(Loop& loop, WebSocket& one, WebSocket& other) {
  co_await both(loop, copy(one, other), copy(other, one));
}

}  // namespace hearth::net
