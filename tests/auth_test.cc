// Who may do what: no request without a valid session reaches a handler other than pairing's, and a revoked device is
// out within a second.
#include <filesystem>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "harness/pairing.h"
#include "harness/raw.h"
#include "harness/schema.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using google::protobuf::MethodDescriptor;
using testing::HasSubstr;

enum class Encoding { kProto, kJson };

HttpAnswer call(std::uint16_t port, const MethodDescriptor& method, Encoding encoding, HeaderList headers) {
  const bool json = encoding == Encoding::kJson;
  const std::string type = json ? "json" : "proto";
  std::string body = json ? "{}" : "";
  if (method.server_streaming()) body = std::string("\0\0\0\0", 4) + static_cast<char>(body.size()) + body;
  headers.emplace_back("Content-Type",
                       "application/" + std::string(method.server_streaming() ? "connect+" : "") + type);
  headers.emplace_back("Connect-Protocol-Version", "1");
  return https(port, "POST", path_of(method), headers, body);
}

class AuthTest : public PoolFixture {
 protected:
  // Calls every method that `chosen` picks, in both encodings; each must be refused with this code.
  template <class Chosen>
  void expect_refused(const HeaderList& headers, unsigned status, const std::string& code, Chosen chosen) {
    const std::uint16_t port = pool().endpoint().port;
    int called = 0;
    for (const MethodDescriptor* method : all_methods()) {
      if (!chosen(access_of(*method))) continue;
      for (const Encoding encoding : {Encoding::kProto, Encoding::kJson}) {
        const HttpAnswer answer = call(port, *method, encoding, headers);
        EXPECT_THAT(answer.body, HasSubstr("\"" + code + "\"")) << path_of(*method) << " " << answer.head;
        EXPECT_EQ(answer.status, method->server_streaming() ? 200U : status) << path_of(*method);
        ++called;
      }
    }
    EXPECT_GT(called, 0);
  }

  void expect_shut_out(const HeaderList& headers) {
    expect_refused(headers, 401, "unauthenticated", [](v1::Access access) { return access != v1::ACCESS_OPEN; });
    const std::uint16_t port = pool().endpoint().port;
    const std::string blob = "/blob/" + to_hex(net::sha256("x"));
    EXPECT_EQ(https(port, "GET", blob, headers, "").status, 401U);
    EXPECT_EQ(https(port, "HEAD", blob, headers, "").status, 401U);
    EXPECT_EQ(https(port, "PUT", blob, headers, "x").status, 401U);
    HeaderList upgrade = headers;
    for (const auto& [name, value] : HeaderList{{"Upgrade", "websocket"},
                                                {"Connection", "Upgrade"},
                                                {"Sec-WebSocket-Version", "13"},
                                                {"Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="},
                                                {"Sec-WebSocket-Protocol", "hearth-node.1"}}) {
      upgrade.emplace_back(name, value);
    }
    EXPECT_EQ(https(port, "GET", "/session", upgrade, "").status, 401U);
  }
};

HeaderList bearer(const std::string& token) { return {{"Authorization", "Bearer " + token}}; }

TEST_F(AuthTest, EveryMethodSaysWhoMayCallIt) {
  for (const MethodDescriptor* method : all_methods()) {
    EXPECT_NE(access_of(*method), v1::ACCESS_UNSPECIFIED) << path_of(*method);
  }
}

TEST_F(AuthTest, NoSessionReachesNothing) { expect_shut_out({}); }

TEST_F(AuthTest, InventedSessionsReachNothing) {
  expect_shut_out(bearer(to_base64url(net::random_bytes(32))));
  expect_shut_out(bearer(""));
  expect_shut_out({{"Authorization", "Basic b3duZXI6b3duZXI="}});
  expect_shut_out({{"Cookie", "__Host-hearth=" + to_base64url(net::random_bytes(32))}});
  expect_shut_out(bearer(std::string(8000, 'A')));
}

TEST_F(AuthTest, RevokedSessionsReachNothing) {
  const fs::path directory = pair_device(pool(), "phone", v1::ROLE_MEMBER);
  Api phone(directory);
  const std::string token = phone.token();
  ASSERT_TRUE(phone.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest()));
  ASSERT_EQ(pool().cli({"devices", "revoke", "phone"}).exit_code, 0);
  expect_shut_out(bearer(token));
  expect_shut_out({{"Cookie", "__Host-hearth=" + token}});
  const auto again = phone.call<v1::StatusReply>("hearth.v1.NodeService/Status", v1::StatusRequest());
  ASSERT_FALSE(again) << "a revoked device proved its key";
  EXPECT_EQ(again.error().code, Code::kUnauthenticated);
}

TEST_F(AuthTest, SessionsEndWithTheHubsProcess) {
  Api owner(pool());
  const std::string token = owner.token();
  ASSERT_EQ(pool().cli({"down"}).exit_code, 0);
  pool().up();
  expect_shut_out(bearer(token));
}

TEST_F(AuthTest, ANodeReachesOnlyANodesMethods) {
  Api node(pool().home() / "node");
  expect_refused(bearer(node.token()), 403, "permission_denied",
                 [](v1::Access access) { return access == v1::ACCESS_MEMBER || access == v1::ACCESS_OWNER; });
}

TEST_F(AuthTest, AMemberReachesNoOwnersMethods) {
  Api member(pair_device(pool(), "guest", v1::ROLE_MEMBER));
  expect_refused(bearer(member.token()), 403, "permission_denied",
                 [](v1::Access access) { return access == v1::ACCESS_OWNER; });
  // Nor other people's jobs, nor a node's session.
  Api owner(pool());
  const auto job = owner.submit(shell("sleep 300"));
  ASSERT_TRUE(job);
  const auto cancelled = member.cancel(*job);
  ASSERT_FALSE(cancelled);
  EXPECT_EQ(cancelled.error().code, Code::kPermissionDenied);
  v1::RemoveRequest removal;
  removal.set_job_id(*job);
  const auto removed = member.call<v1::RemoveReply>("hearth.v1.JobService/Remove", removal);
  ASSERT_FALSE(removed);
  EXPECT_EQ(removed.error().code, Code::kPermissionDenied);
  const auto socket = member.loop().run_until_done(member.session().client().websocket(
      "/session",
      [&] {
        net::Headers headers;
        headers.add("Authorization", "Bearer " + member.token());
        return headers;
      }(),
      "hearth-node.1", kMiB));
  EXPECT_FALSE(socket) << "a member opened a node's session";
  EXPECT_TRUE(owner.cancel(*job));
  EXPECT_EQ(member.call<v1::RemoveReply>("hearth.v1.JobService/Remove", removal).error().code, Code::kPermissionDenied)
      << "nor when it has ended";
  const auto own = member.submit(shell("true"));
  ASSERT_TRUE(own);
  member.wait(*own);
  removal.set_job_id(*own);
  EXPECT_TRUE(member.call<v1::RemoveReply>("hearth.v1.JobService/Remove", removal));
  removal.set_job_id(*job);
  EXPECT_TRUE(owner.call<v1::RemoveReply>("hearth.v1.JobService/Remove", removal));
}

TEST_F(AuthTest, UnknownMethodsReachNothing) {
  const std::uint16_t port = pool().endpoint().port;
  const HeaderList headers = {{"Content-Type", "application/json"}, bearer(Api(pool()).token()).front()};
  for (const char* path : {"/hearth.v1.JobService/Nothing", "/hearth.v1.Nothing/Get", "/google.protobuf.Any/Get"}) {
    const HttpAnswer answer = https(port, "POST", path, headers, "{}");
    EXPECT_TRUE(answer.status == 404 || answer.status == 501) << path << answer.head;
  }
  EXPECT_EQ(https(port, "GET", "/hearth.v1.JobService/List", headers, "").status, 405U);
}

TEST_F(AuthTest, AnotherSitesPageCannotUseTheCookie) {
  const std::string token = Api(pool()).token();
  const HeaderList headers = {{"Cookie", "__Host-hearth=" + token}, {"Origin", "https://evil.example"}};
  expect_shut_out(headers);
}

TEST_F(AuthTest, RevocationCutsWhatIsOpen) {
  const fs::path phone = pair_device(pool(), "phone", v1::ROLE_MEMBER);
  Api api(phone);
  const v1::Blob large = api.put(std::string(64 * kMiB, 'd'));
  WatchStream watch(phone);
  ASSERT_TRUE(eventually(seconds(20), [&] { return watch.open(); }));
  // A download whose reader takes its time.
  const std::uint16_t port = pool().endpoint().port;
  RawConnection download(port, Layer::kTls);
  download.send("GET /blob/" + to_hex(large.sha256()) + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + api.token() +
                "\r\n\r\n");
  ASSERT_THAT(download.receive(seconds(10), 1000), HasSubstr("200"));

  ASSERT_EQ(pool().cli({"devices", "revoke", "phone"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(1), [&] { return watch.ended(); })) << "a revoked device's stream goes on";
  EXPECT_LT(download.receive(seconds(10)).size(), large.size()) << "a revoked device got its download to the end";
}

TEST_F(AuthTest, RevocationCutsANode) {
  Api owner(pool());
  Pool& second = add_pool("second");
  Process joining = second.start_cli({"join", invite(owner).links(0), "--name", "second"});
  ASSERT_TRUE(eventually(seconds(20), [&] { return joining.err().find("shows") != std::string::npos; }))
      << joining.err();
  ASSERT_EQ(pool().cli({"devices", "allow", "second"}).exit_code, 0);
  ASSERT_EQ(joining.wait(seconds(60)).exit_code, 0);
  second.await_node();
  ASSERT_EQ(pool().cli({"devices", "revoke", "second"}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(1), [&] {
    const auto nodes = owner.call<v1::ListNodesReply>("hearth.v1.NodeService/List", v1::ListNodesRequest());
    if (!nodes) return false;
    for (const v1::Node& node : nodes->nodes()) {
      if (node.name() == "second" && node.connected()) return false;
    }
    return true;
  })) << "a revoked node is still connected";
}

TEST_F(AuthTest, TheLastOwnerCannotBeRevoked) {
  Api owner(pool());
  const auto devices = owner.call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  ASSERT_TRUE(devices);
  for (const v1::Device& device : devices->devices()) {
    if (!device.is_this()) continue;
    const Ended ended = pool().cli({"devices", "revoke", device.name()});
    EXPECT_EQ(ended.exit_code, 1);
    EXPECT_THAT(ended.err, HasSubstr("last"));
  }
  EXPECT_EQ(pool().cli({"status"}).exit_code, 0);
}

}  // namespace
}  // namespace hearth::e2e
