// An HTTPS server on one port: HTTP/1.1 keep-alive, streamed bodies, WebSocket upgrades. TLS 1.3 straight on the socket
// (16 kB an idle connection).
//
//   auto server = Server::listen(loop, {.address = "0.0.0.0", .port = 7443}, tls, [&](Exchange& exchange) ->
//   Async<void> {
//     co_await exchange.reply(text_response(404, exchange.head().path));
//   });
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/sizes.h"
#include "net/async.h"
#include "net/http.h"
#include "net/tls.h"
#include "net/websocket.h"

namespace hearth::net {

struct ServerOptions {
  std::string address = "0.0.0.0";              // "::" listens on both families
  std::uint16_t port = 7443;                    // 0: the kernel chooses, see Server::port()
  std::size_t max_connections = 19'000;         // further ones are closed at once; lowered to what RLIMIT_NOFILE leaves
  std::size_t max_connections_per_address = 0;  // 0: no limit of its own; loopback never counts
  std::size_t max_head_bytes = 32 * kKiB;       // 431 above
  PathRule paths = PathRule::kPlain;
  Duration handshake_limit = seconds(10);   // from accept to the end of the TLS handshake
  Duration head_limit = seconds(10);        // from a request's first byte to its head's end
  Duration idle_limit = seconds(75);        // between requests of a kept connection
  Duration body_stall_limit = seconds(30);  // without progress while a body moves either way
};

// A connection that can be cut from elsewhere on the loop: its socket is closed and whatever awaits it fails.
class Cuttable {
 public:
  virtual ~Cuttable() = default;
  virtual void cut() = 0;
};

// A connection whose protocol was changed. One coroutine may read while another writes. Closes with its end.
class Upgraded {
 public:
  virtual ~Upgraded() = default;
  virtual Async<Result<std::string>> read() = 0;  // what has come, however long that takes; empty: the peer's end
  virtual Async<Result<void>> write(std::string_view bytes) = 0;
  virtual void close() = 0;  // what waits fails
};

// One request and its answer. Lives while its handler runs.
class Exchange {
 public:
  virtual ~Exchange() = default;

  virtual const RequestHead& head() const = 0;
  virtual std::string peer_address() const = 0;  // "192.168.1.7"

  // The next piece of the body, at most `buffer.size()` bytes; 0: its end. Errors: kUnavailable (gone),
  // kDeadlineExceeded (stalled), kInvalidArgument (malformed).
  virtual Async<Result<std::size_t>> read_body(std::span<char> buffer) = 0;

  // The whole body. kResourceExhausted if it is longer than `limit` bytes (nothing beyond is kept).
  virtual Async<Result<std::string>> read_whole_body(std::size_t limit) = 0;

  // The whole answer. Content-Length is set here. HEAD sends no body. Once, and not after start().
  virtual Async<Result<void>> reply(Response response) = 0;

  // A streamed answer: start(), write()..., finish(). Without `length` it is chunked.
  virtual Async<Result<void>> start(unsigned status, Headers headers, std::optional<std::uint64_t> length) = 0;
  virtual Async<Result<void>> write(std::string_view bytes) = 0;
  virtual Async<Result<void>> finish() = 0;

  // Sends a part of a file after start(), in large pieces read on a worker.
  virtual Async<Result<void>> write_file(int file, std::uint64_t offset, std::uint64_t count, Workers& workers) = 0;

  // RFC 6455. The client must have offered `protocol`. On failure the answer has been sent; else head() has no headers.
  virtual Async<Result<std::unique_ptr<WebSocket>>> accept_websocket(std::string_view protocol,
                                                                     std::size_t max_message_bytes) = 0;

  // Answers 101 to a request to change the protocol, whatever to. What is said from then on is the handler's. As for
  // accept_websocket(), head() has no headers any more.
  virtual Async<Result<std::unique_ptr<Upgraded>>> upgrade(Headers headers) = 0;

  // For cutting the connection while this exchange runs. The pointer dangles afterwards: unregister it when the handler
  // ends.
  virtual Cuttable& connection() = 0;

  // Whether the peer has closed or the connection was cut (seen at latest by the next write).
  virtual bool gone() const = 0;
};

class Server {
 public:
  using Handler = std::function<Async<void>(Exchange&)>;

  // Errors: kAlreadyExists (the port is taken), kPermissionDenied, kInvalidArgument (address).
  static Result<std::unique_ptr<Server>> listen(Loop& loop, const ServerOptions& options,
                                                std::shared_ptr<const TlsContext> tls, Handler handler);
  virtual ~Server() = default;  // closes all

  virtual std::uint16_t port() const = 0;
  virtual std::size_t connections() const = 0;
};

}  // namespace hearth::net
