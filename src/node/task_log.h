// What one attempt printed: a sequence of LogRecords, each preceded by its length (proto/hearth/v1/jobs.proto). In
// memory only, since a guest's data must not reach the owner's disk. At most 16 MiB of text; one last record says that
// the rest was dropped.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/sizes.h"
#include "hearth/v1/jobs.pb.h"

namespace hearth::node {

class TaskLog {
 public:
  explicit TaskLog(std::size_t max_text_bytes = 16 * kMiB) : max_text_bytes_(max_text_bytes) {}

  // Any thread.
  void append(v1::LogStream stream, std::string_view text);

  // Whole records from `offset` on, at most `limit` bytes (but one record at least); `offset` moves to the first one's
  // start if it lies within one. Empty: nothing there yet.
  std::string read(std::uint64_t& offset, std::size_t limit);

  // All of it.
  std::string whole();

 private:
  void seal();
  void add_record(v1::LogStream stream, std::string_view text);

  const std::size_t max_text_bytes_;
  std::mutex mutex_;
  std::string bytes_;                  // sealed records
  std::vector<std::uint64_t> starts_;  // of the records in bytes_
  // Text that came in small pieces shares a record until somebody reads.
  std::string open_text_;
  v1::LogStream open_stream_ = v1::LOG_STREAM_UNSPECIFIED;
  std::size_t text_bytes_ = 0;
  bool full_ = false;
};

}  // namespace hearth::node
