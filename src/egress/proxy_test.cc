#include "egress/proxy.h"

#include <map>

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <asio/connect.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include "egress/resolver.h"

namespace hearth::egress {
namespace {

using Tcp = asio::ip::tcp;

// A host of the Internet, a guest's end of the proxy, and names as the test likes them. The one address that the test
// can serve, 127.0.0.1, stands for a public one unless the test judges it strictly.
class ProxyTest : public ::testing::Test {
 public:
  ProxyTest() : host_(loop_.executor(), Tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}
  ~ProxyTest() override {
    proxy_.reset();
    asio::error_code ignored;
    host_.close(ignored);
    loop_.stop();
    loop_.run();
  }

  std::uint16_t port() { return host_.local_endpoint().port(); }
  net::Endpoint at(std::string name) { return {std::move(name), port()}; }

  void serve(Rules rules, bool strict = false) {
    proxy_ = std::make_unique<Proxy>(
        loop_,
        World{.resolve = [this](std::string host, Time) -> net::Async<Result<std::vector<asio::ip::address>>> {
                ++lookups_;
                auto found = names_.find(host);
                if (found == names_.end()) co_return fail(Code::kUnavailable, "no address is known for " + host);
                std::vector<asio::ip::address> addresses;
                for (const char* text : found->second) addresses.push_back(asio::ip::make_address(text));
                co_return addresses;
              },
              .own_ranges = [] { return std::vector<AddressRange>(); },
              .refusal =
                  [strict](const asio::ip::address& address, const std::vector<AddressRange>& own) {
                    return !strict && address == asio::ip::make_address("127.0.0.1") ? "" : refusal_of(address, own);
                  }},
        std::move(rules));
    int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    ASSERT_EQ(::listen(listener, 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size);
    proxy_port_ = ntohs(address.sin_port);
    proxy_->listen(listener);
  }

  // Answers each connection by `reply` once it has read `until`; keeps what it read.
  net::Async<void> answer(std::string until, std::string reply) {
    for (;;) {
      asio::error_code error;
      Tcp::socket peer = co_await host_.async_accept(asio::redirect_error(asio::use_awaitable, error));
      if (error) co_return;
      std::string text;
      while (!text.contains(until) && !error) text += co_await read_some(peer, error);
      received_.push_back(text);
      co_await asio::async_write(peer, asio::buffer(reply), asio::redirect_error(asio::use_awaitable, error));
    }
  }

  static net::Async<std::string> read_some(Tcp::socket& socket, asio::error_code& error) {
    std::string piece(4096, '\0');
    std::size_t count =
        co_await socket.async_read_some(asio::buffer(piece), asio::redirect_error(asio::use_awaitable, error));
    piece.resize(count);
    co_return piece;
  }

  // Sends the pieces one after another, waiting for `between` to have come before each but the first; all that came.
  std::string ask(std::vector<std::string> pieces, const std::string& between = "\r\n\r\n") {
    return loop_.run_until_done(ask_async(std::move(pieces), between));
  }
  net::Async<std::string> ask_async(std::vector<std::string> pieces, std::string between) {
    asio::error_code error;
    Tcp::socket socket(loop_.executor());
    co_await socket.async_connect(Tcp::endpoint(asio::ip::address_v4::loopback(), proxy_port_),
                                  asio::redirect_error(asio::use_awaitable, error));
    std::string text;
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      while (i > 0 && !error && !text.contains(between)) text += co_await read_some(socket, error);
      co_await asio::async_write(socket, asio::buffer(pieces[i]), asio::redirect_error(asio::use_awaitable, error));
    }
    while (!error) text += co_await read_some(socket, error);
    co_return text;
  }
  std::string connect_to(const net::Endpoint& to) {
    return "CONNECT " + to.text() + " HTTP/1.1\r\nHost: " + to.text() + "\r\n\r\n";
  }

  net::Loop loop_;
  Tcp::acceptor host_;
  std::map<std::string, std::vector<const char*>> names_ = {{"a.example", {"127.0.0.1"}}};
  std::vector<std::string> received_;
  int lookups_ = 0;
  std::unique_ptr<Proxy> proxy_;
  std::uint16_t proxy_port_ = 0;
};

TEST_F(ProxyTest, TunnelsToAListedHost) {
  loop_.spawn(answer("ping", "pong"));
  serve({.allowed = {at("a.example")}});
  EXPECT_EQ(ask({connect_to(at("a.example")), "ping"}), "HTTP/1.1 200 Connection established\r\n\r\npong");
  EXPECT_EQ(proxy_->counts().connections, 1U);
  EXPECT_EQ(proxy_->counts().bytes_sent, 4U);
  EXPECT_EQ(proxy_->counts().bytes_received, 4U);
}

TEST_F(ProxyTest, TakesWhatComesBehindTheHead) {
  loop_.spawn(answer("ping", "pong"));
  serve({.allowed = {at("a.example")}});
  EXPECT_TRUE(ask({connect_to(at("a.example")) + "ping"}).ends_with("\r\n\r\npong"));
}

TEST_F(ProxyTest, SendsOneRequestOnAndNoMore) {
  loop_.spawn(answer("abcde", "HTTP/1.1 200 OK\r\n\r\nhello"));
  serve({.allowed = {at("a.example")}});
  std::string url = "http://" + at("a.example").text() + "/x";
  std::string reply =
      ask({"POST " + url +
           " HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nabcdeGET http://evil.example/ HTTP/1.1\r\n\r\n"});
  EXPECT_EQ(reply, "HTTP/1.1 200 OK\r\n\r\nhello");
  ASSERT_EQ(received_.size(), 1U);
  EXPECT_TRUE(received_[0].starts_with("POST /x HTTP/1.1\r\nHost: " + at("a.example").text()));
  EXPECT_TRUE(received_[0].ends_with("\r\n\r\nabcde"));
}

TEST_F(ProxyTest, RefusesWhatIsNotListed) {
  serve({.allowed = {at("a.example")}});
  names_["b.example"] = {"127.0.0.1"};
  for (const net::Endpoint& other :
       {at("b.example"), net::Endpoint{"a.example", 1}, at("127.0.0.1"), at("x.a.example")}) {
    std::string reply = ask({connect_to(other)});
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 403 ")) << reply;
    EXPECT_NE(reply.find("--net hosts="), std::string::npos) << "says what to do";
  }
  EXPECT_EQ(lookups_, 0) << "nothing is looked up for a stranger";
  EXPECT_EQ(proxy_->counts().refused, 4U);
}

TEST_F(ProxyTest, RefusesAddressesThatAreNotPublic) {
  const char* const private_ones[] = {"127.0.0.1", "10.0.0.1",         "192.168.1.1", "169.254.169.254", "100.64.0.1",
                                      "::1",       "::ffff:127.0.0.1", "fd00::1",     "fe80::1"};
  serve({.allowed = {at("a.example")}}, true);
  for (const char* text : private_ones) {
    names_["a.example"] = {text};
    std::string reply = ask({connect_to(at("a.example"))});
    EXPECT_TRUE(reply.starts_with("HTTP/1.1 403 ")) << text << reply;
  }
  EXPECT_EQ(proxy_->counts().connections, 0U);
}

TEST_F(ProxyTest, ConnectsToTheAddressThatWasJudged) {
  loop_.spawn(answer("ping", "pong"));
  serve({.allowed = {at("a.example")}});
  names_["a.example"] = {"10.1.2.3", "127.0.0.1", "192.168.0.1"};
  EXPECT_TRUE(ask({connect_to(at("a.example")), "ping"}).ends_with("pong")) << "the public one of several";
  EXPECT_EQ(lookups_, 1) << "one lookup: no second answer could differ";
}

TEST_F(ProxyTest, SaysWhatFailed) {
  serve({.allowed = {at("a.example"), at("nowhere.example"), {"a.example", 1}}});
  EXPECT_TRUE(ask({connect_to(at("nowhere.example"))}).starts_with("HTTP/1.1 502 "));
  EXPECT_TRUE(ask({connect_to({"a.example", 1})}).starts_with("HTTP/1.1 502 ")) << "nobody listens there";
  EXPECT_TRUE(ask({"nonsense\r\n\r\n"}).starts_with("HTTP/1.1 400 "));
  EXPECT_TRUE(ask({std::string(20'000, 'x')}).starts_with("HTTP/1.1 431 "));
}

TEST_F(ProxyTest, EndsAtTheCap) {
  loop_.spawn(answer("ping", std::string(100'000, 'p')));
  serve({.allowed = {at("a.example")}, .max_bytes = 50'000});
  EXPECT_LT(ask({connect_to(at("a.example")), "ping"}).size(), 100'000U);
  EXPECT_TRUE(ask({connect_to(at("a.example"))}).starts_with("HTTP/1.1 403 "));
}

// What a request's own words carry out is carried out too.
TEST_F(ProxyTest, CountsHeads) {
  const std::string get =
      "GET http://" + at("a.example").text() + "/" + std::string(4'000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n";
  serve({.allowed = {at("a.example")}, .max_bytes = 8'000});
  loop_.spawn(answer("\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"));
  EXPECT_TRUE(ask({get}).starts_with("HTTP/1.1 200 "));
  EXPECT_GT(proxy_->counts().bytes_sent, 4'000U);
  EXPECT_EQ(ask({get}), "") << "that would be more than it may";
}

TEST_F(ProxyTest, ServesSoManyAtOnceAndTheRestAfterwards) {
  loop_.spawn(answer("ping", "pong"));
  serve({.allowed = {at("a.example")}, .max_connections = 1});
  int done = 0;
  auto one = [&]() -> net::Async<void> {
    std::string reply = co_await ask_async({connect_to(at("a.example")), "ping"}, "\r\n\r\n");
    EXPECT_TRUE(reply.ends_with("pong"));
    ++done;
  };
  for (int i = 0; i < 8; ++i) loop_.spawn(one());
  loop_.run_until_done([&]() -> net::Async<void> {
    while (done < 8) co_await net::sleep_for(milliseconds(5));
  }());
  EXPECT_EQ(proxy_->counts().connections, 8U);
}

TEST_F(ProxyTest, StopEndsEveryConnection) {
  loop_.spawn(answer("never", ""));
  serve({.allowed = {at("a.example")}});
  loop_.spawn([](ProxyTest& test) -> net::Async<void> {
    while (test.proxy_->counts().connections == 0) co_await net::sleep_for(milliseconds(5));
    test.proxy_->stop();
  }(*this));
  EXPECT_EQ(ask({connect_to(at("a.example")), "ping"}), "HTTP/1.1 200 Connection established\r\n\r\n");
  EXPECT_EQ(ask({"x"}), "") << "nobody listens any more";
}

TEST_F(ProxyTest, DropsTheSilentAndTheIdle) {
  loop_.spawn(answer("never", ""));
  serve({.allowed = {at("a.example")}, .head_limit = milliseconds(50), .idle_limit = milliseconds(50)});
  EXPECT_EQ(ask({"CONNECT "}), "");
  EXPECT_EQ(ask({connect_to(at("a.example")), "ping"}), "HTTP/1.1 200 Connection established\r\n\r\n");
}

TEST(Resolver, FindsNamesAndAddresses) {
  net::Loop loop;
  Resolver resolver;
  Time due = loop.now() + seconds(20);
  auto found = loop.run_until_done(resolver.resolve("127.0.0.1", due));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), 1U);
  EXPECT_TRUE(loop.run_until_done(resolver.resolve("localhost", due)));
  EXPECT_FALSE(loop.run_until_done(resolver.resolve("nowhere.invalid", due)));
}

}  // namespace
}  // namespace hearth::egress
