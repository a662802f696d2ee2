// Bad input on the port: a clear error or a closed connection, bounded memory, and the server lives.
#include <poll.h>
#include <sys/resource.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "harness/api.h"
#include "harness/raw.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;
using testing::Not;

class HostileTest : public PoolFixture {
 protected:
  void SetUp() override {
    PoolFixture::SetUp();
    hub_ = pool().hub_process();
    port_ = pool().endpoint().port;
  }

  void TearDown() override {
    EXPECT_EQ(pool().hub_process(), hub_) << "the hub died of it";
    Api api(pool());
    const auto job = api.submit(shell("echo alive"));
    EXPECT_TRUE(job) << text_of(job.error());
    if (job) EXPECT_EQ(api.wait(*job).state(), v1::JOB_STATE_SUCCEEDED) << api.job(*job).DebugString();
    PoolFixture::TearDown();
  }

  std::uint16_t port() const { return port_; }
  std::string owner_header() { return "Authorization: Bearer " + Api(pool()).token() + "\r\n"; }

  // What comes back for these bytes, up to the end of the connection or 3 s.
  std::string answer_to(const std::string& bytes) {
    RawConnection connection(port_, Layer::kTls);
    connection.send(bytes);
    return connection.receive(seconds(3));
  }

 private:
  pid_t hub_ = 0;
  std::uint16_t port_ = 0;
};

int answers_in(const std::string& text) {
  int count = 0;
  for (std::size_t at = text.find("HTTP/1.1 "); at != std::string::npos; at = text.find("HTTP/1.1 ", at + 1)) ++count;
  return count;
}

TEST_F(HostileTest, MalformedRequestsAreRefused) {
  const std::string host = "Host: x\r\n";
  const std::vector<std::pair<std::string, std::string>> requests = {
      {"no HTTP", "GARBAGE\r\n\r\n"},
      {"binary", std::string("\0\1\2\3\xff\xfe\r\n\r\n", 10)},
      {"a version of the future", "GET / HTTP/9.9\r\n" + host + "\r\n"},
      {"a request line without end", "GET /" + std::string(200'000, 'a')},
      {"headers without end", "GET / HTTP/1.1\r\n" + host + "X: " + std::string(100'000, 'x')},
      {"many headers",
       [&] {
         std::string text = "GET / HTTP/1.1\r\n" + host;
         for (int i = 0; i < 20'000; ++i) text += "X" + std::to_string(i) + ": y\r\n";
         return text + "\r\n";
       }()},
      {"a length beyond all numbers",
       "POST /x HTTP/1.1\r\n" + host + "Content-Length: 99999999999999999999999\r\n\r\n"},
      {"a negative length", "POST /x HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n"},
      {"a length in words", "POST /x HTTP/1.1\r\n" + host + "Content-Length: ten\r\n\r\n"},
      {"two lengths", "POST /x HTTP/1.1\r\n" + host + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef"},
      {"a length and chunks",
       "POST /x HTTP/1.1\r\n" + host + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
      {"an unknown coding", "POST /x HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip, identity\r\n\r\n"},
      {"a NUL in a header", "GET / HTTP/1.1\r\n" + host + std::string("X: a\0b\r\n\r\n", 10)},
      {"a space before the colon", "GET / HTTP/1.1\r\n" + host + "Content-Length : 3\r\n\r\nabc"},
  };
  for (const auto& [name, request] : requests) {
    const std::string answer = answer_to(request);
    EXPECT_LE(answers_in(answer), 1) << name;
    if (!answer.empty()) EXPECT_THAT(answer, testing::MatchesRegex("HTTP/1\\.1 [45][0-9][0-9] [^$]*")) << name;
  }
}

TEST_F(HostileTest, ChunksThatLieAreRefused) {
  const std::string head = "POST /hearth.v1.JobService/List HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" +
                           owner_header() + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string& body : {std::string("zz\r\n{}\r\n0\r\n\r\n"), std::string("ffffffffffffffffffff\r\n{}"),
                                  std::string("-1\r\n{}\r\n0\r\n\r\n"), std::string("2\r\n{}XX0\r\n\r\n")}) {
    EXPECT_THAT(answer_to(head + body), Not(HasSubstr("HTTP/1.1 200"))) << body;
  }
  EXPECT_THAT(answer_to(head + "2\r\n{}\r\n0\r\n\r\n"), HasSubstr("HTTP/1.1 200")) << "the honest one is answered";
}

TEST_F(HostileTest, NoSecondRequestIsSmuggledIn) {
  const std::string body = R"({"spec":{"argv":["true"]},"requestId":"AAAAAAAAAAAAAAAAAAAAAA=="})";
  const std::string hidden =
      "POST /hearth.v1.JobService/Submit HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n" + owner_header() +
      "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  // What a proxy in front may read in another way than the server behind it.
  for (const std::string_view headers :
       {"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding:\013chunked\r\n", "Content-Length: 0\r\nContent-Length: 9\r\n", "Content-Length: 0, 0\r\n",
        "Content-Length: +0\r\n"}) {
    answer_to(fmt::format("POST /blob/x HTTP/1.1\r\nHost: x\r\n{}\r\n0\r\n\r\n{}", headers, hidden));
  }
  Api api(pool());
  const auto jobs = api.call<v1::ListJobsReply>("hearth.v1.JobService/List", v1::ListJobsRequest());
  ASSERT_TRUE(jobs) << text_of(jobs.error());
  EXPECT_EQ(jobs->jobs_size(), 0) << "a request hidden in another one's body was obeyed";
  // The same bytes as a request of their own are obeyed: the test can fail.
  EXPECT_THAT(answer_to(hidden), HasSubstr("jobId"));
}

TEST_F(HostileTest, HugeClaimsCostNothing) {
  const std::uint64_t before = resident_bytes(pool().hub_process());
  const std::string session = owner_header();
  std::vector<RawConnection> open;
  for (const std::string& who : {std::string(), session}) {
    for (const char* type : {"application/json", "application/proto", "application/connect+json"}) {
      for (int i = 0; i < 10; ++i) {
        open.emplace_back(port(), Layer::kTls);
        open.back().send("POST /hearth.v1.JobService/Submit HTTP/1.1\r\nHost: x\r\n" + who + "Content-Type: " + type +
                         "\r\nContent-Length: 1073741824\r\n\r\n" + std::string(100'000, '['));
      }
    }
  }
  for (RawConnection& connection : open) {
    const std::string answer = connection.receive(seconds(5), 20);
    EXPECT_THAT(answer, testing::AnyOf(HasSubstr(" 401 "), HasSubstr(" 413 "), HasSubstr(" 429 "), HasSubstr(" 404 "),
                                       HasSubstr(" 415 ")));
  }
  EXPECT_LT(resident_bytes(pool().hub_process()), before + 300 * kMiB);
}

TEST_F(HostileTest, WrongJsonIsRefusedByName) {
  const HeaderList headers = {{"Content-Type", "application/json"}, {"Authorization", "Bearer " + Api(pool()).token()}};
  const std::string get = "/hearth.v1.JobService/Get";
  std::string deep;
  for (int i = 0; i < 100'000; ++i) deep += "{\"spec\":";
  for (const std::string& body :
       {std::string("[]"), std::string("7"), std::string("{"), std::string("{\"jobId\":{\"a\":1}}"),
        std::string("{\"jobId\":\"x\"}"), std::string("{\"jobId\":-1}"), std::string("{\"jobId\":1e40}"),
        std::string("{\"taskLimit\":99999999999}"), std::string("{\"onlyFailed\":\"perhaps\"}"), deep,
        std::string("\xff\xfe\xfd"), std::string("{\"jobId\":1}}}}")}) {
    const HttpAnswer answer = https(port(), "POST", get, headers, body);
    EXPECT_EQ(answer.status, 400U) << body.substr(0, 60) << answer.head;
    EXPECT_THAT(answer.body, HasSubstr("invalid_argument"));
  }
  const HttpAnswer large = https(port(), "POST", get, headers, std::string(9 * kMiB, ' '));
  EXPECT_TRUE(large.status == 413 || large.status == 429 || large.status == 0) << large.head;
  const HttpAnswer unknown =
      https(port(), "POST", "/hearth.v1.JobService/List", headers, R"({"colour":"red","deep":{"x":[1,{"y":null}]}})");
  EXPECT_EQ(unknown.status, 200U) << "a newer client's fields are ignored: " << unknown.body;
}

TEST_F(HostileTest, RandomMessagesAreRefused) {
  const HeaderList headers = {{"Content-Type", "application/proto"},
                              {"Authorization", "Bearer " + Api(pool()).token()}};
  for (int i = 0; i < 100; ++i) {
    const HttpAnswer answer = https(port(), "POST", "/hearth.v1.JobService/Submit", headers, net::random_bytes(200));
    EXPECT_EQ(answer.status, 400U) << answer.body;
  }
}

TEST_F(HostileTest, BrokenEnvelopesEndTheStream) {
  const std::string head =
      "POST /hearth.v1.NodeService/Watch HTTP/1.1\r\nHost: x\r\nContent-Type: "
      "application/connect+proto\r\nConnection: close\r\n" +
      owner_header();
  for (const std::string& body :
       {std::string("\0\xff\xff\xff\xff", 5), std::string("\1\0\0\0\0", 5), std::string("\x80\0\0\0\0", 5),
        std::string("\0\0\0", 3), std::string("\0\0\0\0\5ab", 7), std::string("\0\0\0\0\3\xff\xff\xff", 8),
        std::string()}) {
    const std::string answer = answer_to(fmt::format("{}Content-Length: {}\r\n\r\n{}", head, body.size(), body));
    EXPECT_THAT(answer, Not(HasSubstr("snapshot"))) << to_hex(body);
    EXPECT_THAT(answer, HasSubstr("error")) << to_hex(body) << answer;
  }
}

TEST_F(HostileTest, PathsLeadNowhereElse) {
  const std::string session = owner_header();
  for (const char* path :
       {"/blob/../../etc/passwd", "/blob/..%2f..%2fetc%2fpasswd", "/blob/%2e%2e/%2e%2e/hub/identity.pem",
        "/../../etc/passwd", "//etc/passwd", "/..;/etc/passwd", "/blob/%00", "/blob/", "/blob/zz", "/blob/-1",
        "/assets/../../../etc/passwd", "/%c0%ae%c0%ae/etc/passwd", "/blob/....//....//etc/passwd", "/blob/~root",
        "http://other/etc/passwd", "*"}) {
    for (const char* method : {"GET", "PUT", "DELETE"}) {
      const std::string answer = answer_to(std::string(method) + " " + path + " HTTP/1.1\r\nHost: x\r\n" + session +
                                           "Connection: close\r\nContent-Length: 0\r\n\r\n");
      EXPECT_THAT(answer, Not(HasSubstr("root:"))) << path;
      EXPECT_THAT(answer, Not(HasSubstr("PRIVATE KEY"))) << path;
      EXPECT_THAT(answer, Not(HasSubstr("HTTP/1.1 201"))) << method << path;
    }
  }
}

TEST_F(HostileTest, BlobsAreWhatTheirNamesSay) {
  Api api(pool());
  EXPECT_EQ(api.put_blob(net::sha256("one"), "another"), 400U);
  EXPECT_FALSE(api.get_blob(net::sha256("one"))) << "bytes of another digest were kept";
  EXPECT_EQ(api.put_blob("short", "x"), 400U);
  // A body that stops half way leaves nothing.
  const std::string digest = net::sha256(std::string(kMiB, 'h'));
  {
    RawConnection half(port(), Layer::kTls);
    half.send("PUT /blob/" + to_hex(digest) + " HTTP/1.1\r\nHost: x\r\n" + owner_header() +
              "Content-Length: 1048576\r\n\r\n" + std::string(1000, 'h'));
  }
  EXPECT_FALSE(api.get_blob(digest));
}

TEST_F(HostileTest, GarbageInsteadOfTlsIsClosed) {
  const std::string old_hello("\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03", 10);
  for (const std::string& bytes : {net::random_bytes(10'000), std::string("GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
                                   old_hello, std::string("\x16\x03\x01\xff\xff", 5) + net::random_bytes(70'000)}) {
    RawConnection connection(port(), Layer::kTcp);
    connection.send(bytes);
    EXPECT_TRUE(connection.closed_within(seconds(20)));
  }
}

TEST_F(HostileTest, HalfHeadsAreClosed) {
  RawConnection slow(port(), Layer::kTls);
  slow.send("GET / HTTP/1.1\r\nHost: ");
  EXPECT_TRUE(slow.closed_within(seconds(20))) << "a head may take 10 s";
}

// 10,000 connections that say nothing.
class SilenceTest : public HostileTest {
 protected:
  static constexpr int kConnections = 10'000;

  void SetUp() override {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    before_ = limit.rlim_cur;
    ASSERT_GE(limit.rlim_max, static_cast<rlim_t>(kConnections + 500))
        << "this machine allows a process too few files for the test (ulimit -Hn)";
    HostileTest::SetUp();  // the daemons raise their own limit
    limit.rlim_cur = limit.rlim_max;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  }

  static bool all_closed(std::vector<RawConnection>& connections) {
    while (!connections.empty() && connections.back().closed_within(milliseconds(0))) connections.pop_back();
    return connections.empty();
  }

 private:
  rlim_t before_ = 0;
};

TEST_F(SilenceTest, TenThousandSilentConnectionsAreBorneAndClosed) {
  const std::uint64_t before = resident_bytes(pool().hub_process());
  std::vector<RawConnection> silent;
  silent.reserve(kConnections);
  for (int i = 0; i < kConnections; ++i) silent.emplace_back(port(), Layer::kTcp);
  ASSERT_FALSE(HasFailure());
  Api api(pool());
  for (int i = 0; i < 20; ++i) {
    const auto reply = api.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest());
    EXPECT_TRUE(reply) << text_of(reply.error());
  }
  EXPECT_LT(resident_bytes(pool().hub_process()), before + 400 * kMiB) << "more than 40 kB a connection";
  EXPECT_TRUE(eventually(seconds(40), [&] { return all_closed(silent); }))
      << silent.size() << " connections that said nothing are still open";
}

}  // namespace
}  // namespace hearth::e2e
