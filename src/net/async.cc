#include "net/async.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <exception>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include <asio/async_result.hpp>
#include <asio/bind_cancellation_slot.hpp>
#include <asio/co_spawn.hpp>
#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <asio/redirect_error.hpp>
#include <asio/signal_set.hpp>
#include <asio/steady_timer.hpp>
#include <asio/this_coro.hpp>
#include <asio/use_awaitable.hpp>

#include "base/check.h"
#include "base/log.h"
#include "net/deadlines.h"

namespace hearth::net {
namespace {

constexpr std::chrono::seconds kDropLimit{5};  // for coroutines to unwind after stop()

bool is_cancellation(const std::exception_ptr& exception) {
  try {
    std::rethrow_exception(exception);
  } catch (const asio::system_error& error) {
    return error.code() == asio::error::operation_aborted;
  } catch (...) {
    return false;
  }
}

}  // namespace

struct Loop::State {
  // Cancels the coroutines that run. Declared first: destroying the context destroys coroutines that refer to it.
  std::list<asio::cancellation_signal> running;
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  std::list<asio::signal_set> signals;
  std::atomic<bool> stop_requested = false;
  bool dropping = false;

  void start(Async<void> coroutine) {
    if (dropping) return;
    auto entry = running.emplace(running.end());
    auto ended = [this, entry](const std::exception_ptr& exception) {
      if (exception && !(dropping && is_cancellation(exception))) std::rethrow_exception(exception);
      // Asio still holds the slot while this runs.
      asio::post(context, [this, entry] { running.erase(entry); });
    };
    asio::co_spawn(context, std::move(coroutine), asio::bind_cancellation_slot(entry->slot(), std::move(ended)));
  }

  void run_context() noexcept { context.run(); }  // an exception that leaves a coroutine is a bug: terminate

  void run_one() noexcept { context.run_one(); }

  void drop_pending() noexcept {
    context.restart();
    dropping = true;
    for (auto& signal : running) signal.emit(asio::cancellation_type::terminal);
    auto until = std::chrono::steady_clock::now() + kDropLimit;
    while (!running.empty() && context.run_one_until(until) > 0) {
    }
    if (!running.empty()) log_warning("some work did not end with the loop");
    dropping = false;
  }

  void wait_for_signal(asio::signal_set& set, std::function<void(int)> function) {
    set.async_wait([this, &set, function = std::move(function)](const asio::error_code& error, int signal) mutable {
      if (error) return;
      function(signal);
      wait_for_signal(set, std::move(function));
    });
  }
};

Loop::Loop() : state_(std::make_unique<State>()) {
  // Writing to a connection that the peer has closed is an error like any other.
  static_cast<void>(std::signal(SIGPIPE, SIG_IGN));
}

Loop::~Loop() = default;

void Loop::run() {
  state_->context.restart();
  if (!state_->stop_requested) state_->run_context();
  state_->drop_pending();
  state_->stop_requested = false;
}

void Loop::run_one_until(const bool& done) {
  state_->context.restart();
  while (!done) state_->run_one();
}

void Loop::stop() {
  state_->stop_requested = true;
  state_->context.stop();
}

void Loop::spawn(Async<void> coroutine) {
  asio::post(state_->context, [state = state_.get(), coroutine = std::move(coroutine)]() mutable {
    state->start(std::move(coroutine));
  });
}

void Loop::post(std::function<void()> function) { asio::post(state_->context, std::move(function)); }

void Loop::on_signal(std::initializer_list<int> signals, std::function<void(int)> function) {
  asio::signal_set& set = state_->signals.emplace_back(state_->context);
  for (int signal : signals) set.add(signal);
  state_->wait_for_signal(set, std::move(function));
}

Time Loop::now() const { return steady_now(); }

asio::any_io_executor Loop::executor() const { return state_->context.get_executor(); }

Async<void> sleep_for(Duration span) {
  asio::steady_timer timer(co_await asio::this_coro::executor);
  timer.expires_after(std::chrono::microseconds(span.micros));
  co_await timer.async_wait(asio::use_awaitable);
}

struct Workers::State {
  using Job = std::move_only_function<void()>;

  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Job> jobs;
  bool closing = false;
  std::vector<std::thread> threads;

  void push(Job job) {
    {
      std::lock_guard lock(mutex);
      jobs.push_back(std::move(job));
    }
    wake.notify_one();
  }

  void work() {
    std::unique_lock lock(mutex);
    while (true) {
      wake.wait(lock, [this] { return closing || !jobs.empty(); });
      if (jobs.empty()) return;
      Job job = std::move(jobs.front());
      jobs.pop_front();
      lock.unlock();
      job();
      job = nullptr;
      lock.lock();
    }
  }
};

Workers::Workers(unsigned threads) : state_(std::make_unique<State>()) {
  CHECK(threads > 0);
  for (unsigned i = 0; i < threads; ++i) state_->threads.emplace_back([state = state_.get()] { state->work(); });
}

Workers::~Workers() {
  {
    std::lock_guard lock(state_->mutex);
    state_->closing = true;
  }
  state_->wake.notify_all();
  for (auto& thread : state_->threads) thread.join();
}

Async<void> Workers::run_erased(std::function<void()> function) {
  asio::any_io_executor executor = co_await asio::this_coro::executor;
  auto start = [this, &function, &executor](auto handler) {
    // The function refers to the caller's frame, which lives until the handler is called on the loop.
    state_->push([&function, work = asio::make_work_guard(executor), handler = std::move(handler)]() mutable {
      function();
      asio::post(work.get_executor(), std::move(handler));
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>&, void()>(std::move(start), asio::use_awaitable);
}

struct Event::State {
  struct Waiter {
    asio::steady_timer timer;
    bool notified = false;
  };
  std::list<Waiter*> waiters;
};

Event::Event() : state_(std::make_shared<State>()) {}

Event::~Event() = default;

void Event::notify() {
  for (State::Waiter* waiter : state_->waiters) {
    waiter->notified = true;
    waiter->timer.cancel();
  }
  state_->waiters.clear();
}

Async<bool> Event::wait(Duration limit) {
  std::shared_ptr<State> state = state_;  // outlives the event
  State::Waiter waiter{asio::steady_timer(co_await asio::this_coro::executor), false};
  // Far enough for "never", and no overflow of the timer's clock.
  waiter.timer.expires_after(std::chrono::microseconds(std::min(limit, minutes(60L * 24 * 365)).micros));
  struct Entry {
    std::list<State::Waiter*>& list;
    State::Waiter* waiter;
    Entry(std::list<State::Waiter*>& waiters, State::Waiter* one) : list(waiters), waiter(one) { list.push_back(one); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    ~Entry() { list.remove(waiter); }
  } entry(state->waiters, &waiter);
  asio::error_code error;
  co_await waiter.timer.async_wait(asio::redirect_error(asio::use_awaitable, error));
  co_return waiter.notified;
}

Async<void> Event::wait() {
  while (!co_await wait(minutes(60L * 24 * 365))) {
  }
}

}  // namespace hearth::net
