// What a server and its connections share. It outlives the Server as long as a connection's coroutine runs.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_set>

#include <asio/ip/tcp.hpp>

#include "net/server.h"

namespace hearth::net {

class ServerConnection;

struct ServerState {
  Loop& loop;
  ServerOptions options;
  std::shared_ptr<const TlsContext> tls;
  Server::Handler handler;
  asio::ip::tcp::acceptor acceptor;
  std::unordered_set<ServerConnection*> connections;
  std::map<std::string, std::size_t> per_address;
  bool closed = false;

  // Takes the connection into account, unless a limit forbids it.
  bool admit(const std::string& address) const;
};

}  // namespace hearth::net
