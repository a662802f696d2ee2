// The commands round a job: jobs, job, logs, get, cancel, why, nodes, status; for people and with --json.
#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using nlohmann::json;
using testing::HasSubstr;

class JobCommandsTest : public PoolFixture {
 protected:
  json json_of(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const Ended ended = pool().cli(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    json value = json::parse(ended.out, nullptr, false);
    EXPECT_FALSE(value.is_discarded()) << arguments.front() << " --json is no JSON:\n" << ended.out;
    return value;
  }
  std::string submit(const v1::JobSpec& spec) {
    Api api(pool());
    const auto job = api.submit(spec);
    EXPECT_TRUE(job) << text_of(job.error());
    return job ? std::to_string(*job) : "0";
  }
};

TEST_F(JobCommandsTest, ALogWithoutAWordEndsWithWhatFailed) {
  const Ended started = pool().cli({"run", "--detach", "--", "no-such-program"});
  ASSERT_EQ(started.exit_code, 0) << started.err;
  const Ended followed = pool().cli({"logs", started.out.substr(0, started.out.find('\n')), "--follow"});
  EXPECT_EQ(followed.out, "");
  EXPECT_THAT(followed.err, HasSubstr(" failed: "));
  EXPECT_THAT(followed.err, HasSubstr("no-such-program"));
}

TEST_F(JobCommandsTest, ALogOfWhatStillRunsSaysHowItIsSeen) {
  const Ended started = pool().cli({"run", "--detach", "--", "sleep", "600"});
  ASSERT_EQ(started.exit_code, 0) << started.err;
  const std::string job = started.out.substr(0, started.out.find('\n'));
  const Ended log = pool().cli({"logs", job});
  EXPECT_EQ(log.out, "");
  EXPECT_THAT(log.err, HasSubstr("hearth logs " + job + " --follow"));
  EXPECT_EQ(pool().cli({"cancel", job}).exit_code, 0);
}

TEST_F(JobCommandsTest, ADetachedJobIsFollowedLater) {
  const Ended started = pool().cli({"run", "--detach", "--name", "later", "--output", "*.txt", "--", "sh", "-c",
                                    "echo said; echo complained >&2; echo result > r.txt"});
  ASSERT_EQ(started.exit_code, 0) << started.err;
  const std::string job = started.out.substr(0, started.out.find('\n'));
  const Ended followed = pool().cli({"logs", job, "--follow"});
  EXPECT_EQ(followed.exit_code, 0) << followed.err;
  EXPECT_EQ(followed.out, "said\n");
  EXPECT_THAT(followed.err, HasSubstr("complained\n"));
  EXPECT_EQ(pool().cli({"logs", job, "--task", "0"}).out, "said\n");
  for (const char* command : {"logs", "get"}) {
    const Ended absent = pool().cli({command, job, "--task", "7"});
    EXPECT_EQ(absent.exit_code, 2);
    EXPECT_THAT(absent.err, HasSubstr("--task 7: job " + job + " has one task, number 0"));
  }

  const auto there = pool().directory() / "there";
  const Ended got = pool().cli({"get", job, "--to", there.string()});
  EXPECT_EQ(got.exit_code, 0) << got.err;
  EXPECT_EQ(read_text(there / "r.txt"), "result\n");

  const Ended shown = pool().cli({"job", job});
  EXPECT_THAT(shown.out, HasSubstr("later"));
  EXPECT_THAT(shown.out, HasSubstr("succeeded"));
  EXPECT_THAT(pool().cli({"jobs"}).out, HasSubstr("later"));
}

TEST_F(JobCommandsTest, EveryAnswerIsJsonToo) {
  const std::string job = submit(shell("echo x; exit 4"));
  ASSERT_EQ(Api(pool()).wait(std::stoull(job)).state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(json_of({"jobs"})["jobs"][0]["id"], job);
  const json shown = json_of({"job", job});
  EXPECT_EQ(shown["job"]["state"], "JOB_STATE_FAILED");
  EXPECT_EQ(shown["tasks"][0]["outcome"]["exit_code"], 4);
  EXPECT_EQ(json_of({"why", job})["cause"], "CAUSE_ENDED");
  EXPECT_EQ(json_of({"nodes"})["nodes"].size(), 1U);
  EXPECT_EQ(json_of({"status"})["nodes_connected"], 1);
  EXPECT_GE(json_of({"devices"})["devices"].size(), 2U);
  EXPECT_TRUE(json_of({"limit"}).is_object());
  EXPECT_TRUE(json_of({"doctor"})["findings"].is_array());
  EXPECT_TRUE(json_of({"cancel", job}).is_object());
  EXPECT_TRUE(json_of({"up"})["already_up"].get<bool>());
  const Ended ran = pool().cli({"run", "--json", "--", "sh", "-c", "echo said; exit 5"});
  EXPECT_EQ(ran.exit_code, 5);
  EXPECT_EQ(json::parse(ran.out, nullptr, false)["exit_code"], 5) << ran.out;
  EXPECT_THAT(ran.err, HasSubstr("said"));
}

TEST_F(JobCommandsTest, CancelEndsAJob) {
  const std::string job = submit(shell("sleep 300"));
  Api api(pool());
  api.wait_until_running(std::stoull(job));
  EXPECT_EQ(pool().cli({"cancel", job}).exit_code, 0);
  EXPECT_EQ(api.wait(std::stoull(job)).state(), v1::JOB_STATE_CANCELLED);
  EXPECT_TRUE(eventually(seconds(10), [&] { return guests_of(pool().node_process()).empty(); }))
      << "the cancelled task's processes go on";
  const Ended again = pool().cli({"cancel", job});
  EXPECT_THAT(again.out + again.err, HasSubstr("cancelled"));
}

TEST_F(JobCommandsTest, RmTakesEndedJobsOut) {
  Api api(pool());
  const std::string first = submit(shell("echo first"));
  const std::string second = submit(shell("echo second"));
  for (const std::string& job : {first, second}) api.wait(std::stoull(job));
  v1::JobSpec holding = shell("sleep 300");
  holding.add_after(std::stoull(first));
  const std::string later = submit(holding);

  const Ended live = pool().cli({"rm", later});
  EXPECT_EQ(live.exit_code, 1);
  EXPECT_THAT(live.err, HasSubstr("hearth cancel " + later));
  const Ended some = pool().cli({"rm", first, second});
  EXPECT_EQ(some.exit_code, 1) << "its results are needed";
  EXPECT_THAT(some.err, testing::AllOf(HasSubstr("job " + later), HasSubstr("job " + second + " is removed")));
  EXPECT_EQ(pool().cli({"job", first}).exit_code, 0);
  EXPECT_EQ(pool().cli({"job", second}).exit_code, 1);

  EXPECT_EQ(pool().cli({"cancel", later}).exit_code, 0);
  const json removed = json_of({"rm", first, later});
  EXPECT_EQ(removed["removed"], json::array({first, later}));
  EXPECT_TRUE(json_of({"jobs"}).value("jobs", json::array()).empty());
  EXPECT_GT(std::stoull(submit(shell("true"))), std::stoull(later)) << "a number was given again";
}

TEST_F(JobCommandsTest, WhyIsAnsweredForEveryCause) {
  const auto why = [this](const std::string& job) {
    const Ended ended = pool().cli({"why", job});
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return json_of({"why", job})["cause"].get<std::string>() + " " + ended.out;
  };
  v1::JobSpec huge = shell("true");
  huge.mutable_resources()->set_cores(1000);
  const std::string too_large = why(submit(huge));
  EXPECT_THAT(too_large, HasSubstr("CAUSE_TOO_LARGE"));
  EXPECT_THAT(too_large, HasSubstr("1000")) << "the sentence names what it needs";

  Api api(pool());
  v1::JobSpec filling = shell("sleep 300");
  filling.set_tasks(64);
  const std::string first = submit(filling);
  api.wait_until_running(std::stoull(first));
  const std::string waiting = submit(shell("true"));
  EXPECT_THAT(why(waiting), HasSubstr("CAUSE_BUSY"));
  v1::JobSpec after = shell("true");
  after.add_after(std::stoull(first));
  const std::string dependent = why(submit(after));
  EXPECT_THAT(dependent, HasSubstr("CAUSE_WAITS_FOR_JOBS"));
  EXPECT_THAT(dependent, HasSubstr(first));

  pool().cli({"limit", "--cores", "0"});
  EXPECT_TRUE(eventually(seconds(20), [&] {
    const std::string cause = json_of({"why", waiting})["cause"];
    return cause == "CAUSE_NODES_CLOSED" || cause == "CAUSE_TOO_LARGE";
  })) << why(waiting);
  pool().cli({"limit", "--none"});
  EXPECT_EQ(pool().cli({"cancel", first}).exit_code, 0);
  EXPECT_EQ(api.wait(std::stoull(waiting)).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_THAT(why(waiting), HasSubstr("CAUSE_ENDED"));
}

TEST_F(JobCommandsTest, ReasonsOfFailureAreKept) {
  struct Case {
    v1::JobSpec spec;
    v1::FailureReason reason;
  };
  v1::JobSpec limited = shell("sleep 60");
  limited.set_time_limit_seconds(1);
  v1::JobSpec no_output = shell("true");
  no_output.add_outputs("not-there-*");
  v1::JobSpec link = shell("ln -s /etc/passwd out");
  link.add_outputs("out");
  const std::vector<Case> cases = {{shell("exit 3"), v1::FAILURE_REASON_EXIT_CODE},
                                   {shell("kill -KILL $$"), v1::FAILURE_REASON_SIGNAL},
                                   {limited, v1::FAILURE_REASON_TIME_LIMIT},
                                   {program({"no-such-program-anywhere"}), v1::FAILURE_REASON_START},
                                   {link, v1::FAILURE_REASON_OUTPUT},
                                   {no_output, v1::FAILURE_REASON_OUTPUT}};
  Api api(pool());
  for (const Case& wanted : cases) {
    const v1::Job job = api.wait(std::stoull(submit(wanted.spec)));
    EXPECT_EQ(job.state(), v1::JOB_STATE_FAILED);
    EXPECT_EQ(job.first_failure().reason(), wanted.reason) << job.DebugString();
    EXPECT_FALSE(job.first_failure().message().empty()) << job.DebugString();
  }
}

}  // namespace
}  // namespace hearth::e2e
