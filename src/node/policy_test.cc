#include "node/policy.h"

#include <gtest/gtest.h>

#include "base/sizes.h"

namespace hearth::node {
namespace {

constexpr Resources kMachine{.cores = 8, .memory_bytes = 16 * kGiB, .gpus = 1};

Result<Policy> parse(std::string_view json) { return parse_policy(json, silent_policy(kMachine, false), kMachine); }

TEST(Policy, OnesOwnPoolRunsWhileOneIsHere) {
  const OwnerFirst own = silent_policy(kMachine, true).owner_first;
  EXPECT_EQ(own.mode, OwnerFirstMode::kOff);
  EXPECT_TRUE(own.on_battery);
  EXPECT_EQ(silent_policy(kMachine, false).owner_first, OwnerFirst{}) << "others' pools wait";
  const auto asked = parse_policy(R"({"owner_first": {"mode": "auto"}})", silent_policy(kMachine, true), kMachine);
  EXPECT_EQ(asked->owner_first.mode, OwnerFirstMode::kAuto);
}

TEST(Policy, OffersByDefaultWhatLeavesTheOwnerRoom) {
  auto policy = parse("{}");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->limit.cores, 8U);
  EXPECT_EQ(policy->limit.gpus, 1U);
  EXPECT_LT(policy->limit.memory_bytes, 13 * kGiB);
  EXPECT_GT(policy->limit.memory_bytes, 12 * kGiB);
  EXPECT_FALSE(policy->has_hours);
  EXPECT_FALSE(policy->draining);
}

TEST(Policy, TakesLimits) {
  auto policy = parse(R"({"cores": 2, "memory_bytes": 1073741824, "hours": "22:30-7", "draining": true, "more": 1})");
  ASSERT_TRUE(policy);
  EXPECT_EQ(policy->limit.cores, 2U);
  EXPECT_EQ(policy->limit.memory_bytes, kGiB);
  EXPECT_TRUE(policy->has_hours);
  EXPECT_EQ(policy->from_minute, 22 * 60 + 30);
  EXPECT_EQ(policy->to_minute, 7 * 60);
  EXPECT_TRUE(policy->draining);
  EXPECT_EQ(parse(R"({"cores": 99, "memory_bytes": 99999999999999})")->limit.cores, 8U) << "no more than there is";
  EXPECT_EQ(parse(R"({"memory_bytes": 99999999999999})")->limit.memory_bytes, kMachine.memory_bytes);
  EXPECT_EQ(parse(R"({"cores": null, "hours": null, "draining": null})")->limit.cores, 8U);
  EXPECT_EQ(parse(R"({"cores": 0})")->limit.cores, 0U);
  EXPECT_FALSE(parse(R"({"hours": ""})")->has_hours);
  EXPECT_EQ(parse(R"({"hours": "0-24"})")->to_minute, 0) << "the day's end is its beginning";
}

TEST(Policy, AdmitsToTheNetworkOnlyWhatItSays) {
  EXPECT_EQ(parse("{}")->admits, Admission{});
  EXPECT_EQ(parse(R"({"net": null})")->admits, Admission{});
  EXPECT_EQ(parse(R"({"net": {"guests": "none"}})")->admits, Admission{});
  EXPECT_EQ(parse(R"({"net": {"guests": "listed"}})")->admits, Admission{.listed_hosts = true});
  EXPECT_EQ(parse(R"({"net": {"guests": "full"}})")->admits, (Admission{.listed_hosts = true, .full_network = true}));
}

TEST(Policy, RefusesNonsense) {
  for (const char* json : {"",
                           "x",
                           "[]",
                           "1",
                           "null",
                           R"({"cores": -1})",
                           R"({"cores": 1.5})",
                           R"({"cores": "2"})",
                           R"({"memory_bytes": -5})",
                           R"({"draining": "yes"})",
                           R"({"net": "listed"})",
                           R"({"net": {}})",
                           R"({"net": {"guests": "all"}})",
                           R"({"net": {"guests": true}})",
                           R"({"hours": 22})",
                           R"({"hours": "22"})",
                           R"({"hours": "25-7"})",
                           R"({"hours": "22:60-7"})",
                           R"({"hours": "24:01-7"})",
                           R"({"hours": "-7"})",
                           R"({"hours": "22-"})",
                           R"({"hours": "a-b"})",
                           R"({"hours": "022-7"})",
                           R"({"hours": "22-7-8"})"}) {
    auto policy = parse(json);
    ASSERT_FALSE(policy) << json;
    EXPECT_EQ(policy.error().code, Code::kInvalidArgument);
    EXPECT_NE(policy.error().message.find("policy.json"), std::string::npos);
  }
}

TEST(Policy, TellsWhenTheOwnerComesFirst) {
  EXPECT_EQ(parse("{}")->owner_first, OwnerFirst{});
  EXPECT_EQ(parse(R"({"owner_first": null})")->owner_first, OwnerFirst{});
  const auto policy = parse(R"({"owner_first": {"mode": "on", "quiet_seconds": 2, "patience_seconds": 3,
    "grace_seconds": 4, "on_battery": true, "on_metered": true, "max_celsius": 70, "max_price": "0.35"}})");
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->owner_first, (OwnerFirst{.mode = OwnerFirstMode::kOn,
                                             .quiet = seconds(2),
                                             .patience = seconds(3),
                                             .grace = seconds(4),
                                             .on_battery = true,
                                             .on_metered = true,
                                             .max_celsius = 70,
                                             .max_price = 350}));
  for (const char* owner : {R"(1)", R"({"mode": "maybe"})", R"({"mode": 1})", R"({"quiet_seconds": -1})",
                            R"({"quiet_seconds": 99999999999})", R"({"on_battery": "no"})", R"({"max_celsius": 151})",
                            R"({"max_price": 0.3})", R"({"max_price": "x"})"}) {
    EXPECT_FALSE(parse(std::string(R"({"owner_first": )") + owner + "}")) << owner;
  }
}

TEST(Policy, HoldsTheTariff) {
  EXPECT_FALSE(parse_tariff("{}")->has_value());
  EXPECT_FALSE(parse_tariff("no json")->has_value());
  const auto tariff = parse_tariff(R"({"owner_first": {"tariff": "00:00-24:00 0.3\n"}})");
  ASSERT_TRUE(tariff && *tariff);
  EXPECT_EQ((*tariff)->price_at(600), 300U);
  EXPECT_FALSE(parse_tariff(R"({"owner_first": {"tariff": "cheap"}})"));
  EXPECT_FALSE(parse_tariff(R"({"owner_first": {"tariff": 1}})"));
}

TEST(Policy, NamesTheLevelOfIsolation) {
  EXPECT_EQ(parse_isolation("{}"), Isolation{});
  EXPECT_EQ(parse_isolation(R"({"isolation": "microvm"})"), Isolation{.level = sandbox::Level::kMicroVm});
  EXPECT_EQ(parse_isolation(R"({"isolation": "oci", "oci_runtime": "runsc --network=none"})"),
            (Isolation{.level = sandbox::Level::kOci, .oci_runtime = "runsc --network=none"}));
  const std::string long_name = R"({"oci_runtime": ")" + std::string(1025, 'x') + "\"}";
  for (const char* wrong :
       {R"({"isolation": "none"})", R"({"isolation": 3})", R"({"oci_runtime": 3})", long_name.c_str()}) {
    EXPECT_EQ(parse_isolation(wrong).error().code, Code::kInvalidArgument) << wrong;
  }
}

}  // namespace
}  // namespace hearth::node
