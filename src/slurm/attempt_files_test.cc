#include "slurm/attempt_files.h"

#include <gtest/gtest.h>

namespace hearth::slurm {
namespace {

using sandbox::Stream;

TEST(AttemptFiles, AnOrderTravels) {
  Order order{.name = "17-3-1", .limits = {.cores = 3, .memory_bytes = 1 << 30}, .setup = {}, .command = {}};
  order.setup.root = "/shared/environment";
  order.command.argv = {"sh", "-c", "echo \"ä\"\n"};
  order.command.variables = {{"HOME", "/job"}};
  order.command.bound_files = {{.source = "/shared/blob", .path = "large.bin"}};
  order.command.gpus.resize(2);
  order.command.outputs = {"*.txt"};
  order.command.outputs_may_lack = true;
  order.command.time_limit = minutes(3);
  const Result<Order> read = parse_order(format_order(order));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->name, order.name);
  EXPECT_EQ(read->limits.cores, 3U);
  EXPECT_EQ(read->setup.root, order.setup.root);
  EXPECT_EQ(read->command.argv, order.command.argv);
  EXPECT_EQ(read->command.variables, order.command.variables);
  EXPECT_EQ(read->command.bound_files.at(0).path, "large.bin");
  EXPECT_EQ(read->command.gpus.size(), 2U);
  EXPECT_EQ(read->command.outputs, order.command.outputs);
  EXPECT_TRUE(read->command.outputs_may_lack);
  EXPECT_EQ(read->command.time_limit, minutes(3));
  EXPECT_FALSE(parse_order("{}"));
  EXPECT_FALSE(parse_order("not JSON"));
}

TEST(AttemptFiles, AnEndTravelsAndUnsafeNamesDoNot) {
  End end;
  end.exit = {.started = true, .exit_code = 0, .message = "", .wall_micros = 5, .fate = sandbox::Fate::kTimeLimit};
  end.outputs = {{.path = "a/b.txt", .size = 7, .executable = true}};
  end.refusal = "a link";
  end.refusal_code = 3;
  const Result<End> read = parse_end(format_end(end));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->exit.fate, sandbox::Fate::kTimeLimit);
  EXPECT_EQ(read->exit.wall_micros, 5U);
  ASSERT_EQ(read->outputs.size(), 1U);
  EXPECT_EQ(read->outputs[0].path, "a/b.txt");
  EXPECT_EQ(read->refusal, "a link");
  end.outputs[0].path = "../up";
  EXPECT_FALSE(parse_end(format_end(end)));
  EXPECT_FALSE(parse_end("{\"fate\": 99}"));
}

TEST(AttemptFiles, ALogComesInWhateverPieces) {
  const std::string log = format_frame(Stream::kStdout, "one") + format_frame(Stream::kStderr, "two");
  for (std::size_t size = 1; size <= log.size(); ++size) {
    LogReader reader;
    std::string out;
    std::string err;
    for (std::size_t at = 0; at < log.size(); at += size) {
      EXPECT_TRUE(reader.feed(log.substr(at, size), [&](Stream stream, std::string_view text) {
        (stream == Stream::kStdout ? out : err).append(text);
      }));
    }
    EXPECT_EQ(out, "one");
    EXPECT_EQ(err, "two");
  }
  LogReader reader;
  EXPECT_FALSE(reader.feed("\x07xxxx", [](Stream, std::string_view) { FAIL(); }));
  EXPECT_FALSE(reader.feed(log, [](Stream, std::string_view) { FAIL(); })) << "nothing is taken after that";
}

}  // namespace
}  // namespace hearth::slurm
