// Who used how much: told by `hearth usage`, as it was recorded with each attempt's end.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"
#include "hearth/v1/usage.pb.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class AccountingTest : public PoolFixture {
 protected:
  json rows(std::vector<std::string> options = {}) {
    options.insert(options.begin(), {"usage", "--json"});
    const Ended ended = pool().cli(options);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return json::parse(ended.out, nullptr, false).at("rows");
  }
  static std::uint64_t count(const json& row, const char* field) {
    return std::stoull(row.at(field).get<std::string>());
  }
};

TEST_F(AccountingTest, CountsWhatEachOwnerUsedAndOutlivesARestart) {
  EXPECT_TRUE(rows().empty());
  ASSERT_EQ(
      pool().cli({"run", "-n", "2", "--output", "out", "--", "sh", "-c", "sleep 0.2; echo 12345 > out"}).exit_code, 0);
  ASSERT_EQ(pool().cli({"run", "--retries", "1", "--", "sh", "-c", "sleep 0.2; false"}).exit_code, 1);
  pool().down();
  pool().up();
  pool().await_node();
  const json own = rows({"--by", "owner"});
  ASSERT_EQ(own.size(), 1U);
  EXPECT_EQ(count(own[0], "tasks"), 3U);
  EXPECT_EQ(count(own[0], "failed_tasks"), 1U);
  EXPECT_EQ(count(own[0], "attempts"), 4U);
  EXPECT_GE(own[0].at("core_seconds").get<double>(), 0.8);
  EXPECT_GE(own[0].at("memory_byte_seconds").get<double>(), 0.8 * (1U << 30U) * 0.9);
  EXPECT_EQ(own[0].at("gpu_seconds").get<double>(), 0);
  EXPECT_EQ(count(own[0], "result_bytes"), 12U);
  EXPECT_EQ(own[0].at("day"), "");
  EXPECT_EQ(rows({"--by", "day"})[0].at("owner"), "");
  EXPECT_TRUE(rows({"--since", "2999-01-01"}).empty());
  const Ended csv = pool().cli({"usage", "--csv"});
  EXPECT_THAT(csv.out, HasSubstr(",result_bytes,energy_joules,unmetered_core_seconds\r\n"));
  EXPECT_THAT(csv.out, HasSubstr(",12,unknown,"));
  EXPECT_THAT(pool().cli({"usage"}).err, HasSubstr("the energy of some of it is unknown"));
  EXPECT_EQ(pool().cli({"usage", "--by", "colour"}).exit_code, 2);
}

TEST_F(AccountingTest, EnergyFollowsFromWhatTheNodesOwnerSays) {
  ASSERT_EQ(pool().cli({"limit", "--watts", "80"}).exit_code, 0);
  double cores = 0;
  EXPECT_TRUE(eventually(seconds(30), [&] {
    const json nodes = json::parse(pool().cli({"nodes", "--json"}).out, nullptr, false).at("nodes");
    bool is_said = false;
    for (const json& attribute : nodes[0].at("attributes")) {
      if (attribute.at("name") == "watts") is_said = attribute.at("number") == 80.0;
      if (attribute.at("name") == "cores") cores = attribute.at("number").get<double>();
    }
    return is_said;
  }));
  ASSERT_GE(cores, 1);
  ASSERT_EQ(pool().cli({"run", "--", "sleep", "0.3"}).exit_code, 0);
  const json own = rows({"--by", "owner"});
  ASSERT_EQ(own.size(), 1U);
  const double spent = own[0].at("core_seconds").get<double>();
  EXPECT_NEAR(own[0].at("energy_joules").get<double>(), 80 / cores * spent, 0.01);
  EXPECT_EQ(own[0].value("unmetered_core_seconds", 0.0), 0);
}

TEST_F(AccountingTest, ADeviceThatIsNotOfRingHomeIsShownItsOwn) {
  ASSERT_EQ(pool().cli({"run", "--", "true"}).exit_code, 0);
  const std::filesystem::path directory = pair_device(pool(), "phone", v1::ROLE_MEMBER);
  ASSERT_EQ(pool().cli({"devices", "ring", "phone", "friend"}).exit_code, 0);
  Api phone(directory);
  const auto own = phone.call<v1::ListUsageReply>("hearth.v1.UsageService/List", v1::ListUsageRequest());
  ASSERT_TRUE(own) << own.error().message;
  EXPECT_TRUE(own->own_only());
  EXPECT_EQ(own->rows_size(), 0);
  ASSERT_EQ(pool().cli({"devices", "ring", "phone", "home"}).exit_code, 0);
  const auto all = phone.call<v1::ListUsageReply>("hearth.v1.UsageService/List", v1::ListUsageRequest());
  ASSERT_TRUE(all) << all.error().message;
  EXPECT_FALSE(all->own_only());
  EXPECT_EQ(all->rows_size(), 1);
}

}  // namespace
}  // namespace hearth::e2e
