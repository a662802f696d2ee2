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

// 0: it is no terminal.
std::size_t width_of(int file) {
  winsize size = {};
  return ::ioctl(file, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

std::string cut(std::string_view text, std::size_t width) {
  std::size_t end = 0;
  for (std::size_t columns = 0; end < text.size(); ++end) {
    const bool begins = (static_cast<unsigned char>(text[end]) & 0xC0) != 0x80;
    if (begins && columns++ == width) break;
  }
  return std::string(text.substr(0, end));
}

// Lines of at most so many columns, broken at blanks where there are some.
std::vector<std::string> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string> lines;
  for (;;) {
    std::string line = cut(text, width);
    const bool is_last = line.size() == text.size();
    const std::size_t blank = is_last ? std::string::npos : text.substr(0, line.size() + 1).rfind(' ');
    if (blank != std::string::npos && blank > 0) line.resize(blank);
    lines.push_back(line);
    if (is_last) return lines;
    text.remove_prefix(line.size());
    while (text.starts_with(' ')) text.remove_prefix(1);
  }
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

// Columns of text give way, the widest first, but none to less than its head, nor to what no word fits in.
std::vector<std::size_t> Table::widths(std::size_t most) const {
  constexpr std::size_t kLeast = 10;
  std::vector<std::size_t> widths;
  std::size_t all = 2 * (columns_.size() - 1);
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = display_width(columns_[i].head);
    for (const auto& row : rows_) width = std::max(width, display_width(row[i]));
    widths.push_back(width);
    all += width;
  }
  for (; most > 0 && all > most; --all) {
    std::size_t widest = columns_.size();
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      const std::size_t least = std::max(kLeast, display_width(columns_[i].head));
      if (columns_[i].right || widths[i] <= least) continue;
      if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
    }
    if (widest == columns_.size()) break;
    --widths[widest];
  }
  return widths;
}

std::string Table::text(std::size_t most) const {
  const std::vector<std::size_t> widths = this->widths(most);
  std::string out;
  const auto add_row = [&](const auto& cell_at) {
    std::vector<std::vector<std::string>> cells;
    std::size_t height = 1;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      cells.push_back(wrapped(cell_at(i), widths[i]));
      height = std::max(height, cells.back().size());
    }
    for (std::size_t at = 0; at < height; ++at) {
      std::string line;
      for (std::size_t i = 0; i < columns_.size(); ++i) {
        const std::string cell = at < cells[i].size() ? cells[i][at] : "";
        const std::string padding(widths[i] - display_width(cell), ' ');
        line += (i == 0 ? "" : "  ") + (columns_[i].right ? padding + cell : cell + padding);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      out += line + "\n";
    }
  };
  add_row([this](std::size_t i) -> const std::string& { return columns_[i].head; });
  for (const auto& row : rows_) add_row([&row](std::size_t i) -> const std::string& { return row[i]; });
  return out;
}

std::size_t output_width() { return width_of(STDOUT_FILENO); }

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
  const std::size_t known = width_of(STDERR_FILENO);
  const std::size_t width = known > 0 ? known : 80;
  static_cast<void>(write_all(STDERR_FILENO, "\r\x1b[K" + cut(text, width - 1)));
  visible_ = true;
  drawn_ = now;
}

void ProgressLine::clear() {
  if (!visible_) return;
  static_cast<void>(write_all(STDERR_FILENO, "\r\x1b[K"));
  visible_ = false;
}

}  // namespace hearth::cli
