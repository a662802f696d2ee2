#include "node/tunnels.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include "base/bytes.h"
#include "node/command.h"

namespace hearth::node {
namespace {

constexpr Duration kConnectLimit = seconds(5);

}  // namespace

void Tunnels::open(const v1::OpenTunnel& order) { loop_.spawn(serve(order)); }

net::Async<void> Tunnels::serve(v1::OpenTunnel order) {
  const Result<void> served = co_await serve_connected(order);
  if (served || !connection_.is_open()) co_return;
  v1::TunnelFailed failed;
  failed.set_tunnel(order.tunnel());
  failed.set_message(served.error().message);
  const std::size_t bytes = failed.ByteSizeLong() + 8;
  *connection_.frame(bytes).add_tunnels_failed() = std::move(failed);
}

net::Async<Result<void>> Tunnels::serve_connected(v1::OpenTunnel order) {
  if (order.port() == 0 || order.port() > UINT16_MAX) co_return fail(Code::kInvalidArgument, "there is no such port");
  Result<net::Connected> connection =
      co_await connect(from_proto(order.attempt()), static_cast<std::uint16_t>(order.port()));
  if (!connection) co_return std::unexpected(connection.error());
  const std::shared_ptr<HubLink> link = connection_.link();
  if (!link) co_return fail(Code::kUnavailable, "the node has no account");
  const Result<std::string> token = co_await link->session.token();
  if (!token) co_return std::unexpected(token.error());
  net::Headers headers;
  headers.add("authorization", "Bearer " + *token);
  auto opened = co_await link->session.client().websocket("/tunnel?id=" + to_hex(order.tunnel()), headers,
                                                          net::kTunnelProtocol, net::kMaxTunnelMessage);
  if (!opened) co_return std::unexpected(opened.error());
  co_await net::carry(loop_, std::move(*connection), std::move(*opened));
  co_return Result<void>();
}

// By IPv4 first: few programs listen on ::1 alone, but some do.
net::Async<Result<net::Connected>> Tunnels::connect(AttemptId attempt, std::uint16_t port) {
  Error last{Code::kUnavailable, ""};
  for (const int family : {AF_INET, AF_INET6}) {
    const std::shared_ptr<Attempt> found = executor_.find(attempt);
    const bool runs = found && found->begun && !found->starting && !found->exit && found->box;
    if (!runs) co_return fail(Code::kFailedPrecondition, "the program does not run yet, or has ended");
    const Result<int> socket = found->box->open_socket(family);
    if (!socket) co_return std::unexpected(socket.error());
    Result<net::Connected> connected = co_await net::connect_to_loopback(loop_, *socket, port, kConnectLimit);
    if (connected) co_return connected;
    last = connected.error();
  }
  co_return fail(last.code, fmt::format("nothing in the task takes connections on port {} ({})", port, last.message));
}

}  // namespace hearth::node
