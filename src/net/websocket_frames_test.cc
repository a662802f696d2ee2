#include "net/websocket_frames.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/bytes.h"
#include "base/sizes.h"

namespace hearth::net {
namespace {

constexpr auto kServer = WebSocketRole::kServer;
constexpr auto kClient = WebSocketRole::kClient;

std::string frame(WebSocketRole from, FrameKind kind, std::string_view payload) {
  std::string out;
  append_frame(out, from, kind, payload);
  return out;
}

// The first byte, and an unmasked payload: what a server sends.
std::string raw(int first, std::string_view payload) {
  return std::string(1, static_cast<char>(first)) + std::string(1, static_cast<char>(payload.size())) +
         std::string(payload);
}

struct Decoded {
  std::vector<WebSocketItem> items;
  std::uint16_t fault = 0;
};

Decoded decode(WebSocketRole role, std::string_view bytes, std::size_t piece, std::size_t limit = kMiB) {
  FrameDecoder decoder(role, limit);
  Decoded out;
  while (!bytes.empty()) {
    std::string_view input = bytes.substr(0, piece);
    bytes.remove_prefix(input.size());
    while (true) {
      auto item = decoder.next(input);
      if (!item) {
        out.fault = item.error().code;
        return out;
      }
      if (!*item) break;
      out.items.push_back(std::move(**item));
    }
  }
  return out;
}

TEST(WebSocketFrames, GoRoundInAnyPieces) {
  for (WebSocketRole from : {kServer, kClient}) {
    std::string bytes;
    for (std::size_t size : {0UL, 1UL, 125UL, 126UL, 65'535UL, 65'536UL, 100'000UL}) {
      bytes += frame(from, FrameKind::kBinary, std::string(size, static_cast<char>(size)));
    }
    bytes += frame(from, FrameKind::kPing, "p");
    for (std::size_t piece : {1UL, 7UL, 4096UL, kMiB}) {
      Decoded out = decode(from == kServer ? kClient : kServer, bytes, piece);
      ASSERT_EQ(out.items.size(), 8U);
      EXPECT_EQ(out.items[6].payload, std::string(100'000, static_cast<char>(100'000)));
      EXPECT_EQ(out.items[7].kind, FrameKind::kPing);
      EXPECT_EQ(out.items[7].payload, "p");
    }
  }
}

TEST(WebSocketFrames, OfTheRfcsExamples) {
  // RFC 6455, section 5.7: a masked pong "Hello"; a binary message in two pieces with a ping between.
  Decoded pong = decode(kServer, from_hex("8a8537fa213d7f9f4d5158").value(), 100);
  ASSERT_EQ(pong.items.size(), 1U);
  EXPECT_EQ(pong.items[0].payload, "Hello");
  Decoded pieces = decode(kClient, raw(0x02, "Hel") + raw(0x89, "x") + raw(0x80, "lo"), 100);
  ASSERT_EQ(pieces.items.size(), 2U);
  EXPECT_EQ(pieces.items[0].kind, FrameKind::kPing);
  EXPECT_EQ(pieces.items[1].payload, "Hello");
}

TEST(WebSocketFrames, RefusesViolations) {
  EXPECT_EQ(decode(kClient, raw(0x81, "text"), 100).fault, 1003);
  EXPECT_EQ(decode(kClient, raw(0x80, "x"), 100).fault, 1002) << "a continuation of nothing";
  EXPECT_EQ(decode(kClient, raw(0x02, "x") + raw(0x82, "y"), 100).fault, 1002) << "a message within a message";
  EXPECT_EQ(decode(kClient, raw(0xC2, "x"), 100).fault, 1002) << "a reserved bit";
  EXPECT_EQ(decode(kClient, raw(0x83, "x"), 100).fault, 1002) << "an unknown opcode";
  EXPECT_EQ(decode(kClient, raw(0x8B, "x"), 100).fault, 1002) << "an unknown control opcode";
  EXPECT_EQ(decode(kClient, raw(0x09, "x"), 100).fault, 1002) << "a ping in pieces";
  EXPECT_EQ(decode(kClient, frame(kClient, FrameKind::kBinary, "x"), 100).fault, 1002) << "a mask from a server";
  EXPECT_EQ(decode(kServer, frame(kServer, FrameKind::kBinary, "x"), 100).fault, 1002) << "no mask from a client";
  EXPECT_EQ(decode(kClient, from_hex("827e0001").value() + "x", 100).fault, 1002) << "a length that is too long";
  EXPECT_EQ(decode(kClient, from_hex("827fffffffffffffffff").value() + "x", 100).fault, 1002);
}

TEST(WebSocketFrames, RefusesLongMessages) {
  EXPECT_EQ(decode(kClient, raw(0x82, "12345"), 100, 4).fault, 1009);
  EXPECT_EQ(decode(kClient, raw(0x82, "1234"), 100, 4).fault, 0);
  EXPECT_EQ(decode(kClient, raw(0x02, "123") + raw(0x80, "45"), 100, 4).fault, 1009);
  EXPECT_EQ(decode(kClient, from_hex("827f7fffffffffffffff").value() + "x", 100, 4).fault, 1009);
}

TEST(WebSocketFrames, CloseHasCodeAndReason) {
  Decoded close = decode(kServer, frame(kClient, FrameKind::kClose, close_payload(4001, "why")), 1);
  ASSERT_EQ(close.items.size(), 1U);
  EXPECT_EQ(close.items[0].code, 4001);
  EXPECT_EQ(close.items[0].payload, "why");
  EXPECT_EQ(decode(kClient, raw(0x88, ""), 100).items[0].code, 1005);
  EXPECT_EQ(decode(kClient, raw(0x88, "x"), 100).fault, 1002);
  EXPECT_EQ(decode(kClient, raw(0x88, close_payload(1005, "")), 100).fault, 1002);
  EXPECT_EQ(decode(kClient, raw(0x88, close_payload(999, "")), 100).fault, 1002);
}

TEST(WebSocketFrames, ReasonsAreCutBetweenCharacters) {
  std::string reason(122, 'x');
  reason += "\xC3\xA9";  // crosses the limit of 123
  EXPECT_EQ(close_payload(1000, reason).size(), 2U + 122U);
  EXPECT_EQ(close_payload(1000, std::string(500, 'x')).size(), 125U);
}

}  // namespace
}  // namespace hearth::net
