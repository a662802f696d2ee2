// The command line as a person meets it, as far as no hub is needed: what it prints, and its exit codes.
#include "cli/cli.h"

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <set>
#include <sstream>

#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "cli/temp_directory.h"

namespace hearth::cli {
namespace {

struct Outcome {
  int code = -1;
  std::string out;
  std::string err;
};

std::vector<Finding> healthy(const std::filesystem::path&) { return {{"sandbox", true, true, "works", ""}}; }
std::vector<Finding> broken(const std::filesystem::path&) {
  return {{"user namespaces", false, true, "refused", "sysctl kernel.unprivileged_userns_clone=1"}};
}

class CommandLineTest : public testing::Test {
 protected:
  // Runs the command line in a process of its own, in the test's directory and with HOME there.
  Outcome run(std::vector<std::string> words, const Programs& programs = {nullptr, nullptr, healthy}) const {
    const pid_t process = ::fork();
    if (process == 0) {
      redirect("out", STDOUT_FILENO);
      redirect("err", STDERR_FILENO);
      ::setenv("HEARTH_HOME", (directory_.path() / "home").c_str(), 1);
      if (::chdir(directory_.path().c_str()) != 0) ::_exit(99);
      words.insert(words.begin(), "hearth");
      std::vector<char*> arguments(words.size());
      std::ranges::transform(words, arguments.begin(), [](std::string& word) { return word.data(); });
      ::_exit(cli::run(static_cast<int>(arguments.size()), arguments.data(), programs));
    }
    int status = 0;
    ::waitpid(process, &status, 0);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : 1000, directory_.read("out"), directory_.read("err")};
  }

  void redirect(const char* name, int to) const {
    const int file = ::open((directory_.path() / name).c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ::dup2(file, to);
  }

  TempDirectory directory_;
};

TEST_F(CommandLineTest, SaysItsVersion) {
  const Outcome outcome = run({"--version"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out, "hearth 0.1.0\n");
}

TEST_F(CommandLineTest, WrongUsageIsTwo) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{},
                                                {"fly"},
                                                {"up", "--wings"},
                                                {"job"},
                                                {"job", "1", "2"},
                                                {"devices", "allow"},
                                                {"run", "--core", "3", "--", "true"},
                                                {"run", "--cores"},
                                                {"run"},
                                                {"limit", "--cores", "many"},
                                                {"up", "--port", "70000"},
                                                {"up", "--store", "pool.db"},
                                                {"invite", "--role", "king"},
                                                {"run", "--cores", "0", "--", "true"}}) {
    const Outcome outcome = run(words);
    EXPECT_EQ(outcome.code, 2) << testing::PrintToString(words) << outcome.err;
    EXPECT_FALSE(outcome.err.empty());
    EXPECT_EQ(outcome.out, "");
  }
}

TEST_F(CommandLineTest, WrongWordsAreNamedWithWhatIsAllowed) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> wrong = {
      {{"statsu"}, "error: statsu: there is no such command; is status meant?\nsee: hearth help\n"},
      {{"fly"}, "error: fly: there is no such command\nsee: hearth help\n"},
      {{"devices", "alow", "123456"},
       "error: alow: there is no such command; is allow meant?\nsee: hearth help devices\n"},
      {{"up", "--prot", "1"}, "error: --prot: there is no such option; is --port meant?\nsee: hearth help up\n"},
      {{"run", "--corez", "3", "--", "true"},
       "error: --corez: there is no such option; is --cores meant?\nsee: hearth help run\n"},
      {{"jbos"}, "error: jbos: there is no such command; is jobs meant?\nsee: hearth help\n"},
      {{"--json", "jobs"}, "error: --json: it comes after the command: hearth jobs --json\nsee: hearth help jobs\n"},
      {{"microvm"}, "error: hearth microvm is followed by one of: fetch\nsee: hearth help microvm\n"},
      {{"microvm", "fly"}, "error: fly: there is no such command\nsee: hearth help microvm\n"},
      {{"job"}, "error: JOB is required\nsee: hearth help job\n"},
      {{"job", "1", "2"}, "error: 2: hearth job takes no further argument\nsee: hearth help job\n"},
      {{"run", "--cores"}, "error: --cores: a value is needed\nsee: hearth help run\n"},
      {{"run", "--cores", "", "--", "true"}, "error: --cores: a value is needed\nsee: hearth help run\n"},
      {{"run", "--input", "", "--", "true"}, "error: --input: a value is needed\nsee: hearth help run\n"},
      {{"devices", "allow", ""}, "error: CODE_OR_NAME: a value is needed\nsee: hearth help devices allow\n"},
      {{"rm", "1", ""}, "error: JOB: a value is needed\nsee: hearth help rm\n"},
      {{"map", "wc {}", ""}, "error: FILES: a value is needed\nsee: hearth help map\n"},
      {{"limit", "--home", ""}, "error: --home: a value is needed\nsee: hearth help limit\n"},
      {{"--home", "", "limit"}, "error: --home: a value is needed\nsee: hearth help limit\n"}};
  for (const auto& [words, said] : wrong) EXPECT_EQ(run(words).err, said);
}

TEST_F(CommandLineTest, TheLastOfARepeatedOptionCounts) {
  EXPECT_NE(run({"limit", "--cores", "2", "--cores", "3"}).out.find("cores   3\n"), std::string::npos);
}

TEST_F(CommandLineTest, HelpNamesEveryCommandButTheHiddenOne) {
  const Outcome outcome = run({"help"});
  EXPECT_EQ(outcome.code, 0);
  for (const char* command :
       {"up",     "down",     "join", "leave",  "limit", "doctor", "invite",      "pair",  "devices", "run",
        "jobs",   "job",      "logs", "cancel", "get",   "why",    "verify-wipe", "nodes", "status",  "stop-everything",
        "resume", "workspace"}) {
    EXPECT_NE(outcome.out.find(std::string("  ") + command + " "), std::string::npos) << command;
  }
  EXPECT_EQ(outcome.out.find("daemon "), std::string::npos);
  EXPECT_EQ(run({"help", "fly"}).code, 2);
}

TEST_F(CommandLineTest, HelpOfACommandNamesItsOptions) {
  const Outcome outcome = run({"help", "run"});
  for (const char* option :
       {"--count", "--cores", "--memory", "--gpu", "--time", "--input", "--output", "--env", "--workspace", "--var",
        "--after", "--retries", "--name", "--detach", "--json", "--home", "-- PROGRAM ARGS"}) {
    EXPECT_NE(outcome.out.find(option), std::string::npos) << option;
  }
  EXPECT_EQ(run({"run", "--help"}).out, outcome.out);
  EXPECT_NE(run({"help", "devices", "allow"}).out.find("CODE_OR_NAME"), std::string::npos);
  const std::vector<std::pair<std::vector<std::string>, std::string>> usages = {
      {{"help", "run"}, "run [OPTIONS]"},
      {{"help", "cluster"}, "cluster [OPTIONS] ENGINE"},
      {{"help", "schedule", "add"}, "schedule add [OPTIONS] CRON"},
      {{"help", "app", "add"}, "app add [OPTIONS] NAME"}};
  for (const auto& [words, usage] : usages) {
    const Outcome told = run(words);
    EXPECT_NE(told.out.find("Usage: hearth " + usage + " -- PROGRAM ARGS...\n"), std::string::npos) << told.out;
  }
}

std::set<std::string> words_with_dashes(const std::string& text) {
  std::set<std::string> words;
  for (std::size_t at = text.find("--"); at != std::string::npos; at = text.find("--", at + 2)) {
    const std::size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz-", at);
    if (end - at > 2) words.insert(text.substr(at, end - at));
  }
  return words;
}

TEST_F(CommandLineTest, TheManPageHasEveryCommandAndOption) {
  const Outcome man = run({"help", "--man"});
  EXPECT_EQ(man.code, 0);
  EXPECT_TRUE(man.out.starts_with(".TH HEARTH 1 "));
  for (const char* section :
       {".SH NAME\n", ".SH SYNOPSIS\n", ".SH DESCRIPTION\n", ".SH COMMANDS\n", ".SH EXIT STATUS\n"}) {
    EXPECT_NE(man.out.find(section), std::string::npos) << section;
  }
  std::string unescaped = man.out;
  for (std::size_t at = unescaped.find("\\-"); at != std::string::npos; at = unescaped.find("\\-"))
    unescaped.erase(at, 1);
  for (const char* command : {"up",
                              "down",
                              "join",
                              "leave",
                              "limit",
                              "doctor",
                              "invite",
                              "pair",
                              "devices",
                              "run",
                              "jobs",
                              "job",
                              "logs",
                              "cancel",
                              "get",
                              "why",
                              "nodes",
                              "status",
                              "stop-everything",
                              "resume",
                              "workspace list",
                              "workspace rm",
                              "devices allow",
                              "devices refuse",
                              "devices revoke"}) {
    EXPECT_NE(unescaped.find(std::string(".SS ") + command + "\n"), std::string::npos) << command;
    std::vector<std::string> words = {"help"};
    std::istringstream parts(command);
    for (std::string part; parts >> part;) words.push_back(part);
    const Outcome help = run(words);
    for (const std::string& option : words_with_dashes(help.out)) {
      EXPECT_NE(unescaped.find(option), std::string::npos) << command << " " << option;
    }
  }
}

TEST_F(CommandLineTest, TheManPageIsWellFormed) {
  const Outcome man = run({"help", "--man"});
  directory_.write("hearth.1", man.out);
  const std::string file = (directory_.path() / "hearth.1").string();
  std::istringstream lines(man.out);
  for (std::string line; std::getline(lines, line);) {
    const bool known = line.empty() || line[0] != '.' || line.starts_with(".TH ") || line.starts_with(".SH ") ||
                       line.starts_with(".SS ") || line.starts_with(".B ") || line.starts_with(".I ") ||
                       line.starts_with(".RI ") || line == ".TP" || line == ".PP";
    EXPECT_TRUE(known) << line;
    EXPECT_NE(line.substr(0, 1), "'") << line;
  }
  if (::access("/usr/bin/groff", X_OK) != 0) return;  // the structure has been checked above
  const int status = std::system(("groff -man -Tutf8 -ww -z " + file + " > " + file + ".warnings 2>&1").c_str());
  EXPECT_EQ(status, 0);
  EXPECT_EQ(directory_.read("hearth.1.warnings"), "");
}

TEST_F(CommandLineTest, CompletionIsAScriptThatBashReads) {
  directory_.write("completion", run({"help", "--completion"}).out);
  const std::string file = (directory_.path() / "completion").string();
  EXPECT_EQ(std::system(("bash -n " + file).c_str()), 0);
  EXPECT_NE(directory_.read("completion").find("run) words=\""), std::string::npos);
}

TEST_F(CommandLineTest, WithoutAHubEveryCommandSaysHowToGetOne) {
  for (const char* command : {"jobs", "nodes", "status", "devices", "invite"}) {
    const Outcome outcome = run({command});
    EXPECT_EQ(outcome.code, 1) << command;
    EXPECT_NE(outcome.err.find("hearth up"), std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.out, "");
  }
  directory_.write("home/config.json", R"({"hub": true, "name": "x"})");
  EXPECT_EQ(run({"status"}).err, "error: this PC's hub is not up; start it with: hearth up\n");
}

TEST_F(CommandLineTest, DownSaysThatNothingWasUp) {
  const Outcome outcome = run({"down"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err, "hearth was not up\n");
  EXPECT_EQ(run({"down", "--json"}).out, "{\n  \"was_up\": false\n}\n");
}

TEST_F(CommandLineTest, LimitsAreKeptAndShown) {
  EXPECT_NE(run({"limit"}).out.find("cores   all"), std::string::npos);
  EXPECT_EQ(run({"limit", "--cores", "4", "--memory", "8G"}).code, 0);
  const Outcome outcome = run({"limit", "--hours", "22-7"});
  EXPECT_NE(outcome.out.find("cores   4\n  memory  8 GiB\n  disk    20 GiB\n"
                             "  keeps   5 GiB of that for workspaces\n  hours   22:00-07:00\n"),
            std::string::npos)
      << outcome.out;
  EXPECT_NE(directory_.read("home/node/policy.json").find("\"memory_bytes\": 8589934592"), std::string::npos);
  EXPECT_EQ(run({"limit", "--cores", "x"}).code, 2);
  EXPECT_EQ(run({"limit", "--workspaces", "11G"}).code, 2);
  EXPECT_NE(run({"limit", "--disk", "40G", "--workspaces", "11G"}).out.find("keeps   11 GiB"), std::string::npos);
  EXPECT_EQ(run({"limit", "--disk", "20G"}).code, 2) << "half of which is less than what workspaces may take";
  EXPECT_NE(run({"limit"}).out.find("cores   4"), std::string::npos) << "a refused value must change nothing";
  EXPECT_NE(run({"limit", "--none", "--cores", "0"}).out.find("cores   0\n  memory  80 % of what it has"),
            std::string::npos);
  EXPECT_EQ(run({"limit", "--none", "--json"}).out, "{\n  \"draining\": false\n}\n");
  run({"limit", "--label", "room=cellar", "--for", "friend", "--isolation", "none"});
  const Outcome lifted = run({"limit", "--none"});
  EXPECT_NE(lifted.err.find("as they were: labels, what --for says of rings"), std::string::npos) << lifted.err;
  EXPECT_NE(lifted.out.find("room = cellar"), std::string::npos);
}

TEST_F(CommandLineTest, ALevelThatDoesNotWorkHereIsSaid) {
  const Programs without = {nullptr, nullptr, [](const std::filesystem::path&) {
                              return std::vector<Finding>{{"level oci", true, false, "works", ""},
                                                          {"level microvm", false, false, "no kernel", "fetch one"}};
                            }};
  const Outcome outcome = run({"limit", "--isolation", "microvm"}, without);
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.err,
            "warning: microvm does not work on this PC, and so these tasks do not run here: no kernel; fetch one\n");
  EXPECT_EQ(run({"limit", "--isolation", "oci"}, without).err, "");
}

TEST_F(CommandLineTest, HomeIsWhatTheOptionSays) {
  run({"limit", "--cores", "1", "--home", (directory_.path() / "other").string()});
  EXPECT_TRUE(std::filesystem::exists(directory_.path() / "other/node/policy.json"));
  run({"--home", (directory_.path() / "third").string(), "limit", "--cores", "1"});
  EXPECT_TRUE(std::filesystem::exists(directory_.path() / "third/node/policy.json"));
}

TEST_F(CommandLineTest, LeaveNeedsAPoolThatWasJoined) {
  const Outcome outcome = run({"leave"});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("hearth limit --cores 0"), std::string::npos);
}

TEST_F(CommandLineTest, AWrongLinkIsRefused) {
  for (const char* command : {"pair", "join"}) {
    const Outcome outcome = run({command, "https://example.org/"});
    EXPECT_EQ(outcome.code, 2) << outcome.err;
  }
}

TEST_F(CommandLineTest, ATakenPortIsExplained) {
  const int taken = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(::bind(taken, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(::listen(taken, 1), 0);
  socklen_t length = sizeof address;
  ASSERT_EQ(::getsockname(taken, reinterpret_cast<sockaddr*>(&address), &length), 0);
  const std::string port = std::to_string(ntohs(address.sin_port));
  const Outcome outcome = run({"up", "--address", "127.0.0.1", "--port", port});
  EXPECT_EQ(outcome.code, 1);
  EXPECT_NE(outcome.err.find("port " + port + " is taken"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("hearth up --port"), std::string::npos);
  ::close(taken);
  EXPECT_EQ(run({"up", "--address", "kitchen"}).code, 2);
}

TEST_F(CommandLineTest, DoctorFailsIfSomethingRequiredDoes) {
  directory_.write("home/config.json", R"({"port": 0})");
  const Outcome good = run({"doctor"});
  EXPECT_EQ(good.code, 0) << good.out;
  EXPECT_NE(good.out.find("ok    sandbox"), std::string::npos);
  const Outcome bad = run({"doctor"}, {nullptr, nullptr, broken});
  EXPECT_EQ(bad.code, 1);
  EXPECT_NE(bad.out.find("FAIL  user namespaces"), std::string::npos);
  EXPECT_NE(bad.out.find("mend it: sysctl"), std::string::npos);
  EXPECT_NE(run({"doctor", "--json"}).out.find("\"findings\": ["), std::string::npos);
}

TEST_F(CommandLineTest, TheDaemonIsWhatMainGave) {
  Programs programs = {[](const HubStart& start) { return start.port == 8000 && start.name == "den" ? 40 : 41; },
                       [](const NodeStart&) { return 3; }, healthy};
  directory_.write("home/config.json", R"({"hub": true, "port": 8000, "name": "den"})");
  EXPECT_EQ(run({"daemon", "hub"}, programs).code, 40);
  EXPECT_EQ(run({"daemon", "node"}, programs).code, 3);
  EXPECT_EQ(run({"daemon", "cat"}, programs).code, 2);
}

}  // namespace
}  // namespace hearth::cli
