// Several firms on one pool: `hearth firm`, and what is told of them.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class FirmsTest : public PoolFixture {
 protected:
  Ended succeed(const std::vector<std::string>& arguments) {
    Ended ended = pool().cli(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended;
  }
  json account(const std::string& name) {
    const json accounts = json::parse(succeed({"account", "--json"}).out, nullptr, false).at("accounts");
    for (const json& one : accounts) {
      if (one.at("name") == name) return one;
    }
    ADD_FAILURE() << "no account " << name;
    return json::object();
  }
  std::string own_device() { return Api(pool()).device_name(); }
};

TEST_F(FirmsTest, AccountsOfAFirmShareItsLimit) {
  succeed({"firm", "set", "acme", "--cores", "1", "--weight", "300"});
  succeed({"account", "set", "physics", "--firm", "acme"});
  succeed({"account", "assign", own_device(), "physics"});
  EXPECT_EQ(account("physics").at("firm"), "acme");
  EXPECT_EQ(account("acme").at("accounts").at(0), "physics");
  Api owner(pool());
  const auto first = owner.submit(shell("sleep 1000"));
  const auto second = owner.submit(shell("sleep 1000"));
  ASSERT_TRUE(first && second);
  owner.wait_until_running(*first);
  EXPECT_THAT(succeed({"why", std::to_string(*second)}).out, HasSubstr("the firm acme uses as much as it may"));
  pool().down();
  pool().up();
  pool().await_node();
  EXPECT_EQ(account("acme").at("weight"), 300);
  EXPECT_THAT(succeed({"why", std::to_string(*second)}).out, HasSubstr("the firm acme uses as much as it may"));
  succeed({"firm", "rm", "acme"});
  EXPECT_EQ(account("physics").value("firm", ""), "");
  Api again(pool());
  again.wait_until_running(*second);
  for (const auto job : {*first, *second}) EXPECT_TRUE(again.cancel(job));
  EXPECT_THAT(succeed({"audit", "--csv"}).out, HasSubstr("firm.set"));
}

TEST_F(FirmsTest, UsageIsToldByFirm) {
  succeed({"firm", "set", "acme"});
  succeed({"account", "set", "physics", "--firm", "acme"});
  succeed({"run", "--", "true"});
  succeed({"account", "assign", own_device(), "physics"});
  succeed({"run", "-n", "2", "--", "true"});
  const json rows = json::parse(succeed({"usage", "--by", "firm", "--json"}).out, nullptr, false).at("rows");
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].value("firm", ""), "") << "what ran before was for no firm, and stays so";
  EXPECT_EQ(rows[0].at("tasks"), "1");
  EXPECT_EQ(rows[1].at("firm"), "acme");
  EXPECT_EQ(rows[1].at("tasks"), "2");
  EXPECT_THAT(succeed({"usage", "--csv"}).out, HasSubstr(",physics,acme,"));
}

TEST_F(FirmsTest, WhatIsNoFirmIsTold) {
  succeed({"firm", "set", "acme"});
  succeed({"account", "set", "physics"});
  const auto refused = [&](const std::vector<std::string>& arguments, const std::string& why) {
    const Ended ended = pool().cli(arguments);
    EXPECT_NE(ended.exit_code, 0);
    EXPECT_THAT(ended.err, HasSubstr(why));
  };
  refused({"account", "set", "sales", "--firm", "bolt"}, "there is no firm 'bolt'");
  refused({"account", "set", "sales", "--firm", "physics"}, "there is no firm 'physics'");
  refused({"account", "set", "acme"}, "acme is a firm");
  refused({"firm", "set", "physics"}, "physics is an account");
  refused({"account", "assign", own_device(), "acme"}, "acme is a firm");
  refused({"usage", "--by", "colour"}, "owner, account, firm or day");
}

}  // namespace
}  // namespace hearth::e2e
