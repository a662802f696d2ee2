// What must hold when a pool's database is a server's and several hubs share it: whatever hub dies, stands still or
// comes back, an acknowledged job is never lost, a task has one accepted result, and what runs goes on.
#include <filesystem>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "harness/api.h"
#include "harness/failover.h"
#include "harness/hubs.h"
#include "harness/load.h"
#include "harness/pairing.h"
#include "harness/pool.h"
#include "store/postgres/private_server.h"

namespace hearth::e2e {
namespace {

using testing::HasSubstr;

class HubsTest : public PoolFixture {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<store::PrivateServer>> server = store::PrivateServer::start();
    if (!server && server.error().code == Code::kUnavailable) GTEST_SKIP() << "SKIPPED: " << server.error().message;
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  Pool& up(const std::string& name) { return up(name, server_->url()); }
  Pool& up(const std::string& name, const std::string& store) {
    Pool& pool = add_pool(name);
    const Ended ended = pool.cli({"up", "--address", "127.0.0.1", "--port", "0", "--no-invite", "--store", store});
    EXPECT_EQ(ended.exit_code, 0) << ended.err << read_text(pool.home() / "log");
    return pool;
  }

  std::unique_ptr<store::PrivateServer> server_;
};

TEST_F(HubsTest, AHubThatIsToldToEndHandsOverAtOnceAndComesBackToStandBy) {
  Pool& kitchen = up("kitchen");
  Pool& attic = up("attic");
  EXPECT_FALSE(stands_by(kitchen));
  EXPECT_TRUE(stands_by(attic));
  const Ended refused = attic.cli({"status"});
  EXPECT_EQ(refused.exit_code, 0) << "its PC's own command line is a device of the pool: " << refused.err;
  ASSERT_EQ(attic.cli({"run", "--", "echo", "hello"}).out, "hello\n");
  kitchen.down();
  await_holder(attic);
  EXPECT_TRUE(eventually(seconds(30), [&] { return attic.cli({"status"}).out.find("is away") != std::string::npos; }));
  EXPECT_EQ(attic.cli({"run", "--", "echo", "again"}).out, "again\n");
  up("kitchen again");  // a third PC comes along
  EXPECT_EQ(kitchen.cli({"up"}).exit_code, 0);
  EXPECT_TRUE(stands_by(kitchen));
  EXPECT_EQ(kitchen.cli({"run", "--", "echo", "third"}).out, "third\n");
}

TEST_F(HubsTest, APoolMovesIntoADatabaseWhileJobsWaitAndRun) {
  Pool& pool = add_pool("main");
  pool.up();
  pool.await_node();
  Api api(pool);
  ASSERT_EQ(pool.cli({"run", "--output", "kept", "--", "sh", "-c", "echo kept > kept"}).exit_code, 0);
  const auto steady = api.submit(shell("sleep 20; echo survived"));
  ASSERT_TRUE(steady) << text_of(steady.error());
  api.wait_until_running(*steady);
  v1::JobSpec many = shell("echo {i}");
  many.set_tasks(20);
  many.add_after(*steady);
  const auto waiting = api.submit(many);
  ASSERT_TRUE(waiting) << text_of(waiting.error());

  EXPECT_THAT(pool.cli({"up", "--store", server_->url()}).err, HasSubstr("until: hearth down"));
  EXPECT_EQ(pool.cli({"store", "check"}).exit_code, 0);
  const Ended wrong = pool.cli({"store", "migrate", "--to", "postgresql://ann:s3cret@127.0.0.1:1/hearth"});
  EXPECT_EQ(wrong.exit_code, 1);
  EXPECT_EQ(wrong.err.find("s3cret"), std::string::npos) << wrong.err;
  const Ended moved = pool.cli({"store", "migrate", "--to", server_->url()});
  ASSERT_EQ(moved.exit_code, 0) << moved.err << read_text(pool.home() / "log");
  const std::filesystem::perms mode = std::filesystem::status(pool.home() / "config.json").permissions();
  EXPECT_EQ(mode, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  EXPECT_FALSE(std::filesystem::exists(pool.home() / "hub" / "pool.db"));
  EXPECT_EQ(pool.cli({"store", "migrate", "--to", server_->url()}).exit_code, 1) << "it has moved already";
  EXPECT_THAT(pool.cli({"store", "check"}).out, HasSubstr("3 jobs"));

  EXPECT_EQ(api.wait(*steady).state(), v1::JOB_STATE_SUCCEEDED);
  EXPECT_EQ(api.get(*steady, 1).tasks(0).attempts(), 1U) << "it was started again though its node went on";
  EXPECT_EQ(api.wait(*waiting).succeeded(), 20U);
  EXPECT_EQ(pool.cli({"get", "1"}).exit_code, 0) << "results of before";
  const auto next = api.submit(shell("true"));
  ASSERT_TRUE(next) << text_of(next.error());
  EXPECT_EQ(*next, *waiting + 1);
  pool.down();
  EXPECT_EQ(pool.cli({"up"}).exit_code, 0) << "it knows where its pool lies";
  EXPECT_EQ(api.wait(*next).state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(HubsTest, TheDatabaseServerDiesUnderLoad) {
  Pool& pool = up("main");
  pool.await_node();
  Api api(pool);
  Load load(pool);
  for (int round = 0; round < kills(3); ++round) {
    pause_for(seconds(2));
    server_->stop(SIGQUIT);
    pause_for(milliseconds(500));
    server_->resume();
  }
  pause_for(seconds(2));
  load.stop();
  const std::set<std::uint64_t> distinct(load.acknowledged().begin(), load.acknowledged().end());
  EXPECT_GT(distinct.size(), 3U);
  EXPECT_EQ(all_jobs(api).size(), distinct.size());
  for (const std::uint64_t id : distinct) expect_finished_once(api, id);
  pool.down();
  server_.reset();  // started anew it is a process of this test
}

}  // namespace
}  // namespace hearth::e2e
