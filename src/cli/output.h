// What people see: results on standard output, all else on standard error.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hearth::cli {

// Writes everything, blocking. Errors: kUnavailable when nobody reads any more (EPIPE).
Result<void> write_all(int file, std::string_view bytes);

// A result, for standard output. What a reader that went away is not given is lost on purpose; of what cannot be
// written otherwise (a full disk) standard error tells once.
void print(std::string_view text);
// Whether all of it could be written.
bool is_output_whole();

// A remark, for standard error; a line break is added.
void say(std::string_view line);

bool is_terminal(int file);

// Whether a pipe brings bytes there already.
bool is_piped_to(int file);

std::size_t output_width();  // of the terminal that standard output is; 0: it is none

// Columns of left-aligned text (right-aligned where asked), two spaces apart, headed in capitals. Control characters in
// cells are replaced.
class Table {
 public:
  struct Column {
    std::string head;
    bool right = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells);  // one for each column
  bool empty() const { return rows_.empty(); }
  // At most so many columns of a terminal wide, where words can be broken for that; 0: as wide as it is.
  std::string text(std::size_t most = output_width()) const;

 private:
  // Of each column.
  std::vector<std::size_t> widths(std::size_t most) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// A line of CSV (RFC 4180), with its line break. What a spreadsheet would take for a formula gets a ' in front: names
// come from other people's devices.
std::string csv_line(const std::vector<std::string>& cells);

// How many columns of a terminal the text takes: its code points.
std::size_t display_width(std::string_view text);

// "[#####.....]  50 %"
std::string progress_bar(std::uint64_t done, std::uint64_t total, std::size_t width);

// One line at the bottom of standard error that is drawn over again; nothing at all where that is no terminal.
// Clear it before anything else is written to the terminal.
class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // Draws at most ten times a second, and not within the first `kPatience` of the object's life.
  void show(const std::string& text);
  void clear();

 private:
  static constexpr std::chrono::milliseconds kPatience{700};
  bool enabled_;
  bool visible_ = false;
  std::chrono::steady_clock::time_point born_;
  std::chrono::steady_clock::time_point drawn_;
};

}  // namespace hearth::cli
