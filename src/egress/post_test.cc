#include "egress/post.h"

#include <cstdlib>
#include <filesystem>
#include <map>
#include <thread>

#include <gtest/gtest.h>
#include <openssl/ssl.h>
#include <unistd.h>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>

namespace hearth::egress {
namespace {

using Tcp = asio::ip::tcp;

// A receiver on a thread of its own that answers each connection with the next text of a list, and names as the test
// likes them. 127.0.0.1 stands for a public address unless the test judges it strictly.
class PostTest : public testing::Test {
 public:
  PostTest() : acceptor_(context_, Tcp::endpoint(asio::ip::address_v4::loopback(), 0)) {}
  ~PostTest() override {
    const std::string port = std::to_string(acceptor_.local_endpoint().port());
    stopping_ = true;
    if (thread_.joinable()) {
      asio::io_context context;
      Tcp::socket last(context);
      asio::error_code ignored;
      last.connect(acceptor_.local_endpoint(), ignored);
      thread_.join();
    }
    SSL_CTX_free(tls_);
  }

 protected:
  void serve(std::vector<std::string> answers) {
    thread_ = std::thread([this, answers = std::move(answers)] {
      for (std::size_t i = 0;; ++i) {
        asio::error_code error;
        Tcp::socket socket = acceptor_.accept(error);
        if (error || stopping_ || i == answers.size()) return;
        tls_ != nullptr ? answer_by_tls(socket, answers[i]) : answer(socket, answers[i]);
      }
    });
  }
  void answer(Tcp::socket& socket, const std::string& text) {
    asio::error_code error;
    std::string request;
    const std::size_t head = asio::read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n", error);
    if (!error && request.size() < head + 4) {
      asio::read(socket, asio::dynamic_buffer(request), asio::transfer_exactly(head + 4 - request.size()), error);
    }
    received_.push_back(request);
    if (text != "silence") asio::write(socket, asio::buffer(text), error);
    if (text == "silence") std::this_thread::sleep_for(std::chrono::milliseconds(700));
  }
  void answer_by_tls(Tcp::socket& socket, const std::string& text) {
    SSL* ssl = SSL_new(tls_);
    SSL_set_fd(ssl, socket.native_handle());
    if (SSL_accept(ssl) == 1) {
      char piece[4096];
      const int count = SSL_read(ssl, piece, sizeof piece);
      received_.emplace_back(piece, count > 0 ? static_cast<std::size_t>(count) : 0);
      SSL_write(ssl, text.data(), static_cast<int>(text.size()));
      SSL_shutdown(ssl);
    }
    SSL_free(ssl);
  }

  Message message(const std::string& url, bool may_be_private = false) {
    Message made{.url = *net::parse_web_url(url), .headers = {}, .body = "body", .may_be_private = may_be_private};
    made.url.endpoint.port = acceptor_.local_endpoint().port();
    made.headers.add("webhook-id", "msg_1");
    return made;
  }
  Result<unsigned> post(Message message, bool strict = false) {
    Poster poster({.resolve = [this](std::string host, Time) -> net::Async<Result<std::vector<asio::ip::address>>> {
                     if (host == "nowhere.example") co_return fail(Code::kUnavailable, "no address is known");
                     std::vector<asio::ip::address> found;
                     for (const char* text : names_[host]) found.push_back(asio::ip::make_address(text));
                     co_return found;
                   },
                   .own_ranges = [] { return std::vector<AddressRange>(); },
                   .refusal =
                       [strict](const asio::ip::address& address, const std::vector<AddressRange>& own) {
                         return !strict && address.is_loopback() ? "" : refusal_of(address, own);
                       }});
    net::Loop loop;
    return loop.run_until_done(poster.post(std::move(message)));
  }

  std::map<std::string, std::vector<const char*>> names_ = {
      {"a.example", {"127.0.0.1"}}, {"b.example", {"127.0.0.1"}}, {"inner.example", {"127.0.0.1", "10.1.2.3", "::1"}}};
  asio::io_context context_;
  Tcp::acceptor acceptor_;
  std::atomic<bool> stopping_ = false;
  std::vector<std::string> received_;  // to be read once the thread has answered
  SSL_CTX* tls_ = nullptr;
  std::thread thread_;
};

TEST_F(PostTest, SendsOneRequestAndReadsNoMoreThanTheStatus) {
  serve({"HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nx",
         "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Oh\r\n\r\n"});
  const auto first = post(message("http://a.example/hooks/7?x=1"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(*first, 204U);
  EXPECT_EQ(post(message("http://a.example/")), 200U);
  EXPECT_EQ(post(message("http://a.example/")), 500U);
  const std::string port = std::to_string(acceptor_.local_endpoint().port());
  EXPECT_TRUE(received_[0].starts_with("POST /hooks/7?x=1 HTTP/1.1\r\n")) << received_[0];
  EXPECT_NE(received_[0].find("\r\nHost: a.example:" + port + "\r\n"), std::string::npos);
  EXPECT_NE(received_[0].find("\r\nwebhook-id: msg_1\r\n"), std::string::npos);
  EXPECT_TRUE(received_[0].ends_with("\r\n\r\nbody"));
}

TEST_F(PostTest, FollowsNobodyElsewhere) {
  serve({"HTTP/1.1 302 Found\r\nLocation: http://b.example/\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"});
  EXPECT_EQ(post(message("http://a.example/")), 302U);
  EXPECT_EQ(received_.size(), 1U);
}

TEST_F(PostTest, RefusesAddressesThatAreNotTheInternets) {
  serve({"HTTP/1.1 200 OK\r\n\r\n"});
  for (const char* url : {"http://a.example/", "http://inner.example/"}) {
    const auto refused = post(message(url), true);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Code::kPermissionDenied) << refused.error().message;
  }
  EXPECT_TRUE(received_.empty()) << "something was sent";
  EXPECT_EQ(post(message("http://inner.example/", true), true), 200U) << "its owner allowed it";
  EXPECT_EQ(post(message("http://nowhere.example/")).error().code, Code::kUnavailable);
}

TEST_F(PostTest, BoundsWhatAnAnswerMayBe) {
  serve({"HTTP/1.1 200 OK\r\nX: " + std::string(20'000, 'x'), "SSH-2.0-server\r\n\r\n", "",
         "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 "
         "Continue\r\n\r\n"});
  EXPECT_EQ(post(message("http://a.example/")).error().code, Code::kResourceExhausted);
  EXPECT_EQ(post(message("http://a.example/")).error().code, Code::kInvalidArgument);
  EXPECT_EQ(post(message("http://a.example/")).error().code, Code::kUnavailable);
  EXPECT_EQ(post(message("http://a.example/")).error().code, Code::kResourceExhausted);
}

TEST_F(PostTest, WaitsNoLongerThanItMay) {
  serve({"silence"});
  Message slow = message("http://a.example/");
  slow.limit = milliseconds(200);
  EXPECT_EQ(post(slow).error().code, Code::kDeadlineExceeded);
}

// A certificate for a.example that vouches for itself.
class PostByTlsTest : public PostTest {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "post_test.XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
    const std::string command = "cd " + directory_.string() +
                                " && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                                "-keyout key.pem -out cert.pem -subj /CN=test -addext subjectAltName=DNS:a.example "
                                ">/dev/null 2>&1";
    if (std::system(command.c_str()) != 0) GTEST_SKIP() << "SKIPPED: no openssl to make a certificate with";
    tls_ = SSL_CTX_new(TLS_server_method());
    ASSERT_EQ(SSL_CTX_use_certificate_file(tls_, (directory_ / "cert.pem").c_str(), SSL_FILETYPE_PEM), 1);
    ASSERT_EQ(SSL_CTX_use_PrivateKey_file(tls_, (directory_ / "key.pem").c_str(), SSL_FILETYPE_PEM), 1);
  }
  void TearDown() override {
    ::unsetenv("SSL_CERT_FILE");
    std::filesystem::remove_all(directory_);
  }

  std::filesystem::path directory_;
};

TEST_F(PostByTlsTest, TrustsWhomTheSystemTrustsForThatNameAlone) {
  serve({"HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"});
  const auto unknown = post(message("https://a.example/"));
  ASSERT_FALSE(unknown) << "nobody vouches for it";
  EXPECT_EQ(unknown.error().code, Code::kUnavailable);
  ::setenv("SSL_CERT_FILE", (directory_ / "cert.pem").c_str(), 1);
  const auto other = post(message("https://b.example/"));
  EXPECT_FALSE(other) << "it is another's";
  EXPECT_TRUE(received_.empty()) << "something was sent";
  const auto known = post(message("https://a.example/"));
  ASSERT_TRUE(known) << known.error().message;
  EXPECT_EQ(*known, 200U);
  EXPECT_TRUE(received_.at(0).starts_with("POST / HTTP/1.1\r\n"));
}

}  // namespace
}  // namespace hearth::egress
