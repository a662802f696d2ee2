// A pool whose database is kept by Patroni and etcd, by the recipe in packaging/patroni: a PC dies with everything on
// it, and nobody does anything.
#include <csignal>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "harness/api.h"
#include "harness/hubs.h"
#include "harness/load.h"
#include "harness/patroni.h"
#include "harness/pool.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

class PatroniTest : public PoolFixture {
 protected:
  void SetUp() override {
    if (const std::string lack = PatroniCluster::lack(); !lack.empty()) GTEST_SKIP() << "SKIPPED: " << lack;
    cluster_ = std::make_unique<PatroniCluster>();
  }

  Pool& up(const std::string& name) {
    Pool& pool = add_pool(name);
    const Ended ended =
        pool.cli({"up", "--address", "127.0.0.1", "--port", "0", "--no-invite", "--store", cluster_->url()});
    EXPECT_EQ(ended.exit_code, 0) << ended.err << read_text(pool.home() / "log");
    return pool;
  }

  std::unique_ptr<PatroniCluster> cluster_;
};

TEST_F(PatroniTest, AWholePcDiesUnderLoadAndTheOtherTakesOverByItself) {
  std::array<Pool*, 2> pcs = {&up("kitchen"), &up("attic")};
  const Pool& client = *pcs[1];
  ASSERT_TRUE(eventually(seconds(60), [&] { return is_whole(client); })) << client.cli({"status"}).out;
  EXPECT_THAT(client.cli({"store", "check"}).out, HasSubstr("commits are confirmed by"));
  Api api(client);
  Load load(client);
  pause_for(seconds(2));
  const int lost = cluster_->leader();
  ASSERT_GE(lost, 0);
  Pool& dead = *pcs[static_cast<std::size_t>(lost)];
  Pool& left = *pcs[static_cast<std::size_t>(1 - lost)];
  const pid_t supervisor = dead.supervisor();
  ::kill(supervisor, SIGSTOP);
  ::kill(dead.hub_process(), SIGKILL);
  const auto begun = std::chrono::steady_clock::now();
  cluster_->lose(lost);
  EXPECT_TRUE(eventually(seconds(120), [&] { return left.cli({"run", "--", "echo", "on"}).out == "on\n"; }))
      << read_text(left.home() / "log") << cluster_->logs();
  const auto outage = std::chrono::steady_clock::now() - begun;
  RecordProperty("outage_millis", std::to_string(std::chrono::duration_cast<milliseconds>(outage).count()));
  EXPECT_EQ(cluster_->leader(), 1 - lost);

  cluster_->start(lost);
  ::kill(supervisor, SIGCONT);
  EXPECT_TRUE(eventually(seconds(90), [&] { return cluster_->is_whole(); })) << cluster_->logs();
  EXPECT_TRUE(eventually(seconds(60), [&] { return is_whole(client); })) << client.cli({"status"}).out;
  load.stop();
  EXPECT_GT(load.repeated(), 0) << "nothing was ever away: nothing was tested";
  const std::set<std::uint64_t> distinct(load.acknowledged().begin(), load.acknowledged().end());
  EXPECT_EQ(distinct.size(), load.acknowledged().size()) << "two requests were given one job";
  EXPECT_EQ(all_jobs(api).size(), distinct.size() + 1) << "what was acknowledged is there, once";
  for (const std::uint64_t id : distinct) expect_finished_once(api, id);
  for (Pool* pc : pcs) pc->down();  // before their database goes
  cluster_.reset();
}

}  // namespace
}  // namespace hearth::e2e
