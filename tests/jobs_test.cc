// `hearth run`: a program runs in the pool as if it ran here.
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
using testing::HasSubstr;
using testing::Not;

class JobsTest : public PoolFixture {
 protected:
  Ended run(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "run");
    return pool().cli(arguments);
  }
  Ended run_shell(const std::string& script, std::vector<std::string> options = {}) {
    options.insert(options.end(), {"--", "sh", "-c", script});
    return run(std::move(options));
  }
  std::uint64_t detach(const std::string& script, std::vector<std::string> options = {}) {
    options.insert(options.end(), "--detach");
    const Ended ended = run_shell(script, std::move(options));
    EXPECT_EQ(ended.exit_code, 0) << ended.err;
    return ended.out.empty() ? 0 : std::stoull(ended.out);
  }
  fs::path here(const std::string& name) { return pool().directory() / name; }
};

TEST_F(JobsTest, OutputAndExitCodePassThrough) {
  const Ended hello = run({"--", "echo", "hello", "world"});
  EXPECT_EQ(hello.exit_code, 0) << hello.err;
  EXPECT_EQ(hello.out, "hello world\n");

  const Ended seven = run_shell("echo to-out; echo to-err >&2; exit 7");
  EXPECT_EQ(seven.exit_code, 7);
  EXPECT_EQ(seven.out, "to-out\n");
  EXPECT_THAT(seven.err, HasSubstr("to-err\n"));
  EXPECT_THAT(seven.err, HasSubstr("exit code 7"));
  EXPECT_THAT(seven.err, Not(HasSubstr("to-out")));

  const Ended killed = run_shell("kill -SEGV $$");
  EXPECT_EQ(killed.exit_code, 128 + SIGSEGV);
  EXPECT_THAT(killed.err, HasSubstr("signal 11"));
}

TEST_F(JobsTest, BytesOfTheOutputArriveUnchanged) {
  const Ended ended = run_shell("head -c 300000 /dev/zero | tr '\\0' 'x'; printf '\\001\\377\\000end'");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  ASSERT_EQ(ended.out.size(), 300000U + 6);
  EXPECT_EQ(ended.out.substr(0, 300000), std::string(300000, 'x'));
  EXPECT_EQ(ended.out.substr(300000), std::string("\1\377\0end", 6));
}

TEST_F(JobsTest, TasksAreNumbered) {
  const Ended ended = run({"-n", "20", "--output", "out-*.txt", "--", "sh", "-c",
                           "echo task {i} of $HEARTH_TASK_COUNT; echo {i}=$HEARTH_TASK_INDEX > out-{i}.txt"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(ended.out, HasSubstr(fmt::format("task {} of 20\n", i)));
    EXPECT_EQ(read_text(here(fmt::format("out-{}.txt", i))), fmt::format("{0}={0}\n", i));
  }
}

TEST_F(JobsTest, InputsGoAlongAndOutputsComeBack) {
  write_text(here("data.txt"), "forty-two");
  write_text(here("folder/a/one.txt"), "1");
  write_text(here("folder/two.txt"), "2");
  const Ended ended = run_shell(
      "mkdir -p result/deep; cat data.txt folder/a/one.txt folder/two.txt > result/deep/all; "
      "echo unasked > unasked; printf '#!/bin/sh\\necho made' > result/run.sh; "
      "chmod +x result/run.sh",
      {"--input", "data.txt", "--input", "folder", "--output", "result/**"});
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(read_text(here("result/deep/all")), "forty-two12");
  EXPECT_FALSE(fs::exists(here("unasked")));
  EXPECT_EQ(run_program({here("result/run.sh").string()}).out, "made\n") << "the executable bit is lost";
}

TEST_F(JobsTest, AFileThatAResultReplacesIsKept) {
  write_text(here("mine.txt"), "mine");
  write_text(here("same.txt"), "same\n");
  const std::string script = "echo result > mine.txt; echo same > same.txt; mkdir sub; ln -s ../mine.txt sub/link.txt";
  const Ended kept = run_shell(script, {"--output", "**/*.txt"});
  EXPECT_EQ(kept.exit_code, 0) << kept.err;
  EXPECT_THAT(kept.err, HasSubstr("mine.txt was there with other content, which is kept as mine.txt.before"));
  EXPECT_EQ(read_text(here("mine.txt")), "result\n");
  EXPECT_EQ(read_text(here("mine.txt.before")), "mine");
  EXPECT_EQ(read_text(here("sub/link.txt")), "result\n") << "a link comes as the file that it leads to";
  EXPECT_FALSE(fs::exists(here("same.txt.before")));
  write_text(here("mine.txt"), "mine again");
  const Ended replaced = run_shell(script, {"--output", "**/*.txt", "--replace"});
  EXPECT_THAT(replaced.err, Not(HasSubstr("kept")));
  EXPECT_FALSE(fs::exists(here("mine.txt.before.2")));
  write_text(here("mine.txt"), "mine at last");
  EXPECT_EQ(pool().cli({"get", "1", "--to", here("").string()}).exit_code, 0);
  EXPECT_EQ(read_text(here("mine.txt.before.2")), "mine at last");
}

TEST_F(JobsTest, LocalProgramsGoAlong) {
  write_text(here("program.sh"), "#!/bin/sh\necho from $0 with \"$@\"\n");
  fs::permissions(here("program.sh"), fs::perms(0755));
  const Ended script = run({"--", "./program.sh", "a b", "c"});
  EXPECT_EQ(script.exit_code, 0) << script.err;
  EXPECT_THAT(script.out, HasSubstr("with a b c"));

  write_text(here("answer.py"), "import sys\nprint('python', sys.argv[1])\nsys.exit(3)\n");
  const Ended python = run({"--", "./answer.py", "x"});
  EXPECT_EQ(python.exit_code, 3) << python.err;
  EXPECT_EQ(python.out, "python x\n");

  write_text(here("answer.cpp"),
             "// link: -lX11\n#include <cstdio>\nextern \"C\" void* XOpenDisplay(const char*);\n"
             "int main(int c, char** v) { std::printf(\"%d %s %d\\n\", c, v[1], XOpenDisplay(\"\") == nullptr); }\n");
  const Ended compiled = run({"--memory", "1G", "--", "./answer.cpp", "y"});
  EXPECT_EQ(compiled.exit_code, 0) << compiled.err;
  EXPECT_EQ(compiled.out, "2 y 1\n") << "with the library that it names";

  write_text(here("wrong.cpp"), "int main() { return nothing_of_that_name; }\n");
  const Ended wrong = run({"--memory", "1G", "--", "./wrong.cpp"});
  EXPECT_NE(wrong.exit_code, 0);
  EXPECT_THAT(wrong.err, HasSubstr("nothing_of_that_name"));
}

TEST_F(JobsTest, LaterJobsSeeTheResultsOfEarlierOnes) {
  const std::uint64_t first = detach("sleep 1; echo part-{i} > part-{i}.txt", {"-n", "3", "--output", "part-*.txt"});
  const Ended second = run_shell("cat part-0.txt part-1.txt part-2.txt", {"--after", std::to_string(first)});
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_EQ(second.out, "part-0\npart-1\npart-2\n");

  const std::uint64_t failing = detach("sleep 1; exit 1");
  const Ended after = run_shell("echo never", {"--after", std::to_string(failing)});
  EXPECT_EQ(after.exit_code, 1);
  EXPECT_EQ(after.out, "");
  EXPECT_THAT(after.err, HasSubstr("did not succeed"));
}

TEST_F(JobsTest, WhatAProgramThatFailedLeftComesToo) {
  const Ended failed = run_shell("echo partial > report.txt; exit 3", {"--output", "report.txt", "--output", "more"});
  EXPECT_EQ(failed.exit_code, 3);
  EXPECT_EQ(read_text(pool().directory() / "report.txt"), "partial\n");
  const Ended refused = run_shell("echo good > good.txt; ln -s /etc/passwd link.txt", {"--output", "*.txt"});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.err, HasSubstr("'link.txt' is a symbolic link"));
  EXPECT_EQ(read_text(pool().directory() / "good.txt"), "good\n");
}

TEST_F(JobsTest, WhatNoNodeCanTakeIsSaidAtOnce) {
  const Ended started = pool().cli({"run", "--detach", "--cores", "1000", "--", "true"});
  EXPECT_EQ(started.exit_code, 0);
  EXPECT_THAT(started.err, HasSubstr("waits: a task needs 1000 cores"));
  EXPECT_THAT(pool().cli({"run", "--detach", "--", "true"}).err, testing::Not(HasSubstr("waits")));
}

TEST_F(JobsTest, OutputThatCannotBeWrittenIsSaid) {
  const Ended full = run_program({"sh", "-c", hearth_program() + " run -- echo hi > /dev/full"},
                                 {.env = {{"HEARTH_HOME", pool().home()}}});
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, HasSubstr("writing the output: No space left on device"));
}

TEST_F(JobsTest, FailedTasksAreTriedAgain) {
  Api api(pool());
  v1::JobSpec spec = shell("exit 9");
  spec.set_retries(2);
  const auto job = api.submit(spec);
  ASSERT_TRUE(job) << text_of(job.error());
  EXPECT_EQ(api.wait(*job).state(), v1::JOB_STATE_FAILED);
  const v1::GetJobReply reply = api.get(*job, 1);
  ASSERT_EQ(reply.tasks_size(), 1);
  EXPECT_EQ(reply.tasks(0).attempts(), 3U);
  EXPECT_EQ(reply.tasks(0).outcome().exit_code(), 9);
}

TEST_F(JobsTest, TheTimeLimitEndsATask) {
  const Ended ended = run_shell("echo begun; sleep 60", {"--time", "1s"});
  EXPECT_EQ(ended.exit_code, 124);
  EXPECT_EQ(ended.out, "begun\n");
  EXPECT_THAT(ended.err, HasSubstr("ran longer than its limit"));
}

TEST_F(JobsTest, TheMemoryLimitEndsATask) {
  const nlohmann::json doctor = nlohmann::json::parse(pool().cli({"doctor", "--json"}).out, nullptr, false);
  ASSERT_TRUE(doctor.is_object());
  const Ended ended = run({"--memory", "64M", "--", "/usr/bin/python3", "-c",
                           "print('begun', flush=True)\nx = bytearray(600 << 20)\nprint('not reached')"});
  EXPECT_EQ(ended.exit_code, 137) << ended.err << doctor.dump(1);
  EXPECT_EQ(ended.out, "begun\n");
  EXPECT_THAT(ended.err, HasSubstr("more memory than its limit"));
}

TEST_F(JobsTest, CtrlCCancels) {
  Process run = pool().start_cli({"run", "--", "sh", "-c", "echo begun; sleep 300"});
  ASSERT_TRUE(eventually(seconds(30), [&] { return run.out() == "begun\n"; })) << run.err();
  run.signal(SIGINT);
  const Ended ended = run.wait(seconds(20));
  EXPECT_FALSE(ended.timed_out);
  EXPECT_EQ(ended.exit_code, 130) << ended.err;
  Api api(pool());
  EXPECT_EQ(api.wait(1).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobsTest, AClosedTerminalCancels) {
  Process run = pool().start_cli({"run", "--", "sh", "-c", "echo begun; sleep 300"});
  ASSERT_TRUE(eventually(seconds(30), [&] { return run.out() == "begun\n"; })) << run.err();
  run.signal(SIGHUP);
  run.signal(SIGHUP);
  const Ended ended = run.wait(seconds(20));
  EXPECT_FALSE(ended.timed_out);
  EXPECT_EQ(ended.exit_code, 130) << ended.err;
  EXPECT_EQ(Api(pool()).wait(1).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobsTest, NohupKeepsAJobThoughTheTerminalIsClosed) {
  Process run = Process::start({"nohup", hearth_program(), "run", "--", "sh", "-c", "echo begun; sleep 3; echo done"},
                               {.env = {{"HEARTH_HOME", pool().home()}}});
  ASSERT_TRUE(eventually(seconds(30), [&] { return run.out() == "begun\n"; })) << run.err();
  run.signal(SIGHUP);
  const Ended ended = run.wait(seconds(30));
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_EQ(ended.out, "begun\ndone\n");
}

TEST_F(JobsTest, TimeoutCancelsThoughItSaysSoTwice) {
  const Ended ended = run_program({"timeout", "1", hearth_program(), "run", "--cores", "1000", "--", "true"},
                                  {.env = {{"HEARTH_HOME", pool().home()}}});
  EXPECT_EQ(ended.exit_code, 124) << ended.err;
  EXPECT_THAT(ended.err, Not(HasSubstr("left job")));
  EXPECT_EQ(Api(pool()).wait(1).state(), v1::JOB_STATE_CANCELLED);
}

TEST_F(JobsTest, WhatCannotBeMeantIsSaid) {
  const auto says = [&](const std::vector<std::string>& words, int code, const std::string& text) {
    const Ended ended = pool().cli(words);
    EXPECT_EQ(ended.exit_code, code) << text;
    EXPECT_THAT(ended.err, AllOf(HasSubstr(text), Not(HasSubstr("protobuf"))));
  };
  says({"run", "--", "cat", "caf\xe9.txt"}, 2, "argument 4 is not UTF-8: caf");
  says({"run"}, 2, "it stands behind two dashes");
  says({"submit", "."}, 2, ".: it is a folder; a plan is a file");
  says({"app", "add", "", "--", "top"}, 2, "NAME: a value is needed");
  says({"book", "acme", "--until", "2031-02-30 10:00"}, 2, "its month has no such day");
  const Ended piped = run_program({"sh", "-c", "(echo x; sleep 1) | " + hearth_program() + " run -- true"},
                                  {.env = {{"HEARTH_HOME", pool().home()}}});
  EXPECT_THAT(piped.err, HasSubstr("standard input stays here"));
  const Ended full =
      run_program({"sh", "-c", hearth_program() + " nodes > /dev/full"}, {.env = {{"HEARTH_HOME", pool().home()}}});
  EXPECT_EQ(full.exit_code, 1);
  EXPECT_THAT(full.err, HasSubstr("No space left"));
}

TEST_F(JobsTest, OutputIsLive) {
  Process run = pool().start_cli({"run", "--", "sh", "-c", "echo first; sleep 20; echo last"});
  EXPECT_TRUE(eventually(seconds(15), [&] { return run.out() == "first\n"; }))
      << "nothing is seen of a program that still runs: " << run.err();
  run.signal(SIGINT);
  run.wait(seconds(20));
}

TEST_F(JobsTest, ProgramsAreIsolated) {
  write_text(here("secret"), "secret");
  const Ended ended = run_shell("cat " + here("secret").string() + " " + pool().home().string() +
                                "/hub/identity.pem 2>/dev/null; ls /home /root 2>/dev/null; "
                                "cat /proc/net/route 2>/dev/null | grep -v Iface; "
                                "echo x > /usr/bin/hearth-was-here 2>/dev/null && echo written; id -u; ls /proc | "
                                "grep -c '^[0-9]'");
  EXPECT_THAT(ended.out, Not(HasSubstr("secret")));
  EXPECT_THAT(ended.out, Not(HasSubstr("PRIVATE")));
  EXPECT_THAT(ended.out, Not(HasSubstr("written")));
  EXPECT_FALSE(fs::exists("/usr/bin/hearth-was-here"));
  const Ended network =
      run({"--", "/usr/bin/python3", "-c",
           "import socket\ntry:\n  socket.create_connection(('127.0.0.1', " + std::to_string(pool().endpoint().port) +
               "), 3)\n  print('connected')\nexcept OSError as e:\n  print('refused')"});
  EXPECT_EQ(network.out, "refused\n") << network.err;
}

TEST_F(JobsTest, BackgroundProcessesEndWithTheirTask) {
  const Ended ended = run_shell("(trap '' HUP TERM; sleep 987) & echo done");
  EXPECT_EQ(ended.exit_code, 0) << ended.err;
  EXPECT_TRUE(eventually(seconds(10), [&] {
    for (const pid_t process : descendants_of(pool().node_process())) {
      if (command_line(process).find("sleep 987") != std::string::npos) return false;
    }
    return true;
  }));
}

TEST_F(JobsTest, VariablesReachTheProgram) {
  const Ended ended = run_shell("echo $GREETING-$NUMBER", {"--var", "GREETING=hello world", "--var", "NUMBER={i}"});
  EXPECT_EQ(ended.out, "hello world-0\n") << ended.err;
}

}  // namespace
}  // namespace hearth::e2e
