#include "net/server.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include <asio/buffer.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>

#include "base/sizes.h"
#include "net/crypto.h"
#include "net/openssl.h"
#include "net/test_peer.h"

namespace hearth::net {
namespace {

class ServerTest : public PeerTest {};

std::size_t count_of(std::string_view text, std::string_view part) {
  std::size_t count = 0;
  for (std::size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST_F(ServerTest, KeepsAConnectionForManyRequests) {
  listen(echo_path);
  auto client = make_client();
  for (int i = 0; i < 5; ++i) {
    Result<Response> response = get(*client, "/a%20b" + std::to_string(i) + "?q");
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, "/a b" + std::to_string(i));
  }
  EXPECT_EQ(server_->connections(), 1U);
}

TEST_F(ServerTest, AnswersPipelinedRequestsInOrder) {
  listen(echo_path);
  std::string text = answers_to(
      "GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n"
      "GET /3 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(count_of(text, "HTTP/1.1 200 OK"), 3U);
  EXPECT_LT(text.find("/1"), text.find("/2"));
  EXPECT_LT(text.find("/2"), text.find("/3"));
  EXPECT_EQ(count_of(text, "Connection: close"), 1U);
}

TEST_F(ServerTest, ReadsChunkedBodies) {
  listen(echo_body);
  std::string text = answers_to(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
      "4\r\nWiki\r\n5;ext=1\r\npedia\r\n0\r\nTrailer: x\r\n\r\n");
  EXPECT_TRUE(text.ends_with("\r\n\r\nWikipedia")) << text;
}

TEST_F(ServerTest, RefusesBadChunks) {
  listen(echo_body);
  std::string text = answers_to("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
  EXPECT_TRUE(text.starts_with("HTTP/1.1 400")) << text;
}

TEST_F(ServerTest, HeadSendsNoBody) {
  listen(echo_path);
  std::string text = answers_to("HEAD /abc HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_NE(text.find("Content-Length: 4\r\n"), std::string::npos);
  EXPECT_TRUE(text.ends_with("\r\n\r\n")) << text;
}

TEST_F(ServerTest, SaysContinueWhenTheBodyIsWanted) {
  listen(echo_body);
  auto run = [](ServerTest& test) -> Async<std::string> {
    auto stream = co_await test.connect_raw();
    EXPECT_TRUE(
        co_await stream->write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n"
                               "Connection: close\r\n\r\n",
                               seconds(20)));
    std::string text;
    EXPECT_TRUE(co_await stream->read_append(text, steady_now() + seconds(20)));
    EXPECT_EQ(text, "HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_TRUE(co_await stream->write("abc", seconds(20)));
    co_return co_await read_to_end(stream);
  };
  EXPECT_TRUE(loop_.run_until_done(run(*this)).ends_with("\r\n\r\nabc"));
}

TEST_F(ServerTest, ClosesInsteadOfContinuing) {
  listen(echo_path);
  std::string text = answers_to("POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(count_of(text, "100 Continue"), 0U);
  EXPECT_NE(text.find("Connection: close"), std::string::npos);
}

TEST_F(ServerTest, DrainsAnUnreadBody) {
  listen(echo_path);
  std::string text = answers_to("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n" +
                                std::string(100'000, 'x') + "GET /2 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(count_of(text, "HTTP/1.1 200 OK"), 2U);
}

TEST_F(ServerTest, ClosesAfterALargeUnreadBody) {
  listen(echo_path);
  std::string text = answers_to("POST /1 HTTP/1.1\r\nHost: h\r\nContent-Length: 99000000\r\n\r\nabc");
  EXPECT_NE(text.find("Connection: close"), std::string::npos);
  EXPECT_TRUE(text.ends_with("/1"));
}

TEST_F(ServerTest, AnUnansweredExchangeIs500) {
  listen([](Exchange&) -> Async<void> { co_return; });
  auto client = make_client();
  Result<Response> response = get(*client, "/");
  ASSERT_TRUE(response);
  EXPECT_EQ(response->status, 500U);
}

TEST_F(ServerTest, AnUnfinishedAnswerIsSeenAsCut) {
  listen([](Exchange& exchange) -> Async<void> {
    static_cast<void>(co_await exchange.start(200, {}, 10));
    static_cast<void>(co_await exchange.write("abc"));
  });
  auto client = make_client();
  Result<Response> response = get(*client, "/");
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, Code::kUnavailable);
}

TEST_F(ServerTest, StreamsBothWaysExactly) {
  constexpr std::size_t kTotal = 64 * kMiB;
  listen([](Exchange& exchange) -> Async<void> {
    bool chunked = exchange.head().path == "/chunked";
    Sha256 hash;
    std::uint64_t count = 0;
    std::string buffer(64 * kKiB, '\0');
    while (true) {
      Result<std::size_t> got = co_await exchange.read_body(buffer);
      EXPECT_TRUE(got);
      if (!got || *got == 0) break;
      hash.update(std::string_view(buffer).substr(0, *got));
      count += *got;
    }
    Headers headers;
    headers.add("X-Hash", to_hex(hash.finish()));
    EXPECT_TRUE(co_await exchange.start(200, headers, chunked ? std::nullopt : std::optional(count)));
    for (std::uint64_t sent = 0; sent < count;) {
      std::size_t size = std::min<std::uint64_t>(count - sent, chunked ? 100'001 : 300'000);
      EXPECT_TRUE(co_await exchange.write(std::string(size, static_cast<char>('a' + sent % 26))));
      sent += size;
    }
    EXPECT_TRUE(co_await exchange.finish());
  });
  auto client = make_client();
  std::string body = random_bytes(kMiB);
  std::string big;
  for (std::size_t i = 0; i < kTotal >> 20; ++i) big += body;
  for (std::string target : {"/plain", "/chunked"}) {
    Result<Response> response = loop_.run_until_done(client->request("POST", target, {}, big, kTotal));
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->headers.get("x-hash"), to_hex(sha256(big)));
    EXPECT_EQ(response->body.size(), kTotal);
  }
}

TEST_F(ServerTest, WritesPartsOfFiles) {
  std::FILE* file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  std::string content = random_bytes(3'000'000);
  ASSERT_EQ(std::fwrite(content.data(), 1, content.size(), file), content.size());
  std::fflush(file);
  listen([&](Exchange& exchange) -> Async<void> {
    std::uint64_t offset = exchange.head().path == "/short" ? content.size() - 10 : 1234;
    EXPECT_TRUE(co_await exchange.start(200, {}, 2'000'000));
    Result<void> written = co_await exchange.write_file(::fileno(file), offset, 2'000'000, workers_);
    if (written) {
      EXPECT_TRUE(co_await exchange.finish());
    } else {
      EXPECT_EQ(written.error().code, Code::kDataLoss);
    }
  });
  auto client = make_client();
  for (bool cached : {true, false}) {
    if (!cached) {
      ::fsync(::fileno(file));
      ::posix_fadvise(::fileno(file), 0, 0, POSIX_FADV_DONTNEED);
    }
    Result<Response> response = get(*client, "/part");
    ASSERT_TRUE(response) << response.error().message;
    EXPECT_EQ(response->body, content.substr(1234, 2'000'000));
  }
  EXPECT_FALSE(get(*client, "/short"));
  std::fclose(file);
}

TEST_F(ServerTest, CutEndsAStream) {
  Cuttable* running = nullptr;
  bool ended = false;
  listen([&](Exchange& exchange) -> Async<void> {
    running = &exchange.connection();
    EXPECT_TRUE(co_await exchange.start(200, {}, std::nullopt));
    while (!exchange.gone()) co_await sleep_for(milliseconds(1));
    EXPECT_FALSE(co_await exchange.write("late"));
    ended = true;
  });
  auto client = make_client();
  loop_.spawn([](ServerTest&, Cuttable*& cuttable) -> Async<void> {
    while (cuttable == nullptr) co_await sleep_for(milliseconds(1));
    cuttable->cut();
  }(*this, running));
  Result<Response> response = get(*client, "/");
  EXPECT_FALSE(response);
  run_until([&] { return ended; });
}

TEST_F(ServerTest, SeesThatTheClientIsGone) {
  bool ended = false;
  listen([&](Exchange& exchange) -> Async<void> {
    EXPECT_TRUE(co_await exchange.start(200, {}, std::nullopt));
    while (!exchange.gone()) co_await sleep_for(milliseconds(1));
    ended = true;
  });
  auto run = [](ServerTest& test) -> Async<void> {
    auto stream = co_await test.connect_raw();
    EXPECT_TRUE(co_await stream->write("GET / HTTP/1.1\r\nHost: h\r\n\r\n", seconds(20)));
    std::string text;
    EXPECT_TRUE(co_await stream->read_append(text, steady_now() + seconds(20)));
  };
  loop_.run_until_done(run(*this));
  run_until([&] { return ended; });
}

TEST_F(ServerTest, TellsPlainHttpToUseTls) {
  listen(echo_path);
  auto run = [](Endpoint endpoint) -> Async<std::string> {
    auto socket = co_await dial(endpoint, steady_now() + seconds(20));
    EXPECT_TRUE(socket);
    socket->non_blocking(false);
    std::string request = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    EXPECT_EQ(::write(socket->native_handle(), request.data(), request.size()), ssize_t(request.size()));
    std::string text;
    std::array<char, 4096> buffer{};
    asio::error_code error;
    while (!error) {
      std::size_t count =
          co_await socket->async_read_some(asio::buffer(buffer), asio::redirect_error(asio::use_awaitable, error));
      text.append(buffer.data(), count);
    }
    co_return text;
  };
  std::string text = loop_.run_until_done(run(endpoint()));
  EXPECT_TRUE(text.starts_with("HTTP/1.1 400")) << text;
  EXPECT_TRUE(text.ends_with("https://, not http\n")) << text;
}

TEST_F(ServerTest, SpeaksTls13Only) {
  listen(echo_path);
  std::string command =
      "curl -sk --max-time 20 --tls-max 1.2 https://127.0.0.1:" + std::to_string(server_->port()) + "/";
  int status = -1;
  std::thread thread([&] {
    status = std::system(command.c_str());
    loop_.stop();
  });
  loop_.run();
  thread.join();
  EXPECT_EQ(WEXITSTATUS(status), 35);  // CURLE_SSL_CONNECT_ERROR
}

TEST_F(ServerTest, AnswersCurl) {
  listen(echo_body);
  std::string output;
  std::string command = "curl -sk --max-time 20 -d hello https://127.0.0.1:" + std::to_string(server_->port()) + "/";
  std::thread thread([&] {
    std::FILE* pipe = ::popen(command.c_str(), "r");
    std::array<char, 256> buffer{};
    while (std::size_t count = std::fread(buffer.data(), 1, buffer.size(), pipe)) output.append(buffer.data(), count);
    EXPECT_EQ(::pclose(pipe), 0);
    loop_.stop();
  });
  loop_.run();
  thread.join();
  EXPECT_EQ(output, "hello");
}

TEST_F(ServerTest, ATakenPortHasAName) {
  listen(echo_path);
  auto second = Server::listen(loop_, {.address = "127.0.0.1", .port = server_->port()}, TlsContext::server(identity_),
                               echo_path);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::kAlreadyExists);
  auto nowhere =
      Server::listen(loop_, {.address = "not an address", .port = 0}, TlsContext::server(identity_), echo_path);
  ASSERT_FALSE(nowhere);
  EXPECT_EQ(nowhere.error().code, Code::kInvalidArgument);
}

TEST_F(ServerTest, ListensOnBothFamilies) {
  auto both = Server::listen(loop_, {.address = "::", .port = 0}, TlsContext::server(identity_),
                             [](Exchange& exchange) -> Async<void> {
                               Response response{.status = 200, .headers = {}, .body = exchange.peer_address()};
                               static_cast<void>(co_await exchange.reply(std::move(response)));
                             });
  ASSERT_TRUE(both) << both.error().message;
  server_ = std::move(*both);
  auto client = make_client();
  Result<Response> response = get(*client, "/");
  ASSERT_TRUE(response) << response.error().message;
  EXPECT_EQ(response->body, "127.0.0.1");
}

TEST_F(ServerTest, HandsOverAConnectionWhoseProtocolChanges) {
  listen([](Exchange& exchange) -> Async<void> {
    Headers headers;
    headers.add("Connection", "Upgrade");
    headers.add("Upgrade", "backwards");
    auto upgraded = co_await exchange.upgrade(std::move(headers));
    EXPECT_TRUE(upgraded);
    for (;;) {
      Result<std::string> said = co_await (*upgraded)->read();
      if (!said || said->empty()) co_return;
      std::ranges::reverse(*said);
      EXPECT_TRUE(co_await (*upgraded)->write(*said));
      if (said->starts_with('.')) co_return;
    }
  });
  const std::string answers = answers_to("GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\n\r\nabc.");
  EXPECT_EQ(answers, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: backwards\r\n\r\n.cba");
}

TEST_F(ServerTest, DestructionEndsRunningExchanges) {
  bool failed = false;
  bool started = false;
  listen([&](Exchange& exchange) -> Async<void> {
    started = true;
    std::array<char, 10> buffer{};
    failed = !co_await exchange.read_body(buffer);
  });
  auto client = make_client();
  auto run = [](ServerTest& test, bool& flag) -> Async<void> {
    auto stream = co_await test.connect_raw();
    EXPECT_TRUE(co_await stream->write("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n", seconds(20)));
    while (!flag) co_await sleep_for(milliseconds(1));
    test.server_.reset();
    EXPECT_EQ(co_await read_to_end(stream), "");
  };
  loop_.run_until_done(run(*this, started));
  run_until([&] { return failed; });
}

}  // namespace
}  // namespace hearth::net
