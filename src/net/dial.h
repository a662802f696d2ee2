// Finds a host's addresses and connects to the first that answers.
#pragma once

#include <asio/ip/tcp.hpp>

#include "net/client.h"

namespace hearth::net {

// Errors: kUnavailable, kDeadlineExceeded.
Async<Result<asio::ip::tcp::socket>> dial(const Endpoint& endpoint, Time due);

}  // namespace hearth::net
