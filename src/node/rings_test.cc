#include "node/rings.h"

#include <gtest/gtest.h>

namespace hearth::node {
namespace {

using sandbox::Level;

constexpr Admission kHomeByDefault(Ring::kHome, {Right::kRun, Right::kHostFiles, Right::kGpu, Right::kGangNetwork});

Rings parsed(std::string_view json) {
  const Result<Rings> rings = Rings::parse(json);
  EXPECT_TRUE(rings) << rings.error().message;
  return rings.value_or(Rings());
}

TEST(Rings, ASilentOwnerTrustsEachRingLess) {
  const Rings rings = parsed("{}");
  EXPECT_EQ(rings.of(Ring::kHome),
            (RingTerms{.level = Level::kFence, .host_files = true, .gpu = true, .gang_network = true}));
  EXPECT_EQ(rings.of(Ring::kFriend), RingTerms{.level = Level::kFence});
  EXPECT_EQ(rings.of(Ring::kMember), RingTerms{.level = Level::kFence});
  EXPECT_EQ(rings.of(Ring::kStranger), RingTerms{.level = Level::kMicroVm});
  EXPECT_EQ(rings.levels(), (std::set{Level::kFence, Level::kMicroVm}));
}

TEST(Rings, GrantOnlyWhereTheirLevelIsHad) {
  const Rings rings =
      parsed(R"({"rings": {"friend": {"gpu": true, "net": "listed"}, "member": {"isolation": "none"}}})");
  const Admission fence = rings.admission({Level::kFence});
  EXPECT_TRUE(fence.holds(Ring::kHome, Right::kGangNetwork));
  EXPECT_EQ(fence, kHomeByDefault | Admission(Ring::kFriend, {Right::kRun, Right::kGpu, Right::kListedHosts}));
  EXPECT_TRUE(rings.admission({}).empty());
  EXPECT_EQ(rings.admission({Level::kFence, Level::kMicroVm}), fence | Admission(Ring::kStranger, {Right::kRun}));
}

TEST(Rings, AMicroVmHasNeitherNetworkNorGpuNorTheHostsFiles) {
  const Rings rings =
      parsed(R"({"rings": {"home": {"isolation": "microvm", "host_files": true, "gpu": true, "net": "full"}}})");
  EXPECT_EQ(rings.admission({Level::kMicroVm}),
            Admission(Ring::kHome, {Right::kRun}) | Admission(Ring::kStranger, {Right::kRun}));
}

TEST(Rings, StrangersShareTheKernelOnlyInPlainWords) {
  for (const char* level : {"fence", "oci"}) {
    const std::string isolation = std::string(R"("isolation": ")") + level + '"';
    const Result<Rings> refused = Rings::parse(R"({"rings": {"stranger": {)" + isolation + "}}}");
    ASSERT_FALSE(refused) << level;
    EXPECT_EQ(refused.error().code, Code::kInvalidArgument);
    EXPECT_TRUE(Rings::parse(R"({"rings": {"stranger": {)" + isolation + R"(, "may_share_my_kernel": true}}})"));
  }
  EXPECT_TRUE(Rings::parse(R"({"rings": {"stranger": {"isolation": "none"}}})"));
}

TEST(Rings, HomeAloneCanBeGranted) {
  EXPECT_EQ(Rings().admission({Level::kFence, Level::kMicroVm}).of(Ring::kHome), kHomeByDefault);
}

TEST(Rings, RefuseNonsense) {
  for (const char* rings :
       {"1", "[]", R"({"home": 1})", R"({"home": {"isolation": "moat"}})", R"({"home": {"isolation": 3}})",
        R"({"home": {"net": "all"}})", R"({"home": {"net": true}})", R"({"friend": {"gpu": "yes"}})",
        R"({"friend": {"host_files": 1}})", R"({"stranger": {"may_share_my_kernel": "yes"}})"}) {
    const Result<Rings> parsed = Rings::parse(std::string(R"({"rings": )") + rings + "}");
    ASSERT_FALSE(parsed) << rings;
    EXPECT_EQ(parsed.error().code, Code::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find("policy.json"), std::string::npos);
  }
  EXPECT_FALSE(Rings::parse("x"));
  EXPECT_FALSE(Rings::parse(R"({"oci_runtime": 3})"));
  EXPECT_FALSE(Rings::parse(R"({"oci_runtime": ")" + std::string(1025, 'x') + "\"}"));
  EXPECT_EQ(parsed(R"({"oci_runtime": "runsc --x"})").oci_runtime(), "runsc --x");
  EXPECT_EQ(parsed(R"({"rings": null})").of(Ring::kHome), Rings().of(Ring::kHome));
}

TEST(Rings, ANodeRefusesWhatItsOwnerDoesNotAdmitWhateverTheHubSays) {
  v1::JobSpec spec;
  EXPECT_TRUE(check_admitted(spec, Ring::kHome, kHomeByDefault));
  const Result<void> stranger = check_admitted(spec, Ring::kStranger, kHomeByDefault);
  ASSERT_FALSE(stranger);
  EXPECT_EQ(stranger.error().code, Code::kPermissionDenied);
  EXPECT_NE(stranger.error().message.find("hearth limit --for stranger --isolation microvm"), std::string::npos);

  const Admission friends(Ring::kFriend, {Right::kRun});
  EXPECT_FALSE(check_admitted(spec, Ring::kFriend, friends)) << "it would see the host's files";
  spec.set_environment("python");
  EXPECT_TRUE(check_admitted(spec, Ring::kFriend, friends));
  spec.add_net_hosts("a.example:443");
  EXPECT_FALSE(check_admitted(spec, Ring::kFriend, friends));
  spec.clear_net_hosts();
  spec.set_net_full(true);
  EXPECT_FALSE(check_admitted(spec, Ring::kFriend, friends | Admission(Ring::kFriend, {Right::kListedHosts})));
  spec.set_net_full(false);
  spec.set_net_gang(true);
  EXPECT_FALSE(check_admitted(spec, Ring::kFriend, friends | Admission(Ring::kFriend, {Right::kFullNetwork})));
  EXPECT_TRUE(check_admitted(spec, Ring::kFriend, friends | Admission(Ring::kFriend, {Right::kGangNetwork})));
  spec.set_net_gang(false);
  spec.mutable_resources()->set_gpus(1);
  EXPECT_FALSE(check_admitted(spec, Ring::kFriend, friends));
  EXPECT_TRUE(check_admitted(spec, Ring::kFriend, friends | Admission(Ring::kFriend, {Right::kGpu})));
  spec.clear_resources();
  spec.mutable_workspace()->set_name("mine");
  EXPECT_FALSE(check_admitted(spec, Ring::kFriend, friends)) << "that is for home alone";
}

}  // namespace
}  // namespace hearth::node
