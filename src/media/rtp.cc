#include "media/rtp.h"

#include <algorithm>
#include <utility>

#include "media/bits.h"

namespace hearth::media {
namespace {

constexpr std::size_t kHeader = 12;
constexpr std::uint8_t kVersion = 0x80;
constexpr std::uint8_t kExtended = 0x10;
constexpr char kMarker = static_cast<char>(0x80);
constexpr std::uint16_t kOneByteExtensions = 0xbede;  // RFC 8285
constexpr std::size_t kMaxUnits = 64;                 // of one picture; x264 makes five
constexpr std::uint8_t kFragment = 28;                // FU-A
constexpr std::uint8_t kFirst = 0x80;
constexpr std::uint8_t kLast = 0x40;
// VP8's descriptor (RFC 7741, 4.2): two bytes that say what is there, and the picture's number in two.
constexpr std::size_t kDescriptor = 4;
constexpr std::uint8_t kMoreIsSaid = 0x80;
constexpr std::uint8_t kBeginsPartition = 0x10;
constexpr std::uint8_t kNumberIsThere = 0x80;
constexpr unsigned kLongNumber = 0x8000;

}  // namespace

std::string RtpStream::begin(std::uint32_t timestamp) {
  const bool extended = terms_.transport_number > 0 || terms_.playout_delay > 0;
  std::string packet;
  packet.reserve(kHeader + 12 + 2 + kMaxPayload + 32);
  put(packet, extended ? kVersion | kExtended : kVersion, 1);
  put(packet, terms_.payload_type, 1);
  put(packet, next_++, 2);
  put(packet, timestamp, 4);
  put(packet, terms_.source, 4);
  if (!extended) return packet;
  std::string elements;
  // First, so that set_transport_number() knows where.
  if (terms_.transport_number > 0) {
    put(elements, static_cast<unsigned>(terms_.transport_number) << 4 | 1, 1);
    put(elements, 0, 2);
  }
  if (terms_.playout_delay > 0) {
    put(elements, static_cast<unsigned>(terms_.playout_delay) << 4 | 2, 1);
    put(elements, 0, 3);
  }
  elements.append((4 - elements.size() % 4) % 4, '\0');
  put(packet, kOneByteExtensions, 2);
  put(packet, elements.size() / 4, 2);
  return packet + elements;
}

void RtpStream::count(std::size_t payload) {
  ++packets_;
  payload_bytes_ += static_cast<std::uint32_t>(payload);
}

std::vector<std::string> RtpStream::units(std::string_view unit, std::uint32_t timestamp) {
  std::vector<std::string> packets;
  const std::vector<std::string_view> all = nal_units(unit);
  if (all.size() > kMaxUnits) return packets;
  for (std::string_view nal : all) {
    count(nal.size());
    if (nal.size() <= kMaxPayload) {
      packets.push_back(begin(timestamp).append(nal));
      continue;
    }
    const auto head = static_cast<unsigned char>(nal[0]);
    nal.remove_prefix(1);
    std::uint8_t edge = kFirst;
    while (!nal.empty()) {
      const std::string_view piece = nal.substr(0, kMaxPayload - 2);
      nal.remove_prefix(piece.size());
      if (nal.empty()) edge |= kLast;
      std::string& packet = packets.emplace_back(begin(timestamp));
      put(packet, (head & 0xe0) | kFragment, 1);
      put(packet, edge | (head & 0x1f), 1);
      packet += piece;
      edge = 0;
    }
  }
  packets_ += static_cast<std::uint32_t>(packets.size() - all.size());
  return packets;
}

// All of it as if it were its first partition, as browsers send it themselves: where the others begin, which a decoder
// could begin with when packets before are missing, is of no use to one that waits for what is missing.
std::vector<std::string> RtpStream::frame(std::string_view frame, std::uint32_t timestamp) {
  std::vector<std::string> packets;
  std::uint8_t begins = kBeginsPartition;
  while (!frame.empty()) {
    const std::string_view piece = frame.substr(0, kMaxPayload - kDescriptor);
    frame.remove_prefix(piece.size());
    std::string& packet = packets.emplace_back(begin(timestamp));
    put(packet, kMoreIsSaid | std::exchange(begins, std::uint8_t{0}), 1);
    put(packet, kNumberIsThere, 1);
    put(packet, kLongNumber | next_picture_, 2);
    packet += piece;
    count(piece.size() + kDescriptor);
  }
  if (!packets.empty()) ++next_picture_;
  return packets;
}

std::vector<std::string> RtpStream::pictures(std::string_view unit, std::uint32_t timestamp) {
  std::vector<std::string> packets = terms_.codec == v1::CODEC_VP8 ? frame(unit, timestamp) : units(unit, timestamp);
  if (!packets.empty()) packets.back()[1] = static_cast<char>(packets.back()[1] | kMarker);
  return packets;
}

std::string RtpStream::sound(std::string_view opus, std::uint32_t timestamp) {
  count(opus.size());
  return begin(timestamp).append(opus);
}

std::uint16_t sequence_number(std::string_view packet) { return static_cast<std::uint16_t>(number_at(packet, 2, 2)); }

void set_transport_number(std::string& packet, std::uint16_t number) {
  constexpr std::size_t kElement = kHeader + 4;
  const bool extended = (static_cast<unsigned char>(packet[0]) & kExtended) != 0;
  if (extended && (packet[kElement] & 0x0f) == 1) put_at(packet, kElement + 1, number, 2);
}

std::vector<std::string_view> nal_units(std::string_view unit) {
  constexpr std::string_view kStart("\0\0\1", 3);
  std::vector<std::string_view> units;
  for (std::size_t at = unit.find(kStart); at != std::string_view::npos;) {
    const std::size_t begin = at + kStart.size();
    at = unit.find(kStart, begin);
    std::string_view nal = unit.substr(begin, at == std::string_view::npos ? at : at - begin);
    // A fourth byte of the next start code, and trailing zeros, are no part of it.
    while (!nal.empty() && nal.back() == '\0') nal.remove_suffix(1);
    if (!nal.empty()) units.push_back(nal);
  }
  return units;
}

}  // namespace hearth::media
