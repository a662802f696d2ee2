// A port for a program that must be told its port before it listens.
#pragma once

#include <cstdint>
#include <string>

#include "base/fd.h"

namespace hearth::e2e {

// Of TCP. While it lives the kernel gives the port to nobody who asks for any port, and who sets SO_REUSEADDR, as
// servers do, may listen there.
class HeldPort {
 public:
  explicit HeldPort(const std::string& address = "127.0.0.1");

  std::uint16_t number() const { return number_; }

 private:
  Fd socket_;
  std::uint16_t number_ = 0;
};

}  // namespace hearth::e2e
