// Pictures and sound as RTP packets (RFC 3550): H.264 in packetization mode 1 (RFC 6184), VP8 (RFC 7741), Opus (RFC
// 7587).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hearth/v1/screen.pb.h"

namespace hearth::media {

// What of an RTP stream the two ends agreed on.
struct RtpTerms {
  std::uint32_t source = 0;          // SSRC
  std::uint8_t payload_type = 0;     // 0 to 127
  v1::Codec codec = v1::CODEC_H264;  // of pictures
  // Header extensions' numbers, 1 to 14; 0: not agreed on.
  int transport_number = 0;  // transport-wide congestion control: each packet of any stream is counted
  int playout_delay = 0;     // says: show it at once
};

inline constexpr std::uint32_t kVideoClock = 90'000;  // ticks in a second
inline constexpr std::uint32_t kSoundClock = 48'000;

class RtpStream {
 public:
  static constexpr std::size_t kMaxPayload = 1'100;

  RtpStream(RtpTerms terms, std::uint16_t first) : terms_(terms), next_(first), next_picture_(first) {}

  // One picture: of H.264 an access unit of any number of NAL units, each after its start code (Annex B), of VP8 a
  // frame. What is empty, or has more than 64 units, makes no packets.
  std::vector<std::string> pictures(std::string_view unit, std::uint32_t timestamp);
  std::string sound(std::string_view opus, std::uint32_t timestamp);

  std::uint32_t source() const { return terms_.source; }
  std::uint16_t newest() const { return static_cast<std::uint16_t>(next_ - 1); }  // the last packet's number
  std::uint32_t packets() const { return packets_; }
  std::uint32_t payload_bytes() const { return payload_bytes_; }

 private:
  std::string begin(std::uint32_t timestamp);
  void count(std::size_t payload);
  std::vector<std::string> units(std::string_view unit, std::uint32_t timestamp);
  std::vector<std::string> frame(std::string_view frame, std::uint32_t timestamp);

  RtpTerms terms_;
  std::uint16_t next_;
  std::uint16_t next_picture_;  // of VP8; its lower 15 bits are told
  std::uint32_t packets_ = 0;
  std::uint32_t payload_bytes_ = 0;
};

// Of a packet that an RtpStream made.
std::uint16_t sequence_number(std::string_view packet);
// Where it has that extension: writes the number.
void set_transport_number(std::string& packet, std::uint16_t number);

// The NAL units of an access unit, without their start codes.
std::vector<std::string_view> nal_units(std::string_view unit);

}  // namespace hearth::media
