// Which addresses no guest may reach through this PC: those that are not the Internet's, and those that are this PC's
// own or its neighbours'. Judged on the address that a connection is made to, never on a name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <asio/ip/address.hpp>

namespace hearth::egress {

// The addresses that share their first `prefix` bits with `base`.
struct AddressRange {
  asio::ip::address base;
  unsigned prefix = 0;

  bool contains(const asio::ip::address& address) const;
  std::string network() const;  // its first address
};

// Why an address is refused: "a private address"; empty: it is not. `own`: see own_ranges(). The special ranges are
// those of the registries of RFC 6890 that are not globally reachable; of IPv6 only 2000::/3 passes at all.
std::string_view refusal_of(const asio::ip::address& address, const std::vector<AddressRange>& own);

// The same of a host as a URL names it, as far as that can be told without asking who has the name.
std::string_view refusal_of_host(std::string_view host);

// The same as text for a packet filter, "10.0.0.0/8", "2002::/16": the special ranges of IPv4, those of 2000::/3, and
// of `own` what is in neither.
std::vector<std::string> refused_ranges(const std::vector<AddressRange>& own);

// What this PC's interfaces have now: each one's address with the network that it is on, and so the owner's LAN also
// where it has public addresses.
std::vector<AddressRange> own_ranges();

}  // namespace hearth::egress
