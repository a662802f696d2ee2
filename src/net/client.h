// An HTTPS client for one server that is known by its key (tls.h). Keeps up to `max_connections` connections open and
// reuses them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/sizes.h"
#include "net/async.h"
#include "net/http.h"
#include "net/tls.h"
#include "net/websocket.h"

namespace hearth::net {

struct Endpoint {
  std::string host;  // name or address
  std::uint16_t port = 7443;

  bool operator==(const Endpoint&) const = default;
  std::string text() const;  // "host:port", IPv6 in brackets
};

// "host", "host:port", "[v6]:port"; the port is 7443 if absent. Errors: kInvalidArgument.
Result<Endpoint> parse_endpoint(std::string_view text);

struct ClientOptions {
  std::size_t max_connections = 8;
  Duration connect_limit = seconds(10);
  Duration stall_limit = seconds(60);  // without progress
};

class Client {
 public:
  // Nothing is connected yet. `workers` reads and writes files for send_file and fetch_file.
  static std::unique_ptr<Client> make(Loop& loop, Endpoint endpoint, ServerPin pin, Workers& workers,
                                      ClientOptions options = {});
  virtual ~Client() = default;

  // A request with a body in memory and its whole answer, at most `max_reply_bytes`. A kept connection that turns out
  // closed before the first byte of the answer is replaced once. Errors: kUnavailable (no connection), kUnauthenticated
  // (the server has another key), kDeadlineExceeded, kResourceExhausted (reply too long). An HTTP error status is no
  // Error here.
  virtual Async<Result<Response>> request(std::string method, std::string target, Headers headers, std::string body,
                                          std::size_t max_reply_bytes = 64 * kMiB) = 0;

  // PUT of a file's content from its start. The file must keep its `size` bytes meanwhile.
  virtual Async<Result<Response>> send_file(std::string target, Headers headers, int file, std::uint64_t size) = 0;

  // GET whose body goes to `sink` piece by piece, on the loop's thread (only if the status is 200); the Response has no
  // body. The sink's error ends it.
  virtual Async<Result<Response>> fetch(std::string target, Headers headers,
                                        std::function<Async<Result<void>>(std::string_view)> sink) = 0;

  // A request whose answer's body arrives piece by piece for as long as the server likes (no stall limit).
  virtual Async<Result<Response>> stream(std::string method, std::string target, Headers headers, std::string body,
                                         std::function<Async<Result<void>>(std::string_view)> sink) = 0;

  // On an idle connection, if there is one. Errors as request(), and kFailedPrecondition if it is refused (with why).
  virtual Async<Result<std::unique_ptr<WebSocket>>> websocket(std::string target, Headers headers,
                                                              std::string_view protocol,
                                                              std::size_t max_message_bytes) = 0;

  // The identity key that the server showed on the last connection; empty before the first.
  virtual std::string server_identity() const = 0;

  // The server's and our own address on the last connection: what a person on this network would dial.
  virtual std::string local_address() const = 0;

  // Closes all connections; what runs fails with kCanceled.
  virtual void close() = 0;
};

}  // namespace hearth::net
