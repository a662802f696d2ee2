// What tasks print, put in order again: drops what a repeated or restarted stream brings twice, keeps lines of several
// tasks apart, and knows where to go on after a broken stream. Pure: gives text, writes nothing.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "hearth/v1/jobs.pb.h"

namespace hearth::cli {

struct LogText {
  v1::LogStream stream = v1::LOG_STREAM_STDOUT;
  std::string text;
};

class LogPrinter {
 public:
  // Prefixed: every line begins with "[TASK] ", and a line is given once it is whole (or over 64 KiB).
  enum class Prefix { kNone, kTask };
  explicit LogPrinter(Prefix prefix) : prefix_(prefix) {}

  // What is to be written now, in order.
  std::vector<LogText> add(const v1::LogsReply& reply);

  // Lines that never ended.
  std::vector<LogText> finish();

  // Where each task's log goes on.
  std::vector<v1::LogsRequest::Cursor> cursors() const;

  // Whether the last piece ended within a line: nothing should be drawn on the terminal then.
  bool within_line() const { return within_line_; }

 private:
  struct Task {
    std::uint32_t attempt = 0;
    std::uint64_t offset = 0;
    std::map<int, std::string> partial;  // by stream
  };
  void add_record(std::uint32_t index, Task& task, const v1::LogRecord& record, std::vector<LogText>& out);

  Prefix prefix_;
  std::map<std::uint32_t, Task> tasks_;
  bool within_line_ = false;
};

}  // namespace hearth::cli
