// The audit log: what owners and devices do to the pool is in it, a change of it is found, and owners alone read it.
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"
#include "hearth/v1/audit.pb.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

class AuditTest : public PoolFixture {
 protected:
  Ended succeed(const std::vector<std::string>& arguments) {
    Ended ended = pool().cli(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended;
  }
  std::vector<std::string> told() {
    std::vector<std::string> lines;
    for (const json& line : json::parse(succeed({"audit", "--json"}).out).at("lines")) {
      lines.push_back(line.at("action").get<std::string>() + " " + line.at("object").get<std::string>() + " " +
                      line.at("details").get<std::string>());
    }
    return lines;
  }
};

TEST_F(AuditTest, TellsWhatIsDoneToThePoolAndOutlivesARestart) {
  EXPECT_THAT(told(), testing::IsEmpty());
  const std::filesystem::path phone = pair_device(pool(), "phone", v1::ROLE_MEMBER);
  succeed({"devices", "ring", "phone", "friend"});
  succeed({"token", "new", "=ci", "--days", "3"});
  Api member(phone);
  const auto job = member.submit(shell("sleep 1000"));
  ASSERT_TRUE(job) << job.error().message;
  succeed({"cancel", std::to_string(*job)});
  pool().down();
  pool().up();
  pool().await_node();
  succeed({"devices", "revoke", "phone"});
  EXPECT_THAT(told(),
              testing::ElementsAre(HasSubstr("device.invite"),
                                   AllOf(HasSubstr("device.allow phone"), HasSubstr("role=member ring=home")),
                                   "device.ring phone ring=friend before=home", "token.new =ci ring=home days=3",
                                   "job.cancel job " + std::to_string(*job) + " of=phone", "device.revoke phone "));
  const Ended csv = succeed({"audit", "--csv"});
  EXPECT_THAT(csv.out, HasSubstr("number,at,device,address,action,object,details,hash\r\n"));
  EXPECT_THAT(csv.out, HasSubstr(",token.new,'=ci,"));  // no formula for a spreadsheet
  EXPECT_THAT(succeed({"audit"}).out, HasSubstr("127.0.0.1"));
  EXPECT_THAT(succeed({"audit", "--since", "2999-01-01"}).err, HasSubstr("nothing was done"));
  const Ended wrong = pool().cli({"audit", "--since", "yesterday"});
  EXPECT_EQ(wrong.exit_code, 2);
  EXPECT_THAT(wrong.err, HasSubstr("--since yesterday: a day is needed, for example 2026-01-31"));
}

TEST_F(AuditTest, AVerificationFindsWhatWasCutOff) {
  succeed({"token", "new", "one"});
  succeed({"token", "new", "two"});
  const std::string out = succeed({"audit", "verify"}).out;
  EXPECT_THAT(out, HasSubstr("all 2 lines are whole"));
  const std::string head = out.substr(out.find("2:"), 2 + 64);
  succeed({"token", "new", "three"});
  succeed({"audit", "verify", "--noted", head});
  std::string other = head;
  other.back() = other.back() == '0' ? '1' : '0';
  EXPECT_THAT(pool().cli({"audit", "verify", "--noted", other}).err, HasSubstr("line 2 is not the one that was noted"));
  EXPECT_THAT(pool().cli({"audit", "verify", "--noted", "9" + head.substr(1)}).err, HasSubstr("its end is missing"));
  EXPECT_EQ(pool().cli({"audit", "verify", "--noted", "x"}).exit_code, 2);
}

TEST_F(AuditTest, IsForOwnersAndTellsNoSecret) {
  const std::string token = succeed({"token", "new", "ci"}).out;
  const std::size_t secret = token.find('.', token.find("#token=1.") + 9) + 1;
  EXPECT_THAT(succeed({"audit", "--json"}).out, Not(HasSubstr(token.substr(secret, 43))));
  Api member(pair_device(pool(), "phone", v1::ROLE_MEMBER));
  const auto refused = member.call<v1::ListAuditReply>("hearth.v1.AuditService/List", v1::ListAuditRequest());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kPermissionDenied);
}

}  // namespace
}  // namespace hearth::e2e
