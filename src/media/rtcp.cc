#include "media/rtcp.h"

#include <algorithm>

#include "media/bits.h"

namespace hearth::media {
namespace {

enum PacketType : std::uint8_t {
  kSenderReport = 200,
  kReceiverReport = 201,
  kSourceDescription = 202,
  kTransport = 205,
  kPayload = 206
};
enum Format : std::uint8_t { kNack = 1, kTransportWide = 15, kPictureLoss = 1, kFullIntra = 4 };
constexpr std::size_t kHeader = 4;
constexpr std::size_t kFeedbackHeader = 12;
constexpr std::size_t kReportHeader = 8;
constexpr std::size_t kSenderPart = 20;
constexpr std::size_t kReportBlock = 24;
constexpr std::size_t kMaxArrivals = 4'096;
constexpr std::int64_t kReferenceMicros = 64'000;
constexpr std::int64_t kDeltaMicros = 250;
constexpr std::uint64_t kEpoch1900 = 2'208'988'800;  // seconds before 1970

enum Symbol : std::uint8_t { kLost = 0, kSmallDelta = 1, kLargeDelta = 2 };

void read_missing(std::string_view packet, Feedback& feedback) {
  const auto source = static_cast<std::uint32_t>(number_at(packet, 8, 4));
  for (std::size_t at = kFeedbackHeader; at + 4 <= packet.size(); at += 4) {
    const auto first = static_cast<std::uint16_t>(number_at(packet, at, 2));
    feedback.missing.push_back({source, first});
    const std::uint64_t following = number_at(packet, at + 2, 2);
    for (unsigned bit = 0; bit < 16; ++bit) {
      if ((following >> bit & 1) != 0) {
        feedback.missing.push_back({source, static_cast<std::uint16_t>(first + bit + 1)});
      }
    }
  }
}

void read_reports(std::string_view blocks, std::size_t count, Feedback& feedback) {
  for (; count > 0 && blocks.size() >= kReportBlock; --count, blocks.remove_prefix(kReportBlock)) {
    feedback.reports.push_back({.source = static_cast<std::uint32_t>(number_at(blocks, 0, 4)),
                                .loss = static_cast<double>(number_at(blocks, 4, 1)) / 256,
                                .newest = static_cast<std::uint16_t>(number_at(blocks, 10, 2))});
  }
}

// One chunk's symbols: a run of the same, or some of one or two bits each.
void read_chunk(std::uint64_t chunk, std::size_t count, std::vector<std::uint8_t>& symbols) {
  const auto add = [&](std::uint64_t symbol) {
    if (symbols.size() < count) symbols.push_back(static_cast<std::uint8_t>(symbol));
  };
  if ((chunk & 0x8000) == 0) {
    for (std::uint64_t i = 0; i < (chunk & 0x1fff); ++i) add(chunk >> 13 & 3);
  } else if ((chunk & 0x4000) == 0) {
    for (int bit = 13; bit >= 0; --bit) add(chunk >> bit & 1);
  } else {
    for (int bit = 12; bit >= 0; bit -= 2) add(chunk >> bit & 3);
  }
}

void read_arrivals(std::string_view packet, Feedback& feedback) {
  if (packet.size() < kFeedbackHeader + 8) return;
  const auto base = static_cast<std::uint16_t>(number_at(packet, kFeedbackHeader, 2));
  const std::size_t count = number_at(packet, kFeedbackHeader + 2, 2);
  if (count > kMaxArrivals) return;
  Time time{static_cast<std::int64_t>(number_at(packet, kFeedbackHeader + 4, 3)) * kReferenceMicros};
  std::vector<std::uint8_t> symbols;
  std::size_t at = kFeedbackHeader + 8;
  for (; symbols.size() < count && at + 2 <= packet.size(); at += 2) {
    read_chunk(number_at(packet, at, 2), count, symbols);
  }
  std::vector<Arrival> arrivals;
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    Arrival& arrival = arrivals.emplace_back(Arrival{.number = static_cast<std::uint16_t>(base + i), .at = {}});
    const std::size_t bytes = symbols[i];
    if (bytes == kLost) continue;
    if (bytes > kLargeDelta || at + bytes > packet.size()) return;
    const std::uint64_t delta = number_at(packet, at, bytes);
    at += bytes;
    const std::int64_t signed_delta =
        bytes == kLargeDelta ? static_cast<std::int16_t>(delta) : static_cast<std::int64_t>(delta);
    time = time + microseconds(signed_delta * kDeltaMicros);
    arrival.at = time;
  }
  feedback.arrivals.insert(feedback.arrivals.end(), arrivals.begin(), arrivals.end());
}

}  // namespace

Feedback parse_feedback(std::string_view packet) {
  Feedback feedback;
  while (packet.size() >= kHeader && (static_cast<unsigned char>(packet[0]) & 0xc0) == 0x80) {
    const std::size_t length = 4 * (number_at(packet, 2, 2) + 1);
    if (length > packet.size()) break;
    const auto format = static_cast<std::uint8_t>(packet[0] & 0x1f);
    const auto type = static_cast<std::uint8_t>(packet[1]);
    const std::string_view one = packet.substr(0, length);
    packet.remove_prefix(length);
    if (length < kFeedbackHeader) continue;
    if (type == kReceiverReport) read_reports(one.substr(kReportHeader), format, feedback);
    if (type == kSenderReport && length >= kReportHeader + kSenderPart) {
      read_reports(one.substr(kReportHeader + kSenderPart), format, feedback);
    }
    if (type == kTransport && format == kNack) read_missing(one, feedback);
    if (type == kTransport && format == kTransportWide) read_arrivals(one, feedback);
    if (type == kPayload && (format == kPictureLoss || format == kFullIntra)) feedback.wants_key = true;
  }
  return feedback;
}

std::string sender_report(const SenderReport& report) {
  std::string packet;
  put(packet, 0x80, 1);
  put(packet, kSenderReport, 1);
  put(packet, 6, 2);  // words that follow
  put(packet, report.source, 4);
  const auto millis = static_cast<std::uint64_t>(std::max<std::int64_t>(0, report.now.unix_millis));
  put(packet, millis / 1'000 + kEpoch1900, 4);
  put(packet, (millis % 1'000 << 32) / 1'000, 4);
  put(packet, report.timestamp, 4);
  put(packet, report.packets, 4);
  put(packet, report.bytes, 4);
  // A compound packet names its source (RFC 3550, 6.1).
  put(packet, 0x81, 1);
  put(packet, kSourceDescription, 1);
  put(packet, 4, 2);
  put(packet, report.source, 4);
  packet += std::string_view("\1\6hearth\0\0\0\0", 12);
  return packet;
}

}  // namespace hearth::media
