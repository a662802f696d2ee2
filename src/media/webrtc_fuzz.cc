// What a browser, or who pretends to be one, sends to hearth-media: offers, STUN and RTCP. What is read is within
// limits.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "media/rtcp.h"
#include "media/rtp.h"
#include "media/sdp.h"
#include "media/stun.h"

namespace hearth::media {
namespace {

void check_offer(std::string_view bytes) {
  const Result<Offer> offer = parse_offer(bytes);
  if (!offer) return;
  CHECK(offer->sections.size() <= 8 && offer->candidates.size() <= Ice::kMaxAddresses);
  const std::string answer = answer_of(*offer, {.ice = {"home", "password"}, .fingerprint = "AB", .candidates = {}});
  CHECK(answer.ends_with("\r\n"));
}

void check_packets(std::string_view bytes) {
  for (const v1::Codec codec : {v1::CODEC_H264, v1::CODEC_VP8}) {
    RtpStream stream({.source = 1, .payload_type = 96, .codec = codec, .transport_number = 1}, 1);
    for (const std::string& packet : stream.pictures(bytes, 1)) CHECK(packet.size() < 1'200);
  }
}

}  // namespace
}  // namespace hearth::media

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hearth::media;  // NOLINT(google-build-using-namespace): a program of its own
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  check_offer(bytes);
  check_packets(bytes);
  static_cast<void>(parse_stun(bytes, "password"));
  CHECK(parse_feedback(bytes).arrivals.size() <= size * 8'192);
  return 0;
}
