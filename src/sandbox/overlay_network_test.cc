// A guest's network with others, as far as one sandbox shows it. What members reach is shown in tests/.
#include "sandbox/overlay_network.h"

#include <algorithm>

#include "sandbox/testing.h"

namespace hearth::sandbox {
namespace {

TEST(OverlayNetwork, NothingLeavesTheCarrierButWhatNebulaSends) {
  const WayOut way = carrier_way_out({.config = "", .port = 5000, .host_name = "", .hosts = ""}, "");
  EXPECT_NE(way.rules.find("policy drop"), std::string::npos);
  EXPECT_NE(way.rules.find("meta nfproto ipv4 udp sport 5000 accept"), std::string::npos);
  EXPECT_EQ(way.rules.find(" dport "), std::string::npos) << "no name server either";
  EXPECT_EQ(way.options.back(), "--no-map-gw") << "this PC's loopback is not reached";
  const WayOut near =
      carrier_way_out({.config = "", .port = 5000, .reaches_loopback = true, .host_name = "", .hosts = ""}, "");
  EXPECT_NE(near.options.back(), "--no-map-gw");
}

TEST(OverlayNetwork, GoesOutByTheNetworkThatThereIsWhereNoRouteIsTheDefault) {
  const std::string head = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";
  const std::string lan = "eth1\t000000C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";
  const std::string everywhere = "eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n";
  EXPECT_EQ(interface_without_default(head + lan), "eth1");
  EXPECT_EQ(interface_without_default(head + lan + everywhere), "");
  EXPECT_EQ(interface_without_default(head), "");
  EXPECT_EQ(interface_without_default(""), "");
  EXPECT_EQ(interface_without_default(head + "odd\n" + lan), "eth1");
  const WayOut way = carrier_way_out({.config = "", .port = 5000, .host_name = "", .hosts = ""}, "eth1");
  EXPECT_NE(std::ranges::search(way.options, std::vector<std::string>{"-i", "eth1"}).begin(), way.options.end());
}

TEST(OverlayNetwork, MissingToolsAreNamedWithTheirPackages) {
  EXPECT_NE((NetworkTools{.nft = "/x", .pasta = "/x"}).overlay_lack().find("apt install nebula"), std::string::npos);
  EXPECT_NE((NetworkTools{.nft = "/x", .pasta = "", .nebula = "/x"}).overlay_lack().find("passt"), std::string::npos);
  EXPECT_EQ((NetworkTools{.nft = "/x", .pasta = "/x", .nebula = "/x"}).overlay_lack(), "");
}

// Nebula refuses this configuration, so the program must not start: it would find no network.
TEST(OverlayNetwork, AProgramDoesNotStartWithoutIt) {
  if (!find_network_tools().overlay_lack().empty()) {
    GTEST_SKIP() << "SKIPPED: " << find_network_tools().overlay_lack();
  }
  TestHost host;
  std::unique_ptr<Sandbox> box = host.prepare(
      small_limits(), {.kind = Network::Kind::kOverlay,
                       .on_listener = {},
                       .refused = {},
                       .overlay = {.config = "pki: {}\n", .port = 5000, .host_name = "host-0", .hosts = ""}});
  Ran ran = Running(*box, {.argv = {"/bin/echo", "started"}, .variables = {}, .bound_files = {}}).wait();
  EXPECT_FALSE(ran.exit.started);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.exit.message.find("nebula has ended"), std::string::npos) << ran.exit.message;
}

}  // namespace
}  // namespace hearth::sandbox
