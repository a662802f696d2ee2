#include "net/client.h"

#include <unistd.h>
#include <array>

#include <cstdio>

#include "base/sizes.h"
#include "net/crypto.h"
#include "net/test_peer.h"

namespace hearth::net {
namespace {

class ClientTest : public PeerTest {};

TEST(Endpoint, Table) {
  auto text = [](std::string_view given) {
    Result<Endpoint> endpoint = parse_endpoint(given);
    return endpoint ? endpoint->text() : "error";
  };
  EXPECT_EQ(text("host"), "host:7443");
  EXPECT_EQ(text("192.168.1.7:80"), "192.168.1.7:80");
  EXPECT_EQ(text("[::1]:80"), "[::1]:80");
  EXPECT_EQ(text("[fe80::1%eth0]"), "[fe80::1%eth0]:7443");
  EXPECT_EQ(text("::1"), "[::1]:7443");
  for (std::string_view bad : {"", ":80", "host:", "host:0", "host:65536", "host:8x", "[::1", "[::1]80", "[host]:80",
                               "a b", "a/b", "https://a"}) {
    EXPECT_EQ(text(bad), "error") << bad;
  }
}

TEST_F(ClientTest, ReplacesAStaleConnectionOnce) {
  int connections = 0;
  listen(
      [&](Exchange& exchange) -> Async<void> {
        ++connections;
        co_await echo_path(exchange);
      },
      {.idle_limit = milliseconds(20)});
  auto client = make_client();
  ASSERT_TRUE(get(*client, "/1"));
  run_until([&] { return server_->connections() == 0; });
  ASSERT_TRUE(get(*client, "/2"));
  // Cut while the request is on its way: nothing of an answer has come.
  bool cut = false;
  server_.reset();
  listen([&](Exchange& exchange) -> Async<void> {
    if (exchange.head().path == "/cut" && !cut) {
      cut = true;
      exchange.connection().cut();
      co_return;
    }
    co_await echo_path(exchange);
  });
  client = make_client();
  ASSERT_TRUE(get(*client, "/3"));
  Result<Response> response = get(*client, "/cut");
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_TRUE(cut);
}

TEST_F(ClientTest, DoesNotRepeatOnAFreshConnection) {
  int calls = 0;
  listen([&](Exchange& exchange) -> Async<void> {
    ++calls;
    exchange.connection().cut();
    co_return;
  });
  auto client = make_client();
  Result<Response> response = get(*client, "/");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kUnavailable);
  EXPECT_EQ(calls, 1);
}

TEST_F(ClientTest, SharesItsConnections) {
  std::size_t most = 0;
  int done = 0;
  listen([&](Exchange& exchange) -> Async<void> {
    most = std::max(most, server_->connections());
    co_await sleep_for(milliseconds(2));
    co_await echo_path(exchange);
  });
  auto client = make_client({.max_connections = 3});
  auto one = [](Client& on, int& count) -> Async<void> {
    Result<Response> response = co_await on.request("GET", "/x", {}, "");
    EXPECT_TRUE(response && response->body == "/x");
    ++count;
  };
  for (int i = 0; i < 30; ++i) loop_.spawn(one(*client, done));
  run_until([&] { return done == 30; });
  EXPECT_LE(most, 3U);
}

TEST_F(ClientTest, SendsAndFetchesFiles) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  std::string content = random_bytes(5'000'001);
  ASSERT_EQ(std::fwrite(content.data(), 1, content.size(), file), content.size());
  std::fflush(file);
  std::string stored;
  listen([&](Exchange& exchange) -> Async<void> {
    if (exchange.head().method == "PUT") {
      Result<std::string> body = co_await exchange.read_whole_body(10'000'000);
      EXPECT_TRUE(body);
      stored = body.value_or("");
    }
    static_cast<void>(co_await exchange.reply({.status = 200, .headers = {}, .body = stored}));
  });
  auto client = make_client();
  Result<Response> sent = loop_.run_until_done(client->send_file("/f", {}, ::fileno(file), content.size()));
  EXPECT_FALSE(sent) << "the answer is longer than a refusal";
  EXPECT_EQ(stored, content);
  std::string fetched;
  Result<Response> got =
      loop_.run_until_done(client->fetch("/f", {}, [&](std::string_view piece) -> Async<Result<void>> {
        fetched += piece;
        co_return Result<void>();
      }));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(fetched, content);
  EXPECT_EQ(got->body, "");
  std::fclose(file);
}

TEST_F(ClientTest, StopsSendingWhenTheServerRefuses) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  ASSERT_EQ(::ftruncate(::fileno(file), 256 * kMiB), 0);
  listen([&](Exchange& exchange) -> Async<void> {
    static_cast<void>(co_await exchange.reply(text_response(507, "full")));
  });
  auto client = make_client();
  Result<Response> sent = loop_.run_until_done(client->send_file("/f", {}, ::fileno(file), 256 * kMiB));
  ASSERT_TRUE(sent) << sent.error().message;
  EXPECT_EQ(sent->status, 507U);
  std::fclose(file);
}

TEST_F(ClientTest, ASinksErrorEndsAFetch) {
  listen([](Exchange& exchange) -> Async<void> {
    Result<void> sent = co_await exchange.start(200, {}, std::nullopt);
    for (std::string piece(100'000, 'x'); sent;) sent = co_await exchange.write(piece);
  });
  auto client = make_client();
  auto full = [](std::string_view) -> Async<Result<void>> { co_return fail(Code::kResourceExhausted, "full"); };
  Result<Response> got = loop_.run_until_done(client->fetch("/", {}, full));
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, Code::kResourceExhausted);
}

TEST_F(ClientTest, StreamsAsTheServerSpeaks) {
  Event heard;
  listen([&](Exchange& exchange) -> Async<void> {
    EXPECT_TRUE(co_await exchange.start(200, {}, std::nullopt));
    for (std::string text : {"one", "two", "three"}) {
      EXPECT_TRUE(co_await exchange.write(text));
      co_await heard.wait();  // the next only when this one has arrived
    }
    EXPECT_TRUE(co_await exchange.finish());
  });
  auto client = make_client({.stall_limit = milliseconds(500)});
  std::string all;
  Result<Response> got =
      loop_.run_until_done(client->stream("POST", "/", {}, "x", [&](std::string_view piece) -> Async<Result<void>> {
        all += piece;
        heard.notify();
        co_return Result<void>();
      }));
  ASSERT_TRUE(got) << got.error().message;
  EXPECT_EQ(all, "onetwothree");
}

TEST_F(ClientTest, GivesTheTextOfARefusedFetch) {
  listen([](Exchange& exchange) -> Async<void> {
    static_cast<void>(co_await exchange.reply(text_response(404, "no such thing")));
  });
  auto client = make_client();
  auto never = [](std::string_view) -> Async<Result<void>> {
    ADD_FAILURE();
    co_return Result<void>();
  };
  Result<Response> got = loop_.run_until_done(client->fetch("/", {}, never));
  ASSERT_TRUE(got);
  EXPECT_EQ(got->status, 404U);
  EXPECT_EQ(got->body, "404 not found: no such thing\n");
}

TEST_F(ClientTest, LimitsTheReply) {
  listen([](Exchange& exchange) -> Async<void> {
    static_cast<void>(co_await exchange.reply({.status = 200, .headers = {}, .body = std::string(1000, 'x')}));
  });
  auto client = make_client();
  Result<Response> response = loop_.run_until_done(client->request("GET", "/", {}, "", 999));
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kResourceExhausted);
  EXPECT_TRUE(loop_.run_until_done(client->request("GET", "/", {}, "", 1000)));
}

TEST_F(ClientTest, NoticesAStalledServer) {
  listen([](Exchange&) -> Async<void> { co_await sleep_for(minutes(5)); });
  auto client = make_client({.stall_limit = milliseconds(50)});
  Result<Response> response = get(*client, "/");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kDeadlineExceeded);
}

TEST_F(ClientTest, NoServerIsUnavailable) {
  listen(echo_path);
  auto client = make_client();
  server_.reset();
  Result<Response> response = get(*client, "/");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kUnavailable) << response.error().message;
}

TEST_F(ClientTest, CloseCancelsWhatRuns) {
  bool asked = false;
  listen([&](Exchange&) -> Async<void> {
    asked = true;
    co_await sleep_for(minutes(5));
  });
  auto client = make_client({.max_connections = 1});
  int canceled = 0;
  auto one = [](Client& on, int& count) -> Async<void> {
    Result<Response> response = co_await on.request("GET", "/", {}, "");
    EXPECT_FALSE(response);
    if (!response && response.error().code == Code::kCanceled) ++count;
  };
  loop_.spawn(one(*client, canceled));
  loop_.spawn(one(*client, canceled));  // waits for the connection
  run_until([&] { return asked; });
  client->close();
  run_until([&] { return canceled == 2; });
  EXPECT_EQ(get(*client, "/").error().code, Code::kCanceled);
}

TEST_F(ClientTest, MayBeDestroyedWhileItAsks) {
  bool asked = false;
  bool ended = false;
  listen([&](Exchange&) -> Async<void> {
    asked = true;
    co_await sleep_for(minutes(5));
  });
  auto client = make_client();
  loop_.spawn([](Client& on, bool& flag) -> Async<void> {
    EXPECT_FALSE(co_await on.request("GET", "/", {}, ""));
    flag = true;
  }(*client, ended));
  run_until([&] { return asked; });
  client.reset();
  run_until([&] { return ended; });
}

}  // namespace
}  // namespace hearth::net
