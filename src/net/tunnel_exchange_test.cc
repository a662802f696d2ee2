#include "net/tunnel_exchange.h"

#include <deque>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "net/crypto.h"
#include "net/tunnel.h"

namespace hearth::net {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// What the hub says, all of it at once, and what it hears.
class FakeTunnel final : public WebSocket {
 public:
  explicit FakeTunnel(std::deque<std::string> said) : said_(std::move(said)) {}

  Async<Result<std::string>> read(Duration) override {
    if (said_.empty()) co_return fail(Code::kUnavailable, "closed");
    std::string message = std::move(said_.front());
    said_.pop_front();
    co_return message;
  }
  Async<Result<void>> write(std::string message) override {
    EXPECT_LE(message.size(), kMaxTunnelMessage);
    EXPECT_FALSE(has_ended) << "a message after the last one";
    has_ended = message.empty();
    heard += message;
    co_return Result<void>();
  }
  void close(std::uint16_t, std::string_view) override { is_closed = true; }

  std::string heard;
  bool has_ended = false;
  bool is_closed = false;

 private:
  std::deque<std::string> said_;
};

class TunnelExchange : public testing::Test {
 protected:
  // What is heard of a handler's answer.
  std::string answer_to(std::deque<std::string> said, Server::Handler handler) {
    const auto tunnel = std::make_shared<FakeTunnel>(std::move(said));
    loop_.run_until_done(serve_tunnel(loop_, tunnel, std::move(handler)));
    EXPECT_TRUE(tunnel->is_closed);
    return tunnel->heard;
  }
  static Async<void> never(Exchange&) {
    ADD_FAILURE() << "it is no request";
    co_return;
  }

  Loop loop_;
  Workers workers_{1};
};

TEST_F(TunnelExchange, AnswersOneRequestWhateverPiecesItComesIn) {
  const std::string heard = answer_to(
      {"POST /space/data/1?node=a%20b HT", "TP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n012", "3456", "789"},
      [](Exchange& exchange) -> Async<void> {
        EXPECT_EQ(exchange.head().method, "POST");
        EXPECT_EQ(exchange.head().path, "/space/data/1");
        const Result<std::string> body = co_await exchange.read_whole_body(10);
        EXPECT_EQ(body.value_or(""), "0123456789");
        co_await exchange.reply(text_response(403, "no"));
      });
  EXPECT_THAT(heard, StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(heard, HasSubstr("Connection: close\r\n"));
  EXPECT_THAT(heard, EndsWith(text_response(403, "no").body));
}

TEST_F(TunnelExchange, RefusesWhatIsNoRequest) {
  EXPECT_THAT(answer_to({"hello\r\n\r\n"}, never), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(answer_to({"GET / HTTP/1.1\r\nX: ", std::string(40'000, 'x')}, never), StartsWith("HTTP/1.1 431 "));
  EXPECT_EQ(answer_to({"GET / HTTP/1.1\r\n", ""}, never), "") << "nobody waits for an answer";
  EXPECT_EQ(answer_to({}, never), "");
}

TEST_F(TunnelExchange, ABodyThatEndsTooEarlyIsNoBody) {
  const std::string head = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n";
  std::optional<Code> code;
  answer_to({head + "0123", ""}, [&](Exchange& exchange) -> Async<void> {
    const Result<std::string> body = co_await exchange.read_whole_body(10);
    if (!body) code = body.error().code;
    EXPECT_TRUE(exchange.gone());
  });
  EXPECT_EQ(code, Code::kUnavailable);
  answer_to({head + "0123456789"}, [&](Exchange& exchange) -> Async<void> {
    const Result<std::string> body = co_await exchange.read_whole_body(9);
    if (!body) code = body.error().code;
    co_await exchange.reply(text_response(413, "too long"));
  });
  EXPECT_EQ(code, Code::kResourceExhausted);
}

TEST_F(TunnelExchange, GivesAFileInPieces) {
  const std::string bytes = random_bytes(300'000);
  const int file = ::memfd_create("tunnel-exchange", MFD_CLOEXEC);
  ASSERT_EQ(::write(file, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  for (const std::string method : {"GET", "HEAD"}) {
    const std::string heard =
        answer_to({method + " / HTTP/1.1\r\nHost: localhost\r\n\r\n"}, [&](Exchange& exchange) -> Async<void> {
          EXPECT_TRUE(co_await exchange.start(200, {}, 299'000));
          EXPECT_TRUE(co_await exchange.write_file(file, 1'000, 299'000, workers_));
          EXPECT_TRUE(co_await exchange.finish());
        });
    EXPECT_THAT(heard, HasSubstr("Content-Length: 299000\r\n"));
    const std::string body = heard.substr(heard.find("\r\n\r\n") + 4);
    EXPECT_TRUE(body == (method == "GET" ? bytes.substr(1'000) : "")) << body.size();
  }
  ::close(file);
}

TEST_F(TunnelExchange, WhoeverForgotToAnswerIsAnsweredFor) {
  EXPECT_THAT(answer_to({"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"}, [](Exchange&) -> Async<void> { co_return; }),
              StartsWith("HTTP/1.1 500 "));
}

}  // namespace
}  // namespace hearth::net
