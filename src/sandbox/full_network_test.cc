// The full network of a guest. What it reaches and what not is shown in tests/security.
#include "sandbox/full_network.h"

#include "sandbox/testing.h"

namespace hearth::sandbox {
namespace {

TEST(FullNetwork, RulesRefuseBeforeTheyLetPass) {
  const std::string rules = network_rules({"10.0.0.0/8", "2002::/16"});
  const std::size_t end = rules.find("    accept\n");
  ASSERT_NE(end, std::string::npos);
  for (const char* refused : {"ip daddr 10.0.0.0/8 reject", "ip6 daddr 2002::/16 reject", "th dport 25 reject",
                              "ip6 daddr != 2000::/3 reject"}) {
    EXPECT_LT(rules.find(refused), end) << refused;
  }
  EXPECT_NE(rules.find("policy drop"), std::string::npos) << "what no rule judges does not pass";
}

TEST(FullNetwork, MissingToolsAreNamedWithTheirPackages) {
  EXPECT_NE((NetworkTools{.nft = "", .pasta = "/x"}).missing().find("apt install nftables"), std::string::npos);
  EXPECT_NE((NetworkTools{.nft = "/x", .pasta = ""}).missing().find("apt install passt"), std::string::npos);
  EXPECT_EQ((NetworkTools{.nft = "/x", .pasta = "/x"}).missing(), "");
  EXPECT_NE((NetworkTools{.nft = "/x", .pasta = "/x", .has_device = false}).missing().find("/dev/net/tun"),
            std::string::npos);
}

TEST(FullNetwork, RulesThatDoNotLoadStopTheProgram) {
  if (!find_network_tools().missing().empty()) GTEST_SKIP() << "SKIPPED: " << find_network_tools().missing();
  TestHost host;
  std::unique_ptr<Sandbox> box =
      host.prepare(small_limits(), {.kind = Network::Kind::kFull, .on_listener = {}, .refused = {"no-range"}});
  Ran ran = Running(*box, {.argv = {"/bin/echo", "started"}, .variables = {}, .bound_files = {}}).wait();
  EXPECT_FALSE(ran.exit.started);
  EXPECT_EQ(ran.out, "");
  EXPECT_NE(ran.exit.message.find("rules of its network did not load"), std::string::npos) << ran.exit.message;
}

}  // namespace
}  // namespace hearth::sandbox
