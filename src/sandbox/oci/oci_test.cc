// The plug's own parts: what the runtime is told, what is heard of it, which runtime it is. What its containers promise
// is tried in conformance_test.cc and fence_test.cc.
#include <cerrno>
#include <csignal>
#include <filesystem>

#include <sys/stat.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "sandbox/levels_testing.h"
#include "sandbox/oci/oci.h"
#include "sandbox/oci/runtime_listener.h"
#include "sandbox/oci/task.h"

namespace hearth::sandbox {
namespace {

using namespace std::string_literals;

TEST(OciTask, SurvivesWhateverItsWordsAre) {
  const oci::Task task{.argv = {"x", "", "a\"b\\\n\x01\xff"}, .variables = {{"A", ""}, {"A", "\xc3\x28"}}};
  EXPECT_EQ(oci::parse_task(oci::pack_task(task)), task);
}

TEST(OciTask, OfNonsenseIsNone) {
  for (const std::string& text : {""s, "1"s, "0\0"s, "1\0"s, "-1\0x\0"s, "1 \0x\0"s, "2\0x\0"s, "1\0x\0NAME\0"s,
                                  "x\0x\0"s, "99999999999999999999\0x\0"s, "1\0x\0A\0b"s}) {
    EXPECT_FALSE(oci::parse_task(text)) << testing::PrintToString(text);
  }
}

TEST(OciRuntime, IsCrunUnlessTheOwnerNamesAnother) {
  if (find_program("crun").empty()) GTEST_SKIP() << "SKIPPED: crun is not here";
  EXPECT_EQ(find_runtime("").value(), (std::vector<std::string>{find_program("crun"), "--cgroup-manager=disabled"}));
  EXPECT_EQ(find_runtime("  /usr/bin/env  -i ").value(), (std::vector<std::string>{"/usr/bin/env", "-i"}));
}

TEST(OciRuntime, ThatCannotBeIsNamedWithTheRemedy) {
  TemporaryDirectory directory;
  std::filesystem::copy_file("/bin/true", directory.path() / "runtime");
  std::string many = "env";
  for (int i = 0; i < 40; ++i) many += " x";
  for (const std::string& wrong : {"no-such-runtime"s, "/no/such/runtime --x"s, "/etc/passwd"s, "../../../usr/bin/env"s,
                                   " "s, many, (directory.path() / "runtime").string()}) {
    const auto found = find_runtime(wrong);
    ASSERT_FALSE(found) << wrong;
    EXPECT_EQ(found.error().code, Code::kFailedPrecondition);
    EXPECT_TRUE(found.error().message.contains("hearth limit --oci-runtime")) << found.error().message;
  }
}

LevelReport report_of_oci(Host& host) {
  for (const LevelReport& report : host.levels()) {
    if (report.level == Level::kOci) return report;
  }
  return {};
}

TEST(OciRuntime, ThatFailsIsNotOfferedUntilTheOwnerNamesAnother) {
  if (find_program("crun").empty()) GTEST_SKIP() << "SKIPPED: crun is not here";
  TestHost host;
  host->use_oci_runtime("/usr/bin/false");
  const LevelReport failed = report_of_oci(*host.operator->());
  EXPECT_FALSE(failed.passed);
  EXPECT_EQ(failed.detail, "the OCI runtime could not start the program: it ended without a word");
  host->use_oci_runtime("crun");
  const LevelReport passed = report_of_oci(*host.operator->());
  EXPECT_TRUE(passed.passed) << passed.detail;
}

// A daemon's umask, with which what it makes is for itself alone.
TEST(OciRuntime, RunsAProgramWhateverTheUmask) {
  if (find_program("crun").empty()) GTEST_SKIP() << "SKIPPED: crun is not here";
  const mode_t before = ::umask(077);
  {
    TestHost host;
    host.set_up({.level = Level::kOci});
    const Ran ran = host.run({"/bin/echo", "ran"});
    EXPECT_EQ(ran.out, "ran\n") << ran.exit.message;
  }
  ::umask(before);
}

struct Heard {
  Exit exit;
  std::string out;
  std::string err;
};

// `pieces` come from stderr.
Heard hear(const std::vector<std::string>& pieces, const Ending& ending) {
  Heard heard;
  RuntimeListener listener("./program");
  const auto print = [&heard](Stream stream, std::string_view piece) {
    (stream == Stream::kStdout ? heard.out : heard.err) += piece;
  };
  listener.hear(Stream::kStdout, "output", print);
  for (const std::string& piece : pieces) listener.hear(Stream::kStderr, piece, print);
  listener.conclude(ending, print, heard.exit);
  return heard;
}

TEST(RuntimeListener, PassesOnWhatTheProgramSaysAndNothingElse) {
  const std::string all = "warning of the runtime\n" + std::string(oci::kBegins) + "words\n";
  std::vector<std::string> letters;
  for (char letter : all) letters.emplace_back(1, letter);
  for (const auto& pieces : {std::vector{all}, letters}) {
    const Heard heard = hear(pieces, {.exit_code = 7});
    EXPECT_TRUE(heard.exit.started);
    EXPECT_EQ(heard.exit.exit_code, 7);
    EXPECT_EQ(heard.err, "words\n");
    EXPECT_EQ(heard.out, "output");
  }
  const std::string begins(oci::kBegins);
  EXPECT_EQ(hear({begins, "\x1Ehearth"}, {.exit_code = 0}).err, "\x1Ehearth");
  const std::string near = std::string(oci::kFailed) + "x\n";
  EXPECT_EQ(hear({begins, near}, {.exit_code = 0}).err, near) << "the program's own";
  EXPECT_EQ(hear({begins, "late ", begins}, {.exit_code = 0}).err, "late " + begins);
}

TEST(RuntimeListener, TellsWhyTheProgramDidNotStart) {
  const std::string failed = std::string(oci::kBegins) + std::string(oci::kFailed);
  const Heard absent = hear({failed + std::to_string(ENOENT), "\n"}, {.exit_code = 127});
  EXPECT_FALSE(absent.exit.started);
  EXPECT_TRUE(absent.exit.message.contains("'./program' was not found in the sandbox")) << absent.exit.message;
  EXPECT_EQ(absent.err, "");
  EXPECT_EQ(hear({failed + std::to_string(EACCES) + "\n"}, {}).exit.message,
            "the program './program' is not executable");
  EXPECT_EQ(hear({"first\nsetrlimit: \x1b[1mno\n"}, {.exit_code = 1}).exit.message,
            "the OCI runtime could not start the program: setrlimit:  [1mno");
  EXPECT_EQ(hear({std::string(100'000, 'x')}, {.exit_code = 1}).exit.message.size(), 345U) << "bounded";
  EXPECT_EQ(hear({}, {.exit_code = 137, .kill_wanted = true}).exit.message, "ended before the program was started");
  EXPECT_EQ(hear({std::string(oci::kBegins)}, {.exit_code = -1, .kill_wanted = true}).exit.exit_code, 128 + SIGKILL);
}

}  // namespace
}  // namespace hearth::sandbox
