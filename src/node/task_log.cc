#include "node/task_log.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/sizes.h"

namespace hearth::node {
namespace {

constexpr std::size_t kMaxRecordText = 64 * kKiB;
// Of records over their text; one of a single byte takes six.
constexpr std::size_t kMaxOverhead = 2;

void append_varint(std::string& bytes, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) bytes.push_back(static_cast<char>((value & 0x7f) | 0x80));
  bytes.push_back(static_cast<char>(value));
}

}  // namespace

void TaskLog::add_record(v1::LogStream stream, std::string_view text) {
  v1::LogRecord record;
  record.set_stream(stream);
  record.set_data(text.data(), text.size());
  starts_.push_back(bytes_.size());
  append_varint(bytes_, record.ByteSizeLong());
  record.AppendToString(&bytes_);
}

void TaskLog::seal() {
  if (!open_text_.empty()) add_record(open_stream_, open_text_);
  open_text_.clear();
}

void TaskLog::append(v1::LogStream stream, std::string_view text) {
  std::lock_guard lock(mutex_);
  if (full_) return;
  // Two streams that alternate byte by byte would make much of little.
  std::size_t room = bytes_.size() > kMaxOverhead * max_text_bytes_ ? 0 : max_text_bytes_ - text_bytes_;
  std::string_view kept = text.substr(0, room);
  full_ = kept.size() < text.size();
  text_bytes_ += kept.size();
  while (!kept.empty()) {
    if (open_stream_ != stream || open_text_.size() == kMaxRecordText) seal();
    open_stream_ = stream;
    std::string_view piece = kept.substr(0, kMaxRecordText - open_text_.size());
    open_text_ += piece;
    kept.remove_prefix(piece.size());
  }
  if (!full_) return;
  seal();
  add_record(v1::LOG_STREAM_STDERR,
             "\n[the rest of the output was dropped: a log holds at most " + format_bytes(max_text_bytes_) + "]\n");
}

std::string TaskLog::read(std::uint64_t& offset, std::size_t limit) {
  std::lock_guard lock(mutex_);
  seal();
  if (offset >= bytes_.size()) return {};
  auto first = std::ranges::upper_bound(starts_, offset) - 1;
  offset = *first;
  auto end = std::ranges::upper_bound(first + 1, starts_.end(), offset + limit) - 1;
  std::uint64_t stop = bytes_.size();
  if (bytes_.size() - offset > limit) stop = end > first ? *end : (first + 1 == starts_.end() ? stop : *(first + 1));
  return bytes_.substr(offset, stop - offset);
}

std::string TaskLog::whole() {
  std::lock_guard lock(mutex_);
  seal();
  return bytes_;
}

}  // namespace hearth::node
