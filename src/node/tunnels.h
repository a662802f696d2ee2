// The node's end of tunnels (hub/tunnels.h): connects to a port of a running program's own loopback and carries what it
// and the hub's client say. The loop's thread only.
#pragma once

#include <cstdint>

#include "hearth/v1/session.pb.h"
#include "net/async.h"
#include "net/tunnel.h"
#include "node/connection.h"
#include "node/executor.h"

namespace hearth::node {

class Tunnels {
 public:
  Tunnels(net::Loop& loop, const Executor& executor, Connection& connection)
      : loop_(loop), executor_(executor), connection_(connection) {}

  void open(const v1::OpenTunnel& order);

 private:
  net::Async<void> serve(v1::OpenTunnel order);
  net::Async<Result<void>> serve_connected(v1::OpenTunnel order);
  net::Async<Result<net::Connected>> connect(AttemptId attempt, std::uint16_t port);

  net::Loop& loop_;
  const Executor& executor_;
  Connection& connection_;
};

}  // namespace hearth::node
