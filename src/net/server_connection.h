// One connection of the server: TLS, then requests one after another, each handed to the handler as an exchange.
#pragma once

#include <memory>
#include <string>

#include "net/http_input.h"
#include "net/server_state.h"

namespace hearth::net {

class ServerConnection : public Cuttable {
 public:
  ServerConnection(std::shared_ptr<ServerState> server, asio::ip::tcp::socket socket, std::string address);
  ~ServerConnection() override;
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  // The whole life of the connection; owns it.
  static Async<void> serve(std::shared_ptr<ServerConnection> self);

  void cut() override { input_.stream().cut(); }

  HttpInput& input() { return input_; }
  TlsStream& stream() { return input_.stream(); }
  ServerState& server() { return *server_; }
  const std::string& address() const { return address_; }

 private:
  Async<bool> serve_request();
  Async<void> refuse(HttpFault fault);

  std::shared_ptr<ServerState> server_;
  std::string address_;
  HttpInput input_;
};

}  // namespace hearth::net
