#include "net/websocket.h"

#include "base/sizes.h"
#include "net/crypto.h"
#include "net/test_peer.h"
#include "net/websocket_frames.h"

namespace hearth::net {
namespace {

constexpr std::size_t kLimit = kMiB;

Async<void> echo_messages(Exchange& exchange) {
  auto socket = co_await exchange.accept_websocket("test", kLimit);
  if (!socket) co_return;
  while (true) {
    Result<std::string> message = co_await (*socket)->read(seconds(20));
    if (!message || !co_await (*socket)->write(std::move(*message))) co_return;
  }
}

class WebSocketTest : public PeerTest {
 protected:
  std::unique_ptr<WebSocket> open(std::size_t limit = kLimit) {
    client_ = make_client();
    auto socket = loop_.run_until_done(client_->websocket("/", {}, "test", limit));
    EXPECT_TRUE(socket) << socket.error().message;
    return std::move(*socket);
  }

  // What the server says to raw frames after the upgrade: the frames' items until it closes.
  std::vector<WebSocketItem> answers(const std::string& frames) {
    std::string text = answers_to(kUpgrade + frames);
    std::size_t head = text.find("\r\n\r\n");
    EXPECT_TRUE(text.starts_with("HTTP/1.1 101")) << text;
    FrameDecoder decoder(WebSocketRole::kClient, kLimit);
    std::vector<WebSocketItem> items;
    std::string_view rest = std::string_view(text).substr(head + 4);
    while (true) {
      auto item = decoder.next(rest);
      EXPECT_TRUE(item);
      if (!item || !*item) return items;
      items.push_back(std::move(**item));
    }
  }

  static inline const std::string kUpgrade =
      "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: other, test\r\n\r\n";

  std::unique_ptr<Client> client_;
};

std::string masked(FrameKind kind, std::string_view payload) {
  std::string out;
  append_frame(out, WebSocketRole::kClient, kind, payload);
  return out;
}

TEST_F(WebSocketTest, EchoesMessagesOfAllSizes) {
  listen(echo_messages);
  auto socket = open();
  for (std::size_t size : {0UL, 1UL, 125UL, 126UL, 65'536UL, kLimit}) {
    std::string message = random_bytes(size);
    ASSERT_TRUE(loop_.run_until_done(socket->write(message)));
    Result<std::string> echo = loop_.run_until_done(socket->read(seconds(20)));
    ASSERT_TRUE(echo) << echo.error().message;
    EXPECT_EQ(*echo, message);
  }
}

TEST_F(WebSocketTest, ReadingHasALimitAndGoesOnAfterIt) {
  listen(echo_messages);
  auto socket = open();
  Result<std::string> nothing = loop_.run_until_done(socket->read(milliseconds(10)));
  ASSERT_FALSE(nothing);
  EXPECT_EQ(nothing.error().code, Code::kDeadlineExceeded);
  ASSERT_TRUE(loop_.run_until_done(socket->write("x")));
  EXPECT_EQ(loop_.run_until_done(socket->read(seconds(20))).value_or("error"), "x");
}

TEST_F(WebSocketTest, JoinsFragmentsAndAnswersPings) {
  listen(echo_messages);
  std::string first = masked(FrameKind::kBinary, "Hel");
  first[0] = 0x02;  // not the last piece
  std::string last = masked(FrameKind::kBinary, "lo");
  last[0] = static_cast<char>(0x80);
  auto items =
      answers(first + masked(FrameKind::kPing, "p") + last + masked(FrameKind::kClose, close_payload(1000, "")));
  bool echoed = false;
  bool ponged = false;
  for (const WebSocketItem& item : items) {
    echoed |= item.kind == FrameKind::kBinary && item.payload == "Hello";
    ponged |= item.kind == FrameKind::kPong && item.payload == "p";
  }
  EXPECT_TRUE(echoed);
  EXPECT_TRUE(ponged);
  ASSERT_FALSE(items.empty());
  EXPECT_EQ(items.back().kind, FrameKind::kClose);
  EXPECT_EQ(items.back().code, 1000);
}

TEST_F(WebSocketTest, ClosesOnViolations) {
  Code seen = Code::kUnknown;
  listen([&](Exchange& exchange) -> Async<void> {
    auto socket = co_await exchange.accept_websocket("test", 1000);
    EXPECT_TRUE(socket);
    Result<std::string> message = co_await (*socket)->read(seconds(20));
    seen = message ? Code::kUnknown : message.error().code;
  });
  std::string text = masked(FrameKind::kBinary, "text");
  text[0] = static_cast<char>(0x81);
  std::string unmasked;
  append_frame(unmasked, WebSocketRole::kServer, FrameKind::kBinary, "x");
  struct Case {
    std::string frames;
    std::uint16_t close;
    Code code;
  };
  for (const Case& one : {Case{text, 1003, Code::kInvalidArgument}, Case{unmasked, 1002, Code::kInvalidArgument},
                          Case{masked(FrameKind::kBinary, std::string(1001, 'x')), 1009, Code::kResourceExhausted}}) {
    auto items = answers(one.frames);
    ASSERT_EQ(items.size(), 1U);
    EXPECT_EQ(items[0].kind, FrameKind::kClose);
    EXPECT_EQ(items[0].code, one.close);
    run_until([&] { return seen == one.code; });
    seen = Code::kUnknown;
  }
}

TEST_F(WebSocketTest, CloseTellsThePeer) {
  Result<std::string> seen;
  bool ended = false;
  listen([&](Exchange& exchange) -> Async<void> {
    auto socket = co_await exchange.accept_websocket("test", kLimit);
    EXPECT_TRUE(socket);
    seen = co_await (*socket)->read(seconds(20));
    EXPECT_FALSE(co_await (*socket)->write("late"));
    ended = true;
  });
  auto socket = open();
  socket->close(4000, "enough");
  run_until([&] { return ended; });
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().code, Code::kUnavailable);
  EXPECT_NE(seen.error().message.find("4000"), std::string::npos) << seen.error().message;
  EXPECT_NE(seen.error().message.find("enough"), std::string::npos);
  EXPECT_FALSE(loop_.run_until_done(socket->read(seconds(1))));
  EXPECT_FALSE(loop_.run_until_done(socket->write("x")));
}

TEST_F(WebSocketTest, CloseFailsWhoWaits) {
  listen(echo_messages);
  auto socket = open();
  bool failed = false;
  loop_.spawn([](WebSocket& on, bool& flag) -> Async<void> { flag = !co_await on.read(minutes(5)); }(*socket, failed));
  loop_.spawn([](WebSocket& on) -> Async<void> {
    on.close(1000, "");
    co_return;
  }(*socket));
  run_until([&] { return failed; });
}

TEST_F(WebSocketTest, CutEndsIt) {
  Cuttable* connection = nullptr;
  listen([&](Exchange& exchange) -> Async<void> {
    connection = &exchange.connection();
    co_await echo_messages(exchange);
  });
  auto socket = open();
  connection->cut();
  Result<std::string> message = loop_.run_until_done(socket->read(seconds(20)));
  ASSERT_FALSE(message);
  EXPECT_EQ(message.error().code, Code::kUnavailable);
}

TEST_F(WebSocketTest, APeerThatDoesNotReadIsCut) {
  bool cut = false;
  listen([&](Exchange& exchange) -> Async<void> {
    auto socket = co_await exchange.accept_websocket("test", kLimit);
    EXPECT_TRUE(socket);
    int failed = 0;
    auto one = [](WebSocket& on, int& count, Code& code) -> Async<void> {
      Result<void> written = co_await on.write(std::string(10 * kMiB, 'x'));
      if (written) co_return;
      ++count;
      if (written.error().code == Code::kResourceExhausted) code = written.error().code;
    };
    Code code = Code::kUnknown;
    for (int i = 0; i < 12; ++i) loop_.spawn(one(**socket, failed, code));
    while (code == Code::kUnknown || failed < 3) co_await sleep_for(milliseconds(1));
    cut = true;
  });
  auto socket = open();
  run_until([&] { return cut; });
}

TEST_F(WebSocketTest, ReadsAndWritesAtOnce) {
  constexpr int kMessages = 3000;
  listen(echo_messages);
  auto socket = open();
  int read = 0;
  int written = 0;
  auto content = [](int i) { return std::string(static_cast<std::size_t>(i * 37 % 20'000), static_cast<char>(i)); };
  auto reader = [&](WebSocket& on) -> Async<void> {
    for (; read < kMessages; ++read) {
      Result<std::string> message = co_await on.read(seconds(20));
      EXPECT_TRUE(message);
      if (!message) co_return;
      EXPECT_EQ(message->size(), content(read).size());
      if (*message != content(read)) ADD_FAILURE() << read;
    }
  };
  auto writer = [&](WebSocket& on) -> Async<void> {
    for (int i = 0; i < kMessages; ++i) {
      // Several writes at a time, in order: they leave together.
      loop_.spawn([](WebSocket& to, std::string text, int& count) -> Async<void> {
        EXPECT_TRUE(co_await to.write(std::move(text)));
        ++count;
      }(on, content(i), written));
      if (i % 7 == 0) co_await sleep_for(microseconds(1));
    }
  };
  loop_.spawn(reader(*socket));
  loop_.run_until_done(writer(*socket));
  run_until([&] { return read == kMessages && written == kMessages; });
}

TEST_F(WebSocketTest, TakesOverTheConnectionThatServedARequest) {
  listen(
      [](Exchange& exchange) { return exchange.head().path == "/" ? echo_messages(exchange) : echo_path(exchange); });
  client_ = make_client();
  ASSERT_TRUE(get(*client_, "/proof"));
  auto socket = loop_.run_until_done(client_->websocket("/", {}, "test", kLimit));
  ASSERT_TRUE(socket) << socket.error().message;
  EXPECT_EQ(server_->connections(), 1U);
  // It is the WebSocket's from now on.
  ASSERT_TRUE(get(*client_, "/more"));
  EXPECT_EQ(server_->connections(), 2U);
  ASSERT_TRUE(loop_.run_until_done((*socket)->write("x")));
  EXPECT_EQ(loop_.run_until_done((*socket)->read(seconds(20))).value_or("error"), "x");
}

TEST_F(WebSocketTest, ReplacesAStaleConnectionOnce) {
  int upgrades = 0;
  listen([&](Exchange& exchange) -> Async<void> {
    if (exchange.head().path != "/") co_return co_await echo_path(exchange);
    if (++upgrades != 2) co_return exchange.connection().cut();
    co_await echo_messages(exchange);
  });
  client_ = make_client();
  ASSERT_TRUE(get(*client_, "/proof"));
  auto second = loop_.run_until_done(client_->websocket("/", {}, "test", kLimit));
  EXPECT_TRUE(second) << second.error().message;
  EXPECT_EQ(upgrades, 2);
  auto third = loop_.run_until_done(client_->websocket("/", {}, "test", kLimit));
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::kUnavailable);
  EXPECT_EQ(upgrades, 3);
}

TEST_F(WebSocketTest, TheUpgradeIsChecked) {
  listen(echo_messages);
  auto client = make_client();
  Result<Response> plain = get(*client, "/");
  ASSERT_TRUE(plain);
  EXPECT_EQ(plain->status, 426U);
  auto refused = loop_.run_until_done(client->websocket("/", {}, "unknown", kLimit));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kFailedPrecondition);
  EXPECT_NE(refused.error().message.find("400"), std::string::npos);
  std::string bad = kUpgrade;
  bad.replace(bad.find("dGhlIHNh"), 8, "xxxx");
  bad.insert(bad.size() - 2, "Connection: close\r\n");
  EXPECT_TRUE(answers_to(bad).starts_with("HTTP/1.1 400"));
}

}  // namespace
}  // namespace hearth::net
