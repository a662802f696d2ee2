// The browser's offer and this end's answer (RFC 8866, RFC 8829), as far as they are used: pictures (H.264, or VP8
// where that is not offered) and Opus to the browser, one data channel, all over one path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "media/ice.h"
#include "media/rtp.h"

namespace hearth::media {

struct Offer {
  enum class Kind : std::uint8_t { kVideo, kSound, kData, kOther };
  struct Section {
    Kind kind = Kind::kOther;
    std::string mid;
    std::string line;        // after "m=": media, port, protocol and formats
    std::string parameters;  // of the format that is taken
    RtpTerms terms;          // without a source
    bool taken = false;      // this end speaks it: the first of its kind that the other end would receive
  };
  std::vector<Section> sections;
  Credentials ice;
  std::string fingerprint;  // SHA-256, as "AB:CD:..."
  std::vector<Address> candidates;
  bool is_bundled = false;  // one path for all sections; else this end takes the video alone
  bool waits = false;       // the other end waits for this one's handshake, as this one does
};

inline constexpr std::size_t kMaxOfferBytes = 16 << 10;

// Errors: kInvalidArgument, with what is wrong or missing; kFailedPrecondition, it has no video that is made here.
Result<Offer> parse_offer(std::string_view sdp);

struct Answer {
  Credentials ice;
  std::string fingerprint;
  std::vector<Address> candidates;  // the best first
  std::uint32_t video_source = 0;
  std::uint32_t sound_source = 0;
};
std::string answer_of(const Offer& offer, const Answer& answer);

}  // namespace hearth::media
