// `hearth watch`: what happens in the pool, live, through the hub's death, and no more than one may see.
#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pairing.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class WatchTest : public PoolFixture {
 protected:
  std::string submit(const v1::JobSpec& spec) {
    const auto job = Api(pool()).submit(spec);
    EXPECT_TRUE(job) << text_of(job.error());
    return job ? std::to_string(*job) : "0";
  }
  static bool says(const Process& watch, const std::string& text) {
    return eventually(seconds(30), [&] { return watch.out().contains(text); });
  }
  // A watch sees what happens once it is there, and then tells of something.
  bool is_there(const Process& watch, const std::string& word = "succeeded") {
    return eventually(seconds(60), [&] {
      submit(shell("true"));
      pause_for(milliseconds(300));
      return watch.out().contains(word);
    });
  }
};

TEST_F(WatchTest, TellsWhatHappensInThePoolLineByLine) {
  v1::JobSpec before = shell("sleep 300");
  before.set_name("before");
  const std::string running = submit(before);
  Api(pool()).wait_until_running(std::stoull(running));
  Process watch = pool().start_cli({"watch"});
  Process watch_json = pool().start_cli({"watch", "--json"});
  ASSERT_TRUE(is_there(watch)) << watch.err();
  ASSERT_TRUE(is_there(watch_json, "job.ended")) << watch_json.err();
  v1::JobSpec spec = shell("exit 7");
  spec.set_name("doomed");
  spec.set_retries(1);
  const std::string job = submit(spec);
  ASSERT_TRUE(says(watch, "job " + job + " (doomed) failed: exit code 7\n")) << watch.out();
  EXPECT_THAT(watch.out(), HasSubstr("job " + job + " (doomed) queued: 1 task"));
  EXPECT_THAT(watch.out(), HasSubstr("task 0 of job " + job + " (doomed) goes back to the queue, attempt 1 on "));
  EXPECT_THAT(watch.out(), HasSubstr("task 0 of job " + job + " (doomed) failed, attempt 2 on "));
  EXPECT_THAT(watch.out(), Not(HasSubstr("(before)"))) << "it was running already";
  ASSERT_EQ(pool().cli({"cancel", running}).exit_code, 0);
  EXPECT_TRUE(says(watch, "job " + running + " (before) cancelled\n")) << watch.out();

  ::kill(pool().node_process(), SIGKILL);
  EXPECT_TRUE(says(watch, " is away\n")) << watch.out();
  EXPECT_TRUE(says(watch, " is here\n")) << watch.out();

  ASSERT_TRUE(says(watch_json, "node.connected"));
  std::string type;
  for (std::string rest = watch_json.out(); !rest.empty();) {
    const std::string line = rest.substr(0, rest.find('\n'));
    rest.erase(0, line.size() + 1);
    const json event = json::parse(line, nullptr, false);
    ASSERT_TRUE(event.is_object()) << line;
    EXPECT_EQ(event["version"], 1);
    if (event["data"]["job_id"] == job) type += event["type"].get<std::string>() + " ";
  }
  EXPECT_EQ(type, "job.queued job.started task.requeued task.failed job.ended ");
}

TEST_F(WatchTest, EndsWithTheExitStatusOfTheJobsThatAreNamed) {
  const std::string good = submit(shell("true"));
  const std::string bad = submit(shell("sleep 1; exit 7"));
  const Ended both = pool().cli({"watch", good, bad});
  EXPECT_EQ(both.exit_code, 7) << both.err;
  EXPECT_THAT(both.out, HasSubstr("job " + good));
  EXPECT_THAT(both.out, HasSubstr("job " + bad + " (sh) failed: exit code 7"));
  EXPECT_EQ(pool().cli({"watch", good}).exit_code, 0);
  const Ended absent = pool().cli({"watch", "99999"});
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("99999"));
  EXPECT_EQ(pool().cli({"watch", "none"}).exit_code, 2);
}

TEST_F(WatchTest, LosesNoEndWhenTheHubDies) {
  Process all = pool().start_cli({"watch"});
  ASSERT_TRUE(is_there(all)) << all.out() << all.err();
  const std::string job = submit(shell("sleep 6; exit 5"));
  Process watch = pool().start_cli({"watch", job});
  ASSERT_TRUE(says(watch, "runs\n")) << watch.out() << watch.err();
  // Ended, and started again by its supervisor; the task ends meanwhile or afterwards.
  ::kill(pool().hub_process(), SIGKILL);
  EXPECT_EQ(watch.wait(seconds(60)).exit_code, 5) << watch.err();
  EXPECT_THAT(watch.out(), HasSubstr("job " + job + " (sh) failed: exit code 5"));
  EXPECT_TRUE(all.running()) << all.err();
  const std::string later = submit(shell("true"));
  EXPECT_TRUE(says(all, "job " + later + " (sh) succeeded\n")) << all.out();
}

TEST_F(WatchTest, AFriendIsToldOfItsOwnJobsAlone) {
  const auto directory = pair_device(pool(), "friend", v1::ROLE_MEMBER);
  Api owner(pool());
  v1::SetRingRequest ring;
  const auto devices =
      Api(directory).call<v1::ListDevicesReply>("hearth.v1.DeviceService/List", v1::ListDevicesRequest());
  for (const v1::Device& one : devices->devices()) {
    if (one.is_this()) ring.set_device_id(one.id());
  }
  ring.set_ring(v1::RING_FRIEND);
  ASSERT_TRUE(owner.call<v1::SetRingReply>("hearth.v1.DeviceService/SetRing", ring));
  Api friends(directory);

  v1::WatchRequest request;
  request.set_failed_attempts(true);
  std::string told;
  bool own_seen = false;
  const std::string bearer = friends.token(true);
  const Result<void> done = friends.loop().run_until_done(net::call_stream<v1::WatchReply>(
      friends.session().client(), "hearth.v1.NodeService/Watch", bearer, request,
      [&](const v1::WatchReply& reply) -> net::Async<Result<void>> {
        told += reply.ShortDebugString();
        for (const v1::Job& job : reply.jobs()) own_seen = own_seen || job.owner() == "friend";
        if (reply.snapshot()) {
          owner.wait(*owner.submit(shell("echo secret; exit 3")));
          v1::SubmitRequest own;
          *own.mutable_spec() = shell("exit 4");
          own.set_request_id("0123456789abcdef");
          const auto sent = co_await friends.session().call<v1::SubmitReply>("hearth.v1.JobService/Submit", own);
          EXPECT_TRUE(sent) << text_of(sent.error());
        }
        if (own_seen) co_return fail(Code::kCanceled, "enough");
        co_return Result<void>();
      }));
  EXPECT_TRUE(own_seen) << text_of(done.error());
  EXPECT_THAT(told, Not(HasSubstr("secret")));
  EXPECT_THAT(told, Not(HasSubstr("exit_code: 3")));
}

}  // namespace
}  // namespace hearth::e2e
