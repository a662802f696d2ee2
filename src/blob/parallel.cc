#include "blob/parallel.h"

#include <algorithm>
#include <exception>
#include <memory>

#include <asio/co_spawn.hpp>
#include <asio/this_coro.hpp>

namespace hearth::blob {
namespace {

constexpr std::size_t kLanes = 4;

struct Batch {
  std::size_t count = 0;
  std::function<net::Async<Result<void>>(std::size_t)> task;
  std::size_t next = 0;
  std::size_t lanes = 0;  // that have not ended
  Result<void> outcome;
  net::Event ended;
};

// The batch is shared, since a loop that is torn down destroys its coroutines in any order.
net::Async<void> run_lane(std::shared_ptr<Batch> batch) {
  while (batch->next < batch->count && batch->outcome) {
    Result<void> done = co_await batch->task(batch->next++);
    if (!done && batch->outcome) batch->outcome = done;
  }
  if (--batch->lanes == 0) batch->ended.notify();
}

}  // namespace

net::Async<Result<void>> run_all(std::size_t count, std::function<net::Async<Result<void>>(std::size_t)> task) {
  const auto batch = std::make_shared<Batch>();
  batch->count = count;
  batch->task = std::move(task);
  batch->lanes = std::min(count, kLanes);
  const auto executor = co_await asio::this_coro::executor;
  for (std::size_t lane = std::min(count, kLanes); lane > 0; --lane) {
    asio::co_spawn(executor, run_lane(batch), [](const std::exception_ptr& thrown) {
      if (thrown) std::rethrow_exception(thrown);  // a bug: it ends the program, as in Loop::spawn()
    });
  }
  while (batch->lanes > 0) co_await batch->ended.wait();
  co_return batch->outcome;
}

}  // namespace hearth::blob
