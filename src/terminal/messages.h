// What whoever watches a text program and hearth-terminal say to each other (proto/hearth/v1/terminal.proto), and its
// limits. Messages are framed by screen/frames.h, on the same port.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "hearth/v1/terminal.pb.h"

namespace hearth::terminal {

inline constexpr std::size_t kMaxMessage = 64 << 10;
inline constexpr std::size_t kMaxInputBytes = 16 << 10;
inline constexpr std::size_t kMaxOutputBytes = 32 << 10;
inline constexpr std::size_t kMaxWatchers = 6;  // of them who may only watch: so nobody keeps out whose program it is
inline constexpr std::uint32_t kMostRows = 500;
inline constexpr std::uint32_t kLeastColumns = 2;
inline constexpr std::uint32_t kMostColumns = 1'000;

struct Size {
  std::uint32_t rows = 24;
  std::uint32_t columns = 80;
  bool operator==(const Size&) const = default;
};

// Within the schema's limits: a size that is out of range is brought into it. Errors: kInvalidArgument (no message, or
// too much input).
Result<v1::FromTerminalViewer> parse_from_viewer(const std::string& bytes);
// Errors: kInvalidArgument.
Result<v1::ToTerminalViewer> parse_to_viewer(const std::string& bytes);

}  // namespace hearth::terminal
