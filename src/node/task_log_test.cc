#include "node/task_log.h"

#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/util/delimited_message_util.h>
#include <gtest/gtest.h>

#include "base/sizes.h"

namespace hearth::node {
namespace {

std::vector<v1::LogRecord> records_of(const std::string& bytes) {
  google::protobuf::io::ArrayInputStream input(bytes.data(), static_cast<int>(bytes.size()));
  std::vector<v1::LogRecord> records;
  bool clean_end = false;
  for (v1::LogRecord record; google::protobuf::util::ParseDelimitedFromZeroCopyStream(&record, &input, &clean_end);) {
    records.push_back(record);
    record.Clear();
  }
  EXPECT_TRUE(clean_end);
  return records;
}

std::string text_of(const std::vector<v1::LogRecord>& records) {
  std::string text;
  for (const v1::LogRecord& record : records) text += record.data();
  return text;
}

TEST(TaskLog, IsEmptyAtFirst) {
  TaskLog log;
  std::uint64_t offset = 0;
  EXPECT_EQ(log.read(offset, 1000), "");
  EXPECT_EQ(log.whole(), "");
  log.append(v1::LOG_STREAM_STDOUT, "");
  EXPECT_EQ(log.whole(), "");
}

TEST(TaskLog, KeepsOrderAndStreams) {
  TaskLog log;
  log.append(v1::LOG_STREAM_STDOUT, "a");
  log.append(v1::LOG_STREAM_STDOUT, "b");
  log.append(v1::LOG_STREAM_STDERR, "c");
  log.append(v1::LOG_STREAM_STDOUT, "d");
  auto records = records_of(log.whole());
  ASSERT_EQ(records.size(), 3U) << "neighbours share a record";
  EXPECT_EQ(records[0].data(), "ab");
  EXPECT_EQ(records[1].data(), "c");
  EXPECT_EQ(records[1].stream(), v1::LOG_STREAM_STDERR);
  EXPECT_EQ(records[2].data(), "d");
}

TEST(TaskLog, IsReadInPiecesOfWholeRecords) {
  TaskLog log;
  std::string expected;
  for (int i = 0; i < 500; ++i) {
    std::string line = std::to_string(i) + std::string(static_cast<std::size_t>(i), '.') + "\n";
    log.append(i % 2 == 0 ? v1::LOG_STREAM_STDOUT : v1::LOG_STREAM_STDERR, line);
    expected += line;
  }
  std::string whole = log.whole();
  for (std::size_t limit : {1U, 100U, 1000U, 100'000U, 10'000'000U}) {
    std::string read;
    std::uint64_t offset = 0;
    for (std::string piece = log.read(offset, limit); !piece.empty(); piece = log.read(offset, limit)) {
      EXPECT_FALSE(records_of(piece).empty());
      if (limit >= 1000) EXPECT_LE(piece.size(), limit);
      EXPECT_EQ(offset, read.size());
      read += piece;
      offset += piece.size();
    }
    EXPECT_EQ(read, whole) << limit;
  }
  EXPECT_EQ(text_of(records_of(whole)), expected);
}

TEST(TaskLog, GoesOnWhereAReaderLeft) {
  TaskLog log;
  log.append(v1::LOG_STREAM_STDOUT, "first");
  std::uint64_t offset = 0;
  std::string first = log.read(offset, 1000);
  offset += first.size();
  EXPECT_EQ(log.read(offset, 1000), "");
  log.append(v1::LOG_STREAM_STDOUT, "second");
  std::string second = log.read(offset, 1000);
  EXPECT_EQ(text_of(records_of(second)), "second");
  EXPECT_EQ(log.whole(), first + second);
  std::uint64_t within = first.size() + 3;
  EXPECT_EQ(log.read(within, 1000), second);
  EXPECT_EQ(within, first.size()) << "a place within a record is its start";
  std::uint64_t beyond = 1'000'000;
  EXPECT_EQ(log.read(beyond, 1000), "");
}

TEST(TaskLog, SplitsLongText) {
  TaskLog log;
  std::string text(200'000, 'x');
  log.append(v1::LOG_STREAM_STDOUT, text);
  auto records = records_of(log.whole());
  for (const v1::LogRecord& record : records) EXPECT_LE(record.data().size(), 64 * kKiB);
  EXPECT_EQ(text_of(records), text);
}

TEST(TaskLog, IsBoundedAndSaysSo) {
  TaskLog log(1000);
  log.append(v1::LOG_STREAM_STDOUT, std::string(1000, 'x'));
  EXPECT_EQ(text_of(records_of(log.whole())).size(), 1000U) << "nothing was dropped yet";
  for (int i = 0; i < 5; ++i) log.append(v1::LOG_STREAM_STDOUT, "more");
  auto records = records_of(log.whole());
  ASSERT_EQ(records.size(), 2U);
  EXPECT_NE(records[1].data().find("the rest of the output was dropped"), std::string::npos);
}

TEST(TaskLog, IsBoundedForTinyRecordsToo) {
  TaskLog log(1000);
  for (int i = 0; i < 100'000; ++i) log.append(i % 2 == 0 ? v1::LOG_STREAM_STDOUT : v1::LOG_STREAM_STDERR, "x");
  EXPECT_LT(log.whole().size(), 3000U);
}

}  // namespace
}  // namespace hearth::node
