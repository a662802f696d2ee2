#include "media/rtcp.h"

#include <gtest/gtest.h>

#include "media/bits.h"

namespace hearth::media {
namespace {

std::string feedback(std::uint8_t type, std::uint8_t format, std::string_view body) {
  std::string packet;
  put(packet, 0x80U | format, 1);
  put(packet, type, 1);
  put(packet, 2 + (body.size() + 3) / 4, 2);
  put(packet, 1, 4);
  put(packet, 77, 4);
  packet += body;
  packet.append((4 - body.size() % 4) % 4, '\0');
  return packet;
}

TEST(Rtcp, ReadsWhatIsMissing) {
  std::string body;
  put(body, 65'530, 2);
  put(body, 0b1000'0000'0000'0101, 2);
  const Feedback read = parse_feedback(feedback(205, 1, body));
  ASSERT_EQ(read.missing.size(), 4U);
  EXPECT_EQ(read.missing[0].source, 77U);
  EXPECT_EQ(read.missing[0].sequence, 65'530);
  EXPECT_EQ(read.missing[1].sequence, 65'531);
  EXPECT_EQ(read.missing[2].sequence, 65'533);
  EXPECT_EQ(read.missing[3].sequence, 10) << "numbers go round";
}

TEST(Rtcp, ReadsAWishForAKeyPictureWhereverItStands) {
  EXPECT_TRUE(parse_feedback(feedback(206, 1, "")).wants_key);
  EXPECT_TRUE(
      parse_feedback(feedback(201, 1, std::string(24, '\0')) + feedback(206, 4, std::string(8, '\0'))).wants_key);
  EXPECT_FALSE(parse_feedback(feedback(206, 2, "")).wants_key);
}

// RFC 3550, 6.4: a receiver's report, and a sender's, whose own part comes first.
TEST(Rtcp, ReadsWhatWasLostSinceTheLastReport) {
  std::string block;  // behind the source, 77
  put(block, 64, 1);
  put(block, 1'000, 3);
  put(block, 3U << 16 | 65'535, 4);
  block.append(12, '\0');
  for (const std::string& packet : {feedback(201, 1, block), feedback(
                                                                 200, 1, std::string(16, '\0') + [&] {
                                                                   std::string with_source;
                                                                   put(with_source, 77, 4);
                                                                   return with_source + block;
                                                                 }())}) {
    const Feedback read = parse_feedback(packet);
    ASSERT_EQ(read.reports.size(), 1U);
    EXPECT_EQ(read.reports[0].source, 77U);
    EXPECT_EQ(read.reports[0].loss, 0.25);
    EXPECT_EQ(read.reports[0].newest, 65'535);
  }
  EXPECT_TRUE(parse_feedback(feedback(201, 1, block.substr(0, 16))).reports.empty()) << "cut short";
  EXPECT_EQ(parse_feedback(feedback(201, 31, block)).reports.size(), 1U) << "no more than there are";
}

// draft-holmer-rmcat-transport-wide-cc-extensions-01, 3.1: a run of 3 that came, then one of each kind.
TEST(Rtcp, ReadsWhenPacketsCame) {
  std::string body;
  put(body, 100, 2);
  put(body, 6, 2);
  put(body, 2, 3);  // 128 ms
  put(body, 0, 1);
  put(body, 1U << 13 | 3, 2);
  put(body, 0xc000 | 0U << 12 | 2U << 10 | 1U << 8, 2);
  put(body, 4, 1);
  put(body, 0, 1);
  put(body, 8, 1);
  put(body, static_cast<std::uint16_t>(-40), 2);
  put(body, 4, 1);
  const Feedback read = parse_feedback(feedback(205, 15, body));
  ASSERT_EQ(read.arrivals.size(), 6U);
  EXPECT_EQ(read.arrivals[0].number, 100);
  EXPECT_EQ(read.arrivals[0].at->micros, 129'000);
  EXPECT_EQ(read.arrivals[2].at->micros, 131'000);
  EXPECT_FALSE(read.arrivals[3].at);
  EXPECT_EQ(read.arrivals[4].at->micros, 121'000);
  EXPECT_EQ(read.arrivals[5].at->micros, 122'000);
}

TEST(Rtcp, PassesOverWhatIsCut) {
  std::string body;
  put(body, 100, 2);
  put(body, 60'000, 2);
  put(body, 0, 4);
  put(body, 0x2fff, 2);
  EXPECT_TRUE(parse_feedback(feedback(205, 15, body)).arrivals.empty());
  const std::string whole = feedback(205, 1, std::string(8, '\1'));
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_TRUE(parse_feedback(whole.substr(0, length)).missing.empty());
  }
}

TEST(Rtcp, ReportsAreWholeWords) {
  const std::string report =
      sender_report({.source = 77, .now = {1'000'000'000'500}, .timestamp = 90'000, .packets = 5, .bytes = 6});
  ASSERT_EQ(report.size() % 4, 0U);
  EXPECT_EQ(number_at(report, 8, 4), 3'208'988'800U);
  EXPECT_EQ(number_at(report, 12, 4), 0x80000000U);
  EXPECT_EQ(4 * (number_at(report, 2, 2) + 1) + 4 * (number_at(report, 30, 2) + 1), report.size());
}

}  // namespace
}  // namespace hearth::media
