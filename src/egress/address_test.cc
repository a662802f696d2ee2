#include "egress/address.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace hearth::egress {
namespace {

asio::ip::address address(const char* text) { return asio::ip::make_address(text); }

TEST(Address, OfTheInternetPasses) {
  for (const char* text :
       {"1.1.1.1",         "8.8.8.8",     "9.255.255.255",   "11.0.0.0",    "100.63.255.255",       "100.128.0.0",
        "126.255.255.255", "128.0.0.0",   "169.253.255.255", "169.255.0.0", "172.15.255.255",       "172.32.0.0",
        "191.255.255.255", "192.0.1.0",   "192.167.255.255", "192.169.0.0", "198.17.255.255",       "198.20.0.0",
        "203.0.112.255",   "203.0.114.0", "223.255.255.255", "2001:200::1", "2606:4700:4700::1111", "2a00::1",
        "3ffe::1",         "2003::1",     "2001:db7::",      "2001:db9::"}) {
    EXPECT_EQ(refusal_of(address(text), {}), "") << text;
  }
}

TEST(Address, OfNoPublicNetworkIsRefused) {
  for (const char* text :
       {"0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
        "127.255.255.255", "169.254.0.0", "169.254.169.254", "172.16.0.0", "172.31.255.255", "192.0.0.8", "192.0.2.1",
        "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1",
        "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
        // IPv4 in IPv6's clothes: mapped, compatible, translated, NAT64, 6to4, Teredo, ISATAP.
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b::808:808",
        "64:ff9b:1::1", "2002:7f00:1::", "2001:0:808:808::1", "fe80::5efe:7f00:1",
        // Of IPv6's own.
        "::", "::1", "100::1", "5f00::1", "fc00::1", "fd12:3456::1", "fe80::1", "febf::1", "fec0::1", "ff02::1",
        "ff0e::1", "2001:db8::1", "2001:10::1", "3fff::1", "4000::1", "e000::1"}) {
    EXPECT_NE(refusal_of(address(text), {}), "") << text;
  }
}

TEST(Address, OfTheOwnersNetworkIsRefusedThoughPublic) {
  const std::vector<AddressRange> own = {
      {address("8.8.8.1"), 23}, {address("2a00:1::5"), 64}, {address("9.9.9.9"), 32}};
  for (const char* host : {"10.0.0.1", "127.0.0.1", "::1", "localhost", "a.localhost"}) {
    EXPECT_NE(refusal_of_host(host), "") << host;
  }
  for (const char* host : {"8.8.8.8", "2606:4700::1", "localhost.example", "10.0.0.example"}) {
    EXPECT_EQ(refusal_of_host(host), "") << host;
  }
  EXPECT_NE(refusal_of(address("8.8.8.1"), own), "");
  EXPECT_NE(refusal_of(address("8.8.9.255"), own), "");
  EXPECT_EQ(refusal_of(address("8.8.10.0"), own), "");
  EXPECT_NE(refusal_of(address("9.9.9.9"), own), "");
  EXPECT_EQ(refusal_of(address("9.9.9.8"), own), "");
  EXPECT_NE(refusal_of(address("2a00:1::ffff"), own), "");
  EXPECT_EQ(refusal_of(address("2a00:1:0:1::"), own), "");
}

TEST(Address, RefusedRangesAreTheSameAsText) {
  const std::vector<std::string> texts = refused_ranges(
      {{address("8.8.9.1"), 23}, {address("192.168.7.1"), 24}, {address("2a00:1::5"), 64}, {address("fe80::1"), 64}});
  for (const char* wanted :
       {"10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "2002::/16", "2001:db8::/32", "8.8.8.0/23", "2a00:1::/64"}) {
    EXPECT_TRUE(std::ranges::find(texts, wanted) != texts.end()) << wanted;
  }
  EXPECT_TRUE(std::ranges::none_of(texts, [](const std::string& text) {
    return text.starts_with("fe80") || text == "192.168.7.0/24";
  })) << "nothing twice";
}

TEST(Address, OwnRangesKnowTheLoopback) {
  const std::vector<AddressRange> own = own_ranges();
  EXPECT_TRUE(std::ranges::any_of(own, [](const AddressRange& range) { return range.contains(address("127.0.0.1")); }));
}

}  // namespace
}  // namespace hearth::egress
