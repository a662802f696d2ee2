// Looks names up for guests, on threads of its own: a name server that is slow holds up nobody but them. Each name is
// looked up once, for however many ask at the same time, and not at all once nobody waits for it: so no guest has
// more on its way than the names that it may reach.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <asio/ip/address.hpp>

#include "net/async.h"

namespace hearth::egress {

class Resolver {
 public:
  // Blocks; on several threads at once.
  using LookUp = std::function<Result<std::vector<asio::ip::address>>(const std::string& host)>;

  Resolver();  // as this PC does
  explicit Resolver(LookUp look_up);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // The addresses of a name, or the one that it is itself. Errors: kUnavailable, kDeadlineExceeded. The loop's thread.
  net::Async<Result<std::vector<asio::ip::address>>> resolve(std::string host, Time due);

 private:
  struct State;
  static constexpr unsigned kThreads = 8;
  std::shared_ptr<State> state_;
  net::Workers workers_{kThreads};
};

}  // namespace hearth::egress
