// What a job may ask to reach: a name and a port, "a.example:443".
#pragma once

#include <cstddef>
#include <string_view>

#include "net/client.h"

namespace hearth::net {

inline constexpr std::size_t kMaxDestinations = 64;  // of one job

// A DNS name or a literal address, and the port, which must be given: "a.example:443", "192.0.2.7:80",
// "[2001:db8::1]:443". The host comes back in lower case, without the dot that ends a full name and without brackets,
// so that equal destinations compare equal. Errors: kInvalidArgument.
Result<Endpoint> parse_destination(std::string_view text);

}  // namespace hearth::net
