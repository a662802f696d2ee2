// A nebula that members of a gang find each other by, as a child of this process.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include <sys/types.h>

#include "base/result.h"

namespace hearth::hub {

// Why there can be none here, with the remedy; empty if there can.
std::string lighthouse_lack();

// A UDP port that is free now.
Result<std::uint16_t> free_udp_port();

class Lighthouse {
 public:
  // Starts it; its configuration goes through memory. It ends with the thread that calls. Errors: of the system calls.
  static Result<Lighthouse> start(const std::string& config);
  ~Lighthouse();  // ends it and waits
  Lighthouse(Lighthouse&& other) noexcept : process_(std::exchange(other.process_, -1)) {}
  Lighthouse& operator=(Lighthouse&& other) noexcept {
    std::swap(process_, other.process_);
    return *this;
  }

  bool has_ended();  // by itself

 private:
  explicit Lighthouse(pid_t process) : process_(process) {}
  pid_t process_;
};

}  // namespace hearth::hub
