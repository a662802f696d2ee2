#include "egress/request.h"

#include <gtest/gtest.h>

namespace hearth::egress {
namespace {

std::string head(std::string_view start, std::string_view fields = "Host: h\r\n") {
  return std::string(start) + "\r\n" + std::string(fields) + "\r\n";
}

TEST(ProxyRequest, OpensATunnel) {
  auto request = parse_proxy_request(
      head("CONNECT A.example:443 HTTP/1.1", "Host: other:1\r\nProxy-Authorization: Basic eA==\r\n"));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_TRUE(request->tunnel);
  EXPECT_EQ(request->destination, (net::Endpoint{"a.example", 443})) << "the target counts, not the Host field";
}

TEST(ProxyRequest, SendsPlainHttpOnInOriginForm) {
  auto request = parse_proxy_request(
      head("POST http://a.example:8080/x//y/../z?q=http://b HTTP/1.1",
           "Host: evil.example\r\nProxy-Connection: keep-alive\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n"
           "X-End: 2\r\nContent-Length: 5\r\n"));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_FALSE(request->tunnel);
  EXPECT_EQ(request->destination, (net::Endpoint{"a.example", 8080}));
  EXPECT_EQ(request->head,
            "POST /x//y/../z?q=http://b HTTP/1.1\r\nHost: a.example:8080\r\nX-End: 2\r\nContent-Length: "
            "5\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(request->body.length, 5U);
}

TEST(ProxyRequest, KnowsTheUsualForms) {
  EXPECT_EQ(parse_proxy_request(head("GET http://a.example HTTP/1.1"))->destination.port, 80);
  EXPECT_EQ(parse_proxy_request(head("GET HTTP://a.example?x HTTP/1.1"))->head,
            "GET /?x HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(parse_proxy_request(head("GET http://[2001:db8::1]/ HTTP/1.1"))->head,
            "GET / HTTP/1.1\r\nHost: [2001:db8::1]\r\nConnection: close\r\n\r\n");
  EXPECT_EQ(parse_proxy_request(head("PUT http://a/ HTTP/1.1", "Host: a\r\nTransfer-Encoding: chunked\r\n"))->body.kind,
            net::BodyFraming::Kind::kChunked);
}

TEST(ProxyRequest, RefusesWhatItDoesNotUnderstand) {
  for (const std::string& bad :
       {head("GET / HTTP/1.1"), head("GET https://a.example/ HTTP/1.1"), head("GET ftp://a.example/ HTTP/1.1"),
        head("CONNECT a.example HTTP/1.1"), head("CONNECT a.example:0 HTTP/1.1"),
        head("CONNECT http://a.example:443 HTTP/1.1"), head("CONNECT a.example:443  HTTP/1.1"),
        head("CONNECT  HTTP/1.1"), head("CONNECT a.example:443"), head("GET http://user@a.example/ HTTP/1.1"),
        head("GET http:///x HTTP/1.1"), head("GET http://a.example/#f HTTP/1.1"), head("GET http://a.example/ HTTP/2"),
        head("GET http://a.example/ HTTP/1.1", ""), head("GET http://a.example/ HTTP/1.1", "Host: a\r\nHost: b\r\n"),
        head("POST http://a.example/ HTTP/1.1", "Host: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"),
        head("GET http://a.example/ HTTP/1.1", "Host: a\r\n folded\r\n"), std::string("\r\n\r\n"), std::string("x")}) {
    auto parsed = parse_proxy_request(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_GE(parsed.error().status, 400U);
    EXPECT_FALSE(parsed.error().message.empty());
  }
}

TEST(AllowList, IsByNameAndPort) {
  const std::vector<net::Endpoint> allowed = {{"a.example", 443}, {"b.example", 80}};
  EXPECT_TRUE(is_allowed({"a.example", 443}, allowed));
  EXPECT_TRUE(is_allowed({"b.example", 80}, allowed));
  EXPECT_FALSE(is_allowed({"a.example", 80}, allowed));
  EXPECT_FALSE(is_allowed({"x.a.example", 443}, allowed)) << "no suffixes";
  EXPECT_FALSE(is_allowed({"a.example.evil", 443}, allowed));
  EXPECT_FALSE(is_allowed({"a.example", 443}, {}));
}

}  // namespace
}  // namespace hearth::egress
