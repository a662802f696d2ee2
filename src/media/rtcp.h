// What a browser says of the packets it got (RTCP: RFC 3550, RFC 4585; transport-wide feedback:
// draft-holmer-rmcat-transport-wide-cc-extensions-01), and the reports that keep its clocks together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"

namespace hearth::media {

// Of a packet that was counted across streams.
struct Arrival {
  std::uint16_t number = 0;
  std::optional<Time> at;  // by the other end's clock; nothing: it has not come
};

struct Feedback {
  bool wants_key = false;  // a picture that needs no other one
  struct Missing {
    std::uint32_t source = 0;
    std::uint16_t sequence = 0;
  };
  std::vector<Missing> missing;
  std::vector<Arrival> arrivals;
  // What every player says of each stream now and then.
  struct Report {
    std::uint32_t source = 0;
    double loss = 0;           // 0 to 1, since the last one
    std::uint16_t newest = 0;  // of the packets that have come
  };
  std::vector<Report> reports;
};

// A compound packet, decrypted. What is not understood is passed over; what is malformed ends the reading.
Feedback parse_feedback(std::string_view packet);

struct SenderReport {
  std::uint32_t source = 0;
  WallTime now;
  std::uint32_t timestamp = 0;  // of the stream, at that time
  std::uint32_t packets = 0;
  std::uint32_t bytes = 0;
};
std::string sender_report(const SenderReport& report);

}  // namespace hearth::media
