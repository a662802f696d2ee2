#include "drive/thumbnails.h"

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <mutex>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/check.h"
#include "blob/temporary_directory.h"
#include "drive/fake_picture_helper.h"

namespace hearth::drive {
namespace {

using testing::HasSubstr;

// A request, and what is replied to it.
class FakeExchange : public net::Exchange {
 public:
  explicit FakeExchange(const std::string& path) {
    head_.method = "GET";
    head_.path = path;
  }
  const net::RequestHead& head() const override { return head_; }
  std::string peer_address() const override { return "127.0.0.1"; }
  net::Async<Result<std::size_t>> read_body(std::span<char>) override { co_return std::size_t{0}; }
  net::Async<Result<std::string>> read_whole_body(std::size_t) override { co_return std::string(); }
  net::Async<Result<void>> reply(net::Response response) override {
    answer = std::move(response);
    co_return Result<void>();
  }
  net::Async<Result<void>> start(unsigned, net::Headers, std::optional<std::uint64_t>) override { co_return unused(); }
  net::Async<Result<void>> write(std::string_view) override { co_return unused(); }
  net::Async<Result<void>> finish() override { co_return unused(); }
  net::Async<Result<void>> write_file(int, std::uint64_t, std::uint64_t, net::Workers&) override { co_return unused(); }
  net::Async<Result<std::unique_ptr<net::WebSocket>>> accept_websocket(std::string_view, std::size_t) override {
    co_return std::unexpected(unused().error());
  }
  net::Async<Result<std::unique_ptr<net::Upgraded>>> upgrade(net::Headers) override {
    co_return std::unexpected(unused().error());
  }
  net::Cuttable& connection() override { return cuttable_; }
  bool gone() const override { return is_gone; }

  std::optional<net::Response> answer;
  bool is_gone = false;

 private:
  struct Uncut : net::Cuttable {
    void cut() override {}
  };
  static Result<void> unused() { return fail(Code::kInternal, "not asked for here"); }

  net::RequestHead head_;
  Uncut cuttable_;
};

class ThumbnailsTest : public testing::Test {
 protected:
  ThumbnailsTest() : drive_(loop_, workers_, scratch_.path() / "drive") {
    std::filesystem::create_directories(scratch_.path() / "drive");
    for (const char* name : {"a.jpg", "b.jpg", "c.jpg"}) std::ofstream(scratch_.path() / "drive" / name) << name;
  }

  // The helper waits with each answer until it is let go on.
  void let_go() {
    {
      const std::lock_guard lock(mutex_);
      open_ = true;
    }
    opened_.notify_all();
  }
  void wait_until_let_go() {
    std::unique_lock lock(mutex_);
    opened_.wait(lock, [this] { return open_; });
  }
  static std::string good() {
    return pictures::answer_of({.width = 9,
                                .height = 9,
                                .small = "\xFF\xD8\xFF"
                                         "small"});
  }

  void ask(Thumbnails& thumbnails, FakeExchange& exchange) {
    ++running_;
    loop_.spawn([](ThumbnailsTest& test, Thumbnails& all, FakeExchange& one) -> net::Async<void> {
      co_await all.serve(one, {});
      --test.running_;
    }(*this, thumbnails, exchange));
  }
  template <class Condition>
  void run_until(Condition condition) {
    loop_.run_until_done([](Condition holds) -> net::Async<void> {
      while (!holds()) co_await net::sleep_for(milliseconds(1));
    }(condition));
  }

  blob::TemporaryDirectory scratch_;
  std::mutex mutex_;
  std::condition_variable opened_;
  bool open_ = false;  // under mutex_
  int running_ = 0;
  net::Loop loop_;
  net::Workers workers_{2};
  Drive drive_;
};

TEST_F(ThumbnailsTest, ThoseWhoAskAtATimeGetTheSameOne) {
  FakePictureHelper fake([this](const pictures::Order&) {
    wait_until_let_go();
    return good();
  });
  Thumbnails thumbnails(loop_, drive_, fake.helpers());
  FakeExchange first("/thumb/a.jpg");
  FakeExchange second("/thumb/a.jpg");
  ask(thumbnails, first);
  ask(thumbnails, second);
  run_until([&] { return fake.orders() == 1; });
  let_go();
  run_until([&] { return running_ == 0; });
  EXPECT_EQ(first.answer->status, 200U);
  EXPECT_THAT(first.answer->body, HasSubstr("small"));
  EXPECT_EQ(second.answer->body, first.answer->body);
  FakeExchange later("/thumb/a.jpg");
  ask(thumbnails, later);
  run_until([&] { return running_ == 0; });
  EXPECT_EQ(later.answer->body, first.answer->body);
  EXPECT_EQ(fake.orders(), 1);
}

TEST_F(ThumbnailsTest, WhatNobodyWaitsForAnyMoreIsNotMade) {
  FakePictureHelper fake([this](const pictures::Order&) {
    wait_until_let_go();
    return good();
  });
  Thumbnails thumbnails(loop_, drive_, fake.helpers());
  FakeExchange first("/thumb/a.jpg");
  FakeExchange left("/thumb/b.jpg");
  ask(thumbnails, first);
  run_until([&] { return fake.orders() == 1; });
  ask(thumbnails, left);
  left.is_gone = true;
  run_until([&] { return running_ == 1; });
  let_go();
  run_until([&] { return running_ == 0; });
  FakeExchange after("/thumb/c.jpg");
  ask(thumbnails, after);
  run_until([&] { return running_ == 0; });
  EXPECT_EQ(after.answer->status, 200U);
  EXPECT_EQ(fake.orders(), 2);
}

TEST_F(ThumbnailsTest, ThatThereIsNoneIsKeptThatItCannotBeSaidIsNot) {
  int orders = 0;
  FakePictureHelper fake([&](const pictures::Order&) -> std::optional<std::string> {
    ++orders;
    if (orders == 1) return pictures::answer_without("it is broken");
    if (orders == 2) return std::nullopt;
    return good();
  });
  Thumbnails thumbnails(loop_, drive_, fake.helpers());
  const auto status = [&](const std::string& path) {
    FakeExchange exchange(path);
    ask(thumbnails, exchange);
    run_until([&] { return running_ == 0; });
    return exchange.answer->status;
  };
  EXPECT_EQ(status("/thumb/a.jpg"), 404U);
  EXPECT_EQ(status("/thumb/a.jpg"), 404U);
  EXPECT_EQ(fake.orders(), 1);
  EXPECT_EQ(status("/thumb/b.jpg"), 503U);
  EXPECT_EQ(status("/thumb/b.jpg"), 200U);
  EXPECT_EQ(fake.orders(), 3);
}

TEST_F(ThumbnailsTest, NoMoreThanSoManyWait) {
  FakePictureHelper fake([this](const pictures::Order&) {
    wait_until_let_go();
    return good();
  });
  Thumbnails thumbnails(loop_, drive_, fake.helpers());
  std::vector<std::unique_ptr<FakeExchange>> all;
  for (std::size_t i = 0; i <= Thumbnails::kMaxWaiting; ++i) {
    const std::string name = std::to_string(i) + ".jpg";
    std::ofstream(scratch_.path() / "drive" / name) << name;
    all.push_back(std::make_unique<FakeExchange>("/thumb/" + name));
    ask(thumbnails, *all.back());
  }
  run_until([&] { return running_ == static_cast<int>(Thumbnails::kMaxWaiting); });
  let_go();
  run_until([&] { return running_ == 0; });
  std::size_t refused = 0;
  for (const auto& one : all) refused += one->answer->status == 503 ? 1 : 0;
  EXPECT_EQ(refused, 1U);
}

}  // namespace
}  // namespace hearth::drive
