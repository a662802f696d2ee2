#include "account/ways.h"

#include <map>

#include <gtest/gtest.h>

#include "net/fake_transport.h"

namespace hearth::account {
namespace {

const HubAddress kKitchen{{.host = "kitchen", .port = 1}, std::string(32, 'k')};
const HubAddress kAttic{{.host = "attic", .port = 2}, std::string(32, 'a')};
const HubAddress kCellar{{.host = "cellar", .port = 3}, std::string(32, 'c')};

// Hubs that give one status each; 0: no answer at all.
class WaysTest : public testing::Test {
 protected:
  std::unique_ptr<net::Client> dial(const HubAddress& hub) {
    dialled_.push_back(hub.endpoint.host);
    return std::make_unique<net::FakeClient>([this, hub](net::Exchange& exchange) -> net::Async<void> {
      co_await exchange.reply({statuses_[hub.endpoint.host], {}, hub.endpoint.host});
    });
  }
  std::string ask(net::Client& client) {
    const Result<net::Response> response = loop_.run_until_done(client.request("GET", "/", {}, ""));
    return response ? response->body : response.error().message;
  }

  net::Loop loop_;
  std::map<std::string, unsigned> statuses_ = {{"kitchen", 200}, {"attic", 200}, {"cellar", 200}};
  std::vector<std::string> dialled_;
  Ways ways_{loop_, [this](const HubAddress& hub, bool) { return dial(hub); }, kKitchen, {kAttic, kCellar}};
};

class UnreachableClient final : public net::FakeClient {
 public:
  UnreachableClient() : net::FakeClient([](net::Exchange&) -> net::Async<void> { co_return; }) {}
  net::Async<Result<net::Response>> request(std::string, std::string, net::Headers, std::string, std::size_t) override {
    co_return fail(Code::kDeadlineExceeded, "too late");
  }
};

// A PC without power: it takes what it is asked and says nothing until the connection is closed.
class SilentClient final : public net::FakeClient {
 public:
  SilentClient() : net::FakeClient([](net::Exchange&) -> net::Async<void> { co_return; }) {}
  net::Async<Result<net::Response>> request(std::string, std::string, net::Headers, std::string, std::size_t) override {
    while (!closed_) co_await event_.wait();
    co_return fail(Code::kCanceled, "the connection was closed on this side");
  }
  void close() override {
    closed_ = true;
    event_.notify();
  }

 private:
  bool closed_ = false;
  net::Event event_;
};

TEST_F(WaysTest, AHubThatOwesAnAnswerAndIsNotThereIsGivenUp) {
  Ways ways(loop_,
            [this](const HubAddress& hub, bool brief) -> std::unique_ptr<net::Client> {
              if (hub == kAttic) return dial(hub);
              if (!brief) return std::make_unique<SilentClient>();
              return std::make_unique<UnreachableClient>();
            },
            kKitchen, {kAttic});
  EXPECT_EQ(ask(ways.client()), "the hub at kitchen:1 says nothing any more");
  EXPECT_TRUE(ways.doubted());
  ways.choose_first();
  EXPECT_EQ(ways.chosen(), kAttic) << "the key is proven to one that may be there";
  EXPECT_EQ(ask(ways.client()), "attic");
}

TEST_F(WaysTest, AHubThatIsSlowButThereIsWaitedFor) {
  SilentClient* slow = nullptr;
  Ways ways(loop_,
            [this, &slow](const HubAddress& hub, bool brief) -> std::unique_ptr<net::Client> {
              if (brief) return dial(hub);
              auto client = std::make_unique<SilentClient>();
              slow = client.get();
              return client;
            },
            kKitchen, {kAttic});
  loop_.spawn([](SilentClient*& client) -> net::Async<void> {
    co_await net::sleep_for(milliseconds(2500));
    client->close();
  }(slow));
  EXPECT_EQ(ask(ways.client()), "the connection was closed on this side") << "not given up";
  EXPECT_FALSE(ways.doubted());
}

TEST_F(WaysTest, OneClientGoesToWhicheverHubIsChosen) {
  net::Client& client = ways_.client();
  EXPECT_EQ(ask(client), "kitchen");
  ways_.choose_next();
  EXPECT_EQ(ask(client), "attic");
  EXPECT_EQ(ways_.chosen(), kAttic);
  EXPECT_EQ(ways_.others(), (std::vector<HubAddress>{kCellar, kKitchen})) << "in the order in which they come next";
  ways_.choose_next();
  ways_.choose_next();
  EXPECT_EQ(ask(client), "kitchen");
  EXPECT_EQ(dialled_, (std::vector<std::string>{"kitchen", "attic"})) << "who is not asked is not dialled";
}

TEST_F(WaysTest, AHubThatStandsByIsDoubtedUntilItIsTrustedAgain) {
  EXPECT_FALSE(ways_.doubted());
  statuses_["kitchen"] = 503;
  ask(ways_.client());
  EXPECT_TRUE(ways_.doubted());
  ways_.trust();
  EXPECT_FALSE(ways_.doubted());
  ways_.set_others({});
  ask(ways_.client());
  EXPECT_FALSE(ways_.doubted()) << "there is no other";
}

TEST_F(WaysTest, WhatTheChosenHubSaysOfTheOthersCounts) {
  ways_.choose_next();
  ways_.set_others({kKitchen, kKitchen, kAttic});
  EXPECT_EQ(ways_.chosen(), kAttic) << "it stays";
  EXPECT_EQ(ways_.others(), (std::vector<HubAddress>{kKitchen})) << "once each, and itself is not among them";
  std::vector<HubAddress> many;
  for (std::uint16_t port = 1; port < 100; ++port) many.push_back({{.host = "h", .port = port}, kKitchen.identity});
  ways_.set_others(many);
  EXPECT_EQ(ways_.others().size(), kMaxOtherHubs);
}

}  // namespace
}  // namespace hearth::account
