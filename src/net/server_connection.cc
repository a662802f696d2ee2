#include "net/server_connection.h"

#include <utility>

#include "net/server_exchange.h"

namespace hearth::net {

ServerConnection::ServerConnection(std::shared_ptr<ServerState> server, asio::ip::tcp::socket socket,
                                   std::string address)
    : server_(std::move(server)),
      address_(std::move(address)),
      input_(std::make_shared<TlsStream>(std::move(socket), server_->tls)) {
  server_->connections.insert(this);
  ++server_->per_address[address_];
}

ServerConnection::~ServerConnection() {
  server_->connections.erase(this);
  auto entry = server_->per_address.find(address_);
  if (--entry->second == 0) server_->per_address.erase(entry);
}

Async<void> ServerConnection::serve(std::shared_ptr<ServerConnection> self) {
  const ServerOptions& options = self->server_->options;
  Result<void> greeted = co_await self->stream().handshake(steady_now() + options.handshake_limit);
  if (!greeted) co_return;
  while (co_await self->serve_request()) {
  }
}

// True if another request may follow.
Async<bool> ServerConnection::serve_request() {
  const ServerOptions& options = server_->options;
  Result<bool> bytes = co_await input_.wait_for_bytes(steady_now() + options.idle_limit);
  if (!bytes || !*bytes) {
    stream().say_goodbye();
    co_return false;
  }
  Result<std::string> head = co_await input_.read_head(options.max_head_bytes, steady_now() + options.head_limit);
  if (!head) {
    if (head.error().code == Code::kResourceExhausted) co_await refuse({431, head.error().message});
    if (head.error().code == Code::kDeadlineExceeded) co_await refuse({408, "the request's head took too long"});
    co_return false;
  }
  std::expected<ParsedRequest, HttpFault> request = parse_request_head(*head, options.paths);
  if (!request) {
    co_await refuse(std::move(request.error()));
    co_return false;
  }
  std::string().swap(*head);
  ServerExchange exchange(*this, std::move(*request));
  co_await server_->handler(exchange);
  co_return co_await exchange.settle();
}

Async<void> ServerConnection::refuse(HttpFault fault) {
  Response response = text_response(fault.status, fault.message);
  response.headers.add("Connection", "close");
  response.headers.add("Content-Length", std::to_string(response.body.size()));
  std::string bytes = format_response_head(response.status, response.headers) + response.body;
  Result<void> written = co_await stream().write(bytes, server_->options.body_stall_limit);
  if (written) co_await stream().close();
}

}  // namespace hearth::net
