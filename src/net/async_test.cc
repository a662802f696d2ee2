#include "net/async.h"

#include <gtest/gtest.h>

#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include <asio/co_spawn.hpp>
#include <asio/detached.hpp>
#include <asio/this_coro.hpp>

#include "net/deadlines.h"

namespace hearth::net {
namespace {

TEST(Loop, RunsACoroutineToItsValue) {
  Loop loop;
  auto run = []() -> Async<std::string> {
    co_await sleep_for(milliseconds(1));
    co_return "done";
  };
  EXPECT_EQ(loop.run_until_done(run()), "done");
  EXPECT_EQ(loop.run_until_done(run()), "done");
}

TEST(Loop, TakesWorkFromOtherThreads) {
  Loop loop;
  int posted = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) loop.post([&] { ++posted; });
    loop.spawn([](Loop& inner, int& count) -> Async<void> {
      EXPECT_EQ(count, 1000);
      inner.stop();
      co_return;
    }(loop, posted));
  });
  loop.run();
  other.join();
  EXPECT_EQ(posted, 1000);
}

TEST(Loop, DropsWhatWaitsAtStop) {
  struct Watch {
    bool* gone;
    explicit Watch(bool* flag) : gone(flag) {}
    Watch(const Watch&) = delete;
    Watch& operator=(const Watch&) = delete;
    ~Watch() { *gone = true; }
  };
  Loop loop;
  bool dropped[3] = {};
  bool went_on = false;
  auto wait = [](bool& flag, bool& later, Async<void> inner) -> Async<void> {
    Watch watch(&flag);
    co_await std::move(inner);
    later = true;
  };
  Event event;
  Workers workers(1);
  auto work = [](Workers& on) -> Async<void> {
    co_await on.run([] { std::this_thread::sleep_for(std::chrono::milliseconds(20)); });
    co_await sleep_for(minutes(1));
  };
  loop.spawn(wait(dropped[0], went_on, sleep_for(minutes(1))));
  loop.spawn(wait(dropped[1], went_on, event.wait()));
  loop.spawn(wait(dropped[2], went_on, work(workers)));
  loop.spawn([](Loop& inner) -> Async<void> {
    co_await sleep_for(milliseconds(1));
    inner.stop();
  }(loop));
  loop.run();
  for (bool one : dropped) EXPECT_TRUE(one);
  EXPECT_FALSE(went_on);
}

TEST(Loop, StopBeforeRunCounts) {
  Loop loop;
  loop.stop();
  loop.run();
}

TEST(Loop, HearsSignals) {
  Loop loop;
  int heard = 0;
  loop.on_signal({SIGUSR1}, [&](int signal) {
    EXPECT_EQ(signal, SIGUSR1);
    if (++heard == 2) loop.stop();
  });
  loop.spawn([](int& count) -> Async<void> {
    for (int i = 0; i < 2; ++i) {
      ::raise(SIGUSR1);
      while (count == i) co_await sleep_for(milliseconds(1));
    }
  }(heard));
  loop.run();
  EXPECT_EQ(heard, 2);
}

TEST(Workers, RunFunctionsElsewhere) {
  Loop loop;
  Workers workers(2);
  auto run = [](Workers& on) -> Async<void> {
    std::thread::id here = std::this_thread::get_id();
    std::thread::id there = co_await on.run([] { return std::this_thread::get_id(); });
    EXPECT_NE(here, there);
    EXPECT_EQ(here, std::this_thread::get_id());
    int value = 0;
    co_await on.run([&] { value = 7; });
    EXPECT_EQ(value, 7);
  };
  loop.run_until_done(run(workers));
}

TEST(Workers, ServeManyAtOnce) {
  Loop loop;
  Workers workers(3);
  int done = 0;
  auto one = [](Workers& on, int& count, int i) -> Async<void> {
    EXPECT_EQ(co_await on.run([i] { return i * i; }), i * i);
    ++count;
  };
  for (int i = 0; i < 500; ++i) loop.spawn(one(workers, done, i));
  auto wait = [](int& count) -> Async<void> {
    while (count < 500) co_await sleep_for(milliseconds(1));
  };
  loop.run_until_done(wait(done));
}

TEST(Event, WakesAllThatWait) {
  Loop loop;
  Event event;
  int woken = 0;
  auto wait = [](Event& on, int& count) -> Async<void> {
    EXPECT_TRUE(co_await on.wait(minutes(1)));
    ++count;
    EXPECT_FALSE(co_await on.wait(milliseconds(1))) << "a notification from before";
    ++count;
  };
  for (int i = 0; i < 3; ++i) loop.spawn(wait(event, woken));
  auto notify = [](Event& on, int& count) -> Async<void> {
    co_await sleep_for(milliseconds(1));
    on.notify();
    while (count < 6) co_await sleep_for(milliseconds(1));
  };
  loop.run_until_done(notify(event, woken));
}

TEST(Event, MayBeDestroyedWhileSomebodyWaits) {
  Loop loop;
  auto run = []() -> Async<void> {
    auto event = std::make_unique<Event>();
    Async<bool> waiting = event->wait(milliseconds(5));
    auto destroy = [](std::unique_ptr<Event> one) -> Async<void> {
      co_await sleep_for(milliseconds(1));
      one.reset();
    };
    asio::any_io_executor executor = co_await asio::this_coro::executor;
    asio::co_spawn(executor, destroy(std::move(event)), asio::detached);
    EXPECT_FALSE(co_await std::move(waiting));
  };
  loop.run_until_done(run());
}

TEST(Deadline, ExpiresOnceAndOnlyWhenArmed) {
  Loop loop;
  int first = 0;
  int second = 0;
  auto run = [](Loop& on, int& one, int& two) -> Async<void> {
    Deadline moved(on.executor(), [&] { ++one; });
    Deadline off(on.executor(), [&] { ++two; });
    moved.arm(steady_now() + milliseconds(1));
    moved.arm(steady_now() + minutes(1));  // later
    off.arm(steady_now() + milliseconds(1));
    off.disarm();
    co_await sleep_for(milliseconds(5));
    EXPECT_EQ(one, 0);
    moved.arm(steady_now() + milliseconds(1));  // earlier again
    while (one == 0) co_await sleep_for(milliseconds(1));
    co_await sleep_for(milliseconds(3));
  };
  loop.run_until_done(run(loop, first, second));
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
}

}  // namespace
}  // namespace hearth::net
