#include "drive/search.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

#include "base/bytes.h"
#include "core/drive/names.h"

namespace hearth::drive {
namespace {

constexpr std::size_t kJudgedAsText = 8 << 10;
constexpr std::size_t kShownBefore = 60;  // of a long line

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80; }

// The line around the text, cut to kMaxLine where characters begin; what is not UTF-8 is shown as '?'.
std::string line_around(std::string_view whole, std::size_t at) {
  std::size_t begin = at == 0 ? 0 : whole.find_last_of("\r\n", at - 1) + 1;
  std::size_t end = std::min(whole.find_first_of("\r\n", at), whole.size());
  if (end - begin > Search::kMaxLine) begin = std::max(begin, at - std::min(at, kShownBefore));
  while (begin < at && continues(whole[begin])) ++begin;
  if (end - begin > Search::kMaxLine) {
    end = begin + Search::kMaxLine;
    while (end > begin && continues(whole[end])) --end;
  }
  std::string line(whole.substr(begin, end - begin));
  const bool is_text = is_utf8(line);
  for (char& c : line) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte == '\t') c = ' ';
    if ((byte < 0x20 && byte != '\t') || byte == 0x7F || (!is_text && byte >= 0x80)) c = '?';
  }
  return line;
}

}  // namespace

Search::Search(Walk walk, const Sought& sought)
    : walk_(std::move(walk)), text_(folded(sought.text)), inside_(sought.inside) {}

bool Search::step(Duration limit) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(limit.micros);
  do {
    if (found_.size() == kMaxFound) return false;
    const Walked* one = walk_.next();
    if (one == nullptr) {
      is_complete_ = true;
      return false;
    }
    look_at(*one);
  } while (std::chrono::steady_clock::now() < end);
  return true;
}

void Search::look_at(const Walked& one) {
  std::string line;
  if (!folded(one.name).contains(text_)) {
    if (!inside_ || one.kind != Kind::kFile) return;
    line = line_within();
    if (line.empty()) return;
  }
  const std::optional<Path> path = walk_.path();
  std::optional<Entry> entry = walk_.entry();
  if (path && entry) found_.push_back({.path = *path, .entry = *std::move(entry), .line = std::move(line)});
}

std::string Search::line_within() {
  const std::optional<Entry> entry = walk_.entry();
  if (!entry || entry->kind != Kind::kFile || entry->bytes < text_.size()) return {};
  const Result<Fd> file = walk_.open();
  if (!file) return {};
  buffer_.resize(kReadOfFile);
  std::size_t filled = 0;
  const auto read_to = [&](std::size_t most) {
    while (filled < most) {
      const ssize_t count = ::pread(file->get(), buffer_.data() + filled, most - filled, static_cast<off_t>(filled));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return;
      filled += static_cast<std::size_t>(count);
    }
  };
  read_to(kJudgedAsText);
  if (std::string_view(buffer_).substr(0, filled).contains('\0')) return {};
  if (filled == kJudgedAsText) read_to(kReadOfFile);
  const std::string_view whole = std::string_view(buffer_).substr(0, filled);
  const std::size_t at = folded(whole).find(text_);
  return at == std::string::npos ? std::string() : line_around(whole, at);
}

}  // namespace hearth::drive
