// Looks names up for guests, on threads of its own: a name server that is slow holds up nobody but them.
#pragma once

#include <string>
#include <vector>

#include <asio/ip/address.hpp>

#include "net/async.h"

namespace hearth::egress {

class Resolver {
 public:
  // The addresses of a name, or the one that it is itself. Errors: kUnavailable, kDeadlineExceeded. Starts on the
  // loop's thread.
  net::Async<Result<std::vector<asio::ip::address>>> resolve(std::string host, Time due);

 private:
  static constexpr unsigned kThreads = 2;
  net::Workers workers_{kThreads};
};

}  // namespace hearth::egress
