// The connections of one client: dials them, proves the server's identity, keeps idle ones for the next request.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/client.h"
#include "net/http_input.h"

namespace hearth::net {

struct ClientConnection {
  HttpInput input;
  bool reused = false;  // has served a request before, so the server may have closed it meanwhile
};

class ClientPool {
 public:
  ClientPool(Loop& loop, Endpoint endpoint, ServerPin pin, ClientOptions options);

  // An idle connection, else a new one; waits while `max_connections` are in use. `fresh`: never an idle one.
  // Errors: kUnavailable, kUnauthenticated, kDeadlineExceeded, kCanceled after close().
  Async<Result<std::unique_ptr<ClientConnection>>> acquire(bool fresh);

  // Gives a connection back. `reusable`: the message on it has ended cleanly.
  void release(std::unique_ptr<ClientConnection> connection, bool reusable);

  // As acquire(), but never given back: it counts against no limit (WebSockets). It is cut by close().
  Async<Result<std::unique_ptr<ClientConnection>>> detach(bool fresh);

  void close();
  bool closed() const { return closed_; }
  Loop& loop() { return loop_; }
  const Endpoint& endpoint() const { return endpoint_; }
  const ClientOptions& options() const { return options_; }
  const std::string& server_identity() const { return identity_; }
  const std::string& local_address() const { return local_address_; }

 private:
  std::unique_ptr<ClientConnection> take_idle();
  Async<Result<std::unique_ptr<ClientConnection>>> connect();
  void remember(const std::shared_ptr<TlsStream>& stream);

  Loop& loop_;
  Endpoint endpoint_;
  ServerPin pin_;
  ClientOptions options_;
  std::shared_ptr<const TlsContext> tls_ = TlsContext::client();
  std::vector<std::unique_ptr<ClientConnection>> idle_;
  std::vector<std::weak_ptr<TlsStream>> streams_;  // all that may be open
  std::size_t in_use_ = 0;
  Event freed_;
  bool closed_ = false;
  std::string identity_;
  std::string local_address_;
};

}  // namespace hearth::net
