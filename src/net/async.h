// Coroutines of the shells: every function that waits returns Async<T> and is awaited on one loop thread. They hold no
// decisions.
//
//   Async<Result<void>> greet(Loop& loop) {
//     co_await sleep_for(seconds(1));
//     co_return Result<void>();
//   }
#pragma once

#include <coroutine>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>

#include <asio/awaitable.hpp>

#include "base/result.h"
#include "base/time.h"

namespace hearth::net {

template <class T>
using Async = asio::awaitable<T>;

// One thread that runs coroutines. Everything that lives on a loop is touched by its thread alone.
class Loop {
 public:
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Runs until stop(), on the calling thread. Returns after work that was pending at stop() has been dropped.
  void run();

  // Runs until the coroutine is done, on the calling thread, and gives its value (for the command line and for tests).
  template <class T>
  T run_until_done(Async<T> coroutine);

  // From any thread, and from a signal-safe context no.
  void stop();

  // Starts a coroutine of its own. An exception that leaves it is a bug and ends the program. Any thread.
  void spawn(Async<void> coroutine);

  // Runs a function on the loop's thread, soon. Any thread.
  void post(std::function<void()> function);

  // Calls the function on the loop's thread when one of the signals arrives, each time. Call before run().
  void on_signal(std::initializer_list<int> signals, std::function<void(int)> function);

  Time now() const;  // a steady clock; see clock.h for the calendar

  asio::any_io_executor executor() const;

 private:
  void run_one_until(const bool& done);

  struct State;
  std::unique_ptr<State> state_;
};

// Waits on the loop that runs the caller.
Async<void> sleep_for(Duration span);

// Runs a blocking function on one of the loop's worker threads (files, hashing, SQLite) and resumes the caller on its
// loop. Throws nothing; the function must not either.
class Workers {
 public:
  explicit Workers(unsigned threads);
  ~Workers();  // waits for what was started
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  template <class Function>
  auto run(Function function) -> Async<decltype(function())>;

 private:
  Async<void> run_erased(std::function<void()> function);

  struct State;
  std::unique_ptr<State> state_;
};

// A flag that coroutines of one loop wait for. notify() wakes all that wait now; one that comes later waits for the
// next notify().
class Event {
 public:
  Event();
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void notify();

  // True if notified, false if `limit` passed first.
  Async<bool> wait(Duration limit);
  Async<void> wait();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

template <class T>
T Loop::run_until_done(Async<T> coroutine) {
  bool done = false;
  if constexpr (std::is_void_v<T>) {
    spawn([](Async<T> inner, bool& flag) -> Async<void> {
      co_await std::move(inner);
      flag = true;
    }(std::move(coroutine), done));
    run_one_until(done);
  } else {
    std::optional<T> value;
    spawn([](Async<T> inner, std::optional<T>& out, bool& flag) -> Async<void> {
      out.emplace(co_await std::move(inner));
      flag = true;
    }(std::move(coroutine), value, done));
    run_one_until(done);
    return std::move(*value);
  }
}

template <class Function>
auto Workers::run(Function function) -> Async<decltype(function())> {
  if constexpr (std::is_void_v<decltype(function())>) {
    co_await run_erased([&function] { function(); });
  } else {
    std::optional<decltype(function())> value;
    co_await run_erased([&] { value.emplace(function()); });
    co_return std::move(*value);
  }
}

}  // namespace hearth::net
