#include "net/server.h"

#include <gtest/gtest.h>

#include "net/client.h"

namespace hearth::net {
namespace {

TEST(Server, AnswersTheClient) {
  Loop loop;
  Workers workers(1);
  IdentityKey identity = IdentityKey::generate();
  auto server = Server::listen(loop, {.address = "127.0.0.1", .port = 0}, TlsContext::server(identity),
                               [](Exchange& exchange) -> Async<void> {
                                 if (exchange.head().path == "/ws") {
                                   auto ws = co_await exchange.accept_websocket("p", 1 << 20);
                                   if (!ws) co_return;
                                   while (true) {
                                     auto message = co_await (*ws)->read(seconds(5));
                                     if (!message) co_return;
                                     (void)co_await (*ws)->write(std::move(*message));
                                   }
                                 }
                                 auto body = co_await exchange.read_whole_body(1000);
                                 (void)co_await exchange.reply({.body = exchange.head().path + " " + *body});
                               });
  ASSERT_TRUE(server) << server.error().message;
  auto client = Client::make(loop, {"127.0.0.1", (*server)->port()}, {.identity_key = identity.public_key()}, workers);
  for (int i = 0; i < 3; ++i) {
    auto response = loop.run_until_done(client->request("POST", "/hello", {}, "body"));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "/hello body");
  }
  EXPECT_EQ((*server)->connections(), 1U);
  auto ws = loop.run_until_done(client->websocket("/ws", {}, "p", 1 << 20));
  ASSERT_TRUE(ws) << ws.error().message;
  for (std::size_t size : {0UL, 5UL, 70000UL, 1UL << 20}) {
    ASSERT_TRUE(loop.run_until_done((*ws)->write(std::string(size, 'x'))));
    auto echo = loop.run_until_done((*ws)->read(seconds(5)));
    ASSERT_TRUE(echo) << echo.error().message;
    EXPECT_EQ(*echo, std::string(size, 'x'));
  }
}

}  // namespace
}  // namespace hearth::net
