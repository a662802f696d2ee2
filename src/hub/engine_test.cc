// The engine over a store that fails on demand.
#include "hub/engine.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>

#include <gtest/gtest.h>

#include "account/audit_chain.h"
#include "hub/audit_log.h"
#include "hub/views.h"

namespace hearth::hub {
namespace {

using net::Async;

constexpr DeviceId kAnn{11};
constexpr DeviceId kBob{12};
constexpr NodeId kNode{13};

// A real store whose commits fail as long as it is told so.
class FaultyStore : public store::Store {
 public:
  explicit FaultyStore(std::unique_ptr<store::Store> real) : real_(std::move(real)) {}

  std::atomic<Code> failure = Code{};  // of every commit; none: they are real
  std::atomic<int> lost_reads = 0;     // so many questions for tasks fail
  std::atomic<int> usage_apart = 0;    // batches with a task's success or with usage, but not with both
  std::atomic<int> audit_apart = 0;    // with a device or with a line of the audit log, but not with both

  Result<void> commit(const store::Batch& batch) override {
    const Code code = failure;
    if (code != Code{}) return fail(code, "the test's disk");
    const bool ends = std::ranges::any_of(
        batch.tasks, [](const store::TaskRow& row) { return row.state == pool::TaskState::kSucceeded; });
    if (ends != !batch.usage.empty()) ++usage_apart;
    if (batch.devices.empty() != batch.audit.empty()) ++audit_apart;
    return real_->commit(batch);
  }
  Result<bool> purge(std::uint32_t limit) override { return real_->purge(limit); }
  Result<std::vector<store::DeviceRow>> load_devices() override { return real_->load_devices(); }
  Result<std::vector<store::EnvironmentRow>> load_environments() override { return real_->load_environments(); }
  Result<std::vector<store::AccountRow>> load_accounts() override { return real_->load_accounts(); }
  Result<std::vector<store::WorkspaceRow>> load_workspaces() override { return real_->load_workspaces(); }
  Result<std::vector<store::ScheduleRow>> load_schedules() override { return real_->load_schedules(); }
  Result<std::vector<store::DutyRow>> load_duties() override { return real_->load_duties(); }
  Result<std::vector<store::BookingRow>> load_bookings() override { return real_->load_bookings(); }
  Result<std::vector<store::AudienceRow>> load_audiences() override { return real_->load_audiences(); }
  Result<std::vector<store::WatchLinkRow>> load_watch_links() override { return real_->load_watch_links(); }
  Result<std::vector<store::WebhookRow>> load_webhooks() override { return real_->load_webhooks(); }
  Result<std::vector<store::DeliveryRow>> load_deliveries() override { return real_->load_deliveries(); }
  Result<std::vector<store::UsageRow>> load_usage(std::optional<DeviceId> owner, std::int64_t first, std::int64_t last,
                                                  std::uint32_t limit) override {
    return real_->load_usage(owner, first, last, limit);
  }
  Result<store::AuditRow> last_audit() override { return real_->last_audit(); }
  Result<std::vector<store::AuditRow>> load_audit(std::uint64_t after, WallTime since, std::uint32_t limit) override {
    return real_->load_audit(after, since, limit);
  }
  Result<std::vector<store::LiveJob>> load_live_jobs() override { return real_->load_live_jobs(); }
  Result<JobId> last_job_id() override { return real_->last_job_id(); }
  Result<std::optional<store::JobRow>> load_job(JobId id) override { return real_->load_job(id); }
  Result<std::optional<JobId>> find_request(DeviceId owner, const std::string& request_id) override {
    return real_->find_request(owner, request_id);
  }
  Result<std::vector<store::JobRow>> load_jobs(std::optional<DeviceId> owner, JobId before,
                                               std::uint32_t limit) override {
    return real_->load_jobs(owner, before, limit);
  }
  Result<std::vector<store::TaskRow>> load_tasks(JobId job, std::uint32_t first, std::uint32_t limit,
                                                 bool only_failed) override {
    if (lost_reads > 0 && lost_reads-- > 0) return fail(Code::kUnavailable, "the test's disk");
    return real_->load_tasks(job, first, limit, only_failed);
  }
  Result<std::vector<store::RangeEnd>> load_range_ends(JobId job) override { return real_->load_range_ends(job); }
  Result<std::array<std::uint32_t, 6>> count_tasks(JobId job) override { return real_->count_tasks(job); }

 private:
  std::unique_ptr<store::Store> real_;
};

class Link : public NodeLink {
 public:
  void assign(AttemptId attempt, const LiveJob& job, const v1::GangNetwork*) override {
    assigned.push_back(attempt);
    inputs = job.dependency_outputs->size();
  }
  void stop(AttemptId) override {}
  void acknowledge(AttemptId) override {}
  void stop_everything(bool) override {}
  void wipe_workspace(const WorkspaceId& id) override { wiping.push_back(id); }
  std::vector<AttemptId> assigned;
  std::size_t inputs = 0;  // trees of jobs before it, of the last one assigned
  std::vector<WorkspaceId> wiping;
};

const pool::NodeHello kRoomyNode{.offered = {1, std::uint64_t{1} << 40, 0},
                                 .admits = Admission(Ring::kHome, {Right::kRun, Right::kHostFiles})};

class EngineTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "engine_test.XXXXXX";
    directory_ = mkdtemp(pattern.data());
    start();
  }
  void TearDown() override {
    store_->failure = Code{};
    stop();
    std::filesystem::remove_all(directory_);
  }

  void start() {
    Result<std::unique_ptr<store::Store>> opened = store::open_sqlite(directory_ / "pool.db");
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::make_unique<FaultyStore>(std::move(*opened));
    engine_ = std::make_unique<Engine>(loop_, store_worker_, *store_);
    engine_->on_failure([this](const Error& error) { failures_.push_back(error); });
    ASSERT_TRUE(engine_->restore());
  }
  void stop() {
    loop_.run_until_done(engine_->stop());
    engine_.reset();
    store_.reset();
  }

  static v1::JobSpec spec(std::uint32_t tasks = 1) {
    v1::JobSpec made;
    made.add_argv("/bin/true");
    made.set_tasks(tasks);
    made.mutable_resources()->set_cores(1);
    return made;
  }
  Result<JobId> submit(const std::string& request_id, DeviceId owner = kAnn, v1::JobSpec wanted = spec()) {
    return loop_.run_until_done(
        engine_->submit({.owner = owner, .spec = std::move(wanted), .request_id = request_id, .environment = {}}));
  }
  // Asks again until the hub takes jobs, as a client does whose job was refused.
  Result<JobId> submit_patiently(const std::string& request_id) {
    Result<JobId> job = submit(request_id);
    for (int i = 0; i < 500 && !job; ++i) {
      loop_.run_until_done(net::sleep_for(milliseconds(20)));
      job = submit(request_id);
    }
    return job;
  }
  pool::JobState state_of(JobId id) {
    const auto view = engine_->pool().job(id, loop_.now());
    return view ? view->state : pool::JobState{};
  }
  void finish(Link& link, Failure failure = Failure::kNone) {
    for (int i = 0; i < 500 && link.assigned.empty(); ++i) {
      loop_.run_until_done(net::sleep_for(milliseconds(10)));
    }
    ASSERT_FALSE(link.assigned.empty());
    v1::Outcome outcome;
    outcome.set_reason(static_cast<v1::FailureReason>(failure));
    engine_->finished(kNode, link.assigned.front(), outcome);
    link.assigned.erase(link.assigned.begin());
    loop_.run_until_done(engine_->save_device({.id = {99}, .name = "settled", .key = "key"}));
  }

  std::filesystem::path directory_;
  net::Loop loop_;
  net::Workers store_worker_{1};
  std::unique_ptr<FaultyStore> store_;
  std::unique_ptr<Engine> engine_;
  std::vector<Error> failures_;
};

TEST_F(EngineTest, ARefusedSubmissionThatIsRepeatedIsANewJob) {
  store_->failure = Code::kResourceExhausted;
  const Result<JobId> refused = submit("request");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::kResourceExhausted);
  const Result<JobId> still = submit("request");
  EXPECT_EQ(still.error().code, Code::kResourceExhausted) << "the disk is full as before";
  store_->failure = Code{};
  const Result<JobId> accepted = submit_patiently("request");
  ASSERT_TRUE(accepted) << accepted.error().message;
  EXPECT_EQ(state_of(*accepted), pool::JobState::kQueued) << "the number of the cancelled job was given";
  EXPECT_EQ(*submit("request"), *accepted) << "from now on a repetition";
  stop();
  start();
  EXPECT_EQ(*submit("request"), *accepted) << "after a restart too";
  EXPECT_EQ(state_of(*accepted), pool::JobState::kQueued);
}

// Repeated before it is known that the first one fails.
TEST_F(EngineTest, ARepetitionThatWaitsForARefusedSubmissionIsNotAnsweredWithIt) {
  store_->failure = Code::kResourceExhausted;
  std::optional<Result<JobId>> first;
  std::optional<Result<JobId>> second;
  const auto ask = [this](std::optional<Result<JobId>>& answer) -> Async<void> {
    answer = co_await engine_->submit({.owner = kAnn, .spec = spec(), .request_id = "request", .environment = {}});
  };
  loop_.spawn(ask(first));
  while (engine_->live_jobs().empty()) loop_.run_until_done(net::sleep_for(Duration{}));
  loop_.spawn(ask(second));
  while (!first) loop_.run_until_done(net::sleep_for(milliseconds(5)));
  EXPECT_FALSE(*first);
  store_->failure = Code{};
  while (!second) loop_.run_until_done(net::sleep_for(milliseconds(5)));
  if (second->has_value()) EXPECT_EQ(state_of(**second), pool::JobState::kQueued);
}

// Its tasks' outcomes are read from the store, so whoever hears of the end finds them there.
TEST_F(EngineTest, WhatAnAttemptUsedIsInTheCommitOfItsEnd) {
  Link link;
  engine_->node_joined(kNode, link, kRoomyNode);
  ASSERT_TRUE(submit("request"));
  finish(link);
  const auto usage =
      loop_.run_until_done(engine_->ask([](store::Store& store) { return store.load_usage(kAnn, 0, 1'000'000, 10); }));
  ASSERT_EQ(usage->size(), 1U);
  EXPECT_EQ(usage->front().tasks, 1);
  EXPECT_EQ(store_->usage_apart, 0);
}

TEST_F(EngineTest, ALineOfTheAuditLogIsInTheCommitOfWhatItTells) {
  AuditLog audit(*engine_, {});
  // As a handler does: on the loop, without waiting in between.
  const auto ring = [&](std::uint64_t id) -> Async<Result<void>> {
    audit.note({}, "device.ring", "phone", "ring=friend");
    co_return co_await engine_->save_device({.id = {id}, .name = std::to_string(id), .key = std::to_string(id)});
  };
  for (const std::uint64_t id : {5U, 6U}) ASSERT_TRUE(loop_.run_until_done(ring(id)));
  EXPECT_EQ(store_->audit_apart, 0);
  const auto lines =
      loop_.run_until_done(engine_->ask([](store::Store& store) { return store.load_audit(0, {}, 10); }));
  account::AuditVerifier verifier;
  for (const store::AuditRow& row : *lines) {
    v1::AuditLine line;
    line.set_statement(row.statement);
    line.set_hash(row.hash);
    ASSERT_TRUE(verifier.next(line));
  }
  EXPECT_EQ(verifier.number(), 2U);
}

TEST_F(EngineTest, AnEndIsToldOnceItIsOnDisk) {
  Link link;
  engine_->node_joined(kNode, link, kRoomyNode);
  const Result<JobId> job = submit("request");
  ASSERT_TRUE(job);
  while (link.assigned.empty()) loop_.run_until_done(net::sleep_for(milliseconds(5)));
  const Devices devices({});
  const Sessions sessions;
  const Accounts accounts({});
  const Views views(loop_, *engine_, devices, accounts, sessions);
  const auto told = [&] { return views.live_job(*engine_->live_job(*job)); };
  ASSERT_EQ(told().state(), v1::JOB_STATE_RUNNING);
  store_->failure = Code::kResourceExhausted;
  engine_->finished(kNode, link.assigned.front(), {});
  EXPECT_EQ(state_of(*job), pool::JobState::kSucceeded);
  EXPECT_EQ(told().state(), v1::JOB_STATE_RUNNING);
  loop_.run_until_done(net::sleep_for(milliseconds(50)));
  EXPECT_EQ(told().state(), v1::JOB_STATE_RUNNING) << "its disk is full";
  EXPECT_EQ(told().ended().unix_millis(), 0);
  store_->failure = Code{};
  while (engine_->live_job(*job) != nullptr) loop_.run_until_done(net::sleep_for(milliseconds(20)));
  const auto ended = loop_.run_until_done(views.job(*job, Visibility(kAnn, Ring::kHome)));
  ASSERT_TRUE(ended);
  EXPECT_EQ(ended->state(), v1::JOB_STATE_SUCCEEDED);
}

TEST_F(EngineTest, RequestIdsAreTheirDevicesOwn) {
  const Result<JobId> first = submit("request", kAnn);
  const Result<JobId> other = submit("request", kBob);
  ASSERT_TRUE(first && other);
  EXPECT_NE(*first, *other);
  EXPECT_EQ(*submit("request", kAnn), *first);
  stop();
  start();
  EXPECT_EQ(*submit("request", kBob), *other);
}

TEST_F(EngineTest, AFirstFailureIsRememberedAcrossARestart) {
  Link link;
  engine_->node_joined(kNode, link, kRoomyNode);
  const Result<JobId> job = submit("request", kAnn, spec(3));
  ASSERT_TRUE(job);
  finish(link, Failure::kTimeLimit);
  finish(link, Failure::kSignal);
  engine_->node_gone(kNode, link);
  EXPECT_EQ(engine_->live_job(*job)->first_failure.reason(), v1::FAILURE_REASON_TIME_LIMIT);
  stop();
  start();
  ASSERT_NE(engine_->live_job(*job), nullptr);
  EXPECT_EQ(engine_->live_job(*job)->first_failure.reason(), v1::FAILURE_REASON_TIME_LIMIT);
}

TEST_F(EngineTest, AfterAFailedDiskNothingIsSaidAndTheFailureIsTold) {
  Link link;
  engine_->node_joined(kNode, link, kRoomyNode);
  store_->failure = Code::kDataLoss;
  const Result<JobId> lost = submit("request");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Code::kUnavailable) << "whether it is on the disk is not known";
  ASSERT_EQ(failures_.size(), 1U);
  EXPECT_EQ(failures_[0].code, Code::kDataLoss);
  store_->failure = Code{};  // the next commit would succeed, and prove nothing
  EXPECT_EQ(submit("another").error().code, Code::kUnavailable);
  loop_.run_until_done(net::sleep_for(milliseconds(300)));
  EXPECT_TRUE(link.assigned.empty());
  EXPECT_EQ(failures_.size(), 1U) << "told once";
  EXPECT_EQ(store_->last_job_id()->value, 0U) << "something was committed afterwards";
  engine_->node_gone(kNode, link);
  stop();
  start();
  EXPECT_TRUE(submit("request")) << "a new process goes on";
}

TEST_F(EngineTest, AJobThatAnotherNeedsStaysUntilThatOneHasEnded) {
  Link link;
  engine_->node_joined(kNode, link, kRoomyNode);
  const JobId first = *submit("first");
  EXPECT_EQ(loop_.run_until_done(engine_->remove(first)).error().code, Code::kFailedPrecondition) << "it runs";
  finish(link);
  v1::JobSpec after = spec();
  after.add_after(first.value);
  const JobId second = *submit("second", kAnn, after);
  for (int restart = 0; restart < 2; ++restart) {
    const Result<void> refused = loop_.run_until_done(engine_->remove(first));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("job " + std::to_string(second.value)), std::string::npos);
    engine_->node_gone(kNode, link);
    stop();
    start();
  }
  ASSERT_TRUE(loop_.run_until_done(engine_->cancel(second)));
  EXPECT_TRUE(loop_.run_until_done(engine_->remove(first)));
  EXPECT_TRUE(loop_.run_until_done(engine_->remove(second)));
  EXPECT_EQ(loop_.run_until_done(engine_->remove(first)).error().code, Code::kNotFound);
  stop();
  start();
  EXPECT_FALSE(store_->load_job(first)->has_value());
  EXPECT_EQ(submit("after a removed one", kAnn, after).error().code, Code::kNotFound);
  EXPECT_GT(submit("another")->value, second.value) << "a number was given again";
}

TEST_F(EngineTest, ATaskNeverGetsFewerInputsThanTheJobsBeforeItLeft) {
  Link link;
  engine_->node_joined(kNode, link, kRoomyNode);
  const JobId first = *submit("first");
  for (int i = 0; i < 500 && link.assigned.empty(); ++i) loop_.run_until_done(net::sleep_for(milliseconds(10)));
  ASSERT_EQ(link.assigned.size(), 1U);
  v1::Outcome outcome;
  outcome.mutable_outputs()->set_sha256(std::string(32, 'o'));
  engine_->finished(kNode, link.assigned.front(), outcome);
  link.assigned.clear();
  store_->lost_reads = 1;
  v1::JobSpec after = spec();
  after.add_after(first.value);
  ASSERT_TRUE(submit("second", kAnn, after));
  for (int i = 0; i < 500 && link.assigned.empty(); ++i) loop_.run_until_done(net::sleep_for(milliseconds(10)));
  ASSERT_EQ(link.assigned.size(), 1U);
  EXPECT_EQ(link.inputs, 1U);
  EXPECT_EQ(link.assigned.front().epoch, 2U) << "the first attempt was none";
}

// A submission that read the job's record before it was removed, and is decided on afterwards.
TEST_F(EngineTest, NothingRunsAfterAJobThatIsBeingRemoved) {
  for (int round = 0; round < 20; ++round) {
    Link link;
    const JobId base = *submit("base " + std::to_string(round));
    engine_->node_joined(kNode, link, kRoomyNode);
    finish(link);
    engine_->node_gone(kNode, link);
    v1::JobSpec after = spec();
    after.add_after(base.value);
    std::optional<Result<JobId>> later;
    std::optional<Result<void>> removed;
    const auto submit_later = [&]() -> Async<void> {
      later = co_await engine_->submit(
          {.owner = kAnn, .spec = after, .request_id = "later " + std::to_string(round), .environment = {}});
    };
    const auto remove = [&]() -> Async<void> { removed = co_await engine_->remove(base); };
    if (round % 2 == 0) loop_.spawn(submit_later());
    loop_.spawn(remove());
    if (round % 2 == 1) loop_.spawn(submit_later());
    while (!later || !removed) loop_.run_until_done(net::sleep_for(Duration{}));
    EXPECT_NE(later->has_value(), removed->has_value()) << "round " << round;
    if (later->has_value()) EXPECT_TRUE(loop_.run_until_done(engine_->cancel(**later)));
  }
}

class EngineWorkspaces : public EngineTest {
 protected:
  void join(Link& link) {
    pool::NodeHello hello = kRoomyNode;
    hello.admits.workspace_bytes = 8ULL << 30;
    engine_->node_joined(kNode, link, hello);
  }
  // A job that works in kWork has come and gone.
  void work(Link& link, std::uint64_t bytes = 0) {
    v1::JobSpec wanted = spec();
    wanted.mutable_resources()->set_memory_bytes(1 << 20);
    wanted.mutable_workspace()->set_name(kWork.name);
    wanted.mutable_workspace()->set_bytes(bytes);
    ASSERT_TRUE(submit("work " + std::to_string(++works_), kAnn, wanted));
    finish(link);
  }
  store::WorkspaceRow row() const {
    const auto found = engine_->workspaces().find(kWork);
    return found == engine_->workspaces().end() ? store::WorkspaceRow() : found->second;
  }
  std::optional<Result<RemovedWorkspace>> removed_;
  Async<void> remove() { removed_ = co_await engine_->remove_workspace(kWork); }

  const WorkspaceId kWork{kAnn, "work"};
  int works_ = 0;
};

TEST_F(EngineWorkspaces, StayAcrossARestartAndNeverShrink) {
  Link link;
  join(link);
  work(link);
  EXPECT_EQ(row().node, kNode);
  EXPECT_EQ(row().bytes, 1ULL << 30) << "what nobody sized";
  work(link, 2ULL << 30);
  work(link);
  stop();
  start();
  EXPECT_EQ(row().node, kNode);
  EXPECT_EQ(row().bytes, 2ULL << 30);
  EXPECT_FALSE(row().leaving);
  EXPECT_GT(row().last_used.unix_millis, 0);
}

TEST_F(EngineWorkspaces, AreRemovedOnceTheirNodeHasSaidSo) {
  Link link;
  join(link);
  work(link);
  loop_.spawn(remove());
  while (link.wiping.empty()) loop_.run_until_done(net::sleep_for(milliseconds(5)));
  EXPECT_EQ(link.wiping.front(), kWork);
  EXPECT_FALSE(removed_);
  v1::WipeRecord record;
  record.set_statement("said");
  engine_->workspace_wiped(kBob, kWork, record);
  EXPECT_TRUE(row().leaving) << "another node's word";
  engine_->workspace_wiped(kNode, kWork, record);
  while (!removed_) loop_.run_until_done(net::sleep_for(milliseconds(5)));
  ASSERT_TRUE(*removed_) << removed_->error().message;
  EXPECT_TRUE((*removed_)->gone);
  EXPECT_EQ((*removed_)->wiped->statement(), "said");
  stop();
  start();
  EXPECT_TRUE(engine_->workspaces().empty());
}

TEST_F(EngineWorkspaces, AreWipedWhenTheirNodeIsBack) {
  Link link;
  join(link);
  work(link);
  engine_->node_gone(kNode, link);
  loop_.run_until_done(remove());
  ASSERT_TRUE(*removed_) << removed_->error().message;
  EXPECT_FALSE((*removed_)->gone);
  stop();
  start();
  EXPECT_TRUE(row().leaving);
  Link again;
  join(again);
  while (again.wiping.empty()) loop_.run_until_done(net::sleep_for(milliseconds(5)));
  engine_->workspace_wiped(kNode, kWork, {});
  EXPECT_TRUE(engine_->workspaces().empty());
}

}  // namespace
}  // namespace hearth::hub
