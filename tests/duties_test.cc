// Cordon and drain: what the pool's owner says of a node, from any device.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class DutiesTest : public PoolFixture {
 protected:
  json node() {
    const Ended ended = pool().cli({"nodes", "--json"});
    return json::parse(ended.out, nullptr, false).at("nodes").at(0);
  }
  std::string name() { return node().at("name").get<std::string>(); }
  void succeed(const std::vector<std::string>& arguments) {
    const Ended ended = pool().cli(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
  }
};

TEST_F(DutiesTest, ACordonKeepsNewWorkAwayOverARestartAndIsTakenBack) {
  Api owner(pool());
  const auto runs = owner.submit(shell("sleep 1000"));
  ASSERT_TRUE(runs);
  owner.wait_until_running(*runs);
  succeed({"node", "cordon", name()});
  EXPECT_EQ(node().at("closed_reason"), "cordoned by the pool's owner");
  EXPECT_EQ(node().at("duty"), "DUTY_CORDONED");
  EXPECT_THAT(pool().cli({"nodes"}).out, HasSubstr("cordoned by the pool's owner"));
  const auto waits = owner.submit(shell("true"));
  ASSERT_TRUE(waits);
  EXPECT_THAT(pool().cli({"why", std::to_string(*waits)}).out,
              HasSubstr("1 node could take it, but it is cordoned or drained by the pool's owner"));
  EXPECT_EQ(owner.job(*runs).running(), 1U) << "what runs there goes on";
  succeed({"cancel", std::to_string(*runs)});
  pool().down();
  pool().up();
  pool().await_node();
  EXPECT_EQ(node().at("closed_reason"), "cordoned by the pool's owner");
  Api again(pool());
  EXPECT_EQ(again.job(*waits).running(), 0U);
  succeed({"node", "uncordon", name()});
  EXPECT_EQ(again.wait(*waits).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(node().value("closed", false), false);
  const Ended log = pool().cli({"audit", "--csv"});
  EXPECT_THAT(log.out, HasSubstr("node.cordon"));
  EXPECT_THAT(log.out, HasSubstr("node.uncordon"));
}

TEST_F(DutiesTest, ADrainSendsBackWhatStillRunsAndCountsItAsNoAttempt) {
  Api owner(pool());
  const auto job = owner.submit(shell("sleep 1000"));
  ASSERT_TRUE(job);
  owner.wait_until_running(*job);
  succeed({"node", "drain", name(), "--grace", "1h"});
  EXPECT_EQ(owner.job(*job).running(), 1U) << "its grace is not over";
  succeed({"node", "drain", name(), "--grace", "0"});
  EXPECT_TRUE(eventually(seconds(30), [&] { return owner.job(*job).pending() == 1; }));
  const v1::Task task = owner.get(*job, 1).tasks(0);
  EXPECT_EQ(task.attempts(), 0U);
  EXPECT_EQ(task.outcome().reason(), v1::FAILURE_REASON_DRAINED);
  EXPECT_TRUE(eventually(seconds(30), [&] { return node().at("running_tasks") == 0; }));
  EXPECT_THAT(pool().cli({"audit", "--csv"}).out, HasSubstr("grace=3600s"));
  succeed({"node", "uncordon", name()});
  owner.wait_until_running(*job);
  ASSERT_TRUE(owner.cancel(*job));
}

TEST_F(DutiesTest, ADrainWhoseGraceEndsWhileTheHubIsDownIsMadeUpFor) {
  Api owner(pool());
  const auto job = owner.submit(shell("sleep 1000"));
  ASSERT_TRUE(job);
  owner.wait_until_running(*job);
  succeed({"node", "drain", name(), "--grace", "1s"});
  pool().down();
  pool().up();
  Api again(pool());
  EXPECT_TRUE(eventually(seconds(60), [&] { return again.job(*job).pending() == 1; }));
  ASSERT_TRUE(again.cancel(*job));
}

TEST_F(DutiesTest, IsForOwnersAndNodesThatThereAre) {
  EXPECT_EQ(pool().cli({"node", "cordon", "nobody"}).exit_code, 1);
  EXPECT_EQ(pool().cli({"node", "drain", name(), "--grace", "8d"}).exit_code, 2);
  v1::SetDutyRequest request;
  request.set_duty(v1::DUTY_CORDONED);
  const auto code = [&](Api& api) {
    const auto reply = api.call<v1::SetDutyReply>("hearth.v1.NodeService/SetDuty", request);
    return reply ? Code::kUnknown : reply.error().code;
  };
  Api owner(pool());
  Api member(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  EXPECT_EQ(code(member), Code::kPermissionDenied);
  EXPECT_EQ(code(owner), Code::kNotFound);
  request.set_node_id(std::stoull(node().at("id").get<std::string>()));
  request.clear_duty();
  EXPECT_EQ(code(owner), Code::kInvalidArgument);
  request.set_duty(v1::DUTY_DRAINING);
  request.set_grace_seconds(700'000);
  EXPECT_EQ(code(owner), Code::kInvalidArgument);
}

}  // namespace
}  // namespace hearth::e2e
