// The one program of the machine: started without any privilege, heard until its end.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "sandbox/microvm/wire.h"

namespace hearth::sandbox::init {

struct Program {
  std::vector<std::string> argv;
  std::vector<std::pair<std::string, std::string>> variables;
  std::string filter;  // BPF
  std::uint64_t processes = 0;
  std::uint64_t open_files = 0;
  std::uint64_t memory_bytes = 0;
  std::uint64_t cpu_seconds = 0;  // 0: no limit
  std::uint64_t scratch_bytes = 0;
};

using Send = std::function<void(const wire::Header& header, std::string_view name, std::string_view content)>;

// Sends kStarted or kNotStarted, what it prints, and kExit once every process is gone. False: it was not started.
bool run_program(const Program& program, const Send& send);

}  // namespace hearth::sandbox::init
