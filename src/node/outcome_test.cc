#include "node/outcome.h"

#include <csignal>

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/sizes.h"
#include "hearth/v1/session.pb.h"

namespace hearth::node {
namespace {

sandbox::Exit exit_with(int code) {
  sandbox::Exit exit;
  exit.started = true;
  exit.exit_code = code;
  exit.wall_micros = 5;
  exit.cpu_micros = 4;
  exit.peak_memory_bytes = 3;
  return exit;
}

v1::Outcome describe(const sandbox::Exit& exit, bool timed_out = false, Duration limit = seconds(5)) {
  return describe_exit(exit, timed_out, limit, 512 * kMiB);
}

TEST(Outcome, OfSuccess) {
  v1::Outcome outcome = describe(exit_with(0));
  EXPECT_EQ(outcome.reason(), v1::FAILURE_REASON_UNSPECIFIED);
  EXPECT_EQ(outcome.message(), "");
  EXPECT_EQ(outcome.wall_micros(), 5U);
  EXPECT_EQ(outcome.cpu_micros(), 4U);
  EXPECT_EQ(outcome.peak_memory_bytes(), 3U);
}

TEST(Outcome, OfFailures) {
  EXPECT_EQ(describe(exit_with(3)).reason(), v1::FAILURE_REASON_EXIT_CODE);
  EXPECT_EQ(describe(exit_with(3)).message(), "exit code 3");
  EXPECT_EQ(describe(exit_with(3)).exit_code(), 3);

  sandbox::Exit killed = exit_with(128 + SIGSEGV);
  killed.signalled = true;
  EXPECT_EQ(describe(killed).reason(), v1::FAILURE_REASON_SIGNAL);
  EXPECT_EQ(describe(killed).message(), "ended by signal 11 (SIGSEGV)");

  sandbox::Exit greedy = exit_with(137);
  greedy.signalled = true;
  greedy.out_of_memory = true;
  EXPECT_EQ(describe(greedy).reason(), v1::FAILURE_REASON_OUT_OF_MEMORY);
  EXPECT_EQ(describe(greedy).message(), "used more than its 512 MiB of memory");
  greedy.exit_code = 0;
  EXPECT_EQ(describe(greedy).reason(), v1::FAILURE_REASON_UNSPECIFIED) << "a child was ended, the program went on";

  sandbox::Exit absent;
  absent.message = "the program 'x' was not found in PATH";
  EXPECT_EQ(describe(absent).reason(), v1::FAILURE_REASON_START);
  EXPECT_EQ(describe(absent).message(), absent.message);
  EXPECT_EQ(describe(absent).exit_code(), -1);
}

TEST(Outcome, OfTimeLimits) {
  EXPECT_EQ(describe(exit_with(137), true).reason(), v1::FAILURE_REASON_TIME_LIMIT);
  EXPECT_EQ(describe(exit_with(137), true).message(), "time limit of 5 s reached");
  EXPECT_EQ(describe(exit_with(137), true, seconds(120)).message(), "time limit of 2 min reached");
  EXPECT_EQ(describe(exit_with(137), true, seconds(7200)).message(), "time limit of 2 h reached");
}

TEST(Outcome, KeepsMessagesShortAndWhole) {
  std::string long_text(1023, 'x');
  v1::Outcome outcome = failed_outcome(v1::FAILURE_REASON_OUTPUT, long_text + "ü and more");
  EXPECT_EQ(outcome.message(), long_text);
  EXPECT_TRUE(is_plain_utf8(outcome.message()));
  EXPECT_EQ(outcome.exit_code(), -1);
}

// A guest's file names are bytes, and what a program says is cut anywhere: the hub reads no frame with a string in it
// that is no UTF-8.
TEST(Outcome, SaysWhatGuestsNamedInTextThatTheHubTakes) {
  v1::NodeFrame frame;
  *frame.add_finished()->mutable_outcome() =
      failed_outcome(v1::FAILURE_REASON_WORKSPACE, "opening \xff\xfe\x1b[2J, \xc3\xa9 and \xe2\x82");
  EXPECT_EQ(frame.finished(0).outcome().message(), "opening ?? [2J, \xc3\xa9 and ??");
  v1::NodeFrame read;
  EXPECT_TRUE(read.ParseFromString(frame.SerializeAsString()));
}

}  // namespace
}  // namespace hearth::node
