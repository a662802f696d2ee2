// Webhooks: whoever asked is told at least once, whatever dies, by a message that can be checked; and nobody has the
// hub call into its own network.
#include <csignal>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/bytes.h"
#include "harness/api.h"
#include "harness/pool.h"
#include "harness/receiver.h"
#include "net/crypto.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class WebhooksTest : public PoolFixture {
 protected:
  json webhooks() {
    const Ended listed = pool().cli({"webhook", "list", "--json"});
    EXPECT_EQ(listed.exit_code, 0) << listed.err;
    return json::parse(listed.out, nullptr, false).value("webhooks", json::array());
  }
  std::string run(const std::string& script, const std::string& name) {
    const Ended started = pool().cli({"run", "--detach", "--name", name, "--", "sh", "-c", script});
    EXPECT_EQ(started.exit_code, 0) << started.err;
    return started.out.substr(0, started.out.find('\n'));
  }
  // Those that were taken, by type and job.
  static std::set<std::string> taken(const Receiver& receiver) {
    std::set<std::string> events;
    for (const Receiver::Request& request : receiver.received()) {
      const json event = json::parse(request.body, nullptr, false);
      if (request.status == 200) {
        events.insert(event["type"].get<std::string>() + " " + event["data"]["job_id"].get<std::string>());
      }
    }
    return events;
  }

  Receiver receiver_;
};

TEST_F(WebhooksTest, EachEventArrivesSignedWhateverDies) {
  const Ended added = pool().cli({"webhook", "add", receiver_.url(), "--private", "--on", "job.queued,job.ended"});
  ASSERT_EQ(added.exit_code, 0) << added.err;
  ASSERT_TRUE(added.out.starts_with("whsec_")) << added.out;
  const std::string secret = *from_base64(added.out.substr(6, added.out.size() - 7));

  receiver_.answer({500, 503});
  const std::string job = run("sleep 2; exit 6", "told");
  ASSERT_TRUE(eventually(seconds(30), [&] { return !receiver_.received().empty(); }));
  ::kill(pool().hub_process(), SIGKILL);  // its supervisor starts it again
  ASSERT_TRUE(eventually(seconds(90), [&] {
    return taken(receiver_) == std::set<std::string>{"job.queued " + job, "job.ended " + job};
  })) << receiver_.received().size();

  std::map<std::string, std::string> bodies;  // by id
  for (const Receiver::Request& request : receiver_.received()) {
    const std::string id = request.header("webhook-id");
    const std::string timestamp = request.header("webhook-timestamp");
    ASSERT_FALSE(id.empty() || timestamp.empty()) << request.head;
    EXPECT_EQ(bodies.try_emplace(id, request.body).first->second, request.body) << "another message under the same id";
    const std::string signature = request.header("webhook-signature");
    ASSERT_TRUE(signature.starts_with("v1,"));
    EXPECT_EQ(*from_base64(signature.substr(3)), net::hmac_sha256(secret, id + "." + timestamp + "." + request.body));
  }
  EXPECT_EQ(bodies.size(), 2U) << "an event has one id, however often it is sent";
  EXPECT_GT(receiver_.received().size(), 2U);
  for (const auto& [id, body] : bodies) {
    const json event = json::parse(body);
    EXPECT_EQ(event["version"], 1);
    EXPECT_EQ(event["data"]["job"], "told");
    if (event["type"] == "job.ended") EXPECT_EQ(event["data"]["exit_code"], 6);
  }
  EXPECT_TRUE(eventually(seconds(10), [&] { return webhooks()[0]["delivered"] == "2"; })) << webhooks();
}

TEST_F(WebhooksTest, NothingIsSentIntoAPrivateNetworkUnlessAnOwnerSaysSo) {
  // Of a name that is judged when it is called, see the tests of egress/post.
  const Ended refused = pool().cli({"webhook", "add", receiver_.url()});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, AllOf(HasSubstr("127.0.0.1 is a loopback address"), HasSubstr("--private")));
  EXPECT_TRUE(webhooks().empty());
  ASSERT_EQ(pool().cli({"webhook", "add", receiver_.url(), "--private"}).exit_code, 0);
  const Ended open = pool().cli({"webhook", "test", "1"});
  EXPECT_EQ(open.exit_code, 0) << open.err;
  ASSERT_EQ(receiver_.received().size(), 1U);
  EXPECT_THAT(receiver_.received()[0].body, HasSubstr("webhook.test"));
  receiver_.answer({302});
  const Ended elsewhere = pool().cli({"webhook", "test", "1"});
  EXPECT_EQ(elsewhere.exit_code, 1);
  EXPECT_THAT(elsewhere.err, HasSubstr("status 302"));
  ASSERT_EQ(pool().cli({"webhook", "rm", "1"}).exit_code, 0);
  EXPECT_EQ(pool().cli({"webhook", "rm", "1"}).exit_code, 1) << "it is gone";
  EXPECT_THAT(pool().cli({"audit"}).out, HasSubstr("webhook.add"));
}

TEST_F(WebhooksTest, OfOneJobItEndsWithIt) {
  const std::string job = run("true", "one");
  Api(pool()).wait(std::stoull(job));
  ASSERT_EQ(pool().cli({"webhook", "add", receiver_.url(), "--private", "--job", job}).exit_code, 0);
  EXPECT_TRUE(eventually(seconds(30), [&] { return webhooks().empty(); })) << webhooks();
  EXPECT_EQ(taken(receiver_), std::set<std::string>{"job.ended " + job});
  EXPECT_EQ(pool().cli({"webhook", "add", receiver_.url(), "--private", "--job", "999"}).exit_code, 1);
  EXPECT_EQ(pool().cli({"webhook", "add", "mailto:a@example"}).exit_code, 2);
}

TEST_F(WebhooksTest, ARunTellsItsEnd) {
  const Ended ran = pool().cli({"run", "--webhook", "https://hook.invalid/", "--", "true"});
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("its end is told to https://hook.invalid/, signed by whsec_"));
  EXPECT_EQ(webhooks()[0]["job_id"], "1");
  const Ended here = pool().cli({"run", "--webhook", receiver_.url(), "--", "true"});
  EXPECT_THAT(here.err, HasSubstr("127.0.0.1 is a loopback address"));
  EXPECT_TRUE(receiver_.received().empty()) << "it lies in a private network";
  EXPECT_EQ(pool().cli({"run", "--webhook", "nowhere", "--", "true"}).exit_code, 2);
  EXPECT_EQ(pool().cli({"run", "--webhook-secret", "x", "--", "true"}).exit_code, 2);
  EXPECT_EQ(pool().cli({"jobs", "--json"}).out.find("\"id\": \"3\""), std::string::npos) << "it was run all the same";
}

TEST_F(WebhooksTest, ASecretOfOnesOwnIsUsed) {
  const std::string text = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
  write_text(pool().directory() / "secret", text + "\n");
  const Ended added = pool().cli({"webhook", "add", receiver_.url(), "--private", "--secret-file", "secret"});
  EXPECT_EQ(added.out, text + "\n") << added.err;
  write_text(pool().directory() / "secret", "letmein");
  const Ended refused = pool().cli({"webhook", "add", receiver_.url(), "--private", "--secret-file", "secret"});
  EXPECT_EQ(refused.exit_code, 2);
  EXPECT_THAT(refused.err, HasSubstr("whsec_"));
}

}  // namespace
}  // namespace hearth::e2e
