// A request that came by a tunnel (net/tunnel.h) in the place of a connection, and its answer: HTTP/1.1, one of each,
// and the tunnel's end. So what serves a server's exchanges serves whoever has no port that could be dialled.
//
//   co_await serve_tunnel(loop, socket, [&](Exchange& exchange) { return spaces.serve(exchange, ...); });
#pragma once

#include <memory>

#include "net/server.h"
#include "net/websocket.h"

namespace hearth::net {

// Until it is answered; the tunnel is closed then. A head of at most 32 KiB; what is no HTTP is answered with that.
Async<void> serve_tunnel(Loop& loop, std::shared_ptr<WebSocket> tunnel, Server::Handler handler);

}  // namespace hearth::net
