// Tokens: how a machine with nobody at it comes in, and how it is put out again.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "harness/clock.h"
#include "harness/pairing.h"
#include "harness/raw.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

// The parts of https://HOST:PORT/#token=1.<device>.<secret>.<identity>.
struct TokenParts {
  std::string device;
  std::string secret;
  std::string identity;
};

TokenParts parts_of(const std::string& token) {
  const std::string mark = "/#token=1.";
  const std::size_t device = token.find(mark) + mark.size();
  const std::size_t secret = token.find('.', device) + 1;
  const std::size_t identity = token.find('.', secret) + 1;
  const std::string identity_text = token.substr(identity, token.find('\n') - identity);
  return {token.substr(device, secret - 1 - device),
          from_base64(token.substr(secret, identity - 1 - secret)).value_or(""),
          from_base64(identity_text).value_or("")};
}

HeaderList json_headers(const std::string& session) {
  HeaderList headers = {{"Content-Type", "application/json"}};
  if (!session.empty()) headers.emplace_back("Authorization", "Bearer " + session);
  return headers;
}

class TokensTest : public PoolFixture {
 protected:
  TokenParts new_token(const std::string& name, std::vector<std::string> options = {}) {
    std::vector<std::string> arguments = {"token", "new", name};
    arguments.insert(arguments.end(), options.begin(), options.end());
    const Ended made = pool().cli(arguments);
    EXPECT_EQ(made.exit_code, 0) << made.err;
    EXPECT_THAT(made.out, HasSubstr("https://127.0.0.1:" + std::to_string(pool().endpoint().port) + "/#token=1."));
    return parts_of(made.out);
  }

  HttpAnswer call(const std::string& method, const json& request, const std::string& session = "") {
    return https(pool().endpoint().port, "POST", "/hearth.v1." + method, json_headers(session), request.dump());
  }

  HttpAnswer prove(const std::string& device, const std::string& secret) {
    return call("PairingService/Prove", {{"deviceId", device}, {"secret", to_base64url(secret)}});
  }

  std::string open_session(const TokenParts& token) {
    const HttpAnswer answer = prove(token.device, token.secret);
    EXPECT_EQ(answer.status, 200U) << answer.body;
    return json::parse(answer.body, nullptr, false).value("token", "");
  }

  // A stream that stands: its head has come.
  RawConnection watch(const std::string& session) {
    RawConnection stream(pool().endpoint().port, Layer::kTls);
    EXPECT_TRUE(
        stream.send("POST /hearth.v1.NodeService/Watch HTTP/1.1\r\nHost: x\r\nContent-Type: "
                    "application/connect+json\r\nAuthorization: Bearer " +
                    session + "\r\nContent-Length: 7\r\n\r\n" + std::string("\0\0\0\0\2{}", 7)));
    EXPECT_THAT(stream.receive(seconds(20), 100), HasSubstr("200 OK"));
    return stream;
  }
};

TEST_F(TokensTest, AMachineComesInAndRunsJobsByItsTokenAlone) {
  const TokenParts token = new_token("Büro-Server", {"--ring", "friend", "--days", "3"});
  EXPECT_EQ(token.identity, pool().endpoint().identity);
  const std::string session = open_session(token);
  const json spec = {{"argv", {"sh", "-c", "echo hello"}}};
  const HttpAnswer submitted =
      call("JobService/Submit", {{"spec", spec}, {"requestId", to_base64url(std::string(16, 'r'))}}, session);
  ASSERT_EQ(submitted.status, 200U) << submitted.body;
  Api owner(pool());
  const v1::Job job = owner.job(std::stoull(json::parse(submitted.body)["jobId"].get<std::string>()));
  EXPECT_EQ(job.owner(), "Büro-Server");
  EXPECT_EQ(job.ring(), v1::RING_FRIEND);
  const Ended listed = pool().cli({"devices"});
  EXPECT_THAT(listed.out, HasSubstr("Büro-Server  guest (token)  friend"));
  EXPECT_THAT(listed.out, HasSubstr("runs out in 2 d 23 h"));
}

TEST_F(TokensTest, ATokenIsNeverAnOwner) {
  const std::string session = open_session(new_token("ci"));
  for (const char* method : {"DeviceService/NewToken", "DeviceService/Invite", "DeviceService/Revoke"}) {
    EXPECT_EQ(call(method, json::object(), session).status, 403U) << method;
  }
}

TEST_F(TokensTest, WrongSecretsOpenNothing) {
  const TokenParts first = new_token("first");
  const TokenParts second = new_token("second");
  std::string nearly = first.secret;
  nearly.back() = static_cast<char>(nearly.back() ^ 1);
  for (const std::string& secret : {nearly, second.secret, std::string(), std::string(1, '\0'), first.secret + "x"}) {
    EXPECT_EQ(prove(first.device, secret).status, 401U);
  }
  EXPECT_EQ(prove("4711", first.secret).status, 401U);
  // Nor what the hub keeps of it, nor a secret in the place of a device's key.
  EXPECT_EQ(prove(first.device, net::sha256(first.secret)).status, 401U);
  const v1::Device owner =
      Api(pool()).call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest())->devices(0);
  EXPECT_EQ(prove(std::to_string(owner.id()), first.secret).status, 401U);
  EXPECT_EQ(prove(first.device, first.secret).status, 200U);
}

TEST_F(TokensTest, TheHubKeepsNoSecret) {
  const TokenParts token = new_token("ci");
  pool().down();
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(pool().home())) {
    if (!entry.is_regular_file()) continue;
    const std::string content = read_text(entry.path());
    for (const std::string& spelled : {token.secret, to_hex(token.secret), to_base64url(token.secret)}) {
      EXPECT_EQ(content.find(spelled), std::string::npos) << entry.path();
    }
  }
  pool().up();
  EXPECT_EQ(prove(token.device, token.secret).status, 200U) << "a token outlives the hub's process";
}

TEST_F(TokensTest, ARevokedTokenIsOutAndItsStreamsEnd) {
  const TokenParts token = new_token("ci");
  const std::string session = open_session(token);
  RawConnection stream = watch(session);
  ASSERT_EQ(pool().cli({"devices", "revoke", "ci"}).exit_code, 0);
  EXPECT_TRUE(stream.closed_within(seconds(10)));
  EXPECT_EQ(call("NodeService/Status", json::object(), session).status, 401U);
  EXPECT_EQ(prove(token.device, token.secret).status, 401U);
  EXPECT_THAT(pool().cli({"devices"}).out, Not(HasSubstr("ci")));
}

TEST_F(TokensTest, WrongOptionsAreNamed) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"token", "new"}, "NAME"},
      {{"token", "new", "ci", "--days", "0"}, "--days 0"},
      {{"token", "new", "ci", "--days", "3651"}, "1 to 3650"},
      {{"token", "new", "ci", "--ring", "family"}, "--ring family"},
      {{"token", "new", std::string(65, 'n')}, "1 to 64 bytes"},
      {{"token", "new", "a\nb"}, "control characters"},
      {{"token"}, "followed by one of: new"},
  };
  for (const auto& [arguments, said] : cases) {
    const Ended ended = pool().cli(arguments);
    EXPECT_EQ(ended.exit_code, 2) << said << ended.err;
    EXPECT_THAT(ended.err, HasSubstr(said));
    EXPECT_EQ(ended.out, "");
  }
}

TEST_F(TokensTest, TheCommandLineLendsItsSession) {
  const Ended plain = pool().cli({"session"});
  ASSERT_EQ(plain.exit_code, 0) << plain.err;
  EXPECT_EQ(call("NodeService/Status", json::object(), plain.out.substr(0, plain.out.size() - 1)).status, 200U);
  const json shown = json::parse(pool().cli({"session", "--json"}).out);
  EXPECT_EQ(shown["endpoint"], "127.0.0.1:" + std::to_string(pool().endpoint().port));
  EXPECT_EQ(shown["identity"], to_hex(pool().endpoint().identity));
  EXPECT_EQ(call("NodeService/Status", json::object(), shown["session"]).status, 200U);
}

class TokensInTimeTest : public TokensTest {
 protected:
  void SetUp() override {
    clock_.emplace(add_pool("main"), scratch());
    pool().up();
  }
  MovableClock& clock() { return *clock_; }

 private:
  std::optional<MovableClock> clock_;
};

TEST_F(TokensInTimeTest, ATokenThatHasRunOutIsOutAndItsStreamsEnd) {
  const TokenParts token = new_token("ci", {"--days", "2"});
  const std::string session = open_session(token);
  RawConnection stream = watch(session);
  clock().move_calendar(std::chrono::hours(47));
  EXPECT_EQ(call("NodeService/Status", json::object(), session).status, 200U);
  clock().move_calendar(std::chrono::hours(49));
  EXPECT_EQ(call("NodeService/Status", json::object(), session).status, 401U);
  EXPECT_EQ(prove(token.device, token.secret).status, 401U);
  EXPECT_TRUE(stream.closed_within(seconds(30)));
  const auto devices = Api(pool()).call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  ASSERT_TRUE(devices);
  EXPECT_EQ(devices->devices_size(), 3) << "it is listed until an owner takes it out";
}

}  // namespace
}  // namespace hearth::e2e
