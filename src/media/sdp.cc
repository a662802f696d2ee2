#include "media/sdp.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include <fmt/format.h>

namespace hearth::media {
namespace {

constexpr std::size_t kMaxSections = 8;
constexpr std::size_t kMaxLine = 2'048;
constexpr std::string_view kTransportNumber =
    "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01";
constexpr std::string_view kPlayoutDelay = "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay";

std::optional<std::uint32_t> number_of(std::string_view text, std::uint32_t most) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value > most) return std::nullopt;
  return value;
}

// Cuts what is before the first `mark` off; all of it, if there is none.
std::string_view take_word(std::string_view& text, char mark = ' ') {
  const std::string_view word = text.substr(0, text.find(mark));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

// One media section while it is read.
struct Reading {
  Offer::Section section;
  std::map<std::string, std::string, std::less<>> formats;     // by payload type: "H264/90000"
  std::map<std::string, std::string, std::less<>> parameters;  // the same's
  bool receives = true;                                        // the other end would

  void take_format();
};

// Names of formats and their parameters' are told without regard to case (RFC 8866, 6.6).
std::string lower(std::string_view text) {
  std::string copy(text);
  for (char& one : copy) {
    if (one >= 'A' && one <= 'Z') one = static_cast<char>(one - 'A' + 'a');
  }
  return copy;
}

bool is_vp8(std::string_view format) { return lower(format).starts_with("vp8/90000"); }

// How well a format fits, the least the best; nothing: it is not made here. Whoever reads the baseline profile reads
// the constrained one, which is made. GStreamer names no profile at all, and reads what comes. VP8 is for those who
// have no H.264: it costs the PC more, and one encoder serves all who watch by the same.
std::optional<int> misfit_of(Offer::Kind kind, std::string_view format, std::string_view parameters) {
  const std::string name = lower(format);
  if (kind == Offer::Kind::kSound) return name.starts_with("opus/48000") ? std::optional(0) : std::nullopt;
  if (kind == Offer::Kind::kVideo && is_vp8(format)) return 3;
  if (kind != Offer::Kind::kVideo || !name.starts_with("h264/90000")) return std::nullopt;
  const std::string its = lower(parameters);
  const auto says = [&its](std::string_view what) { return its.find(what) != std::string::npos; };
  const bool is_mode_one = says("packetization-mode=1");
  if (says("packetization-mode=") && !is_mode_one) return std::nullopt;
  if (!says("profile-level-id=")) return 2;  // it is baseline then (RFC 6184, 8.1)
  if (!is_mode_one) return std::nullopt;
  if (says("profile-level-id=42e0") || says("profile-level-id=42c0")) return 0;
  return says("profile-level-id=42") ? std::optional(1) : std::nullopt;
}

void Reading::take_format() {
  section.taken = section.kind == Offer::Kind::kData;
  if (section.taken || !receives) return;
  std::optional<int> least;
  for (const auto& [type, format] : formats) {
    const auto found = parameters.find(type);
    const std::string_view its = found == parameters.end() ? std::string_view() : std::string_view(found->second);
    const std::optional<int> misfit = misfit_of(section.kind, format, its);
    const std::uint32_t number = number_of(type, 127).value_or(0);
    if (!misfit || number == 0 || (least && *misfit >= *least)) continue;
    least = misfit;
    section.terms.payload_type = static_cast<std::uint8_t>(number);
    section.terms.codec = is_vp8(format) ? v1::CODEC_VP8 : v1::CODEC_H264;
    section.parameters = its;
    section.taken = true;
  }
}

Offer::Kind kind_of(std::string_view line) {
  if (line.starts_with("video ") && line.find("RTP/SAVPF") != std::string_view::npos) return Offer::Kind::kVideo;
  if (line.starts_with("audio ") && line.find("RTP/SAVPF") != std::string_view::npos) return Offer::Kind::kSound;
  if (line.starts_with("application ") && line.find("webrtc-datachannel") != std::string_view::npos) {
    return Offer::Kind::kData;
  }
  return Offer::Kind::kOther;
}

void read_extension(std::string_view value, RtpTerms& terms) {
  const std::string_view id = take_word(value);
  const auto number = number_of(id.substr(0, id.find('/')), 14);
  if (!number) return;
  if (value.starts_with(kTransportNumber)) terms.transport_number = static_cast<int>(*number);
  if (value.starts_with(kPlayoutDelay)) terms.playout_delay = static_cast<int>(*number);
}

// "842163049 1 udp 1677729535 192.0.2.7 46154 typ host ..."; what is no address (a name of mDNS) is left out: that
// end's own checks come from it.
void read_candidate(std::string_view value, std::vector<Address>& candidates) {
  take_word(value);
  const std::string_view component = take_word(value);
  const std::string_view protocol = take_word(value);
  take_word(value);
  const std::string_view ip = take_word(value);
  const auto port = number_of(take_word(value), 65'535);
  if (component != "1" || (protocol != "udp" && protocol != "UDP") || !port || *port == 0) return;
  const std::optional<Address> address = parse_address(ip, static_cast<std::uint16_t>(*port));
  if (address && candidates.size() < Ice::kMaxAddresses) candidates.push_back(*address);
}

void read_attribute(std::string_view line, Offer& offer, Reading* reading) {
  const std::string_view name = take_word(line, ':');
  if (name == "ice-ufrag") offer.ice.fragment = line;
  if (name == "ice-pwd") offer.ice.password = line;
  if (name == "fingerprint" && take_word(line) == "sha-256") offer.fingerprint = line;
  if (name == "candidate") read_candidate(line, offer.candidates);
  if (name == "setup" && line == "passive") offer.waits = true;
  if (name == "group" && line.starts_with("BUNDLE")) offer.is_bundled = true;
  if (reading == nullptr) return;
  if (name == "sendonly" || name == "inactive") reading->receives = false;
  if (name == "mid") reading->section.mid = line;
  if (name == "extmap") read_extension(line, reading->section.terms);
  if (name == "rtpmap") reading->formats.emplace(take_word(line), line);
  if (name == "fmtp") reading->parameters.emplace(take_word(line), line);
}

bool is_token(std::string_view text, std::size_t least, std::size_t most) {
  return text.size() >= least && text.size() <= most &&
         std::ranges::all_of(text, [](char one) { return one > ' ' && one < 127; });
}

Result<void> check(const Offer& offer) {
  const auto lacks = [](std::string_view what) {
    return fail(Code::kInvalidArgument, fmt::format("the offer has no good {}", what));
  };
  if (offer.sections.empty()) return fail(Code::kInvalidArgument, "that is no offer: it has no media (SDP, RFC 8866)");
  if (!is_token(offer.ice.fragment, 4, 256) || !is_token(offer.ice.password, 22, 256)) return lacks("ICE password");
  if (offer.fingerprint.size() != 95) return lacks("SHA-256 fingerprint");
  const auto is_video = [](const Offer::Section& one) { return one.taken && one.kind == Offer::Kind::kVideo; };
  if (offer.waits) return lacks("setup: this end waits for the handshake, so the offer says actpass or active");
  if (!std::ranges::any_of(offer.sections, is_video)) {
    return fail(Code::kFailedPrecondition,
                "the offer has no video to be received as H.264 (constrained baseline, packetization-mode 1) or VP8, "
                "which is all that is made here");
  }
  for (const Offer::Section& section : offer.sections) {
    if (!is_token(section.mid, 1, 64)) return lacks("mid");
  }
  return {};
}

std::string candidate_lines(const std::vector<Address>& candidates) {
  std::string lines;
  std::uint32_t rank = 65'535;
  for (const Address& one : candidates) {
    lines += fmt::format("a=candidate:{} 1 udp {} {} {} typ host\r\n", 65'536 - rank, 126U << 24 | rank << 8 | 255,
                         text_of(one), one.port);
    --rank;
  }
  return lines + "a=end-of-candidates\r\n";
}

std::string stream_lines(const Offer::Section& section, std::uint32_t source) {
  const int type = section.terms.payload_type;
  const bool video = section.kind == Offer::Kind::kVideo;
  const bool vp8 = section.terms.codec == v1::CODEC_VP8;
  const std::string_view format = !video ? "opus/48000/2" : vp8 ? "VP8/90000" : "H264/90000";
  std::string lines = fmt::format("a=rtcp-mux\r\na=sendonly\r\na=rtpmap:{} {}\r\n", type, format);
  // Of VP8 they say what their end can take, which this one, that takes nothing, has none of.
  if (!section.parameters.empty() && !vp8) lines += fmt::format("a=fmtp:{} {}\r\n", type, section.parameters);
  if (video) lines += fmt::format("a=rtcp-rsize\r\na=rtcp-fb:{0} nack\r\na=rtcp-fb:{0} nack pli\r\n", type);
  if (section.terms.transport_number > 0) {
    lines += fmt::format("a=rtcp-fb:{} transport-cc\r\na=extmap:{} {}\r\n", type, section.terms.transport_number,
                         kTransportNumber);
  }
  if (section.terms.playout_delay > 0) {
    lines += fmt::format("a=extmap:{} {}\r\n", section.terms.playout_delay, kPlayoutDelay);
  }
  // A stream of its own each, so that the pictures do not wait for the sound.
  const std::string_view name = video ? "pictures" : "sound";
  return lines + fmt::format("a=msid:{0} {0}\r\na=ssrc:{1} cname:hearth\r\n", name, source);
}

// One section of each kind, and what a path of its own would be needed for not at all.
void leave_surplus(Offer& offer) {
  bool video = false;
  bool sound = false;
  bool data = false;
  for (Offer::Section& section : offer.sections) {
    const bool is_video = section.kind == Offer::Kind::kVideo;
    bool& had = is_video ? video : section.kind == Offer::Kind::kSound ? sound : data;
    section.taken = section.taken && !had && (is_video || offer.is_bundled);
    had = had || section.taken;
  }
}

}  // namespace

Result<Offer> parse_offer(std::string_view sdp) {
  if (sdp.size() > kMaxOfferBytes) return fail(Code::kInvalidArgument, "an offer is at most 16 KiB");
  Offer offer;
  std::optional<Reading> reading;
  const auto finish = [&] {
    if (!reading) return;
    reading->take_format();
    offer.sections.push_back(std::move(reading->section));
  };
  while (!sdp.empty()) {
    std::string_view line = take_word(sdp, '\n');
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.size() > kMaxLine) return fail(Code::kInvalidArgument, "a line of the offer is too long");
    if (line.starts_with("a=")) read_attribute(line.substr(2), offer, reading ? &*reading : nullptr);
    if (!line.starts_with("m=")) continue;
    finish();
    if (offer.sections.size() >= kMaxSections) return fail(Code::kInvalidArgument, "an offer has at most 8 sections");
    reading.emplace();
    reading->section.line = line.substr(2);
    reading->section.kind = kind_of(reading->section.line);
  }
  finish();
  leave_surplus(offer);
  if (Result<void> good = check(offer); !good) return std::unexpected(good.error());
  return offer;
}

std::string answer_of(const Offer& offer, const Answer& answer) {
  std::string group;
  for (const Offer::Section& section : offer.sections) {
    if (section.taken) group += " " + section.mid;
  }
  std::string sdp = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=hearth\r\nt=0 0\r\n";
  if (offer.is_bundled) sdp += fmt::format("a=group:BUNDLE{}\r\n", group);
  sdp += "a=msid-semantic: WMS *\r\n";
  bool first = true;
  for (const Offer::Section& section : offer.sections) {
    std::string_view line = section.line;
    const std::string_view media = take_word(line);
    take_word(line);
    const std::string_view protocol = take_word(line);
    const std::string formats = section.taken && section.kind != Offer::Kind::kData
                                    ? std::to_string(section.terms.payload_type)
                                    : std::string(line);
    sdp += fmt::format("m={} {} {} {}\r\nc=IN IP4 0.0.0.0\r\na=mid:{}\r\n", media, section.taken ? 9 : 0, protocol,
                       formats, section.mid);
    if (!section.taken) {
      sdp += "a=inactive\r\n";
      continue;
    }
    sdp += fmt::format("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=fingerprint:sha-256 {}\r\na=setup:passive\r\n",
                       answer.ice.fragment, answer.ice.password, answer.fingerprint);
    if (section.kind == Offer::Kind::kData) sdp += "a=sctp-port:5000\r\na=max-message-size:65536\r\n";
    if (section.kind == Offer::Kind::kVideo) sdp += stream_lines(section, answer.video_source);
    if (section.kind == Offer::Kind::kSound) sdp += stream_lines(section, answer.sound_source);
    if (std::exchange(first, false)) sdp += candidate_lines(answer.candidates);
  }
  return sdp;
}

}  // namespace hearth::media
