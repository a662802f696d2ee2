// Hears an OCI runtime and, once process 1 of the container has said so, the program behind it.
#pragma once

#include <optional>
#include <string>

#include "sandbox/listener.h"

namespace hearth::sandbox {

class RuntimeListener final : public Listener {
 public:
  explicit RuntimeListener(std::string program) : program_(std::move(program)) {}

  void hear(Stream pipe, std::string_view piece, const Print& print) override;
  void conclude(const Ending& ending, const Print& print, Exit& exit) override;

 private:
  enum class Who : std::uint8_t {
    kRuntime,  // its complaints, or process 1's
    kInit,     // the program begins; process 1 may yet say that it did not
    kProgram,  // all that comes is the program's
  };

  std::string program_;
  Who who_ = Who::kRuntime;
  std::string held_back_;  // what was said on stderr, while it is not the program's for certain
  std::optional<int> error_;
};

}  // namespace hearth::sandbox
