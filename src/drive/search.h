// Looks for a text in the names below a folder, and within text files.
//
//   Search search(*std::move(walk), {.text = "rechnung", .inside = true});
//   while (search.step(milliseconds(20)) && in time) ...
#pragma once

#include <string>
#include <vector>

#include "base/time.h"
#include "drive/walk.h"

namespace hearth::drive {

struct Sought {
  std::string text;
  bool inside = false;  // also within text files: without a NUL byte in the first 8 KiB, of each the first MiB
};

struct FoundFile {
  Path path;
  Entry entry;
  std::string line;  // the first that holds the text, where its name does not; of a long one the part around the text
};

// Upper and lower case are alike, as folded() has it.
class Search {
 public:
  static constexpr std::size_t kMaxFound = 500;
  static constexpr std::size_t kMaxLine = 200;
  static constexpr std::size_t kReadOfFile = 1 << 20;

  Search(Walk walk, const Sought& sought);

  // Looks on for about so long; blocks. False: it has ended, all is looked at, or kMaxFound are found.
  bool step(Duration limit);

  bool is_complete() const { return is_complete_; }  // all was looked at
  const std::vector<FoundFile>& found() const { return found_; }

 private:
  void look_at(const Walked& one);
  std::string line_within();  // of the file that the walk is at; empty: it does not hold the text

  Walk walk_;
  std::string text_;
  bool inside_;
  std::string buffer_;
  std::vector<FoundFile> found_;
  bool is_complete_ = false;
};

}  // namespace hearth::drive
