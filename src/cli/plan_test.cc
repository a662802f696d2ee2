#include "cli/plan.h"

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

using Words = std::vector<std::string>;

Plan plan_of(const std::string& text) {
  Result<Plan> plan = parse_plan(text, "plan.yaml");
  EXPECT_TRUE(plan) << (plan ? "" : plan.error().message);
  return plan ? std::move(*plan) : Plan{};
}

std::string error_of(const std::string& text) {
  const Result<Plan> plan = parse_plan(text, "plan.yaml");
  EXPECT_FALSE(plan) << text;
  if (plan) return "";
  EXPECT_EQ(plan.error().code, Code::kInvalidArgument);
  return plan.error().message;
}

TEST(Plan, SaysWhereAndWhen) {
  const Result<Plan> plan = parse_plan(
      "jobs:\n  a:\n    run: [x]\n    where: os == 'debian'\n    priority: batch\n    deadline: 2h\n    gang: true\n"
      "    tasks: 2\n",
      "plan.yaml");
  ASSERT_TRUE(plan) << plan.error().message;
  const RunOptions& options = plan->jobs.front().options;
  EXPECT_EQ(options.where + options.priority + options.deadline, "os == 'debian'batch2h");
  EXPECT_TRUE(options.gang);
  EXPECT_FALSE(options.no_copies);
  const Result<Plan> wrong = parse_plan("jobs:\n  a:\n    run: [x]\n    gang: 3\n", "plan.yaml");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().message, "plan.yaml:4: gang: true or false");
  const Result<Plan> alone = parse_plan("jobs:\n  a:\n    run: [x]\n    copies: false\n", "plan.yaml");
  ASSERT_TRUE(alone) << alone.error().message;
  EXPECT_TRUE(alone->jobs.front().options.no_copies);
  const Result<Plan> unclear = parse_plan("jobs:\n  a:\n    run: [x]\n    copies: 2\n", "plan.yaml");
  ASSERT_FALSE(unclear);
  EXPECT_EQ(unclear.error().message, "plan.yaml:4: copies: true or false");
}

TEST(Plan, AJobIsWhatRunWouldTake) {
  const Plan plan = plan_of(R"(
name: demo
jobs:
  one:
    run: [./tool, --fast, 7]
    inputs: data
    outputs: ["*.png", log]
    env: python
    cores: 2
    memory: 2G
    gpus: 1
    gpu_memory: 8G
    disk: 1G
    retries: 3
    time: 10m
    tasks: 5
    variables: {A: 1, B: two words}
    workspace: work:2G
    net: full
)");
  ASSERT_EQ(plan.jobs.size(), 1U);
  const RunOptions& options = plan.jobs[0].options;
  EXPECT_EQ(options.program, Words({"./tool", "--fast", "7"}));
  EXPECT_EQ(options.name, "demo/one");
  EXPECT_EQ(options.inputs, Words({"data"}));
  EXPECT_EQ(options.outputs, Words({"*.png", "log"}));
  EXPECT_EQ(options.variables, Words({"A=1", "B=two words"}));
  EXPECT_EQ(options.count, "5");
  EXPECT_EQ(options.gpu_memory, "8G");
  EXPECT_EQ(options.environment + options.cores + options.memory + options.gpus + options.disk, "python22G11G");
  EXPECT_EQ(options.retries + options.time + options.workspace + options.net, "310mwork:2Gfull");
}

TEST(Plan, OneTextIsAShells) {
  EXPECT_EQ(plan_of("jobs: {a: {run: echo a | wc}}").jobs[0].options.program, Words({"sh", "-c", "echo a | wc"}));
}

TEST(Plan, JobsComeAfterWhatTheyNeed) {
  const Plan plan = plan_of(R"(
jobs:
  last: {run: c, needs: [middle, first], when: always}
  middle: {run: b, needs: first}
  first: {run: a}
)");
  ASSERT_EQ(plan.jobs.size(), 3U);
  EXPECT_EQ(plan.jobs[0].name, "first");
  EXPECT_EQ(plan.jobs[1].name, "middle");
  EXPECT_EQ(plan.jobs[1].needs, std::vector<std::size_t>({0}));
  EXPECT_EQ(plan.jobs[2].needs, std::vector<std::size_t>({1, 0}));
  EXPECT_EQ(plan.jobs[2].options.when, "always");
}

TEST(Plan, AMatrixMakesAJobOfEveryCombination) {
  const Plan plan = plan_of(R"(
jobs:
  train:
    run: [t, "{rate}", "{seed}", "{i}", "{other}"]
    matrix: {rate: [0.1, 0.01], seed: [1, 2, 3]}
    outputs: "model-{rate}-{seed}-{i}"
  report: {needs: train, run: cat}
)");
  ASSERT_EQ(plan.jobs.size(), 7U);
  EXPECT_EQ(plan.jobs[1].name, "train (rate=0.1, seed=2)");
  EXPECT_EQ(plan.jobs[1].options.program, Words({"t", "0.1", "2", "{i}", "{other}"}));
  EXPECT_EQ(plan.jobs[1].options.outputs, Words({"model-0.1-2-{i}"}));
  EXPECT_EQ(plan.jobs[6].needs.size(), 6U);
}

TEST(Plan, DefaultsHoldWhereAJobSaysNothingElse) {
  const Plan plan = plan_of(R"(
defaults: {memory: 2G, inputs: [a], variables: {A: 1, B: 1}}
jobs:
  one: {run: x}
  two: {run: x, memory: 4G, inputs: b, variables: {B: 2}}
)");
  EXPECT_EQ(plan.jobs[0].options.memory, "2G");
  EXPECT_EQ(plan.jobs[1].options.memory, "4G");
  EXPECT_EQ(plan.jobs[1].options.inputs, Words({"b"}));
  EXPECT_EQ(plan.jobs[1].options.variables, Words({"A=1", "B=1", "B=2"})) << "the later one holds";
}

TEST(Plan, WhatIsWrongIsToldWithItsLine) {
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"", "plan.yaml:1: the plan"},
      {"jobs: {}", "plan.yaml:1: jobs: there is none"},
      {"jobs: [a]", "plan.yaml:1: jobs"},
      {"jobs:\n  a: {run: x", "plan.yaml:2: this is no YAML"},
      {"job:\n  a: {run: x}", "plan.yaml:1: the plan: there is no key \"job\"; is jobs meant?"},
      {"jobs:\n  a:\n    run: x\n    memroy: 1G", "plan.yaml:4: a: there is no key \"memroy\"; is memory meant?"},
      {"jobs:\n  a:\n    run: x\n    wings: 1", "plan.yaml:4: a: there is no key \"wings\"; there are: "},
      {"jobs:\n  a: {run: x}\n  a: {run: y}", "plan.yaml:3: jobs: a is there twice"},
      {"jobs:\n  a:\n    cores: 1", "plan.yaml:2: a: what does it run?"},
      {"jobs:\n  a b: {run: x}", "plan.yaml:2: a b: a job's name"},
      {"jobs:\n  a:\n    run: x\n    cores: 0", "plan.yaml:4: cores 0:"},
      {"jobs:\n  a:\n    run: x\n    cores: [1]", "plan.yaml:4: cores: one value"},
      {"jobs:\n  a:\n    run: x\n    tasks: 1000001", "plan.yaml:4: tasks 1000001:"},
      {"jobs:\n  a:\n    run: x\n    time: soon", "plan.yaml:4: time soon:"},
      {"jobs:\n  a:\n    run: x\n    variables: {1A: b}", "plan.yaml:4: variables 1A=b:"},
      {"jobs:\n  a:\n    run: x\n    outputs: ../x", "plan.yaml:4: outputs ../x:"},
      {"jobs:\n  a:\n    run: []", "plan.yaml:3: run: "},
      {"defaults:\n  run: x\njobs: {a: {run: x}}", "plan.yaml:2: defaults: there is no key \"run\""},
      {"defaults:\n  cores: none\njobs: {a: {run: x}}", "plan.yaml:2: cores none:"},
      {"jobs:\n  train: {run: x}\n  b:\n    run: x\n    needs: trian",
       "plan.yaml:5: b needs trian, and there is no such job; is train meant?"},
      {"jobs:\n  a:\n    run: x\n    when: failure", "plan.yaml:4: a: when what has ended?"},
      {"jobs:\n  a: {run: x}\n  b:\n    run: x\n    needs: a\n    when: later",
       "plan.yaml:6: when later: success, failure or always"},
      {"jobs:\n  a:\n    run: x\n    matrix: {i: [1]}", "plan.yaml:4: matrix: i:"},
      {"jobs:\n  a:\n    run: x\n    matrix: {v: []}", "plan.yaml:4: matrix: v has no value"},
      {"jobs:\n  a:\n    run: x\n    matrix: {v: [1, 2, 1]}", "plan.yaml:4: matrix: v has the value 1 twice"},
      {"jobs:\n  a:\n    run: x\n    cores: \"{n}\"\n    matrix: {n: [1, 0]}", "plan.yaml:4: cores 0:"},
  };
  for (const auto& [text, start] : wrong) {
    const std::string error = error_of(text);
    EXPECT_TRUE(error.starts_with(start)) << text << "\n-> " << error;
  }
}

TEST(Plan, ACircleIsNamed) {
  EXPECT_EQ(
      error_of(
          "jobs:\n  d: {run: x, needs: a}\n  a: {run: x, needs: b}\n  b: {run: x, needs: c}\n  c: {run: x, needs: a}"),
      "plan.yaml:3: a needs b needs c needs a: none of them could ever start");
  EXPECT_EQ(error_of("jobs:\n  a: {run: x, needs: a}"), "plan.yaml:2: a needs a: none of them could ever start");
}

TEST(Plan, ItsSizeIsBounded) {
  std::string values;
  for (int i = 0; i < 65; ++i) values += std::to_string(i) + ", ";
  const std::string many = "jobs:\n  a: {run: x, matrix: {v: [" + values + "]}}\n  b:\n    run: x\n    needs: a\n";
  EXPECT_EQ(error_of(many), "plan.yaml:5: b needs 65 jobs; at most 64 are allowed");
  const std::string more = "jobs:\n  a: {run: x, matrix: {v: [" + values + "], w: [" + values + "]}}\n";
  EXPECT_TRUE(error_of(more).starts_with("plan.yaml:2: a: with it, the plan has more than 1000 jobs"))
      << error_of(more);
  EXPECT_TRUE(error_of(std::string(2 << 20, '#')).starts_with("plan.yaml: at most 1 MiB"));
}

}  // namespace
}  // namespace hearth::cli
