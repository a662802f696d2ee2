#include "blob/parallel.h"

#include <utility>

#include <asio/experimental/awaitable_operators.hpp>

namespace hearth::blob {
namespace {

struct Batch {
  std::size_t count = 0;
  const std::function<net::Async<Result<void>>(std::size_t)>& task;
  std::size_t next = 0;
  Result<void> outcome;
};

net::Async<void> run_lane(Batch& batch) {
  while (batch.next < batch.count && batch.outcome) {
    Result<void> done = co_await batch.task(batch.next++);
    if (!done && batch.outcome) batch.outcome = std::move(done);
  }
}

}  // namespace

// When the caller is cancelled, && cancels the lanes and waits for them: none outlives what its task refers to.
net::Async<Result<void>> run_all(std::size_t count, std::function<net::Async<Result<void>>(std::size_t)> task) {
  using namespace asio::experimental::awaitable_operators;  // NOLINT(google-build-using-namespace): for its &&
  Batch batch{.count = count, .task = task, .next = 0, .outcome = {}};
  if (count <= 1) {
    co_await run_lane(batch);
  } else {
    co_await (run_lane(batch) && run_lane(batch) && run_lane(batch) && run_lane(batch));
  }
  co_return std::move(batch.outcome);
}

}  // namespace hearth::blob
