#include "media/rtp.h"

#include <gtest/gtest.h>

#include "media/bits.h"
#include "media/pacer.h"

namespace hearth::media {
namespace {

constexpr RtpTerms kTerms = {.source = 77, .payload_type = 108, .transport_number = 3, .playout_delay = 6};
constexpr std::size_t kHeader = 12 + 4 + 8;

std::string nal(unsigned char head, std::size_t bytes) {
  return std::string("\0\0\0\1", 4) + static_cast<char>(head) + std::string(bytes - 1, 'x');
}

// The NAL units of some packets, as a browser puts them together (RFC 6184, 5.8).
std::vector<std::string> put_together(const std::vector<std::string>& packets) {
  std::vector<std::string> units;
  for (const std::string& packet : packets) {
    const std::string payload = packet.substr(kHeader);
    if ((payload[0] & 0x1f) != 28) {
      units.push_back(payload);
      continue;
    }
    if ((payload[1] & 0x80) != 0) units.emplace_back(1, static_cast<char>((payload[0] & 0xe0) | (payload[1] & 0x1f)));
    units.back() += payload.substr(2);
  }
  return units;
}

// Each would be a packet of its own: of 4 MiB, a million of them.
TEST(Rtp, DropsWhatIsMadeOfMorePiecesThanAnyPictureIs) {
  std::string unit;
  for (int i = 0; i < 100'000; ++i) unit += nal(0x41, 1);
  EXPECT_TRUE(RtpStream(kTerms, 1).pictures(unit, 9'000).empty());
  unit.resize(50 * 5);
  EXPECT_EQ(RtpStream(kTerms, 1).pictures(unit, 9'000).size(), 50U);
}

TEST(Rtp, CutsPicturesSoThatTheyComeTogetherAgain) {
  RtpStream stream(kTerms, 65'530);
  for (const std::size_t size : {2UL, 1'099UL, 1'100UL, 1'101UL, 1'102UL, 2'197UL, 2'198UL, 50'000UL}) {
    const std::string unit = nal(0x67, 20) + nal(0x68, 5) + nal(0x65, size);
    const std::vector<std::string> packets = stream.pictures(unit, 9'000);
    const std::vector<std::string> units = put_together(packets);
    ASSERT_EQ(units.size(), 3U);
    EXPECT_EQ(units[2], nal(0x65, size).substr(4));
    for (const std::string& packet : packets) {
      EXPECT_LE(packet.size(), kHeader + RtpStream::kMaxPayload);
      EXPECT_EQ(number_at(packet, 4, 4), 9'000U);
      EXPECT_EQ(number_at(packet, 8, 4), 77U);
      EXPECT_EQ((packet[1] & 0x80) != 0, &packet == &packets.back()) << "the last one is marked";
      EXPECT_EQ(packet[1] & 0x7f, 108);
    }
  }
}

constexpr RtpTerms kVp8 = {.source = 77, .payload_type = 96, .codec = v1::CODEC_VP8, .transport_number = 3};
constexpr std::size_t kVp8Header = 12 + 4 + 4;

// What a packet says before its piece of a frame (RFC 7741, 4.2).
struct Descriptor {
  bool begins = false;
  std::uint64_t number = 0;
  std::string piece;
};

Descriptor descriptor_of(const std::string& packet) {
  const std::uint64_t first = number_at(packet, kVp8Header, 1);
  EXPECT_EQ(first & ~0x10U, 0x80U) << "more is said, and it is of the first partition";
  EXPECT_EQ(number_at(packet, kVp8Header + 1, 1), 0x80U) << "the picture's number";
  const std::uint64_t number = number_at(packet, kVp8Header + 2, 2);
  EXPECT_EQ(number & 0x8000U, 0x8000U) << "of 15 bits";
  return {(first & 0x10U) != 0, number & 0x7fffU, packet.substr(kVp8Header + 4)};
}

TEST(Rtp, CutsFramesOfVp8SoThatTheyComeTogetherAgain) {
  RtpStream stream(kVp8, 100);
  std::uint64_t number = 100;
  for (const std::size_t size : {1UL, 1'095UL, 1'096UL, 1'097UL, 2'192UL, 2'193UL, 50'000UL}) {
    std::string frame(size, 'x');
    for (std::size_t at = 0; at < size; ++at) frame[at] = static_cast<char>(at * 31);
    const std::vector<std::string> packets = stream.pictures(frame, 9'000);
    EXPECT_EQ(packets.size(), (size + 1'095) / 1'096);
    std::string together;
    for (const std::string& packet : packets) {
      const Descriptor descriptor = descriptor_of(packet);
      EXPECT_LE(packet.size(), kVp8Header + RtpStream::kMaxPayload);
      EXPECT_EQ(descriptor.begins, &packet == &packets.front());
      EXPECT_EQ((packet[1] & 0x80) != 0, &packet == &packets.back()) << "the last one is marked";
      EXPECT_EQ(packet[1] & 0x7f, 96);
      EXPECT_EQ(descriptor.number, number);
      EXPECT_EQ(number_at(packet, 4, 4), 9'000U);
      together += descriptor.piece;
    }
    EXPECT_EQ(together, frame);
    ++number;
  }
}

TEST(Rtp, PicturesOfVp8AreCountedIn15Bits) {
  RtpStream stream(kVp8, 0x7ffe);
  for (const std::uint64_t number : {0x7ffeU, 0x7fffU, 0U, 1U}) {
    EXPECT_EQ(descriptor_of(stream.pictures("frame", 1).at(0)).number, number);
  }
  EXPECT_TRUE(stream.pictures("", 1).empty());
  EXPECT_EQ(descriptor_of(stream.pictures("frame", 1).at(0)).number, 2U) << "what is empty is no picture";
  RtpStream later(kVp8, 0xfffe);
  for (const std::uint64_t number : {0x7ffeU, 0x7fffU, 0U}) {
    EXPECT_EQ(descriptor_of(later.pictures("frame", 1).at(0)).number, number);
  }
  EXPECT_EQ(later.packets(), 3U);
  EXPECT_EQ(later.payload_bytes(), 3U * (4 + 5));
}

TEST(Rtp, CountsPacketsOn) {
  RtpStream stream(kTerms, 65'535);
  const std::vector<std::string> packets = stream.pictures(nal(0x65, 3'000), 1);
  ASSERT_EQ(packets.size(), 3U);
  EXPECT_EQ(sequence_number(packets[0]), 65'535);
  EXPECT_EQ(sequence_number(packets[1]), 0);
  EXPECT_EQ(stream.packets(), 3U);
  EXPECT_EQ(stream.payload_bytes(), 3'000U);
}

TEST(Rtp, WritesExtensionsThatWereAgreedOnAlone) {
  std::string packet = RtpStream(kTerms, 1).sound("opus", 480);
  set_transport_number(packet, 0xabcd);
  EXPECT_EQ(number_at(packet, 12, 4), 0xbede0002U);
  EXPECT_EQ(number_at(packet, 16, 4), 0x31abcd62U);
  EXPECT_EQ(packet.substr(kHeader), "opus");
  std::string plain = RtpStream({.source = 1, .payload_type = 111}, 1).sound("opus", 480);
  set_transport_number(plain, 0xabcd);
  EXPECT_EQ(plain.substr(12), "opus");
}

TEST(Rtp, MakesNothingOfNothing) {
  RtpStream stream(kTerms, 1);
  EXPECT_TRUE(stream.pictures("", 1).empty());
  EXPECT_TRUE(stream.pictures(std::string("\0\0\1", 3), 1).empty());
  EXPECT_TRUE(stream.pictures("no start code", 1).empty());
}

class PacerTest : public testing::Test {
 protected:
  std::size_t send_for(Duration span) {
    std::size_t bytes = 0;
    for (const Time end = now_ + span; now_ < end; now_ = now_ + milliseconds(1)) {
      for (const Pacer::Ready& one : pacer_.take(now_)) bytes += one.packet.size();
    }
    return bytes;
  }
  RtpStream stream_{kTerms, 1};
  Pacer pacer_;
  Time now_{seconds(10).micros};
};

TEST_F(PacerTest, SendsNoFasterThanSixTimesTheRate) {
  pacer_.set_rate(1'000, false);
  pacer_.add(stream_.pictures(nal(0x65, 100'000), 1));
  const std::size_t first = send_for(milliseconds(100));
  EXPECT_GT(first, 60'000U);
  EXPECT_LT(first, 90'000U);
  EXPECT_GT(pacer_.waiting_bytes(), 10'000U);
  send_for(milliseconds(300));
  EXPECT_EQ(pacer_.waiting_bytes(), 0U);
  pacer_.set_rate(1'000, true);
  pacer_.add(stream_.pictures(nal(0x65, 100'000), 2));
  EXPECT_LT(send_for(milliseconds(100)), 15'000U) << "a queue waits on the way already";
}

TEST_F(PacerTest, WhatIsGivenUpIsNotSentBeItMissed) {
  pacer_.add(stream_.pictures(nal(0x65, 10'000), 1));
  ASSERT_FALSE(pacer_.take(now_).empty());
  pacer_.give_up();
  EXPECT_EQ(pacer_.waiting_bytes(), 0U);
  pacer_.again(77, 1, now_ + milliseconds(30));
  EXPECT_EQ(send_for(seconds(2)), 0U);
}

// Else they would fill a link that loses what they repeat because it is full.
TEST_F(PacerTest, WhatIsMissedTakesHalfOfTheRateAtMost) {
  pacer_.set_rate(1'000, false);
  pacer_.add(stream_.pictures(nal(0x65, 400'000), 1));
  send_for(seconds(1));
  ASSERT_EQ(pacer_.waiting_bytes(), 0U);
  for (std::uint16_t sequence = 1; sequence < 300; ++sequence) pacer_.again(77, sequence, now_);
  EXPECT_LT(pacer_.waiting_bytes(), 15'000U) << "of 200 ms";
  std::size_t bytes = 0;
  for (int i = 0; i < 10; ++i) {
    bytes += send_for(milliseconds(100));
    for (std::uint16_t sequence = 1; sequence < 300; ++sequence) pacer_.again(77, sequence, now_);
  }
  EXPECT_LT(bytes, 100'000U) << "half of the rate, and what went before";
  EXPECT_GT(bytes, 50'000U);
}

TEST_F(PacerTest, RepeatsWhatIsMissedOnceAtATimeAndNotForEver) {
  pacer_.add(stream_.pictures(nal(0x65, 500), 1));
  const std::vector<Pacer::Ready> sent = pacer_.take(now_);
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_FALSE(sent[0].is_copy);
  now_ = now_ + milliseconds(30);
  static_cast<void>(pacer_.take(now_));
  for (int i = 0; i < 5; ++i) pacer_.again(77, 1, now_);
  pacer_.again(77, 2, now_);
  pacer_.again(78, 1, now_);
  const std::vector<Pacer::Ready> again = pacer_.take(now_);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].packet, sent[0].packet);
  EXPECT_TRUE(again[0].is_copy);
  now_ = now_ + seconds(3);
  pacer_.add(stream_.pictures(nal(0x65, 500), 2));
  static_cast<void>(pacer_.take(now_));
  pacer_.again(77, 1, now_);
  EXPECT_EQ(pacer_.waiting_bytes(), 0U);
}

// A packet of which no later one comes is not missed by anybody.
TEST_F(PacerTest, TheLastPacketComesSeveralTimes) {
  pacer_.add(stream_.pictures(nal(0x65, 500), 1));
  const std::string packet = pacer_.take(now_).at(0).packet;
  int repeated = 0;
  for (int i = 0; i < 2'000; ++i, now_ = now_ + milliseconds(1)) {
    for (const Pacer::Ready& one : pacer_.take(now_)) {
      EXPECT_EQ(one.packet, packet);
      EXPECT_TRUE(one.is_copy);
      ++repeated;
    }
  }
  EXPECT_EQ(repeated, 4);
  EXPECT_FALSE(pacer_.next());
}

}  // namespace
}  // namespace hearth::media
