// The last of what a program wrote, by its offset from the program's first byte.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "terminal/modes.h"

namespace hearth::terminal {

class History {
 public:
  // Keeps up to `max_bytes` and, until it drops some again, a sixteenth more.
  explicit History(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  void add(std::string_view bytes);

  // What is kept lies from begin() to before end().
  std::uint64_t begin() const { return begin_; }
  std::uint64_t end() const { return begin_ + bytes_.size(); }

  // At most `limit` bytes from `offset` on, which lies from begin() to end().
  std::string_view read(std::uint64_t offset, std::size_t limit) const;

  struct Cut {
    std::uint64_t offset = 0;
    Modes modes;  // at the offset
  };
  // The first place from `offset` on at which nothing is cut in two. Looks at all that is kept before it.
  Cut cut_at(std::uint64_t offset) const;

 private:
  std::size_t max_bytes_;
  std::uint64_t begin_ = 0;
  std::string bytes_;
  Modes modes_;  // at begin_
};

}  // namespace hearth::terminal
