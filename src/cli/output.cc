#include "cli/output.h"

#include <algorithm>
#include <cerrno>

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fmt/format.h>

#include "base/check.h"
#include "cli/values.h"

namespace hearth::cli {
namespace {

bool whole = true;  // standard output, so far

constexpr std::chrono::milliseconds kRedraw{100};

std::size_t terminal_width() {
  winsize size = {};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return 80;
  return size.ws_col;
}

std::string cut(std::string_view text, std::size_t width) {
  std::size_t end = 0;
  for (std::size_t columns = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && columns++ == width) break;
  }
  return std::string(text.substr(0, end));
}

}  // namespace

Result<void> write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0 && errno == EPIPE) return fail(Code::kUnavailable, "nobody reads the output any more");
    if (written < 0) return fail_errno(errno, "writing the output");
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

void print(std::string_view text) {
  const Result<void> written = write_all(STDOUT_FILENO, text);
  if (written || written.error().code == Code::kUnavailable || !whole) return;
  whole = false;
  say("error: " + written.error().message);
}

bool is_output_whole() { return whole; }

void say(std::string_view line) { static_cast<void>(write_all(STDERR_FILENO, std::string(line) + "\n")); }

bool is_terminal(int file) { return ::isatty(file) == 1; }

bool is_piped_to(int file) {
  struct stat status{};
  if (::fstat(file, &status) != 0 || !S_ISFIFO(status.st_mode)) return false;
  pollfd input{.fd = file, .events = POLLIN, .revents = 0};
  return ::poll(&input, 1, 0) == 1 && (input.revents & POLLIN) != 0;
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) {
    if (&cell != &cells.front()) line += ',';
    const bool is_formula = !cell.empty() && std::string_view("=+-@\t\r").contains(cell.front());
    const bool is_quoted = cell.find_first_of(",\"\r\n") != std::string::npos;
    if (is_quoted) line += '"';
    if (is_formula) line += '\'';
    for (const char c : cell) line += c == '"' ? std::string("\"\"") : std::string(1, c);
    if (is_quoted) line += '"';
  }
  return line + "\r\n";
}

std::size_t display_width(std::string_view text) {
  const auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  return static_cast<std::size_t>(std::ranges::count_if(text, begins));
}

void Table::add(std::vector<std::string> cells) {
  CHECK(cells.size() == columns_.size());
  for (std::string& cell : cells) cell = plain(cell);
  rows_.push_back(std::move(cells));
}

std::string Table::text() const {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].head);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
  }
  std::string out;
  const auto add_line = [&](const auto& cell_at) {
    std::string line;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::string& cell = cell_at(i);
      const std::string padding(widths[i] - display_width(cell), ' ');
      line += (i == 0 ? "" : "  ") + (columns_[i].right ? padding + cell : cell + padding);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  add_line([this](std::size_t i) -> const std::string& { return columns_[i].head; });
  for (const auto& row : rows_) add_line([&row](std::size_t i) -> const std::string& { return row[i]; });
  return out;
}

std::string progress_bar(std::uint64_t done, std::uint64_t total, std::size_t width) {
  const double share = total == 0 ? 1.0 : std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
  return fmt::format("[{}{}] {:3.0f} %", std::string(filled, '#'), std::string(width - filled, '.'), share * 100);
}

ProgressLine::ProgressLine() : enabled_(is_terminal(STDERR_FILENO)), born_(std::chrono::steady_clock::now()) {}

ProgressLine::~ProgressLine() { clear(); }

void ProgressLine::show(const std::string& text) {
  const auto now = std::chrono::steady_clock::now();
  if (!enabled_ || now - born_ < kPatience || (visible_ && now - drawn_ < kRedraw)) return;
  static_cast<void>(write_all(STDERR_FILENO, "\r\x1b[K" + cut(text, terminal_width() - 1)));
  visible_ = true;
  drawn_ = now;
}

void ProgressLine::clear() {
  if (!visible_) return;
  static_cast<void>(write_all(STDERR_FILENO, "\r\x1b[K"));
  visible_ = false;
}

}  // namespace hearth::cli
