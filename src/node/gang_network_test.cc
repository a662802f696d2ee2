#include "node/gang_network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/nebula_config.h"

namespace hearth::node {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::Pair;

v1::GangNetwork way() {
  const net::NebulaAuthority authority({1'900'000'000'000}, {1'900'000'001'000});
  const net::GangPlan plan = net::plan_gang(5);
  const net::NebulaIdentity identity = authority.issue("host-1", plan.member(1), net::kGangPrefix);
  v1::GangNetwork way;
  way.set_network(plan.network);
  way.set_size(3);
  way.set_authority(authority.certificate());
  way.set_certificate(identity.certificate);
  way.set_key(identity.key);
  way.set_port(4242);
  way.set_secret("abc");
  return way;
}

TEST(GangNetwork, IsWhatTheSandboxMakes) {
  const Result<sandbox::Overlay> overlay = make_overlay(way(), 1, "192.168.7.2", 5000);
  ASSERT_TRUE(overlay) << overlay.error().message;
  EXPECT_EQ(net::format_ipv4(overlay->address), "10.64.6.2");
  EXPECT_EQ(overlay->host_name, "host-1");
  EXPECT_THAT(overlay->hosts, HasSubstr("10.64.6.3 host-2\n"));
  EXPECT_THAT(overlay->config, HasSubstr("192.168.7.2:4242"));
  EXPECT_FALSE(overlay->reaches_loopback);
}

TEST(GangNetwork, AHubOnThisPcIsReachedByTheCarriersGateway) {
  const Result<sandbox::Overlay> overlay = make_overlay(way(), 1, "127.0.0.1", 5000);
  ASSERT_TRUE(overlay);
  EXPECT_TRUE(overlay->reaches_loopback);
  EXPECT_THAT(overlay->config, HasSubstr(std::string(sandbox::kCarrierGateway) + ":4242"));
}

TEST(GangNetwork, TellsTheProgram) {
  const auto variables = gang_variables(way(), 1);
  EXPECT_THAT(variables, Contains(Pair("HEARTH_GANG_RANK", "1")));
  EXPECT_THAT(variables, Contains(Pair("HEARTH_GANG_SIZE", "3")));
  EXPECT_THAT(variables, Contains(Pair("HEARTH_GANG_ADDRESS", "10.64.6.2")));
  EXPECT_THAT(variables, Contains(Pair("HEARTH_GANG_ADDRESSES", "10.64.6.1,10.64.6.2,10.64.6.3")));
  EXPECT_THAT(variables, Contains(Pair("HEARTH_GANG_SECRET", "abc")));
}

TEST(GangNetwork, WhatTheHubSendsIsChecked) {
  EXPECT_FALSE(make_overlay(way(), 3, "192.168.7.2", 5000)) << "there are three";
  v1::GangNetwork bad = way();
  bad.set_size(201);
  EXPECT_FALSE(make_overlay(bad, 1, "192.168.7.2", 5000));
  bad = way();
  bad.set_port(70'000);
  EXPECT_FALSE(make_overlay(bad, 1, "192.168.7.2", 5000));
  bad = way();
  bad.set_key("no key");
  EXPECT_FALSE(make_overlay(bad, 1, "192.168.7.2", 5000));
}

}  // namespace
}  // namespace hearth::node
