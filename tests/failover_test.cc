// What must hold of each recipe by which a pool outlives any of its PCs, under load: whatever PC is killed, stands
// still, is cut off or loses its power, no acknowledged job is lost, none is made twice, a task has one accepted
// result, and what runs elsewhere goes on. `make soak` loses PCs 20 times.
#include <array>
#include <filesystem>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/failover.h"
#include "harness/held_port.h"
#include "harness/hubs.h"
#include "harness/pairing.h"
#include "harness/patroni.h"
#include "harness/proc.h"
#include "store/postgres/private_server.h"

namespace hearth::e2e {
namespace {

namespace fs = std::filesystem;
using store::PrivateServer;
using testing::HasSubstr;

constexpr int kThird = 2;

class FailoverTest : public FailoverFixture {
 protected:
  PrivateServer::Place place(int number) {
    ports_.push_back(network().hold_port(number));
    return {.network = network().space(number), .address = network().address(number), .port = ports_.back().number()};
  }

  // Two hubs on a database, and the third PC's node.
  void up_on(const std::string& url) {
    up(0, {"--store", url});
    up(1, {"--store", url});
    join(pc(0), pc(kThird), "cellar");
  }

 private:
  std::vector<HeldPort> ports_;
};

// What keeps the records is on a third PC, or within the hubs.
class OneDatabase : public Recipe {
 public:
  explicit OneDatabase(const Pool& first, const Pool& second) : first_(first), second_(second) {}
  int holder() const override { return stands_by(first_) ? 1 : 0; }
  bool is_whole() const override { return e2e::is_whole(second_); }

 private:
  const Pool& first_;
  const Pool& second_;
};

TEST_F(FailoverTest, HubsOnOneDatabase) {
  auto server = PrivateServer::start(place(kThird));
  if (!server && server.error().code == Code::kUnavailable) GTEST_SKIP() << "SKIPPED: " << server.error().message;
  ASSERT_TRUE(server) << server.error().message;
  const PrivateServer::Place& there = (*server)->place();
  up_on(fmt::format("postgresql://hearth@{}:{}/postgres", there.address, there.port));
  OneDatabase recipe(pc(0), pc(1));
  lose_again_and_again(recipe, "hubs on one database", 3);
  for (int i = 0; i <= kThird; ++i) pc(i).down();  // before their database goes
}

// By packaging/postgresql: a server on each of the two, and a person who promotes the second.
class TwoServers : public OneDatabase {
 public:
  TwoServers(const Pool& first, const Pool& second, std::array<std::unique_ptr<PrivateServer>, 2> servers)
      : OneDatabase(first, second), servers_(std::move(servers)) {
    const fs::path recipe = fs::path(HEARTH_PROTO_DIRECTORY) / "../../../packaging/postgresql/replicate";
    for (const auto& each : servers_) {
      fs::copy_file(recipe, each->directory() + "/replicate");
      fs::permissions(each->directory() + "/replicate", fs::perms(0755));
    }
    let_follow(1);
  }

  std::string url() const {
    return fmt::format("postgresql://hearth@{}:{},{}:{}/postgres", server(0).place().address, server(0).place().port,
                       server(1).place().address, server(1).place().port);
  }
  int holder() const override { return leader_; }
  std::vector<pid_t> servers(int pc) const override { return with_descendants(server(pc).process()); }
  void lose_servers(int pc) override {
    for (const pid_t process : servers(pc)) ::kill(process, SIGKILL);
    server(pc).stop(SIGKILL);
  }
  void take_over(int lost) override {
    EXPECT_FALSE(replicate(1 - lost, {"promote"})) << "nobody says that the first one has ended";
    EXPECT_FALSE(replicate(1 - lost, {"promote", "--fence", "false"})) << "it may live";
    // As a switched socket does, it reaches what stands still or is cut off, too.
    const pid_t lives = server(lost).process();
    const std::string fence = lives == 0 ? "true" : fmt::format("kill -9 {}", lives);
    EXPECT_TRUE(replicate(1 - lost, {"promote", "--fence", fence})) << logs();
    leader_ = 1 - lost;
  }
  void come_back(int pc, Loss /*loss*/) override {
    server(pc).stop(SIGKILL);
    EXPECT_TRUE(eventually(seconds(30), [&] { return processes_of(server(pc).data()).empty(); }));
    fs::remove_all(server(pc).data());
    let_follow(pc);
  }
  std::string logs() const override { return read_text(server(0).log()) + "---\n" + read_text(server(1).log()); }

 private:
  PrivateServer& server(int pc) const { return *servers_[static_cast<std::size_t>(pc)]; }
  bool replicate(int pc, std::vector<std::string> words) const {
    words.insert(words.begin(), server(pc).directory() + "/replicate");
    return server(pc).run(words);
  }
  void let_follow(int pc) {
    const std::string name = pc == 0 ? "first" : "second";
    const PrivateServer::Place& leader = server(1 - pc).place();
    const std::string connection = fmt::format("user=hearth host={} port={}", leader.address, leader.port);
    EXPECT_TRUE(replicate(pc, {"follow", connection, name, server(pc).data()})) << logs();
    server(pc).resume();
    EXPECT_TRUE(replicate(1 - pc, {"lead", name})) << logs();
  }

  std::array<std::unique_ptr<PrivateServer>, 2> servers_;
  int leader_ = 0;
};

TEST_F(FailoverTest, TwoServersAndAPersonWhoPromotesTheSecond) {
  auto first = PrivateServer::start(place(0));
  if (!first && first.error().code == Code::kUnavailable) GTEST_SKIP() << "SKIPPED: " << first.error().message;
  ASSERT_TRUE(first) << first.error().message;
  TwoServers recipe(pc(0), pc(1), {std::move(*first), PrivateServer::prepare(place(1))});
  up_on(recipe.url());
  EXPECT_THAT(pc(0).cli({"store", "check"}).out, HasSubstr("commits are confirmed by ANY 1 (\"second\")"));
  lose_again_and_again(recipe, "two servers, promoted by a person", 1);
  for (int i = 0; i <= kThird; ++i) pc(i).down();
}

// By packaging/patroni.
class Patroni : public OneDatabase {
 public:
  Patroni(const Pool& first, const Pool& second, const Network& network)
      : OneDatabase(first, second), cluster_(network) {}
  std::string url() const { return cluster_.url(); }
  int holder() const override { return cluster_.leader(); }
  bool is_whole() const override { return cluster_.is_whole() && OneDatabase::is_whole(); }
  std::vector<pid_t> servers(int pc) const override { return cluster_.processes(pc); }
  void lose_servers(int pc) override { cluster_.lose(pc); }
  void come_back(int pc, Loss loss) override {
    // What went on all along is started again, too: the recipe says why.
    if (loss == Loss::kStandsStill || loss == Loss::kCutOff) cluster_.lose(pc);
    cluster_.start(pc);
  }
  std::string logs() const override { return cluster_.logs(); }

 private:
  PatroniCluster cluster_;
};

TEST_F(FailoverTest, TwoServersThatPatroniChanges) {
  if (const std::string lack = PatroniCluster::lack(); !lack.empty()) GTEST_SKIP() << "SKIPPED: " << lack;
  Patroni recipe(pc(0), pc(1), network());
  up_on(recipe.url());
  EXPECT_THAT(pc(0).cli({"store", "check"}).out, HasSubstr("commits are confirmed by"));
  lose_again_and_again(recipe, "two servers under Patroni", 1);
  for (int i = 0; i <= kThird; ++i) pc(i).down();
}

TEST_F(FailoverTest, AStandbyAndAWitness) {
  up(0);
  pc(0).await_node();
  stand_by(pc(0), pc(1), network().address(1));
  join(pc(0), pc(kThird), "cellar");
  EXPECT_THAT(pc(0).cli({"standby", "witness", "kitchen"}).err, HasSubstr("cellar")) << "it names who can";
  ASSERT_EQ(pc(0).cli({"standby", "witness", "cellar"}).exit_code, 0);
  ASSERT_TRUE(eventually(seconds(20), [&] { return pc(0).cli({"standby"}).out.contains("cellar"); }));
  OneDatabase recipe(pc(0), pc(1));
  lose_again_and_again(recipe, "a standby and a witness", 2);
}

}  // namespace
}  // namespace hearth::e2e
