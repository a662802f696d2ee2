#include "net/rounds.h"

#include <mutex>

#include <asio/async_result.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

namespace hearth::net {

struct Round::Entry {
  void* job = nullptr;
  bool is_done = false;
  std::move_only_function<void()> go_on = {};  // empty: nobody waits yet, or only for the worker
};

struct Round::Waiting {
  std::mutex mutex;  // of the entries, too
  std::vector<Entry*> entries;
};

std::shared_ptr<Round::Waiting> Round::make_waiting() { return std::make_shared<Waiting>(); }

bool Round::add(Entry& entry) {
  const std::lock_guard lock(waiting_->mutex);
  waiting_->entries.push_back(&entry);
  return waiting_->entries.size() == 1;
}

void Round::run() {
  std::vector<Entry*> entries;
  {
    const std::lock_guard lock(waiting_->mutex);
    entries.swap(waiting_->entries);
  }
  std::vector<void*> jobs;
  jobs.reserve(entries.size());
  for (const Entry* entry : entries) jobs.push_back(entry->job);
  work_(jobs);
  std::vector<std::move_only_function<void()>> waiters;
  {
    const std::lock_guard lock(waiting_->mutex);
    for (Entry* entry : entries) {
      entry->is_done = true;
      if (entry->go_on) waiters.push_back(std::move(entry->go_on));
    }
  }
  for (auto& go_on : waiters) go_on();
}

Async<void> Round::join(std::shared_ptr<Round> self, Workers& workers, void* job) {
  Entry entry{.job = job};
  if (self->add(entry)) co_return co_await workers.run([&] { self->run(); });
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto start = [&](auto handler) {
    auto post = [work = asio::make_work_guard(executor), handler = std::move(handler)]() mutable {
      asio::post(work.get_executor(), std::move(handler));
    };
    const std::lock_guard lock(self->waiting_->mutex);
    if (entry.is_done)
      post();
    else
      entry.go_on = std::move(post);
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(start), asio::use_awaitable);
}

}  // namespace hearth::net
