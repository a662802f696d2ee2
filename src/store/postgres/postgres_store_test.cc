// What is particular to a store in PostgreSQL: broken connections, several hubs, refusals.
#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/check.h"
#include "store/postgres/connection.h"
#include "store/postgres/cutting_proxy.h"
#include "store/postgres/private_server.h"
#include "store/shared.h"

namespace hearth::store {
namespace {

const HubRow kKitchen{.identity = "kitchen's key",
                      .name = "kitchen",
                      .endpoints = "10.0.0.1:7443",
                      .secret = "a",
                      .command_line_key = "k",
                      .node_key = "n"};
const HubRow kAttic{.identity = "attic's key",
                    .name = "attic",
                    .endpoints = "10.0.0.2:7443 10.0.1.2:7443",
                    .secret = "b",
                    .command_line_key = "l",
                    .node_key = "m"};

Batch job_batch(std::uint64_t id) {
  Batch batch;
  batch.jobs.resize(1);
  batch.jobs[0].request.id = {id};
  batch.jobs[0].request_id = std::to_string(id);
  return batch;
}

bool eventually(const std::function<bool()>& condition) {
  for (int tries = 0; tries < 600; ++tries) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

class PostgresStore : public testing::Test {
 protected:
  void SetUp() override {
    Result<std::unique_ptr<PrivateServer>> server = PrivateServer::start();
    if (!server && server.error().code == Code::kUnavailable) GTEST_SKIP() << "SKIPPED: " << server.error().message;
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }

  std::unique_ptr<DatabaseStore> open(const std::string& url) {
    Result<std::unique_ptr<DatabaseStore>> store = open_postgres({.url = url});
    CHECK(store.has_value());
    return std::move(*store);
  }
  std::unique_ptr<DatabaseStore> open_holding(const std::string& url, const HubRow& hub) {
    std::unique_ptr<DatabaseStore> store = open(url);
    for (const char* what : {"takes the hold", "renews it"}) {
      const Result<Meeting> meeting = store->meet(hub);
      EXPECT_TRUE(meeting && meeting->holding) << what;
    }
    return store;
  }
  void execute(const std::string& sql) {
    const Result<std::unique_ptr<Connection>> connection = Connection::open(server_->url());
    ASSERT_TRUE(connection) << connection.error().message;
    const Result<void> done = (*connection)->script(sql);
    ASSERT_TRUE(done) << done.error().message;
  }
  std::string directory() const { return std::filesystem::path(server_->data()).parent_path(); }

  std::unique_ptr<PrivateServer> server_;
};

TEST_F(PostgresStore, ACommitWhoseAnswerIsLostIsFoundAndNotRepeated) {
  CuttingProxy proxy(directory(), directory() + "/proxy");
  const auto store = open_holding(proxy.url(), kKitchen);
  std::uint64_t id = 0;
  for (const Cut cut : {Cut::kAfterCommit, Cut::kNever, Cut::kBeforeCommit, Cut::kAfterCommit, Cut::kNever}) {
    proxy.cut_next(cut);
    const Result<void> done = store->commit(job_batch(++id));  // repeated, it would be refused: the number is given
    ASSERT_TRUE(done) << id << ": " << done.error().message;
    EXPECT_TRUE(store->load_job({id})->has_value());
  }
  EXPECT_EQ(proxy.cuts(), 3);
  EXPECT_EQ(store->load_jobs({}, {0}, 100)->size(), id);
}

TEST_F(PostgresStore, ServersThatDieWhileItCommitsLoseNothingThatWasConfirmed) {
  const auto store = open_holding(server_->url(), kKitchen);
  std::atomic<bool> leave = false;
  std::uint64_t last = 0;
  std::thread writer([&] {
    while (!leave) {
      const Result<void> done = store->commit(job_batch(last + 1));
      if (!done) ADD_FAILURE() << done.error().message;
      if (!done) return;
      ++last;
    }
  });
  for (int round = 0; round < 3; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    server_->stop(SIGQUIT);
    server_->resume();
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(300));
  leave = true;
  writer.join();
  EXPECT_GT(last, 0U);
  EXPECT_EQ(store->last_job_id()->value, last);
}

TEST_F(PostgresStore, GivesUpOnAServerThatStaysAwayAndWritesNothingFromThenOn) {
  Result<std::unique_ptr<DatabaseStore>> store = open_postgres({.url = server_->url(), .patience = milliseconds(300)});
  ASSERT_TRUE(store && (*store)->meet(kKitchen));
  server_->stop(SIGQUIT);
  EXPECT_EQ((*store)->commit(job_batch(1)).error().code, Code::kUnavailable);
  EXPECT_EQ((*store)->load_devices().error().code, Code::kUnavailable);
  server_->resume();
  EXPECT_EQ((*store)->commit(job_batch(1)).error().code, Code::kUnavailable) << "what it last wrote is not known";
  EXPECT_TRUE((*store)->load_devices()->empty());
}

TEST_F(PostgresStore, OneHubHoldsThePoolAndAnotherTakesOverOnceTheHoldRunsOut) {
  const auto kitchen = open_holding(server_->url(), kKitchen);
  const auto attic = open(server_->url());
  const Result<Meeting> first = attic->meet(kAttic);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_FALSE(first->holding);
  ASSERT_EQ(first->hubs.size(), 2U);
  EXPECT_EQ(first->hubs[0].row.name, "attic");
  EXPECT_EQ(first->hubs[0].row.endpoints, kAttic.endpoints);
  EXPECT_FALSE(first->hubs[0].holds);
  EXPECT_TRUE(first->hubs[1].holds);
  EXPECT_TRUE(first->hubs[1].alive);
  EXPECT_EQ(first->hubs[1].row.secret, "a");
  EXPECT_EQ(attic->commit(job_batch(1)).error().code, Code::kFailedPrecondition);
  ASSERT_TRUE(kitchen->commit(job_batch(1)));
  EXPECT_TRUE(attic->load_job({1})->has_value()) << "a hub that stands by reads";

  ASSERT_TRUE(eventually([&] { return attic->meet(kAttic)->holding; })) << "the kitchen's hub says nothing any more";
  ASSERT_TRUE(attic->commit(job_batch(2)));
  EXPECT_EQ(kitchen->commit(job_batch(3)).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(kitchen->meet(kKitchen).error().code, Code::kFailedPrecondition);
  EXPECT_EQ(attic->last_job_id()->value, 2U);
}

TEST_F(PostgresStore, AHoldThatIsRenewedStaysAndOneThatIsReleasedIsFreeAtOnce) {
  const auto kitchen = open_holding(server_->url(), kKitchen);
  const auto attic = open(server_->url());
  for (int beat = 0; beat < 8; ++beat) {
    ASSERT_TRUE(kitchen->meet(kKitchen)->holding);
    ASSERT_FALSE(attic->meet(kAttic)->holding);
    std::this_thread::sleep_for(std::chrono::milliseconds(kMeetInterval.micros / 1000));
  }
  ASSERT_TRUE(kitchen->release());
  EXPECT_TRUE(attic->meet(kAttic)->holding);
}

TEST_F(PostgresStore, AHubThatStartsAgainTakesItsOwnHoldAtOnceAndItsEarlierLifeWritesNothing) {
  const auto earlier = open_holding(server_->url(), kKitchen);
  const auto later = open_holding(server_->url(), kKitchen);
  EXPECT_EQ(earlier->commit(job_batch(1)).error().code, Code::kFailedPrecondition);
  EXPECT_TRUE(later->commit(job_batch(1)));
}

TEST_F(PostgresStore, AHubThatStandsStillInTheMidstOfATransactionKeepsNobodyFromTakingOver) {
  const auto kitchen = open_holding(server_->url(), kKitchen);
  const Result<std::unique_ptr<Connection>> still = Connection::open(server_->url());
  ASSERT_TRUE(still);
  ASSERT_TRUE((*still)->script("BEGIN; UPDATE pools SET serial = serial + 1"));
  const auto attic = open(server_->url());
  EXPECT_TRUE(eventually([&] {
    const Result<Meeting> meeting = attic->meet(kAttic);
    return meeting && meeting->holding;
  }));
  EXPECT_EQ((*still)->script("COMMIT").error().code, Code::kUnavailable);
}

TEST_F(PostgresStore, AHalfFilledPoolIsHeldByNobodyElseAndFilledAfresh) {
  auto kitchen = open_holding(server_->url(), kKitchen);
  ASSERT_TRUE(kitchen->begin_filling());
  ASSERT_TRUE(kitchen->commit(job_batch(1)));
  EXPECT_TRUE(kitchen->meet(kKitchen)->filling);
  ASSERT_TRUE(kitchen->release());
  const auto attic = open(server_->url());
  EXPECT_FALSE(attic->meet(kAttic)->holding);
  kitchen = open_holding(server_->url(), kKitchen);
  ASSERT_TRUE(kitchen->begin_filling());
  EXPECT_FALSE(kitchen->load_job({1})->has_value()) << "what the earlier try left";
  ASSERT_TRUE(kitchen->commit(job_batch(1)));
  ASSERT_TRUE(kitchen->end_filling());
  EXPECT_EQ(kitchen->begin_filling().error().code, Code::kFailedPrecondition) << "it holds a pool";
  ASSERT_TRUE(kitchen->release());
  EXPECT_TRUE(attic->meet(kAttic)->holding);
}

TEST_F(PostgresStore, APoolSeesNothingOfAnotherInTheSameDatabase) {
  const auto first = open_holding(server_->url(), kKitchen);
  Result<std::unique_ptr<DatabaseStore>> second = open_postgres({.url = server_->url(), .pool = 2});
  ASSERT_TRUE(second && (*second)->meet(kKitchen)->holding);
  ASSERT_TRUE(first->commit(job_batch(7)));
  EXPECT_FALSE((*second)->load_job({7})->has_value());
  EXPECT_EQ((*second)->last_job_id()->value, 0U);
  EXPECT_TRUE((*second)->commit(job_batch(7)));
}

TEST_F(PostgresStore, RefusesANewerVersionsDatabaseAndAnotherProgramsTables) {
  execute("CREATE SCHEMA other; CREATE TABLE other.jobs (id BIGINT)");
  const Result<std::unique_ptr<DatabaseStore>> foreign =
      open_postgres({.url = server_->url() + "&options=-csearch_path%3Dother"});
  ASSERT_FALSE(foreign);
  EXPECT_EQ(foreign.error().code, Code::kFailedPrecondition) << foreign.error().message;
  open_holding(server_->url(), kKitchen);
  execute("UPDATE hearth_schema SET version = 999");
  const Result<std::unique_ptr<DatabaseStore>> newer = open_postgres({.url = server_->url()});
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().code, Code::kFailedPrecondition);
  EXPECT_NE(newer.error().message.find("999"), std::string::npos) << newer.error().message;
}

TEST_F(PostgresStore, RefusesAServerThatMayLoseWhatItConfirmed) {
  execute("ALTER SYSTEM SET fsync = off");
  execute("SELECT pg_reload_conf()");
  EXPECT_TRUE(eventually([&] {
    const Result<std::unique_ptr<DatabaseStore>> store = open_postgres({.url = server_->url()});
    return !store && store.error().code == Code::kFailedPrecondition;
  }));
}

TEST_F(PostgresStore, NoErrorShowsAPassword) {
  const std::string user = "postgresql://ann:s3cret@127.0.0.1:1/hearth";
  for (const std::string& url : {user, user + "?nonsense=s3cret", std::string("mysql://ann:s3cret@db/hearth"),
                                 "postgresql:///none?user=ann&password=s3cret&host=" + directory(),
                                 "postgresql:///none?user=hearth&password=s3cret&host=" + directory()}) {
    const Result<std::unique_ptr<DatabaseStore>> store = open_postgres({.url = url});
    ASSERT_FALSE(store) << url;
    EXPECT_EQ(store.error().message.find("s3cret"), std::string::npos) << store.error().message;
  }
  EXPECT_EQ(open_postgres({.url = user}).error().code, Code::kUnavailable);
  EXPECT_EQ(open_postgres({.url = "nonsense"}).error().code, Code::kInvalidArgument);
}

}  // namespace
}  // namespace hearth::store
