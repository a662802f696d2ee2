// Announces the server on the local network as _hearth._tcp by DNS-SD, through Avahi's D-Bus interface, where Avahi
// runs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"

namespace hearth::net {

class Announcement {
 public:
  // Announced until destroyed. TXT: "id=<base64url of the identity's fingerprint>". Blocks for at most 2 s.
  // Errors: kUnavailable (no system bus, or no Avahi on it).
  static Result<std::unique_ptr<Announcement>> publish(const std::string& name, std::uint16_t port,
                                                       const std::string& fingerprint);
  virtual ~Announcement() = default;
};

}  // namespace hearth::net
