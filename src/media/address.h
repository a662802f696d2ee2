// Where a datagram comes from or goes to. IPv4 is kept as IPv6 writes it (::ffff:a.b.c.d).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <sys/socket.h>

namespace hearth::media {

struct Address {
  std::array<std::uint8_t, 16> ip{};
  std::uint16_t port = 0;

  auto operator<=>(const Address&) const = default;
  bool is_v4() const;
};

// Nothing: it is no IP address.
std::optional<Address> parse_address(std::string_view ip, std::uint16_t port);
// Without the port.
std::string text_of(const Address& address);

// As a socket of `family` (AF_INET or AF_INET6) takes it; its length. 0: such a socket does not reach it.
socklen_t to_sockaddr(const Address& address, int family, sockaddr_storage& storage);
std::optional<Address> from_sockaddr(const sockaddr_storage& storage);

}  // namespace hearth::media
