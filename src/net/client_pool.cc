#include "net/client_pool.h"

#include <algorithm>

#include "net/dial.h"

namespace hearth::net {
namespace {

std::unexpected<Error> canceled() { return fail(Code::kCanceled, "the connection was closed on this side"); }

}  // namespace

ClientPool::ClientPool(Loop& loop, Endpoint endpoint, ServerPin pin, ClientOptions options)
    : loop_(loop), endpoint_(std::move(endpoint)), pin_(std::move(pin)), options_(options) {}

std::unique_ptr<ClientConnection> ClientPool::take_idle() {
  while (!idle_.empty()) {
    std::unique_ptr<ClientConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    // Whatever has come between two messages is the server's goodbye.
    if (!connection->input.stream().has_input()) return connection;
  }
  return nullptr;
}

Async<Result<std::unique_ptr<ClientConnection>>> ClientPool::acquire(bool fresh) {
  // Unbounded: how long others keep their connections is theirs to bound.
  while (!closed_ && in_use_ >= options_.max_connections) co_await freed_.wait();
  if (closed_) co_return canceled();
  ++in_use_;
  std::unique_ptr<ClientConnection> idle = fresh ? nullptr : take_idle();
  if (idle) co_return std::move(idle);
  Result<std::unique_ptr<ClientConnection>> connection = co_await connect();
  if (!connection) release(nullptr, false);
  co_return connection;
}

Async<Result<std::unique_ptr<ClientConnection>>> ClientPool::detach(bool fresh) {
  if (closed_) co_return canceled();
  std::unique_ptr<ClientConnection> idle = fresh ? nullptr : take_idle();
  if (idle) co_return std::move(idle);
  co_return co_await connect();
}

Async<Result<std::unique_ptr<ClientConnection>>> ClientPool::connect() {
  Time due = steady_now() + options_.connect_limit;
  Result<asio::ip::tcp::socket> socket = co_await dial(endpoint_, due);
  if (closed_) co_return canceled();
  if (!socket) co_return std::unexpected(socket.error());
  auto stream = std::make_shared<TlsStream>(std::move(*socket), tls_);
  remember(stream);
  Result<void> greeted = co_await stream->handshake(due);
  if (closed_) co_return canceled();
  if (!greeted) co_return fail(greeted, "connecting to " + endpoint_.text());
  Result<std::string> identity = verify_identity(stream->peer_certificate().get(), pin_);
  if (!identity) co_return fail(identity, endpoint_.text());
  identity_ = std::move(*identity);
  local_address_ = stream->local_address();
  co_return std::make_unique<ClientConnection>(HttpInput(std::move(stream)));
}

void ClientPool::release(std::unique_ptr<ClientConnection> connection, bool reusable) {
  --in_use_;
  if (connection && reusable && !closed_) {
    connection->reused = true;
    idle_.push_back(std::move(connection));
  } else if (connection && reusable) {
    connection->input.stream().say_goodbye();
  }
  freed_.notify();
}

void ClientPool::remember(const std::shared_ptr<TlsStream>& stream) {
  std::erase_if(streams_, [](const auto& old) { return old.expired(); });
  streams_.push_back(stream);
}

void ClientPool::close() {
  closed_ = true;
  for (auto& connection : idle_) connection->input.stream().say_goodbye();
  idle_.clear();
  for (auto& entry : streams_) {
    if (std::shared_ptr<TlsStream> stream = entry.lock()) stream->cut();
  }
  freed_.notify();
}

}  // namespace hearth::net
