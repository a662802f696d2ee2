#include "cli/log_printer.h"

#include <google/protobuf/util/delimited_message_util.h>
#include <sstream>

#include <gtest/gtest.h>

namespace hearth::cli {
namespace {

v1::LogRecord record(v1::LogStream stream, const std::string& text) {
  v1::LogRecord made;
  made.set_stream(stream);
  made.set_data(text);
  return made;
}

v1::LogRecord out(const std::string& text) { return record(v1::LOG_STREAM_STDOUT, text); }
v1::LogRecord err(const std::string& text) { return record(v1::LOG_STREAM_STDERR, text); }

std::uint64_t stored_size(const v1::LogRecord& made) {
  std::ostringstream stream;
  google::protobuf::util::SerializeDelimitedToOstream(made, &stream);
  return stream.str().size();
}

v1::LogsReply piece(std::uint32_t task, std::uint32_t attempt, std::uint64_t offset,
                    const std::vector<v1::LogRecord>& records) {
  v1::LogsReply reply;
  reply.set_task(task);
  reply.set_attempt(attempt);
  reply.set_offset(offset);
  std::uint64_t next = offset;
  for (const v1::LogRecord& one : records) {
    next += stored_size(one);
    *reply.add_records() = one;
  }
  reply.set_next_offset(next);
  return reply;
}

std::string text_of(const std::vector<LogText>& texts) {
  std::string all;
  for (const LogText& text : texts) all += (text.stream == v1::LOG_STREAM_STDERR ? "E<" : "O<") + text.text + ">";
  return all;
}

TEST(LogPrinter, GivesRecordsAsTheyCome) {
  LogPrinter printer(LogPrinter::Prefix::kNone);
  EXPECT_EQ(text_of(printer.add(piece(0, 1, 0, {out("a"), out("b\n"), err("c\n")}))), "O<ab\n>E<c\n>");
  EXPECT_FALSE(printer.within_line());
  EXPECT_EQ(text_of(printer.add(piece(0, 1, printer.cursors()[0].offset(), {out("half")}))), "O<half>");
  EXPECT_TRUE(printer.within_line());
  EXPECT_EQ(text_of(printer.finish()), "");
}

TEST(LogPrinter, DropsWhatComesTwice) {
  LogPrinter printer(LogPrinter::Prefix::kNone);
  const v1::LogsReply first = piece(0, 1, 0, {out("one\n"), out("two\n")});
  EXPECT_EQ(text_of(printer.add(first)), "O<one\ntwo\n>");
  EXPECT_EQ(text_of(printer.add(first)), "");
  EXPECT_EQ(text_of(printer.add(piece(0, 1, stored_size(out("one\n")), {out("two\n"), out("three\n")}))), "O<three\n>");
  EXPECT_EQ(printer.cursors()[0].offset(), first.next_offset() + stored_size(out("three\n")));
}

TEST(LogPrinter, ANewAttemptStartsAgainAndAnOldOneIsSilent) {
  LogPrinter printer(LogPrinter::Prefix::kNone);
  printer.add(piece(0, 1, 0, {out("first\n")}));
  EXPECT_EQ(text_of(printer.add(piece(0, 2, 0, {out("second\n")}))), "O<second\n>");
  EXPECT_EQ(text_of(printer.add(piece(0, 1, 9, {out("late\n")}))), "");
  EXPECT_EQ(printer.cursors()[0].attempt(), 2U);
}

TEST(LogPrinter, PrefixesWholeLinesOfSeveralTasks) {
  LogPrinter printer(LogPrinter::Prefix::kTask);
  EXPECT_EQ(text_of(printer.add(piece(3, 1, 0, {out("a\nb")}))), "O<[3] a\n>");
  EXPECT_EQ(text_of(printer.add(piece(4, 1, 0, {out("x\n")}))), "O<[4] x\n>");
  EXPECT_EQ(text_of(printer.add(piece(3, 1, printer.cursors()[0].offset(), {err("e\n"), out("c\n")}))),
            "E<[3] e\n>O<[3] bc\n>");
  EXPECT_EQ(printer.cursors().size(), 2U);
}

TEST(LogPrinter, LinesThatNeverEndComeInTheEnd) {
  LogPrinter printer(LogPrinter::Prefix::kTask);
  EXPECT_EQ(text_of(printer.add(piece(0, 1, 0, {out("no end")}))), "");
  EXPECT_EQ(text_of(printer.finish()), "O<[0] no end\n>");
  EXPECT_EQ(text_of(printer.finish()), "");
}

TEST(LogPrinter, HoldsNoEndlessLine) {
  LogPrinter printer(LogPrinter::Prefix::kTask);
  EXPECT_EQ(text_of(printer.add(piece(0, 1, 0, {out(std::string(65536, 'x'))}))).size(), 65536 + 8);
}

}  // namespace
}  // namespace hearth::cli
