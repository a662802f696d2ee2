// What each role may do to the pool, tried by every method of the schema, so that a new one cannot be forgotten.
#include <set>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "harness/pairing.h"
#include "harness/raw.h"
#include "harness/schema.h"
#include "hearth/v1/accounts.pb.h"
#include "hearth/v1/audit.pb.h"

namespace hearth::e2e {
namespace {

using google::protobuf::MethodDescriptor;
using testing::HasSubstr;
using testing::Not;

// Beside what every member's device may.
const std::set<std::string> kOperators = {
    "/hearth.v1.AccountService/Set",     "/hearth.v1.AuditService/List",   "/hearth.v1.BookingService/Book",
    "/hearth.v1.BookingService/Unbook",  "/hearth.v1.NodeService/SetDuty", "/hearth.v1.OperatorService/Queue",
    "/hearth.v1.OperatorService/Shares",
};
// Who is in, how far they are trusted, and what is the owner's own.
const std::set<std::string> kOwners = {
    "/hearth.v1.AccountService/Assign",     "/hearth.v1.AccountService/Remove",
    "/hearth.v1.DeviceService/Allow",       "/hearth.v1.DeviceService/Invite",
    "/hearth.v1.DeviceService/NewToken",    "/hearth.v1.DeviceService/Revoke",
    "/hearth.v1.DeviceService/SetRing",     "/hearth.v1.DeviceService/SetRole",
    "/hearth.v1.DriveService/SetPrivate",   "/hearth.v1.EnvironmentService/Put",
    "/hearth.v1.EnvironmentService/Remove", "/hearth.v1.NodeService/StopEverything",
    "/hearth.v1.HubService/AddStandby",     "/hearth.v1.HubService/RemoveStandby",
    "/hearth.v1.HubService/SetWitness",     "/hearth.v1.HubService/HandOver",
};

class RolesTest : public PoolFixture {
 protected:
  // Whether the dispatcher lets a call of it through. Its body is none, so nothing is done.
  bool is_let_through(const MethodDescriptor& method, const std::string& token) {
    HeaderList headers = {{"Authorization", "Bearer " + token}, {"Connect-Protocol-Version", "1"}};
    headers.emplace_back("Content-Type", method.server_streaming() ? "application/connect+proto" : "application/proto");
    const std::string no_message = "\xff";
    const std::string body = method.server_streaming() ? std::string("\0\0\0\0\1", 5) + no_message : no_message;
    const HttpAnswer answer = https(pool().endpoint().port, "POST", path_of(method), headers, body);
    const bool is_refused = answer.body.find("permission_denied") != std::string::npos;
    if (!is_refused) EXPECT_THAT(answer.body, HasSubstr("invalid_argument")) << path_of(method) << answer.head;
    return !is_refused;
  }
  std::set<std::string> let_through(Api& device) {
    std::set<std::string> found;
    const std::string token = device.token(true);
    for (const MethodDescriptor* method : all_methods()) {
      if (is_let_through(*method, token)) found.insert(path_of(*method));
    }
    return found;
  }
  static std::set<std::string> methods_of(const std::set<v1::Access>& accesses) {
    std::set<std::string> found;
    for (const MethodDescriptor* method : all_methods()) {
      if (accesses.contains(access_of(*method))) found.insert(path_of(*method));
    }
    return found;
  }
  void say(const std::vector<std::string>& arguments) {
    const Ended ended = pool().cli(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
  }
};

TEST_F(RolesTest, EveryMethodBeyondAMembersIsDecidedHereToo) {
  EXPECT_EQ(methods_of({v1::ACCESS_OPERATOR}), kOperators);
  EXPECT_EQ(methods_of({v1::ACCESS_OWNER}), kOwners);
}

TEST_F(RolesTest, EachRoleReachesItsMethodsAndNoOthers) {
  using enum v1::Access;
  const std::set<std::string> open = methods_of({ACCESS_OPEN});
  Api node(pool().home() / "node");
  EXPECT_EQ(let_through(node), methods_of({ACCESS_OPEN, ACCESS_NODE}));
  Api guest(pair_device(pool(), "guest", v1::ROLE_MEMBER));
  say({"devices", "ring", "guest", "stranger"});
  EXPECT_EQ(let_through(guest), methods_of({ACCESS_OPEN, ACCESS_NODE, ACCESS_MEMBER}));
  Api device(pair_device(pool(), "laptop", v1::ROLE_MEMBER));
  EXPECT_EQ(let_through(device), methods_of({ACCESS_OPEN, ACCESS_NODE, ACCESS_MEMBER}));
  say({"devices", "role", "laptop", "operator"});
  EXPECT_EQ(let_through(device), methods_of({ACCESS_OPEN, ACCESS_NODE, ACCESS_MEMBER, ACCESS_OPERATOR}));
  say({"devices", "role", "laptop", "owner"});
  EXPECT_EQ(let_through(device), methods_of({ACCESS_OPEN, ACCESS_NODE, ACCESS_MEMBER, ACCESS_OPERATOR, ACCESS_OWNER}));
}

TEST_F(RolesTest, AnOperatorEndsEverybodysJobsAndRemovesNone) {
  Api owner(pool());
  const auto job = owner.submit(shell("sleep 1000"));
  ASSERT_TRUE(job);
  Api device(pair_device(pool(), "laptop", v1::ROLE_OPERATOR));
  ASSERT_TRUE(device.cancel(*job));
  EXPECT_EQ(owner.wait(*job).state(), v1::JOB_STATE_CANCELLED);
  v1::RemoveRequest removal;
  removal.set_job_id(*job);
  const auto removed = device.call<v1::RemoveReply>("hearth.v1.JobService/Remove", removal);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::kPermissionDenied);
  v1::SetAccountRequest account;
  account.set_name("physics");
  account.set_weight(300);
  EXPECT_TRUE(device.call<v1::SetAccountReply>("hearth.v1.AccountService/Set", account));
  v1::ListAuditRequest request;
  const auto log = device.call<v1::ListAuditReply>("hearth.v1.AuditService/List", request);
  ASSERT_TRUE(log);
  EXPECT_THAT(log->SerializeAsString(), HasSubstr("job.cancel"));
  const auto devices = device.call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  EXPECT_GE(devices->devices_size(), 3) << "it is shown the whole pool";
}

TEST_F(RolesTest, ARoleIsTakenBackAtOnce) {
  const std::filesystem::path directory = pair_device(pool(), "laptop", v1::ROLE_OPERATOR);
  Api device(directory);
  const auto queue = [&] {
    for (const MethodDescriptor* method : all_methods()) {
      if (path_of(*method) == "/hearth.v1.OperatorService/Queue") return is_let_through(*method, device.token(false));
    }
    return false;
  };
  EXPECT_TRUE(queue());
  WatchStream watch(directory);
  ASSERT_TRUE(eventually(seconds(20), [&] { return watch.open(); }));
  say({"devices", "role", "laptop", "member"});
  EXPECT_FALSE(queue()) << "the session that it had goes on, with less";
  EXPECT_TRUE(eventually(seconds(20), [&] { return watch.ended(); })) << "a stream goes on as it began";
  EXPECT_THAT(pool().cli({"audit", "--csv"}).out, HasSubstr("role=member before=operator"));
}

TEST_F(RolesTest, RolesAndRingsAgree) {
  Api device(pair_device(pool(), "laptop", v1::ROLE_OPERATOR));
  const Ended outside = pool().cli({"devices", "ring", "laptop", "friend"});
  EXPECT_EQ(outside.exit_code, 1) << "who runs the pool is shown all of it";
  say({"devices", "role", "laptop", "member"});
  say({"devices", "ring", "laptop", "friend"});
  EXPECT_THAT(pool().cli({"devices"}).out, HasSubstr("guest"));
  for (const char* role : {"operator", "owner"}) {
    const Ended refused = pool().cli({"devices", "role", "laptop", role});
    EXPECT_EQ(refused.exit_code, 1);
    EXPECT_THAT(refused.err, HasSubstr("hearth devices ring laptop home"));
  }
  EXPECT_EQ(pool().cli({"devices", "role", "laptop", "guest"}).exit_code, 2);
  say({"token", "new", "robot"});
  EXPECT_EQ(pool().cli({"devices", "role", "robot", "owner"}).exit_code, 1) << "no token owns a pool";
  say({"devices", "role", "robot", "operator"});
  Api owner(pool());
  const auto devices = owner.call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  for (const v1::Device& one : devices->devices()) {
    if (one.role() == v1::ROLE_NODE) EXPECT_EQ(pool().cli({"devices", "role", one.name(), "operator"}).exit_code, 1);
    if (one.is_this())
      EXPECT_EQ(pool().cli({"devices", "role", one.name(), "member"}).exit_code, 1) << "the last owner";
  }
}

}  // namespace
}  // namespace hearth::e2e
