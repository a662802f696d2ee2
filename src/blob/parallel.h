// Several coroutines at once, on the caller's loop.
#pragma once

#include <cstddef>
#include <functional>

#include "net/async.h"

namespace hearth::blob {

// Awaits task(0) ... task(count - 1), up to four at a time, in that order. After an error no further ones start; the
// first error is given once those that run have ended, so a task may use what the caller owns.
net::Async<Result<void>> run_all(std::size_t count, std::function<net::Async<Result<void>>(std::size_t)> task);

}  // namespace hearth::blob
