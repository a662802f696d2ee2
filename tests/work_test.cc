// Work in many pieces: plans, maps over files and lines, schedules.
#include <filesystem>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <nlohmann/json.hpp>

#include "harness/api.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::AllOf;
using testing::HasSubstr;

class WorkTest : public PoolFixture {
 protected:
  fs::path here(const std::string& name) { return pool().directory() / name; }
  Ended submit(const std::string& plan, std::vector<std::string> options = {}) {
    write_text(here("plan.yaml"), plan);
    options.insert(options.begin(), {"submit", "plan.yaml"});
    return pool().cli(options);
  }
  Ended stream(const std::string& program, const std::string& lines) {
    RunOptions options;
    options.input = lines;
    options.limit = seconds(240);
    return pool().cli({"map", "--stream", program}, options);
  }
  json json_of(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const Ended ended = pool().cli(arguments);
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return json::parse(ended.out, nullptr, false);
  }
  std::string state_of(std::uint64_t job) {
    return json_of({"job", std::to_string(job)})["job"]["state"].get<std::string>();
  }
};

constexpr const char* kPlan = R"(
name: demo
defaults: {memory: 64M}
jobs:
  train:
    run: echo {rate} > model-{rate}; cat data.txt >> model-{rate}
    matrix: {rate: [0.1, 0.01]}
    inputs: data.txt
    outputs: "model-*"
  report:
    needs: train
    run: ["sh", "-c", "cat model-0.1 model-0.01 > all; exit 3"]
  alarm: {needs: report, when: failure, run: echo alarm}
  calm: {needs: train, when: failure, run: echo calm}
  end: {needs: [alarm, calm], when: always, run: echo end}
)";

TEST_F(WorkTest, APlansJobsRunAfterWhatTheyNeed) {
  write_text(here("data.txt"), "data\n");
  const Ended dry = submit(kPlan, {"--dry-run", "--json"});
  EXPECT_EQ(dry.exit_code, 0) << dry.err;
  EXPECT_EQ(json::parse(dry.out, nullptr, false)["jobs"].size(), 6U) << dry.out;
  EXPECT_TRUE(json_of({"jobs"}).value("jobs", json::array()).empty()) << "only shown";

  const Ended ended = submit(kPlan, {"--follow", "--json"});
  EXPECT_EQ(ended.exit_code, 1) << "one of them fails\n" << ended.err;
  const json jobs = json::parse(ended.out, nullptr, false)["jobs"];
  ASSERT_EQ(jobs.size(), 6U) << ended.out;
  std::map<std::string, std::string> states;
  for (const json& job : jobs) states[job["name"]] = state_of(std::stoull(job["job_id"].get<std::string>()));
  EXPECT_EQ(states["train (rate=0.1)"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(states["report"], "JOB_STATE_FAILED");
  EXPECT_EQ(states["alarm"], "JOB_STATE_SUCCEEDED");
  EXPECT_EQ(states["calm"], "JOB_STATE_CANCELLED");
  EXPECT_EQ(states["end"], "JOB_STATE_SUCCEEDED");
  for (const json& job : jobs) {
    if (job["name"] != "calm") continue;
    const std::string number = job["job_id"];
    EXPECT_THAT(pool().cli({"why", number}).out, HasSubstr("skipped"));
    EXPECT_THAT(pool().cli({"job", number}).out, HasSubstr("skipped"));
  }
  EXPECT_THAT(ended.err, AllOf(HasSubstr("exit code 3"), HasSubstr("skipped")));
}

TEST_F(WorkTest, AJobForAnyEndOutlivesARestartOfTheHub) {
  const Ended sent = submit(
      "jobs:\n"
      "  first: {run: sleep 3; exit 1}\n"
      "  mend: {needs: first, when: failure, run: \"true\"}\n"
      "  calm: {needs: mend, when: failure, run: \"true\"}\n",
      {"--json"});
  ASSERT_EQ(sent.exit_code, 0) << sent.err;
  ::kill(pool().hub_process(), SIGKILL);
  Api api(pool());
  EXPECT_EQ(api.wait(1).state(), v1::JOB_STATE_FAILED);
  EXPECT_EQ(api.wait(2).state(), v1::JOB_STATE_SUCCEEDED);
  const v1::Job skipped = api.wait(3);
  EXPECT_EQ(skipped.state(), v1::JOB_STATE_CANCELLED);
  EXPECT_EQ(skipped.first_failure().reason(), v1::FAILURE_REASON_SKIPPED);
}

TEST_F(WorkTest, AWrongPlanIsToldWithItsLineAndNothingRuns) {
  const Ended unknown = submit("jobs:\n  a:\n    run: x\n    memroy: 1G\n");
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_THAT(unknown.err, HasSubstr("plan.yaml:4: a: there is no key \"memroy\"; is memory meant?"));
  const Ended absent = submit("jobs:\n  a: {run: \"true\"}\n  b: {run: [./absent], needs: []}\n");
  EXPECT_EQ(absent.exit_code, 1);
  EXPECT_THAT(absent.err, HasSubstr("plan.yaml:3: b: ./absent: there is no such file here"));
  const Ended refused = submit("jobs:\n  a: {run: sleep 300}\n  b: {run: \"true\", needs: a, env: never-heard-of}\n");
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("never-heard-of"));
  EXPECT_EQ(state_of(1), "JOB_STATE_CANCELLED") << "all of a plan, or nothing";
}

TEST_F(WorkTest, AMapGivesEachFileToItsOwnTaskAlone) {
  write_text(here("a b.txt"), "1\n2\n");
  write_text(here("folder/c.txt"), "3\n");
  write_text(here("shared.txt"), "shared");
  const Ended ended = pool().cli({"map", "wc -l < {}; echo {name} {stem} {i}; find . -type f | sort; cat shared.txt",
                                  "a b.txt", "folder", "--input", "shared.txt"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(read_text(here("results/a b.txt")), "2\na b.txt a b 0\n./a b.txt\n./results/a b.txt\n./shared.txt\nshared");
  EXPECT_EQ(read_text(here("results/folder/c.txt")),
            "1\nc.txt c 1\n./folder/c.txt\n./results/folder/c.txt\n./shared.txt\nshared");

  const Ended again = pool().cli({"map", "wc -l", "a b.txt"});
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_THAT(again.err, HasSubstr("results/a b.txt is there already; --replace"));
  const Ended no_folder = pool().cli({"map", "wc -l", "a b.txt", "--to", "/dev/null"});
  EXPECT_EQ(no_folder.exit_code, 2);
  EXPECT_THAT(no_folder.err, HasSubstr("--to /dev/null: it is no folder"));
  EXPECT_EQ(pool().cli({"map", "wc -l", "a b.txt", "--replace"}).exit_code, 0);
  EXPECT_EQ(read_text(here("results/a b.txt")), "2\n");
}

TEST_F(WorkTest, AMapNamesTheFilesThatFailedAndKeepsTheOthers) {
  for (const char* name : {"a", "b", "c"}) write_text(here(name), name);
  const Ended ended = pool().cli({"map", "cat {}; [ {name} != b ]", "a", "b", "c", "--to", "out"});
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_THAT(ended.err, AllOf(HasSubstr("1 of 3 files failed"), HasSubstr("  b: exit code 1")));
  EXPECT_EQ(read_text(here("out/a")) + read_text(here("out/c")), "ac");
  EXPECT_FALSE(fs::exists(here("out/b")));
}

TEST_F(WorkTest, AReductionSeesAllResultsInTheFilesOrder) {
  for (const char* name : {"z", "a", "it's"}) write_text(here(name), std::string("of ") + name + "\n");
  const std::vector<std::string> files = {"z", "a", "it's"};
  const auto reduce = [&](const std::string& program) {
    std::vector<std::string> arguments = {"map", "cat"};
    arguments.insert(arguments.end(), files.begin(), files.end());
    arguments.insert(arguments.end(), {"--reduce", program});
    return pool().cli(arguments);
  };
  const Ended piped = reduce("cat; echo sum");
  EXPECT_EQ(piped.exit_code, 0) << piped.err;
  EXPECT_EQ(piped.out, "of z\nof a\nof it's\nsum\n");
  EXPECT_EQ(reduce("ls -1 {}; exit 4").exit_code, 4);
  EXPECT_FALSE(fs::exists(here("results"))) << "they stay in the pool unless --to says where";
  const Ended failed = pool().cli({"map", "false", "z", "--reduce", "echo reduced"});
  EXPECT_EQ(failed.exit_code, 1);
  EXPECT_EQ(failed.out, "");
}

TEST_F(WorkTest, AStreamAnswersEveryLineInOrder) {
  std::string lines;
  std::string answers;
  for (int i = 0; i < 20'000; ++i) {
    lines += std::to_string(i) + "\n";
    answers += "<" + std::to_string(i) + ">\n";
  }
  const Ended ended = stream("sed 's/.*/<&>/'", lines);
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_TRUE(ended.out == answers) << ended.out.size() << " bytes instead of " << answers.size();
  EXPECT_EQ(stream("cat", "").exit_code, 0);
  EXPECT_EQ(stream("cat", "no line break").out, "no line break\n");
  EXPECT_TRUE(json_of({"jobs"}).value("jobs", json::array()).empty()) << "its jobs are removed";
}

TEST_F(WorkTest, AStreamOutlivesARestartOfTheHub) {
  RunOptions options;
  for (int i = 0; i < 40; ++i) options.input += std::to_string(i) + "\n";
  const std::string lines = options.input;
  Process stream = pool().start_cli({"map", "--stream", "while read -r x; do sleep 0.2; echo \"$x\"; done"}, options);
  EXPECT_TRUE(eventually(seconds(60), [&] { return !json_of({"jobs"}).value("jobs", json::array()).empty(); }));
  ::kill(pool().hub_process(), SIGKILL);
  const Ended ended = stream.wait(seconds(240));
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.out, lines) << "each line once, in order";
}

TEST_F(WorkTest, AStreamsWorkerIsKilledAndTheLineThatKillsItIsNamed) {
  const Ended ended =
      stream("while read -r x; do [ \"$x\" = bad ] && kill -KILL $$; echo \"$x\"; done", "a\nb\nbad\nc\n");
  EXPECT_EQ(ended.exit_code, 1);
  EXPECT_EQ(ended.out, "a\nb\n") << "what comes before it is answered";
  EXPECT_THAT(ended.err, AllOf(HasSubstr("line 3 (\"bad\")"), HasSubstr("signal 9")));
  const Ended silent = stream("grep -v b", "a\nb\nc\n");
  EXPECT_EQ(silent.exit_code, 1);
  EXPECT_THAT(silent.err, HasSubstr("line 2 (\"b\")"));
}

TEST_F(WorkTest, AScheduleRunsByTheClockAndOnDemand) {
  write_text(here("data.txt"), "data");
  const Ended added =
      pool().cli({"schedule", "add", "* * * * *", "--name", "often", "--input", "data.txt", "--", "cat", "data.txt"});
  ASSERT_EQ(added.exit_code, 0) << added.err;
  const Ended now = pool().cli({"schedule", "run-now", "often"});
  ASSERT_EQ(now.exit_code, 0) << now.err;
  const std::string job = now.out.substr(0, now.out.find('\n'));
  Api api(pool());
  EXPECT_EQ(api.wait(std::stoull(job)).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(pool().cli({"logs", job}).out, "data");
  // A minute passes.
  EXPECT_TRUE(eventually(seconds(100), [&] {
    const json listed = json_of({"schedule", "list"})["schedules"][0];
    return listed["last_job"] != job && listed["last_due"]["unix_millis"] != "0";
  }));
  EXPECT_EQ(pool().cli({"schedule", "remove", "often"}).exit_code, 0);
  EXPECT_EQ(pool().cli({"schedule", "run-now", "often"}).exit_code, 1);
}

TEST_F(WorkTest, WhatIsWrongWithAScheduleIsTold) {
  const auto add = [this](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {"schedule", "add"});
    return pool().cli(arguments);
  };
  EXPECT_THAT(add({"0 25 * * *", "--", "true"}).err, HasSubstr("hour \"25\""));
  EXPECT_THAT(add({"@daily"}).err, HasSubstr("no program is given"));
  EXPECT_THAT(add({"@daily", "--overlap", "maybe", "--", "true"}).err, HasSubstr("skip or allow"));
  EXPECT_THAT(add({"@daily", "--name", "Not Short", "--", "true"}).err, HasSubstr("--name"));
  EXPECT_EQ(add({"@daily", "--", "true"}).exit_code, 0);
  EXPECT_THAT(add({"@daily", "--", "true"}).err, HasSubstr("hearth schedule remove true"));
  EXPECT_THAT(pool().cli({"schedule", "remove", "treu"}).err, HasSubstr("there are: true"));
}

}  // namespace
}  // namespace hearth::e2e
