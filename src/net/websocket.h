// WebSocket messages (RFC 6455), framed by wslay. Both ends; binary messages only, text ones are refused with 1003.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "net/async.h"

namespace hearth::net {

class WebSocket {
 public:
  virtual ~WebSocket() = default;

  // The next message. Pings are answered on the way. Errors: kUnavailable (closed, gone), kResourceExhausted (larger
  // than the limit; closed with 1009), kInvalidArgument (breaks the protocol; closed with 1002), kDeadlineExceeded
  // (`limit` passed without a byte).
  virtual Async<Result<std::string>> read(Duration limit) = 0;

  // Queues one binary message and writes what is queued; messages written while another write waits leave together with
  // it, in order. Errors: kUnavailable; kResourceExhausted if more than 64 MiB would be queued (a peer that does not
  // read; the connection is cut).
  virtual Async<Result<void>> write(std::string message) = 0;

  // Says goodbye (code, reason) if it can at once, then closes. Pending reads and writes fail.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
};

}  // namespace hearth::net
