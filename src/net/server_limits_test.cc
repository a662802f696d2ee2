// What bounds a server: every limit of ServerOptions, and requests that two readers could understand differently.
#include <vector>

#include "base/sizes.h"
#include "net/test_peer.h"

namespace hearth::net {
namespace {

class ServerLimits : public PeerTest {};

TEST_F(ServerLimits, ALongHeadIs431) {
  listen(echo_path, {.max_head_bytes = 1000});
  std::string fits = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\nX: " + std::string(900, 'x') + "\r\n\r\n";
  EXPECT_TRUE(answers_to(fits).starts_with("HTTP/1.1 200"));
  EXPECT_TRUE(answers_to("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(2000, 'x')).starts_with("HTTP/1.1 431"));
  EXPECT_TRUE(answers_to(std::string(5000, 'x')).starts_with("HTTP/1.1 431"));
}

TEST_F(ServerLimits, AnUnfinishedHeadIs408) {
  listen(echo_path, {.head_limit = milliseconds(50)});
  EXPECT_TRUE(answers_to("GET / HTTP/1.1\r\nHo").starts_with("HTTP/1.1 408"));
}

TEST_F(ServerLimits, AnIdleConnectionIsClosed) {
  listen(echo_path, {.idle_limit = milliseconds(50)});
  EXPECT_TRUE(answers_to("GET / HTTP/1.1\r\nHost: h\r\n\r\n").ends_with("\r\n\r\n/"));
  run_until([&] { return server_->connections() == 0; });
}

TEST_F(ServerLimits, AStalledBodyFails) {
  Code seen = Code::kUnknown;
  listen(
      [&](Exchange& exchange) -> Async<void> {
        Result<std::string> body = co_await exchange.read_whole_body(100);
        seen = body ? Code::kUnknown : body.error().code;
      },
      {.body_stall_limit = milliseconds(50)});
  answers_to("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  EXPECT_EQ(seen, Code::kDeadlineExceeded);
}

TEST_F(ServerLimits, AReaderThatStopsFailsTheWriter) {
  bool done = false;
  Code seen = Code::kUnknown;
  listen(
      [&](Exchange& exchange) -> Async<void> {
        Result<void> sent = co_await exchange.start(200, {}, kGiB);
        for (std::string piece(kMiB, 'x'); sent;) sent = co_await exchange.write(piece);
        seen = sent.error().code;
        done = true;
      },
      {.body_stall_limit = milliseconds(100)});
  auto run = [](ServerLimits& test, bool& flag) -> Async<void> {
    auto stream = co_await test.connect_raw();
    EXPECT_TRUE(co_await stream->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n", seconds(20)));
    while (!flag) co_await sleep_for(milliseconds(1));
  };
  loop_.run_until_done(run(*this, done));
  EXPECT_EQ(seen, Code::kDeadlineExceeded);
}

TEST_F(ServerLimits, SilentConnectionsAreClosed) {
  listen(echo_path, {.handshake_limit = milliseconds(50)});
  auto run = [](ServerLimits& test) -> Async<void> {
    std::vector<asio::ip::tcp::socket> silent;
    for (int i = 0; i < 50; ++i) {
      auto socket = co_await dial(test.endpoint(), steady_now() + seconds(20));
      EXPECT_TRUE(socket);
      silent.push_back(std::move(*socket));
    }
    while (test.server_->connections() == 0) co_await sleep_for(milliseconds(1));
    while (test.server_->connections() > 0) co_await sleep_for(milliseconds(1));
  };
  loop_.run_until_done(run(*this));
  auto client = make_client();
  EXPECT_TRUE(get(*client, "/"));
}

TEST_F(ServerLimits, FurtherConnectionsAreClosedAtOnce) {
  listen(echo_path, {.max_connections = 2});
  auto run = [](ServerLimits& test) -> Async<void> {
    auto first = co_await test.connect_raw();
    auto second = co_await test.connect_raw();
    auto socket = co_await dial(test.endpoint(), steady_now() + seconds(20));
    EXPECT_TRUE(socket);
    TlsStream third(std::move(*socket), TlsContext::client());
    Result<void> greeted = co_await third.handshake(steady_now() + seconds(20));
    EXPECT_FALSE(greeted);
    if (!greeted) EXPECT_EQ(greeted.error().code, Code::kUnavailable);
    EXPECT_EQ(test.server_->connections(), 2U);
  };
  loop_.run_until_done(run(*this));
}

TEST_F(ServerLimits, LoopbackHasNoLimitPerAddress) {
  listen(echo_path, {.max_connections_per_address = 1});
  auto run = [](ServerLimits& test) -> Async<void> {
    auto first = co_await test.connect_raw();
    auto second = co_await test.connect_raw();
    EXPECT_EQ(test.server_->connections(), 2U);
  };
  loop_.run_until_done(run(*this));
}

TEST_F(ServerLimits, RefusesAWholeBodyThatIsTooLong) {
  listen([](Exchange& exchange) -> Async<void> {
    Result<std::string> body = co_await exchange.read_whole_body(3);
    EXPECT_FALSE(body);
    EXPECT_EQ(body.error().code, Code::kResourceExhausted);
    static_cast<void>(co_await exchange.reply(text_response(413, body.error().message)));
  });
  EXPECT_TRUE(answers_to("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nConnection: close\r\n\r\nabcd")
                  .starts_with("HTTP/1.1 413"));
  EXPECT_TRUE(answers_to("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
                         "4\r\nabcd\r\n0\r\n\r\n")
                  .starts_with("HTTP/1.1 413"));
}

TEST_F(ServerLimits, SmugglersAreRefused) {
  int calls = 0;
  listen([&](Exchange& exchange) -> Async<void> {
    ++calls;
    co_await echo_path(exchange);
  });
  for (std::string head : {
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
           "GET / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
           "GET /../etc HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET //x HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /%00 HTTP/1.1\r\nHost: h\r\n\r\n",
       }) {
    EXPECT_TRUE(answers_to(head).starts_with("HTTP/1.1 400")) << head;
  }
  EXPECT_EQ(calls, 0);
}

}  // namespace
}  // namespace hearth::net
