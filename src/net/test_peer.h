// For tests of this folder: a server with its loop, and peers that may misbehave.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/sizes.h"
#include "net/client.h"
#include "net/deadlines.h"
#include "net/dial.h"
#include "net/server.h"
#include "net/tls_stream.h"

namespace hearth::net {

class PeerTest : public ::testing::Test {
 public:
  ~PeerTest() override {
    // What the server's coroutines still refer to lives until here.
    server_.reset();
    loop_.stop();
    loop_.run();
  }

  void listen(Server::Handler handler, ServerOptions options = {}) {
    options.address = "127.0.0.1";
    options.port = 0;
    Result<std::unique_ptr<Server>> server =
        Server::listen(loop_, options, TlsContext::server(identity_), std::move(handler));
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  Endpoint endpoint() const { return {.host = "127.0.0.1", .port = server_->port()}; }

  std::unique_ptr<Client> make_client(ClientOptions options = {}) {
    return Client::make(loop_, endpoint(), {.identity_key = identity_.public_key(), .identity_fingerprint = {}},
                        workers_, options);
  }

  Result<Response> get(Client& client, std::string target, Headers headers = {}) {
    return loop_.run_until_done(client.request("GET", std::move(target), std::move(headers), ""));
  }

  // A TLS connection to the server, for bytes of one's own.
  Async<std::shared_ptr<TlsStream>> connect_raw() {
    Time due = steady_now() + seconds(20);
    Result<asio::ip::tcp::socket> socket = co_await dial(endpoint(), due);
    EXPECT_TRUE(socket);
    auto stream = std::make_shared<TlsStream>(std::move(*socket), TlsContext::client());
    EXPECT_TRUE(co_await stream->handshake(due));
    co_return stream;
  }

  // What the server sends until it closes.
  static Async<std::string> read_to_end(std::shared_ptr<TlsStream> stream) {
    std::string text;
    while (true) {
      Result<std::size_t> count = co_await stream->read_append(text, steady_now() + seconds(20));
      if (!count || *count == 0) co_return text;
    }
  }

  // The server's answers to the bytes, up to the connection's end.
  std::string answers_to(std::string bytes) {
    auto run = [](PeerTest& test, std::string request) -> Async<std::string> {
      std::shared_ptr<TlsStream> stream = co_await test.connect_raw();
      EXPECT_TRUE(co_await stream->write(request, seconds(20)));
      co_return co_await read_to_end(stream);
    };
    return loop_.run_until_done(run(*this, std::move(bytes)));
  }

  // Lets the loop run until the condition holds.
  template <class Condition>
  void run_until(Condition condition) {
    auto wait = [](Condition& holds) -> Async<void> {
      Time due = steady_now() + seconds(20);
      while (!holds() && steady_now() < due) co_await sleep_for(milliseconds(1));
    };
    loop_.run_until_done(wait(condition));
    EXPECT_TRUE(condition());
  }

  Loop loop_;
  Workers workers_{2};
  IdentityKey identity_ = IdentityKey::generate();
  std::unique_ptr<Server> server_;
};

// Answers with the path.
inline Async<void> echo_path(Exchange& exchange) {
  static_cast<void>(co_await exchange.reply({.status = 200, .headers = {}, .body = exchange.head().path}));
}

inline Async<void> echo_body(Exchange& exchange) {
  Result<std::string> body = co_await exchange.read_whole_body(kMiB);
  Response response =
      body ? Response{.status = 200, .headers = {}, .body = *body} : text_response(400, body.error().message);
  static_cast<void>(co_await exchange.reply(std::move(response)));
}

}  // namespace hearth::net
