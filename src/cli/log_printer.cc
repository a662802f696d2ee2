#include "cli/log_printer.h"

#include <algorithm>

#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>

#include "base/sizes.h"

namespace hearth::cli {
namespace {

constexpr std::size_t kMostPartialLine = 64 * kKiB;

// Of a record in a stored log: with its length before it.
std::uint64_t stored_size(const v1::LogRecord& record) {
  const std::size_t size = record.ByteSizeLong();
  return size + google::protobuf::io::CodedOutputStream::VarintSize64(size);
}

// One write for what belongs to one stream.
void append(std::vector<LogText>& out, v1::LogStream stream, std::string text) {
  if (!out.empty() && out.back().stream == stream) {
    out.back().text += text;
  } else {
    out.push_back({stream, std::move(text)});
  }
}

}  // namespace

std::vector<LogText> LogPrinter::add(const v1::LogsReply& reply) {
  std::vector<LogText> out;
  Task& task = tasks_[reply.task()];
  if (reply.attempt() < task.attempt) return out;
  if (reply.attempt() > task.attempt) {
    task.attempt = reply.attempt();
    task.offset = 0;
  }
  std::uint64_t offset = reply.offset();
  for (const v1::LogRecord& record : reply.records()) {
    const bool is_new = offset >= task.offset;
    offset += stored_size(record);
    if (!is_new) continue;
    task.offset = offset;
    add_record(reply.task(), task, record, out);
  }
  task.offset = std::max(task.offset, reply.next_offset());
  return out;
}

void LogPrinter::add_record(std::uint32_t index, Task& task, const v1::LogRecord& record, std::vector<LogText>& out) {
  if (record.data().empty()) return;
  if (prefix_ == Prefix::kNone) {
    within_line_ = !record.data().ends_with('\n');
    return append(out, record.stream(), record.data());
  }
  std::string& partial = task.partial[record.stream()];
  partial += record.data();
  for (std::size_t end = partial.find('\n'); end != std::string::npos; end = partial.find('\n')) {
    append(out, record.stream(), fmt::format("[{}] {}", index, std::string_view(partial).substr(0, end + 1)));
    partial.erase(0, end + 1);
  }
  if (partial.size() < kMostPartialLine) return;
  append(out, record.stream(), fmt::format("[{}] {}\n", index, partial));
  partial.clear();
}

std::vector<LogText> LogPrinter::finish() {
  std::vector<LogText> out;
  for (auto& [index, task] : tasks_) {
    for (auto& [stream, partial] : task.partial) {
      if (!partial.empty()) {
        append(out, static_cast<v1::LogStream>(stream), fmt::format("[{}] {}\n", index, partial));
      }
      partial.clear();
    }
  }
  return out;
}

std::vector<v1::LogsRequest::Cursor> LogPrinter::cursors() const {
  std::vector<v1::LogsRequest::Cursor> all;
  for (const auto& [index, task] : tasks_) {
    v1::LogsRequest::Cursor& cursor = all.emplace_back();
    cursor.set_task(index);
    cursor.set_offset(task.offset);
    cursor.set_attempt(task.attempt);
  }
  return all;
}

}  // namespace hearth::cli
