#include "net/http_message.h"

#include <gtest/gtest.h>

namespace hearth::net {
namespace {

std::string head(std::string_view start, std::string_view fields = "Host: h\r\n") {
  return std::string(start) + "\r\n" + std::string(fields) + "\r\n";
}

TEST(RequestHead, IsParsed) {
  auto request =
      parse_request_head(head("POST /a%2Fb/c%20d?x=%201 HTTP/1.1", "Host: h:1\r\nContent-Length: 12\r\nX:  y \r\n"));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->head.method, "POST");
  EXPECT_EQ(request->head.path, "/a/b/c d");
  EXPECT_EQ(request->head.query, "x=%201");
  EXPECT_EQ(request->head.headers.get("x"), "y");
  EXPECT_EQ(request->head.content_length, 12U);
  EXPECT_TRUE(request->keep_alive);
}

TEST(RequestHead, WithoutABodyHasLengthZero) {
  auto request = parse_request_head(head("GET / HTTP/1.1"));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->head.content_length, 0U);
}

TEST(RequestHead, ChunkedHasNoLength) {
  auto request = parse_request_head(head("PUT / HTTP/1.1", "Host: h\r\nTransfer-Encoding: Chunked\r\n"));
  ASSERT_TRUE(request);
  EXPECT_EQ(request->head.content_length, std::nullopt);
  EXPECT_EQ(request->body.kind, BodyFraming::Kind::kChunked);
}

TEST(RequestHead, SaysWhetherTheConnectionStays) {
  EXPECT_FALSE(parse_request_head(head("GET / HTTP/1.0"))->keep_alive);
  EXPECT_FALSE(parse_request_head(head("GET / HTTP/1.1", "Host: h\r\nConnection: foo, Close\r\n"))->keep_alive);
  EXPECT_TRUE(parse_request_head(head("GET / HTTP/1.0", "Host: h\r\nConnection: keep-alive\r\n"))->keep_alive);
}

struct BadHead {
  std::string text;
  unsigned status;
};

TEST(RequestHead, IsRefusedWhereReadersCouldDiffer) {
  std::string many = "Host: h\r\n";
  for (int i = 0; i < 200; ++i) many += "a: b\r\n";
  const BadHead cases[] = {
      {head("GET / HTTP/1.1", ""), 400},
      {head("GET / HTTP/1.1", "Host: a\r\nHost: b\r\n"), 400},
      {head("POST / HTTP/1.1", "Host: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
      {head("POST / HTTP/1.1", "Host: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400},
      {head("POST / HTTP/1.1", "Host: h\r\nTransfer-Encoding: gzip\r\nContent-Length: 1\r\n"), 501},
      {head("POST / HTTP/1.1", "Host: h\r\nTransfer-Encoding: gzip, chunked\r\n"), 501},
      {head("POST / HTTP/1.1", "Host: h\r\nTransfer-Encoding: chunked, identity\r\n"), 501},
      {head("POST / HTTP/1.1", "Host: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {head("POST / HTTP/1.0", "Host: h\r\nTransfer-Encoding: chunked\r\n"), 400},
      {head("POST / HTTP/1.1", "Host: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n"), 400},
      {head("POST / HTTP/1.1", "Host: h\r\nContent-Length: -1\r\n"), 400},
      {head("POST / HTTP/1.1", "Host: h\r\nContent-Length: 99999999999999999999999\r\n"), 400},
      {head("GET / HTTP/1.1", "Host: h\r\nX: a\r\n b\r\n"), 400},
      {head("GET / HTTP/1.1", "Host: h\r\n X: a\r\n"), 400},
      {head("GET / HTTP/1.1", "Host: h\r\nX : a\r\n"), 400},
      {head("GET / HTTP/1.1", "Host: h\nX: a\r\n"), 400},
      {head("GET / HTTP/1.1", "Host: h\r\nno colon\r\n"), 400},
      {head("GET / HTTP/1.1", std::string("Host: h\r\nX: a\0b\r\n", 17)), 400},
      {head("GET / HTTP/1.1", many), 431},
      {head("GET / HTTP/1.1", "Host: h\r\nExpect: magic\r\n"), 417},
      {head("GET /a/../b HTTP/1.1"), 400},
      {head("GET /a/%2e%2E/b HTTP/1.1"), 400},
      {head("GET /.. HTTP/1.1"), 400},
      {head("GET /a%2f%2fb HTTP/1.1"), 400},
      {head("GET /%00 HTTP/1.1"), 400},
      {head("GET /%4 HTTP/1.1"), 400},
      {head("GET /%xy HTTP/1.1"), 400},
      {head("GET /a#b HTTP/1.1"), 400},
      {head("GET https://h/ HTTP/1.1"), 400},
      {head("OPTIONS * HTTP/1.1"), 400},
      {head("GET  / HTTP/1.1"), 400},
      {head("GET / HTTP/2.0"), 505},
      {head("GET /"), 400},
      {"\r\n\r\n", 400},
  };
  for (const BadHead& one : cases) {
    auto request = parse_request_head(one.text);
    ASSERT_FALSE(request) << one.text;
    EXPECT_EQ(request.error().status, one.status) << one.text << request.error().message;
  }
}

TEST(RequestHead, DotsWithinNamesAreFine) {
  auto request = parse_request_head(head("GET /a..b/...c/..d HTTP/1.1"));
  ASSERT_TRUE(request) << request.error().message;
  EXPECT_EQ(request->head.path, "/a..b/...c/..d");
}

TEST(ResponseHead, KnowsItsBody) {
  auto whole = parse_response_head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false);
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole->status, 200U);
  EXPECT_EQ(whole->body.length, 5U);
  EXPECT_EQ(parse_response_head("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true)->body.length, 0U);
  EXPECT_EQ(parse_response_head("HTTP/1.1 304 Not\r\nContent-Length: 5\r\n\r\n", false)->body.length, 0U);
  auto open = parse_response_head("HTTP/1.1 200 OK\r\n\r\n", false);
  ASSERT_TRUE(open);
  EXPECT_EQ(open->body.kind, BodyFraming::Kind::kUntilEnd);
  EXPECT_FALSE(open->keep_alive);
  EXPECT_FALSE(parse_response_head("HTTP/1.1 2x0 OK\r\n\r\n", false));
}

// Everything that the decoder makes of the bytes, given in pieces of `piece` bytes.
Result<std::string> decoded(std::string_view bytes, std::size_t piece, std::string* rest = nullptr) {
  BodyDecoder decoder({BodyFraming::Kind::kChunked, 0});
  std::string out;
  std::string buffer;
  while (!decoder.done()) {
    Result<BodyDecoder::Step> step = decoder.decode(buffer, 3);
    if (!step) return std::unexpected(step.error());
    out += step->body;
    buffer.erase(0, step->consumed);
    if (step->consumed > 0) continue;
    if (bytes.empty()) return std::unexpected(decoder.end_of_input().error());
    buffer += bytes.substr(0, piece);
    bytes.remove_prefix(std::min(piece, bytes.size()));
  }
  if (rest != nullptr) *rest = buffer + std::string(bytes);
  return out;
}

TEST(BodyDecoder, DecodesChunksInAnyPieces) {
  std::string body = "4\r\nWiki\r\n00A;x=\"y\"\r\n0123456789\r\n0\r\nT: 1\r\nU: 2\r\n\r\nnext";
  for (std::size_t piece = 1; piece <= body.size(); ++piece) {
    std::string rest;
    Result<std::string> out = decoded(body, piece, &rest);
    ASSERT_TRUE(out) << out.error().message;
    EXPECT_EQ(*out, "Wiki0123456789");
    EXPECT_EQ(rest, "next");
  }
}

TEST(BodyDecoder, RefusesBadChunks) {
  for (std::string body : {"\r\n", "x\r\n", "-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "1\r\nab\r\n",
                           "ffffffffffffffff\r\n", "1\r\nabc", "1\n\r\na\r\n"}) {
    Result<std::string> out = decoded(body, 100);
    ASSERT_FALSE(out) << body;
    EXPECT_EQ(out.error().code, Code::kInvalidArgument) << body;
  }
  EXPECT_EQ(decoded("1;" + std::string(1000, 'x'), 100).error().code, Code::kInvalidArgument);
  std::string trailers = "0\r\n";
  for (int i = 0; i < 1000; ++i) trailers += "name: value\r\n";
  EXPECT_EQ(decoded(trailers, 100).error().code, Code::kInvalidArgument);
}

TEST(BodyDecoder, NoticesAnEarlyEnd) {
  EXPECT_EQ(decoded("4\r\nWi", 100).error().code, Code::kUnavailable);
  BodyDecoder length({BodyFraming::Kind::kLength, 2});
  EXPECT_EQ(length.decode("abc", 10)->body, "ab");
  EXPECT_TRUE(length.done());
  BodyDecoder open({BodyFraming::Kind::kUntilEnd, 0});
  EXPECT_EQ(open.decode("abc", 10)->body, "abc");
  EXPECT_FALSE(open.done());
  EXPECT_TRUE(open.end_of_input());
  EXPECT_TRUE(open.done());
}

TEST(ParseRequestHead, KeepsAPathAsItWasSentForThoseWhoHandItOn) {
  const auto path_of = [](const std::string& target, PathRule rule) {
    const auto request = parse_request_head("GET " + target + " HTTP/1.1\r\nHost: h\r\n\r\n", rule);
    return request ? request->head.path + "|" + request->head.query : std::to_string(request.error().status);
  };
  EXPECT_EQ(path_of("/a%2Fb//c/../d?x=%41", PathRule::kAsSent), "/a%2Fb//c/../d|x=%41");
  EXPECT_EQ(path_of("/a//b", PathRule::kPlain), "400");
  EXPECT_EQ(path_of("/%zz", PathRule::kAsSent), "/%zz|");
  EXPECT_EQ(path_of("http://h/a", PathRule::kAsSent), "400");
  EXPECT_EQ(path_of("*", PathRule::kAsSent), "400");
  EXPECT_EQ(path_of("/a#b", PathRule::kAsSent), "400");
}

TEST(Format, KeepsHeadersOnTheirLines) {
  Headers headers;
  headers.add("X", "a\r\nSet-Cookie: evil");
  EXPECT_EQ(format_response_head(200, headers), "HTTP/1.1 200 OK\r\nX: a  Set-Cookie: evil\r\n\r\n");
  EXPECT_EQ(format_request_head("GET", "/ HTTP/1.1\r\nX: y", {}), "GET / HTTP/1.1  X: y HTTP/1.1\r\n\r\n");
}

TEST(Format, WebSocketKeyOfRfc6455) {
  EXPECT_EQ(websocket_accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

}  // namespace
}  // namespace hearth::net
