#include "egress/address.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

namespace hearth::egress {
namespace {

// An interface that claims more of the Internet than this is a tunnel, not a neighbourhood; its own address still
// counts.
constexpr unsigned kWidestV4 = 8;
constexpr unsigned kWidestV6 = 32;

struct SpecialV4 {
  std::uint32_t base;
  unsigned prefix;
  std::string_view what;
};

// RFC 6890 and the IANA registry of special-purpose IPv4 addresses; 192.88.99/24 is 6to4's relay (RFC 7526).
constexpr std::array kSpecialV4 = {
    SpecialV4{0x00000000, 8, "an address of this host"}, SpecialV4{0x0a000000, 8, "a private address"},
    SpecialV4{0x64400000, 10, "a carrier's address"},    SpecialV4{0x7f000000, 8, "a loopback address"},
    SpecialV4{0xa9fe0000, 16, "a link-local address"},   SpecialV4{0xac100000, 12, "a private address"},
    SpecialV4{0xc0000000, 24, "a reserved address"},     SpecialV4{0xc0000200, 24, "a reserved address"},
    SpecialV4{0xc0586300, 24, "a 6to4 relay"},           SpecialV4{0xc0a80000, 16, "a private address"},
    SpecialV4{0xc6120000, 15, "a reserved address"},     SpecialV4{0xc6336400, 24, "a reserved address"},
    SpecialV4{0xcb007100, 24, "a reserved address"},     SpecialV4{0xe0000000, 4, "a multicast address"},
    SpecialV4{0xf0000000, 4, "a reserved address"},
};

struct SpecialV6 {
  std::uint16_t first;   // 16 bits
  std::uint16_t second;  // 16 bits
  unsigned prefix;       // at most 32
  std::string_view what;
};

constexpr std::array kSpecialV6 = {
    SpecialV6{0x2001, 0x0000, 23, "a reserved address"},  // Teredo, ORCHID and others of RFC 2928
    SpecialV6{0x2001, 0x0db8, 32, "a reserved address"},
    SpecialV6{0x2002, 0x0000, 16, "a 6to4 address"},
    SpecialV6{0x3fff, 0x0000, 20, "a reserved address"},
};

bool shares_prefix(std::span<const unsigned char> a, std::span<const unsigned char> b, unsigned prefix) {
  std::size_t whole = prefix / 8;
  if (!std::equal(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(whole), b.begin())) return false;
  unsigned rest = prefix % 8;
  return rest == 0 || ((a[whole] ^ b[whole]) >> (8 - rest)) == 0;
}

std::string_view refusal_of_v4(std::uint32_t address) {
  auto found = std::ranges::find_if(kSpecialV4, [address](const SpecialV4& special) {
    return ((address ^ special.base) >> (32 - special.prefix)) == 0;
  });
  return found == kSpecialV4.end() ? "" : found->what;
}

std::string_view refusal_of_v6(const asio::ip::address_v6& address) {
  auto bytes = address.to_bytes();
  if (address.is_loopback() || address.is_unspecified()) return "a loopback address";
  if (address.is_link_local()) return "a link-local address";
  if (address.is_multicast()) return "a multicast address";
  if ((bytes[0] & 0xfe) == 0xfc) return "a private address";
  if ((bytes[0] & 0xe0) != 0x20) return "an address that is not the Internet's";  // mapped, NAT64, reserved
  std::uint32_t front = (std::uint32_t{bytes[0]} << 24) | (std::uint32_t{bytes[1]} << 16) |
                        (std::uint32_t{bytes[2]} << 8) | std::uint32_t{bytes[3]};
  for (const SpecialV6& special : kSpecialV6) {
    std::uint32_t base = (std::uint32_t{special.first} << 16) | special.second;
    if (((front ^ base) >> (32 - special.prefix)) == 0) return special.what;
  }
  return "";
}

unsigned prefix_of(std::span<const unsigned char> mask) {
  unsigned bits = 0;
  for (unsigned char byte : mask) bits += static_cast<unsigned>(std::popcount(byte));
  return bits;
}

void add_v4(const ifaddrs& interface, std::vector<AddressRange>& ranges) {
  asio::ip::address_v4 address(ntohl(reinterpret_cast<const sockaddr_in*>(interface.ifa_addr)->sin_addr.s_addr));
  unsigned prefix = 32;
  if (interface.ifa_netmask != nullptr) {
    asio::ip::address_v4 mask(ntohl(reinterpret_cast<const sockaddr_in*>(interface.ifa_netmask)->sin_addr.s_addr));
    prefix = prefix_of(mask.to_bytes());
  }
  ranges.push_back({address, prefix >= kWidestV4 ? prefix : 32});
}

void add_v6(const ifaddrs& interface, std::vector<AddressRange>& ranges) {
  auto bytes_of = [](const sockaddr* address) {
    asio::ip::address_v6::bytes_type bytes;
    std::ranges::copy(reinterpret_cast<const sockaddr_in6*>(address)->sin6_addr.s6_addr, bytes.begin());
    return bytes;
  };
  unsigned prefix = interface.ifa_netmask != nullptr ? prefix_of(bytes_of(interface.ifa_netmask)) : 128;
  ranges.push_back({asio::ip::address_v6(bytes_of(interface.ifa_addr)), prefix >= kWidestV6 ? prefix : 128});
}

}  // namespace

std::string AddressRange::network() const {
  auto masked = [this](auto bytes) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      std::size_t kept = std::min<std::size_t>(prefix > i * 8 ? prefix - i * 8 : 0, 8);
      bytes[i] = static_cast<unsigned char>(bytes[i] & (0xff00U >> kept));
    }
    return bytes;
  };
  if (base.is_v4()) return asio::ip::address_v4(masked(base.to_v4().to_bytes())).to_string();
  return asio::ip::address_v6(masked(base.to_v6().to_bytes())).to_string();
}

bool AddressRange::contains(const asio::ip::address& address) const {
  if (address.is_v4() != base.is_v4()) return false;
  if (address.is_v4()) return shares_prefix(address.to_v4().to_bytes(), base.to_v4().to_bytes(), prefix);
  return shares_prefix(address.to_v6().to_bytes(), base.to_v6().to_bytes(), prefix);
}

std::string_view refusal_of(const asio::ip::address& address, const std::vector<AddressRange>& own) {
  std::string_view special =
      address.is_v4() ? refusal_of_v4(address.to_v4().to_uint()) : refusal_of_v6(address.to_v6());
  if (!special.empty()) return special;
  bool near = std::ranges::any_of(own, [&](const AddressRange& range) { return range.contains(address); });
  return near ? "an address of this PC's own network" : "";
}

std::string_view refusal_of_host(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost")) return "this PC's own name for itself";
  asio::error_code no_address;
  const asio::ip::address address = asio::ip::make_address(host, no_address);
  return no_address ? std::string_view() : refusal_of(address, {});
}

std::vector<std::string> refused_ranges(const std::vector<AddressRange>& own) {
  std::vector<std::string> texts;
  for (const SpecialV4& special : kSpecialV4) {
    texts.push_back(asio::ip::address_v4(special.base).to_string() + "/" + std::to_string(special.prefix));
  }
  for (const SpecialV6& special : kSpecialV6) {
    asio::ip::address_v6::bytes_type bytes{};
    bytes[0] = static_cast<unsigned char>(special.first >> 8);
    bytes[1] = static_cast<unsigned char>(special.first & 0xff);
    bytes[2] = static_cast<unsigned char>(special.second >> 8);
    bytes[3] = static_cast<unsigned char>(special.second & 0xff);
    texts.push_back(asio::ip::address_v6(bytes).to_string() + "/" + std::to_string(special.prefix));
  }
  for (const AddressRange& range : own) {
    if (refusal_of(range.base, {}).empty()) texts.push_back(range.network() + "/" + std::to_string(range.prefix));
  }
  return texts;
}

std::vector<AddressRange> own_ranges() {
  std::vector<AddressRange> ranges;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0) return ranges;
  for (const ifaddrs* interface = all; interface != nullptr; interface = interface->ifa_next) {
    if (interface->ifa_addr == nullptr) continue;
    if (interface->ifa_addr->sa_family == AF_INET) add_v4(*interface, ranges);
    if (interface->ifa_addr->sa_family == AF_INET6) add_v6(*interface, ranges);
  }
  ::freeifaddrs(all);
  return ranges;
}

}  // namespace hearth::egress
