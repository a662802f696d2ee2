#include "store/journal.h"

#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "store/backends.h"

namespace hearth::store {
namespace {

class JournalTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "hearth-store-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    scratch_ = pattern;
    first_ = open("first.db");
    first_->changes().record(true);
    save(*first_, {.epoch = 1, .holder = "kitchen", .pool_name = "home", .witness = {7}, .witness_secret = "w"});
    first_->changes().take();
    copy_afresh();
  }
  void TearDown() override {
    first_.reset();
    second_.reset();
    std::filesystem::remove_all(scratch_);
  }

  std::unique_ptr<Journal> open(const std::string& name) {
    Result<std::unique_ptr<Journal>> opened = open_journal(scratch_ / name);
    CHECK(opened);
    return std::move(*opened);
  }
  static void save(Journal& journal, const Place& place) {
    const Result<void> saved = journal.changes().save(place);
    ASSERT_TRUE(saved) << saved.error().message;
  }
  static void commit(Journal& journal, const Batch& batch) {
    const Result<void> done = journal.commit(batch);
    ASSERT_TRUE(done) << done.error().message;
  }
  void copy_afresh() {
    second_.reset();
    std::filesystem::remove(scratch_ / "second.db");
    const Result<void> copied = first_->changes().copy_to(scratch_ / "second.db");
    ASSERT_TRUE(copied) << copied.error().message;
    second_ = open("second.db");
  }
  void pass_on() {
    for (const Change& change : first_->changes().take()) {
      const Result<void> applied = second_->changes().apply(change);
      ASSERT_TRUE(applied) << applied.error().message;
    }
  }

  std::filesystem::path scratch_;
  std::unique_ptr<Journal> first_;
  std::unique_ptr<Journal> second_;
};

TEST_F(JournalTest, ACopyIsTheWholePoolAndSaysWhereItStands) {
  const Place& place = second_->changes().place();
  EXPECT_EQ(place.epoch, 1U);
  EXPECT_EQ(place.position, first_->changes().place().position);
  EXPECT_EQ(place.holder, "kitchen");
  EXPECT_EQ(place.witness, NodeId{7});
  EXPECT_EQ(place.witness_secret, "w");
  EXPECT_EQ(second_->changes().schema(), first_->changes().schema());
}

// Every kind of row, made, changed and taken away.
TEST_F(JournalTest, WhatChangesInOneFileChangesInTheOther) {
  Batch batch;
  batch.devices = {device_row(1, "pc"), device_row(2, "phone")};
  batch.jobs = {job_row(1), job_row(2)};
  batch.jobs[1].request.after = {{1}};
  batch.tasks = {task_row(1, 0, pool::TaskState::kPending), task_row(1, 1, pool::TaskState::kFailed)};
  batch.range_ends = {{{1}, 4, 2, pool::TaskState::kCancelled, Failure::kCancelled}};
  batch.environments = {{"debian", std::string(32, 'e'), 5, "stock", {1}}};
  batch.workspaces = {{.id = {{1}, "work"}, .node = {3}, .bytes = 10}};
  batch.accounts = {{.id = {4}, .name = "firm"}};
  batch.audit = {{1, {5}, std::string(32, 'h'), "statement"}};
  batch.usage = {{.owner = {1}, .day = 20'000, .tasks = 2}};
  commit(*first_, batch);
  pass_on();
  EXPECT_EQ(second_->load_devices()->size(), 2U);
  EXPECT_EQ(second_->load_live_jobs()->at(1).row.request.after, std::vector<JobId>{{1}});
  EXPECT_EQ(second_->load_tasks({1}, 0, 10, false)->size(), 2U);
  EXPECT_EQ(second_->load_tasks({1}, 0, 10, false)->at(0).outcome, std::string("out\0come", 8));
  EXPECT_EQ(second_->load_range_ends({1})->size(), 1U);
  EXPECT_EQ(second_->last_audit()->hash, std::string(32, 'h'));

  batch = {};
  batch.devices = {device_row(2, "tablet")};
  batch.changes = {{{1}, pool::JobState::kFailed, {7}, {8}}};
  batch.tasks = {task_row(1, 0, pool::TaskState::kSucceeded)};
  batch.environments = {{.name = "debian"}};
  batch.workspaces = {{.id = {{1}, "work"}}};
  batch.accounts = {{.id = {4}, .name = "firm", .removed = true}};
  batch.usage = {{.owner = {1}, .day = 20'000, .tasks = 3}};
  batch.removed = {{2}};
  commit(*first_, batch);
  ASSERT_TRUE(first_->purge(10));
  pass_on();
  EXPECT_EQ(second_->load_devices()->at(1).name, "tablet");
  EXPECT_EQ(second_->load_job({1}).value()->state, pool::JobState::kFailed);
  EXPECT_FALSE(second_->load_job({2}).value());
  EXPECT_EQ(second_->load_tasks({1}, 0, 1, false)->at(0).state, pool::TaskState::kSucceeded);
  EXPECT_TRUE(second_->load_environments()->empty());
  EXPECT_TRUE(second_->load_workspaces()->empty());
  EXPECT_TRUE(second_->load_accounts()->empty());
  EXPECT_EQ(second_->load_usage(std::nullopt, 0, 30'000, 10)->at(0).tasks, 5);
  EXPECT_EQ(second_->changes().place().position, first_->changes().place().position);
}

TEST_F(JournalTest, AFailedCommitIsNotPassedOn) {
  Batch batch;
  batch.devices = {device_row(1, "pc"), device_row(2, "pc")};
  EXPECT_FALSE(first_->commit(batch));
  EXPECT_TRUE(first_->changes().take().empty());
  batch.devices.pop_back();
  commit(*first_, batch);
  pass_on();
  EXPECT_EQ(second_->load_devices()->size(), 1U);
}

TEST_F(JournalTest, ACommitThatIsNotTheNextOneIsRefused) {
  Batch batch;
  batch.devices = {device_row(1, "pc")};
  commit(*first_, batch);
  batch.devices = {device_row(2, "phone")};
  commit(*first_, batch);
  const std::vector<Change> changes = first_->changes().take();
  ASSERT_EQ(changes.size(), 2U);
  EXPECT_EQ(second_->changes().apply(changes[1]).error().code, Code::kAborted);
  ASSERT_TRUE(second_->changes().apply(changes[0]));
  EXPECT_EQ(second_->changes().apply(changes[0]).error().code, Code::kAborted);
  ASSERT_TRUE(second_->changes().apply(changes[1]));
  EXPECT_EQ(second_->load_devices()->size(), 2U);
}

TEST_F(JournalTest, ACommitThatDoesNotFitChangesNothing) {
  Batch mine;
  mine.devices = {device_row(1, "pc")};
  commit(*second_, mine);
  Batch theirs;
  theirs.devices = {device_row(1, "phone"), device_row(2, "tablet")};
  commit(*first_, theirs);
  const std::vector<Change> changes = first_->changes().take();
  EXPECT_EQ(second_->changes().apply(changes.at(0)).error().code, Code::kAborted);
  EXPECT_EQ(second_->load_devices()->size(), 1U);
  EXPECT_EQ(second_->load_devices()->at(0).name, "pc");
  EXPECT_EQ(second_->changes().apply({changes[0].position, "no changes at all"}).error().code, Code::kAborted);
}

TEST_F(JournalTest, TheHubsThatHaveACopyAreInIt) {
  Place place = first_->changes().place();
  place.released = true;
  ASSERT_TRUE(first_->changes().save(place, {"id-a", "attic", "10.0.0.2:7443", "secret", "cli", "node"}, false));
  pass_on();
  const Result<std::vector<HubRow>> hubs = second_->changes().hubs();
  ASSERT_TRUE(hubs);
  ASSERT_EQ(hubs->size(), 1U);
  EXPECT_EQ(hubs->at(0).endpoints, "10.0.0.2:7443");
  EXPECT_TRUE(second_->changes().place().released);
  ASSERT_TRUE(first_->changes().save(place, {.identity = "id-a"}, true));
  pass_on();
  EXPECT_TRUE(second_->changes().hubs()->empty());
}

TEST_F(JournalTest, NothingIsRecordedUnlessAsked) {
  first_->changes().record(false);
  const std::uint64_t before = first_->changes().place().position;
  Batch batch;
  batch.devices = {device_row(1, "pc")};
  commit(*first_, batch);
  EXPECT_TRUE(first_->changes().take().empty());
  EXPECT_EQ(first_->changes().place().position, before);
}

}  // namespace
}  // namespace hearth::store
