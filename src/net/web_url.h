// Where on the web something is to be sent: "https://a.example/hooks/7".
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "net/client.h"

namespace hearth::net {

inline constexpr std::size_t kMaxUrlBytes = 2'048;

struct WebUrl {
  bool tls = true;
  Endpoint endpoint;   // as parse_destination() gives it
  std::string target;  // begins with '/'

  std::string origin() const;  // "https://a.example", "http://[2001:db8::1]:8080"
  std::string host() const;    // as the header Host has it: without the scheme's own port
  std::string text() const { return origin() + target; }
};

// http and https alone, a host and a path of printable ASCII; no name or password in front of the host, no fragment.
// Errors: kInvalidArgument.
Result<WebUrl> parse_web_url(std::string_view text);

}  // namespace hearth::net
