#include "egress/resolver.h"

#include <atomic>
#include <latch>

#include <gtest/gtest.h>

namespace hearth::egress {
namespace {

using Addresses = std::vector<asio::ip::address>;

// Name servers that answer once they are let.
class ResolverTest : public testing::Test {
 protected:
  Result<Addresses> look_up(const std::string& host) {
    ++looked_up_;
    if (host.starts_with("slow")) answer_.wait();
    return Addresses{asio::ip::make_address("192.0.2.1")};
  }
  void ask(const std::string& host, Duration limit) {
    loop_.spawn([](ResolverTest& self, std::string name, Duration patience) -> net::Async<void> {
      const auto found = co_await self.resolver_.resolve(name, self.loop_.now() + patience);
      ++(found ? self.found_ : self.failed_);
    }(*this, host, limit));
  }
  void run_until(const std::function<bool()>& is_so) {
    const Time end = loop_.now() + seconds(20);
    while (!is_so() && loop_.now() < end) loop_.run_until_done(net::sleep_for(milliseconds(20)));
    EXPECT_TRUE(is_so());
  }

  std::atomic<int> looked_up_ = 0;
  std::latch answer_{1};
  int found_ = 0;
  int failed_ = 0;
  net::Loop loop_;
  Resolver resolver_{[this](const std::string& host) { return look_up(host); }};
};

TEST_F(ResolverTest, ManyWhoAskForOneNameAreOneLookup) {
  for (int i = 0; i < 100; ++i) ask("slow.example", seconds(30));
  ask("fast.example", seconds(5));
  run_until([&] { return found_ == 1; });
  EXPECT_EQ(looked_up_, 2);
  answer_.count_down();
  run_until([&] { return found_ == 101; });
  EXPECT_EQ(looked_up_, 2);
  ask("slow.example", seconds(5));
  run_until([&] { return found_ == 102; });
  EXPECT_EQ(looked_up_, 3) << "an answer is not kept";
}

TEST_F(ResolverTest, WhatNobodyWaitsForAnyMoreIsNotLookedUp) {
  for (int i = 0; i < 1'000; ++i) ask("slow" + std::to_string(i) + ".example", milliseconds(300));
  run_until([&] { return failed_ == 1'000; });
  ask("fast.example", seconds(20));
  answer_.count_down();
  run_until([&] { return found_ == 1; });
  EXPECT_LE(looked_up_, 20);
}

}  // namespace
}  // namespace hearth::egress
