#include "net/server.h"

#include <sys/resource.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include <asio/ip/v6_only.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include "base/log.h"
#include "net/loopback.h"
#include "net/server_connection.h"

namespace hearth::net {
namespace {

using Tcp = asio::ip::tcp;

constexpr std::size_t kReservedFiles = 64;  // for what else the program opens

std::size_t connections_within_file_limit(std::size_t wanted) {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  std::size_t files = limit.rlim_cur;
  return std::min(wanted, files > 2 * kReservedFiles ? files - kReservedFiles : files / 2);
}

std::unexpected<Error> listen_failure(const asio::error_code& error, const Tcp::endpoint& endpoint) {
  std::string where = endpoint.address().to_string() + " port " + std::to_string(endpoint.port());
  switch (error.value()) {
    case EADDRINUSE:
      return fail(Code::kAlreadyExists, "port " + std::to_string(endpoint.port()) +
                                            " is taken by another program; stop that or choose another port");
    case EACCES:
    case EPERM:
      return fail(Code::kPermissionDenied,
                  "this user may not listen on " + where + "; ports below 1024 are the system's, choose a higher one");
    case EADDRNOTAVAIL:
      return fail(Code::kInvalidArgument, where + " is no address of this PC; use 0.0.0.0 for all of them");
    default:
      return fail_errno(error.value(), "listening on " + where);
  }
}

Result<void> open(Tcp::acceptor& acceptor, const Tcp::endpoint& endpoint) {
  asio::error_code error;
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error && endpoint.address().is_v6()) acceptor.set_option(asio::ip::v6_only(false), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) return listen_failure(error, endpoint);
  return {};
}

std::string address_of(const Tcp::socket& socket) {
  asio::error_code error;
  asio::ip::address address = socket.remote_endpoint(error).address();
  if (!error && address.is_v6() && address.to_v6().is_v4_mapped()) {
    address = asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
  }
  return error ? std::string() : address.to_string();
}

Async<void> accept_connections(std::shared_ptr<ServerState> server) {
  while (!server->closed) {
    asio::error_code error;
    Tcp::socket socket = co_await server->acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (server->closed) co_return;
    if (error && error != asio::error::connection_aborted) {
      log_warning("no more connections can be accepted: " + error.message());
      co_await sleep_for(milliseconds(200));
    }
    if (error) continue;
    std::string address = address_of(socket);
    if (!server->admit(address)) continue;
    auto connection = std::make_shared<ServerConnection>(server, std::move(socket), address);
    server->loop.spawn(ServerConnection::serve(std::move(connection)));
  }
}

class TlsServer : public Server {
 public:
  explicit TlsServer(std::shared_ptr<ServerState> state) : state_(std::move(state)) {
    asio::error_code error;
    port_ = state_->acceptor.local_endpoint(error).port();
    state_->loop.spawn(accept_connections(state_));
  }

  ~TlsServer() override {
    state_->closed = true;
    asio::error_code ignored;
    state_->acceptor.close(ignored);
    for (ServerConnection* connection : state_->connections) connection->cut();
  }

  std::uint16_t port() const override { return port_; }
  std::size_t connections() const override { return state_->connections.size(); }

 private:
  std::shared_ptr<ServerState> state_;
  std::uint16_t port_ = 0;
};

}  // namespace

bool ServerState::admit(const std::string& address) const {
  if (closed || connections.size() >= options.max_connections) return false;
  auto entry = per_address.find(address);
  std::size_t same = entry == per_address.end() ? 0 : entry->second;
  std::size_t limit = options.max_connections_per_address;
  return limit == 0 || same < limit || is_loopback(address);
}

Result<std::unique_ptr<Server>> Server::listen(Loop& loop, const ServerOptions& options,
                                               std::shared_ptr<const TlsContext> tls, Handler handler) {
  asio::error_code error;
  asio::ip::address address = asio::ip::make_address(options.address, error);
  if (error) {
    return fail(Code::kInvalidArgument, "\"" + options.address +
                                            "\" is no address to listen on; use an IP address of "
                                            "this PC, or 0.0.0.0 or :: for all of them");
  }
  auto state = std::make_shared<ServerState>(ServerState{.loop = loop,
                                                         .options = options,
                                                         .tls = std::move(tls),
                                                         .handler = std::move(handler),
                                                         .acceptor = Tcp::acceptor(loop.executor()),
                                                         .connections = {},
                                                         .per_address = {}});
  state->options.max_connections = connections_within_file_limit(options.max_connections);
  Result<void> opened = open(state->acceptor, Tcp::endpoint(address, options.port));
  if (!opened) return std::unexpected(opened.error());
  return std::make_unique<TlsServer>(std::move(state));
}

}  // namespace hearth::net
