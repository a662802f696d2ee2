// Connections carried by WebSockets: each binary message is a piece of the stream, an empty one says that its side
// has no more to say. Both directions flow at the pace of whoever takes less.
//
//   client's program ── carry() ══ WebSocket ══ join() (the hub) ══ WebSocket ══ carry() ── task's program
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/sizes.h"
#include "net/async.h"
#include "net/websocket.h"

namespace hearth::net {

inline constexpr std::string_view kTunnelProtocol = "hearth-tunnel.1";
inline constexpr std::size_t kMaxTunnelMessage = 64 * kKiB;

// One connection.
class Connected {
 public:
  struct State;
  explicit Connected(std::shared_ptr<State> state) : state_(std::move(state)) {}

 private:
  friend Async<void> carry(Loop& loop, Connected connection, std::shared_ptr<WebSocket> tunnel);
  std::shared_ptr<State> state_;
};

// Connects a TCP socket (taken over, whatever comes) to `port` of the loopback of the network namespace in which it was
// made. Errors: kUnavailable (nobody listens), kDeadlineExceeded.
Async<Result<Connected>> connect_to_loopback(Loop& loop, int socket, std::uint16_t port, Duration limit);

// A connected UNIX stream socket, taken over.
Connected adopt(Loop& loop, int socket);

// Waits for local programs' connections.
class TcpListener {
 public:
  // `address`: one of this machine's; `port` 0: the kernel chooses. Errors: kInvalidArgument (address), kAlreadyExists
  // (the port is taken), kPermissionDenied.
  static Result<std::unique_ptr<TcpListener>> listen(Loop& loop, const std::string& address, std::uint16_t port);
  virtual ~TcpListener() = default;

  virtual std::uint16_t port() const = 0;
  virtual Async<Connected> accept() = 0;
};

// Until both sides have said all, or either is gone; closes both.
Async<void> carry(Loop& loop, Connected connection, std::shared_ptr<WebSocket> tunnel);

// The same between two WebSockets, which outlive it.
Async<void> join(Loop& loop, WebSocket& one, WebSocket& other);

}  // namespace hearth::net
