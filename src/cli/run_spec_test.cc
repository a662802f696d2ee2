#include "cli/run_spec.h"

#include <gtest/gtest.h>

#include "base/sizes.h"
#include "cli/temp_directory.h"

namespace hearth::cli {
namespace {

// In a directory of its own, which holds an executable, a script and data.
class RunSpec : public testing::Test {
 public:
  RunSpec() : before_(std::filesystem::current_path()) {
    std::filesystem::current_path(directory_.path());
    std::filesystem::permissions(directory_.write("tool", "#!/bin/sh\n"), std::filesystem::perms::owner_all);
    directory_.write("main.py", "print(1)");
    directory_.write("data/in.txt", "x");
  }
  ~RunSpec() override { std::filesystem::current_path(before_); }

 protected:
  static RunOptions program(std::vector<std::string> words) {
    RunOptions options;
    options.program = std::move(words);
    return options;
  }

  static void expect_wrong(const RunOptions& options, const std::string& part) {
    const Result<RunPlan> plan = plan_run(options);
    ASSERT_FALSE(plan) << part;
    EXPECT_NE(plan.error().message.find(part), std::string::npos) << plan.error().message;
  }

  using Paths = std::vector<std::string>;

  static Paths tree_paths(const RunPlan& plan) {
    Paths paths;
    for (const blob::LocalFile& file : plan.files) paths.push_back(file.tree_path);
    return paths;
  }

  TempDirectory directory_;

 private:
  std::filesystem::path before_;
};

TEST_F(RunSpec, AProgramOfTheSystemRunsWhereItIs) {
  const Result<RunPlan> plan = plan_run(program({"echo", "hi"}));
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->spec.argv(0), "echo");
  EXPECT_EQ(plan->spec.tasks(), 1U);
  EXPECT_TRUE(plan->files.empty());
  EXPECT_EQ(plan_run(program({"/bin/echo"}))->spec.argv(0), "/bin/echo");
}

TEST_F(RunSpec, AProgramOfThisDirectoryIsSentAlong) {
  const Result<RunPlan> plan = plan_run(program({"./tool"}));
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->spec.argv(0), "./tool");
  EXPECT_EQ(tree_paths(*plan), Paths{"tool"});
  const Result<RunPlan> from_elsewhere = plan_run(program({directory_.path() / "tool"}));
  ASSERT_TRUE(from_elsewhere);
  EXPECT_EQ(from_elsewhere->spec.argv(0), "./tool");
}

TEST_F(RunSpec, AProgramAmongTheInputsIsSentOnce) {
  RunOptions options = program({"./tool"});
  options.inputs = {"tool", "data"};
  const Result<RunPlan> plan = plan_run(options);
  ASSERT_TRUE(plan) << plan.error().message;
  EXPECT_EQ(plan->files.size(), 2U);
}

TEST_F(RunSpec, ASourceNeedsNoPermissionToRun) { EXPECT_TRUE(plan_run(program({"./main.py"}))); }

TEST_F(RunSpec, ProgramsThatCannotRunAreExplained) {
  expect_wrong(program({}), "it stands behind two dashes, -- PROGRAM ARGS...");
  expect_wrong(program({"tool"}), "./tool");
  expect_wrong(program({"main.py"}), "./main.py");
  expect_wrong(program({"./data"}), "directory");
  expect_wrong(program({"./absent"}), "no such file");
  directory_.write("plain", "x");
  expect_wrong(program({"./plain"}), "chmod +x ./plain");
  expect_wrong(program({""}), "empty");
  RunOptions later = program({"./made-by-another-job"});
  later.after = {"3"};
  EXPECT_TRUE(plan_run(later));
}

TEST_F(RunSpec, ForgottenInputsAreMentioned) {
  const Result<RunPlan> plan = plan_run(program({"cat", "data/in.txt", ".", "/usr/bin/env", "absent"}));
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->notes.size(), 1U);
  EXPECT_NE(plan->notes[0].find("--input data/in.txt"), std::string::npos);
  RunOptions sent = program({"cat", "data/in.txt", "./data"});
  sent.inputs = {"data"};
  EXPECT_TRUE(plan_run(sent)->notes.empty());
}

TEST_F(RunSpec, ValuesReachTheSpec) {
  RunOptions options = program({"echo", "{i}"});
  options.count = "24";
  options.cores = "4";
  options.memory = "2G";
  options.gpus = "1";
  options.time = "10m";
  options.retries = "2";
  options.name = "frames";
  options.environment = "host";
  options.after = {"7", "8"};
  options.outputs = {"*.png", "out/"};
  options.variables = {"A=1", "B=x=y", "C="};
  options.workspace = "work:4G";
  options.net = "hosts=A.example:443,b.example:80";
  const Result<RunPlan> plan = plan_run(options);
  ASSERT_TRUE(plan) << plan.error().message;
  const v1::JobSpec& spec = plan->spec;
  EXPECT_EQ(spec.tasks(), 24U);
  EXPECT_EQ(spec.resources().cores(), 4U);
  EXPECT_EQ(spec.resources().memory_bytes(), 2 * kGiB);
  EXPECT_EQ(spec.resources().gpus(), 1U);
  EXPECT_EQ(spec.time_limit_seconds(), 600);
  EXPECT_EQ(spec.retries(), 2U);
  EXPECT_EQ(spec.name(), "frames");
  EXPECT_EQ(spec.environment(), "host");
  EXPECT_EQ(spec.after_size(), 2);
  EXPECT_EQ(spec.outputs(1), "out/**");
  EXPECT_EQ(spec.variables().at("B"), "x=y");
  EXPECT_EQ(spec.variables().at("C"), "");
  EXPECT_EQ(spec.workspace().name(), "work");
  EXPECT_EQ(spec.workspace().bytes(), 4 * kGiB);
  ASSERT_EQ(spec.net_hosts_size(), 2);
  EXPECT_EQ(spec.net_hosts(0), "a.example:443");
}

TEST_F(RunSpec, WrongValuesAreNamedWithWhatIsAllowed) {
  struct Case {
    std::string RunOptions::* member;
    const char* value;
    const char* part;
  };
  const Case cases[] = {{&RunOptions::count, "0", "-n 0: a whole number from 1 to 1000000"},
                        {&RunOptions::count, "1000001", "-n 1000001"},
                        {&RunOptions::cores, "0", "--cores 0: a whole number from 1 to 1024"},
                        {&RunOptions::memory, "1K", "--memory 1K"},
                        {&RunOptions::gpus, "17", "--gpu 17"},
                        {&RunOptions::time, "soon", "--time soon"},
                        {&RunOptions::retries, "101", "--retries 101"},
                        {&RunOptions::workspace, "A b", "--workspace A b: NAME or NAME:SIZE"},
                        {&RunOptions::workspace, ":4G", "--workspace :4G: NAME or NAME:SIZE"},
                        {&RunOptions::workspace, "work:", "--workspace NAME:"},
                        {&RunOptions::workspace, "work:1K", "1K"},
                        {&RunOptions::net, "all", "--net all: write hosts=NAME:PORT"},
                        {&RunOptions::net, "hosts=", "--net hosts"},
                        {&RunOptions::net, "hosts=a.example", "--net hosts"},
                        {&RunOptions::net, "hosts=a.example:443,", "--net hosts"},
                        {&RunOptions::name, "a\nb", "--name a?b"}};
  for (const Case& one : cases) {
    RunOptions options = program({"echo"});
    options.*one.member = one.value;
    expect_wrong(options, one.part);
  }
  for (const char* pattern : {"", "/etc/*", "../*", "a/../../b"}) {
    RunOptions options = program({"echo"});
    options.outputs = {pattern};
    expect_wrong(options, "--output");
  }
  for (const char* variable : {"A", "=1", "1A=2", "A-B=1", ""}) {
    RunOptions options = program({"echo"});
    options.variables = {variable};
    expect_wrong(options, "--var");
  }
  RunOptions after = program({"echo"});
  after.after = {"last"};
  expect_wrong(after, "--after");
  RunOptions when = program({"echo"});
  when.when = "failure";
  expect_wrong(when, "--when failure");  // of what?
  when.after = {"1"};
  EXPECT_EQ(spec_of(when)->when(), v1::WHEN_FAILURE);
  when.when = "sometimes";
  expect_wrong(when, "--when sometimes");
  RunOptions absent = program({"echo"});
  absent.inputs = {"not-there"};
  expect_wrong(absent, "not-there");
}

v1::Outcome outcome(v1::FailureReason reason, int code) {
  v1::Outcome made;
  made.set_reason(reason);
  made.set_exit_code(code);
  return made;
}

TEST(ExitCode, IsTheProgramsOwnOrSaysWhatHappened) {
  EXPECT_EQ(exit_code_of(v1::Outcome()), 0);
  EXPECT_EQ(exit_code_of(outcome(v1::FAILURE_REASON_EXIT_CODE, 42)), 42);
  EXPECT_EQ(exit_code_of(outcome(v1::FAILURE_REASON_SIGNAL, 139)), 139);
  EXPECT_EQ(exit_code_of(outcome(v1::FAILURE_REASON_OUT_OF_MEMORY, 137)), 137);
  EXPECT_EQ(exit_code_of(outcome(v1::FAILURE_REASON_TIME_LIMIT, 137)), 124);
  EXPECT_EQ(exit_code_of(outcome(v1::FAILURE_REASON_NODE_LOST, -1)), 1);
  EXPECT_EQ(exit_code_of(outcome(v1::FAILURE_REASON_START, -1)), 1);
  EXPECT_EQ(exit_code_of(outcome(v1::FAILURE_REASON_CANCELLED, -1)), 130);
}

TEST(ParseJob, TakesNumbersOnly) {
  EXPECT_EQ(parse_job("17").value(), 17U);
  for (const char* wrong : {"", "0", "-1", "x", "1 "}) EXPECT_FALSE(parse_job(wrong)) << wrong;
}

}  // namespace
}  // namespace hearth::cli
