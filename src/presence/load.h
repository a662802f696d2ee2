// How much programs that are not guests want the processor: the kernel's pressure (PSI), as far as they can have
// caused it. Guests' own waiting is not the owner's.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/result.h"

namespace hearth::presence {

class PressureMeter {
 public:
  explicit PressureMeter(std::filesystem::path root) : root_(std::move(root)) {}

  // The lesser of the part of the last 10 s in which something waited (/proc/pressure/cpu), and the part of all cores
  // that was used since the previous call by others than this process and its descendants. 0 at the first call.
  // Errors: kNotFound (a kernel without PSI).
  Result<double> read();

 private:
  std::filesystem::path root_;
  std::uint64_t busy_ = 0;   // ticks of all cores
  std::uint64_t total_ = 0;  // the same, idle ones included
  std::uint64_t ours_ = 0;   // ticks of ours
};

}  // namespace hearth::presence
