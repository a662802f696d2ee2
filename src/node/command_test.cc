#include "node/command.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "base/sizes.h"

namespace hearth::node {
namespace {

constexpr TaskId kTask{.job = {17}, .index = 3};

v1::JobSpec spec_of(std::initializer_list<const char*> argv) {
  v1::JobSpec spec;
  for (const char* argument : argv) spec.add_argv(argument);
  spec.set_tasks(5);
  return spec;
}

std::vector<std::string> argv_of(const v1::JobSpec& spec, const std::string& input = "") {
  auto command = make_command(spec, kTask, [&](const std::string& path) { return path == input; });
  if (!command) return {"error", command.error().message};
  return command->argv;
}

using Argv = std::vector<std::string>;

TEST(Command, PutsTheTasksNumberIn) {
  v1::JobSpec spec = spec_of({"render", "frame-{i}.pov", "{i}{i}", "{j}"});
  EXPECT_EQ(argv_of(spec), (Argv{"render", "frame-3.pov", "33", "{j}"}));
  EXPECT_EQ(argv_of(spec_of({"x", "{{i}}", "a{{i}}b{i}", "{{i}", "{i}}"})), (Argv{"x", "{i}", "a{i}b3", "{3", "3}"}));
  spec.add_outputs("out-{i}-*.png");
  EXPECT_EQ(make_patterns(spec, kTask), (Argv{"out-3-*.png"}));
}

TEST(Command, TellsWhichFileIsTheTasksOwn) {
  const auto none = [](const std::string&) { return false; };
  const auto told = [](const sandbox::Command& command) {
    const auto found =
        std::ranges::find(command.variables, std::string("HEARTH_INPUT"), [](const auto& v) { return v.first; });
    return found == command.variables.end() ? "" : found->second;
  };
  EXPECT_EQ(told(*make_command(spec_of({"cat"}), kTask, none, "a b.txt")), "a b.txt");
  EXPECT_EQ(told(*make_command(spec_of({"cat"}), kTask, none)), "");
}

TEST(Command, RunsScriptsUnderTheirInterpreter) {
  EXPECT_EQ(argv_of(spec_of({"./a.py", "x"}), "a.py"), (Argv{"python3", "./a.py", "x"}));
  EXPECT_EQ(argv_of(spec_of({"a.py"}), "a.py"), (Argv{"python3", "./a.py"}));
  EXPECT_EQ(argv_of(spec_of({"tools/a.py"}), "tools/a.py"), (Argv{"python3", "./tools/a.py"}));
  EXPECT_EQ(argv_of(spec_of({"-c.py"}), "-c.py"), (Argv{"python3", "./-c.py"})) << "no option of the interpreter's";
  EXPECT_EQ(argv_of(spec_of({"/usr/share/a.py"})), (Argv{"python3", "/usr/share/a.py"}));
  EXPECT_EQ(argv_of(spec_of({"installed.py"})), (Argv{"installed.py"})) << "not an input: from PATH";
  EXPECT_EQ(argv_of(spec_of({"./a.py"})), (Argv{"error", "the program './a.py' is not among the inputs"}));
}

TEST(Command, CompilesSources) {
  for (const char* name : {"./m.cpp", "./m.cc", "./m.cxx"}) {
    Argv argv = argv_of(spec_of({name, "one", "two words"}), std::string(name).substr(2));
    ASSERT_EQ(argv.size(), 6U) << name;
    EXPECT_EQ(argv[0], "/bin/sh");
    EXPECT_NE(argv[2].find("c++ -O2 -std=c++20"), std::string::npos);
    EXPECT_EQ(argv[3], name);
    EXPECT_EQ(argv[5], "two words");
  }
}

TEST(Command, GivesTheEnvironment) {
  v1::JobSpec spec = spec_of({"env"});
  (*spec.mutable_variables())["FRAME"] = "f{i}";
  (*spec.mutable_variables())["PATH"] = "/opt";
  (*spec.mutable_variables())["HEARTH_TASK_INDEX"] = "99";
  auto command = make_command(spec, kTask, [](const std::string&) { return false; });
  ASSERT_TRUE(command);
  auto value = [&](const std::string& name) {
    auto found = std::ranges::find(command->variables, name, &std::pair<std::string, std::string>::first);
    return found == command->variables.end() ? "(none)" : found->second;
  };
  EXPECT_EQ(value("FRAME"), "f3");
  EXPECT_EQ(value("PATH"), "/opt");
  EXPECT_EQ(value("HOME"), "/job");
  EXPECT_EQ(value("LANG"), "C.UTF-8");
  EXPECT_EQ(value("HEARTH_TASK_INDEX"), "3") << "not for the job to set";
  EXPECT_EQ(value("HEARTH_TASK_COUNT"), "5");
  EXPECT_EQ(value("HEARTH_JOB_ID"), "17");
  EXPECT_EQ(value("HEARTH_WORKSPACE"), "(none)");
  spec.mutable_workspace()->set_name("work");
  command = make_command(spec, kTask, [](const std::string&) { return false; });
  EXPECT_EQ(value("HEARTH_WORKSPACE"), "/workspace");
}

TEST(Command, RefusesNothing) {
  EXPECT_FALSE(make_command({}, kTask, [](const std::string&) { return true; }));
}

TEST(Command, KnowsItsEnvironments) {
  v1::JobSpec spec;
  EXPECT_TRUE(check_environment(spec));
  spec.set_environment("host");
  EXPECT_TRUE(check_environment(spec));
  spec.set_environment("debian");
  auto unknown = check_environment(spec);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().message.find("'host'"), std::string::npos) << unknown.error().message;
}

TEST(Command, FillsInDefaults) {
  v1::JobSpec spec;
  EXPECT_EQ(needs_of(spec), (Resources{.cores = 1, .memory_bytes = kGiB, .gpus = 0}));
  EXPECT_EQ(time_limit_of(spec), seconds(24 * 3600));
  spec.mutable_resources()->set_cores(4);
  spec.set_time_limit_seconds(7);
  EXPECT_EQ(needs_of(spec).cores, 4U);
  EXPECT_EQ(time_limit_of(spec), seconds(7));
}

TEST(AttemptIds, GoThereAndBack) {
  AttemptId attempt{.task = kTask, .epoch = 9};
  EXPECT_EQ(from_proto(to_proto(attempt)), attempt);
}

}  // namespace
}  // namespace hearth::node
