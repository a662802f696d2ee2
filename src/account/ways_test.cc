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
  Ways ways_{[this](const HubAddress& hub, bool) { return dial(hub); }, kKitchen, {kAttic, kCellar}};
};

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
