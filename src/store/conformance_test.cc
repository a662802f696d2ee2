// What every implementation of Store promises of jobs and tasks; of the rest: lists_test.cc. An implementation joins by
// a row in backends.h.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "base/check.h"
#include "store/backends.h"
#include "store/copy.h"
#include "store/store.h"

namespace hearth::store {
namespace {

Batch job_batch(std::uint64_t id) {
  Batch batch;
  batch.jobs = {job_row(id)};
  return batch;
}

void expect_same(const TaskRow& got, const TaskRow& want) {
  EXPECT_EQ(got.task, want.task);
  EXPECT_EQ(got.state, want.state);
  EXPECT_EQ(got.epoch, want.epoch);
  EXPECT_EQ(got.attempts, want.attempts);
  EXPECT_EQ(got.failures, want.failures);
  EXPECT_EQ(got.node, want.node);
  EXPECT_EQ(got.started, want.started);
  EXPECT_EQ(got.ended, want.ended);
  EXPECT_EQ(got.copy_epoch, want.copy_epoch);
  EXPECT_EQ(got.copy_node, want.copy_node);
  EXPECT_EQ(got.copy_started, want.copy_started);
  EXPECT_EQ(got.outcome, want.outcome);
}

void expect_same(const JobRow& got, const JobRow& want) {
  EXPECT_EQ(got.request.id, want.request.id);
  EXPECT_EQ(got.request.owner, want.request.owner);
  EXPECT_EQ(got.request.tasks, want.request.tasks);
  EXPECT_EQ(got.request.per_task, want.request.per_task);
  EXPECT_EQ(got.request.retries, want.request.retries);
  EXPECT_EQ(got.request.after, want.request.after);
  EXPECT_EQ(got.spec, want.spec);
  EXPECT_EQ(got.ring, want.ring);
  EXPECT_EQ(got.environment, want.environment);
  EXPECT_EQ(got.request_id, want.request_id);
  EXPECT_EQ(got.submitted, want.submitted);
  EXPECT_EQ(got.started, want.started);
  EXPECT_EQ(got.ended, want.ended);
  EXPECT_EQ(got.state, want.state);
}

TEST_P(StoreConformance, BeginsEmpty) {
  EXPECT_TRUE(store_->load_devices()->empty());
  EXPECT_TRUE(store_->load_environments()->empty());
  EXPECT_TRUE(store_->load_workspaces()->empty());
  EXPECT_TRUE(store_->load_live_jobs()->empty());
  EXPECT_EQ(store_->last_job_id()->value, 0U);
  EXPECT_FALSE(store_->load_job({1})->has_value());
  EXPECT_FALSE(store_->find_request({3}, "r")->has_value());
  EXPECT_TRUE(store_->load_jobs({}, {0}, 10)->empty());
  EXPECT_TRUE(store_->load_tasks({1}, 0, 10, false)->empty());
  EXPECT_TRUE(store_->load_range_ends({1})->empty());
  EXPECT_EQ(*store_->count_tasks({1}), (std::array<std::uint32_t, 6>{}));
}

TEST_P(StoreConformance, AnEmptyBatchIsEmptyAndCommits) {
  EXPECT_TRUE(Batch{}.empty());
  EXPECT_FALSE(job_batch(1).empty());
  commit({});
}

TEST_P(StoreConformance, KeepsReplacesAndRemovesWorkspacesInTheOrderGiven) {
  const WorkspaceRow anns{{{3}, "work"}, {7}, 1ULL << 40U, false, 12, {5}, {6}};
  WorkspaceRow bobs = anns;
  bobs.id.owner = {4};
  Batch batch;
  batch.workspaces = {bobs, anns};
  commit(batch);
  open();
  ASSERT_EQ(store_->load_workspaces()->size(), 2U);
  const WorkspaceRow kept = store_->load_workspaces()->front();
  EXPECT_EQ(std::tie(kept.id, kept.node, kept.bytes, kept.leaving, kept.used_bytes, kept.made, kept.last_used),
            std::tie(anns.id, anns.node, anns.bytes, anns.leaving, anns.used_bytes, anns.made, anns.last_used));
  WorkspaceRow gone = anns;
  gone.node = {};
  bobs.leaving = true;
  batch.workspaces = {gone, bobs};
  commit(batch);
  ASSERT_EQ(store_->load_workspaces()->size(), 1U);
  EXPECT_EQ(store_->load_workspaces()->front().id, bobs.id);
  EXPECT_TRUE(store_->load_workspaces()->front().leaving);
}

TEST_P(StoreConformance, KeepsAJobWordForWordAndAcrossAReopen) {
  Batch batch;
  batch.jobs = {job_row(1), job_row(2)};
  JobRow job = job_row(3);
  job.request.after = {{2}, {1}};
  job.request.per_task.memory_bytes = std::numeric_limits<std::uint64_t>::max();
  job.state = pool::JobState::kWaiting;
  batch.jobs.push_back(job);
  commit(batch);
  open();
  expect_same(**store_->load_job({3}), job);
  EXPECT_EQ(store_->last_job_id()->value, 3U);
  EXPECT_EQ((*store_->find_request({3}, "request-2"))->value, 2U);
}

TEST_P(StoreConformance, AKnownRequestIdIsRefusedAndTheWholeBatchWithIt) {
  commit(job_batch(1));
  Batch batch = job_batch(2);
  batch.jobs.push_back(job_row(3));
  batch.jobs.back().request_id = "request-1";
  batch.devices = {device_row(1, "pc")};
  EXPECT_EQ(refused(batch), Code::kAlreadyExists);
  EXPECT_FALSE(store_->load_job({2})->has_value());
  EXPECT_TRUE(store_->load_devices()->empty());
  commit(job_batch(2));
}

TEST_P(StoreConformance, ARequestIdIsItsDevicesOwn) {
  commit(job_batch(1));
  Batch batch = job_batch(2);
  batch.jobs[0].request.owner = {4};
  batch.jobs[0].request_id = "request-1";
  commit(batch);
  EXPECT_EQ((*store_->find_request({3}, "request-1"))->value, 1U);
  EXPECT_EQ((*store_->find_request({4}, "request-1"))->value, 2U);
  EXPECT_FALSE(store_->find_request({5}, "request-1")->has_value());
}

TEST_P(StoreConformance, JobsWithoutARequestIdAreNotFoundByIt) {
  Batch batch;
  batch.jobs = {job_row(1), job_row(2)};
  for (JobRow& job : batch.jobs) job.request_id.clear();
  commit(batch);
  EXPECT_FALSE(store_->find_request({3}, "")->has_value());
}

// Everything that a job leaves in a store.
Batch full_job_batch(std::uint64_t id) {
  Batch batch = job_batch(id);
  batch.jobs[0].state = pool::JobState::kSucceeded;
  batch.jobs[0].request.after = {{1}};
  for (const std::uint32_t index : {0U, 3U, 5U}) {
    batch.tasks.push_back(task_row(id, index, pool::TaskState::kSucceeded));
  }
  batch.range_ends = {{{id}, 10, 20, pool::TaskState::kCancelled, Failure::kCancelled}};
  return batch;
}

TEST_P(StoreConformance, NothingOfARemovedJobIsLeftOnceItIsPurged) {
  commit(job_batch(1));
  commit(full_job_batch(2));
  commit(full_job_batch(3));
  Batch removal;
  removal.removed = {{2}};
  EXPECT_FALSE(removal.empty());
  commit(removal);
  open();
  EXPECT_FALSE(store_->load_job({2})->has_value());
  EXPECT_FALSE(store_->find_request({3}, "request-2")->has_value());
  EXPECT_EQ(store_->load_jobs({}, {0}, 10)->size(), 2U);
  EXPECT_TRUE(store_->load_range_ends({2})->empty());
  EXPECT_TRUE(*store_->purge(2)) << "two of three rows: there is one more";
  EXPECT_EQ(store_->load_tasks({2}, 0, 100, false)->size(), 1U);
  EXPECT_FALSE(*store_->purge(2));
  EXPECT_TRUE(store_->load_tasks({2}, 0, 100, false)->empty());
  EXPECT_EQ(store_->load_tasks({3}, 0, 100, false)->size(), 3U) << "another job's rows stay";
  EXPECT_EQ(store_->load_range_ends({3})->size(), 1U);
  EXPECT_EQ(refused(removal), Code::kInternal) << "it is gone already";
}

TEST_P(StoreConformance, ARemovedJobsNumberIsNeverGivenAgain) {
  for (std::uint64_t id = 1; id <= 3; ++id) commit(full_job_batch(id));
  Batch removal;
  removal.removed = {{2}, {3}};
  commit(removal);
  for (int time = 0; time < 2; ++time) {
    EXPECT_FALSE(*store_->purge(100));
    open();
    EXPECT_EQ(store_->last_job_id()->value, 3U);
  }
  commit(job_batch(4));
  EXPECT_FALSE(*store_->purge(100));
  EXPECT_EQ(store_->last_job_id()->value, 4U);
}

TEST_P(StoreConformance, AJobNumberIsGivenOnce) {
  commit(job_batch(1));
  Batch batch = job_batch(1);
  batch.jobs[0].request_id = "another";
  EXPECT_EQ(refused(batch), Code::kInternal);
}

TEST_P(StoreConformance, RefusesWhatIsTooLargeAndWhatNamesNoJob) {
  Batch spec = job_batch(1);
  spec.jobs[0].spec = std::string((1U << 20U) + 1, 's');
  EXPECT_EQ(refused(spec), Code::kInvalidArgument);
  spec.jobs[0].spec.pop_back();
  commit(spec);
  EXPECT_EQ((*store_->load_job({1}))->spec, spec.jobs[0].spec);

  Batch outcome;
  outcome.tasks = {task_row(1, 0, pool::TaskState::kFailed)};
  outcome.tasks[0].outcome = std::string((64U << 10U) + 1, 'o');
  EXPECT_EQ(refused(outcome), Code::kInvalidArgument);
  outcome.tasks[0].outcome.pop_back();
  commit(outcome);
  expect_same(store_->load_tasks({1}, 0, 1, false)->at(0), outcome.tasks[0]);

  Batch change;
  change.changes = {{{99}, pool::JobState::kRunning, {}, {}}};
  EXPECT_EQ(refused(change), Code::kInternal);
}

TEST_P(StoreConformance, AChangeKeepsTheMomentsThatItDoesNotName) {
  commit(job_batch(1));
  Batch batch;
  batch.changes = {{{1}, pool::JobState::kRunning, {111}, {}}};
  commit(batch);
  batch.changes = {{{1}, pool::JobState::kSucceeded, {}, {222}}};
  commit(batch);
  const JobRow job = **store_->load_job({1});
  EXPECT_EQ(job.state, pool::JobState::kSucceeded);
  EXPECT_EQ(job.started.unix_millis, 111);
  EXPECT_EQ(job.ended.unix_millis, 222);
}

TEST_P(StoreConformance, ABatchIsWrittenInOrder) {
  Batch batch = job_batch(1);
  batch.changes = {{{1}, pool::JobState::kRunning, {5}, {}}};
  batch.tasks = {task_row(1, 4, pool::TaskState::kLeased), task_row(1, 4, pool::TaskState::kSucceeded)};
  commit(batch);
  EXPECT_EQ((*store_->load_job({1}))->state, pool::JobState::kRunning);
  const std::vector<TaskRow> tasks = *store_->load_tasks({1}, 0, 10, false);
  ASSERT_EQ(tasks.size(), 1U);
  expect_same(tasks[0], batch.tasks[1]);
}

TEST_P(StoreConformance, ACopyOfATaskIsKept) {
  Batch batch = job_batch(1);
  batch.tasks = {task_row(1, 4, pool::TaskState::kLeased)};
  batch.tasks[0].copy_epoch = 7;
  batch.tasks[0].copy_node = {12};
  batch.tasks[0].copy_started = {345};
  commit(batch);
  expect_same(store_->load_tasks({1}, 0, 10, false)->at(0), batch.tasks[0]);
  batch.tasks[0].outcome.clear();
  expect_same(store_->load_live_jobs()->at(0).tasks.at(0), batch.tasks[0]);
}

TEST_P(StoreConformance, ListsTasksByIndexWithinTheWindow) {
  Batch batch = job_batch(1);
  for (const std::uint32_t index : {9U, 2U, 5U, 4'294'967'295U}) {
    batch.tasks.push_back(task_row(1, index, pool::TaskState::kSucceeded));
  }
  batch.tasks.push_back(task_row(2, 3, pool::TaskState::kSucceeded));
  commit(batch);
  const std::vector<TaskRow> window = *store_->load_tasks({1}, 2, 4, false);
  ASSERT_EQ(window.size(), 2U);
  expect_same(window[0], batch.tasks[1]);
  expect_same(window[1], batch.tasks[2]);
  EXPECT_EQ(store_->load_tasks({1}, 9, std::numeric_limits<std::uint32_t>::max(), false)->size(), 2U);
  EXPECT_TRUE(store_->load_tasks({1}, 0, 0, false)->empty());
}

TEST_P(StoreConformance, ListsOnlyTasksWhoseLastAttemptFailed) {
  Batch batch = job_batch(1);
  batch.tasks = {task_row(1, 0, pool::TaskState::kSucceeded), task_row(1, 1, pool::TaskState::kFailed),
                 task_row(1, 2, pool::TaskState::kLeased),    task_row(1, 3, pool::TaskState::kPending),
                 task_row(1, 4, pool::TaskState::kCancelled), task_row(1, 500, pool::TaskState::kFailed)};
  commit(batch);
  const std::vector<TaskRow> failed = *store_->load_tasks({1}, 1, 2, true);
  ASSERT_EQ(failed.size(), 2U);
  expect_same(failed[0], batch.tasks[1]);
  expect_same(failed[1], batch.tasks[3]);
  const std::vector<TaskRow> rest = *store_->load_tasks({1}, 4, 10, true);
  ASSERT_EQ(rest.size(), 1U);
  expect_same(rest[0], batch.tasks[5]);
}

TEST_P(StoreConformance, CountsRowsAndRangesByState) {
  Batch batch = job_batch(1);
  batch.tasks = {task_row(1, 0, pool::TaskState::kSucceeded), task_row(1, 1, pool::TaskState::kSucceeded),
                 task_row(1, 2, pool::TaskState::kFailed), task_row(1, 3, pool::TaskState::kPending)};
  batch.range_ends = {{{1}, 10, 1'000, pool::TaskState::kCancelled, Failure::kCancelled},
                      {{1}, 5, 2, pool::TaskState::kFailed, Failure::kDependency}};
  commit(batch);
  EXPECT_EQ(*store_->count_tasks({1}), (std::array<std::uint32_t, 6>{0, 1, 0, 2, 3, 1'000}));
  const std::vector<RangeEnd> ranges = *store_->load_range_ends({1});
  ASSERT_EQ(ranges.size(), 2U);
  EXPECT_EQ(ranges[0].first, 5U);
  EXPECT_EQ(ranges[0].count, 2U);
  EXPECT_EQ(ranges[0].state, pool::TaskState::kFailed);
  EXPECT_EQ(ranges[0].why, Failure::kDependency);
  EXPECT_EQ(ranges[1].job.value, 1U);
  EXPECT_EQ(ranges[1].first, 10U);
}

TEST_P(StoreConformance, ListsJobsNewestFirst) {
  Batch batch;
  for (std::uint64_t id = 1; id <= 5; ++id) batch.jobs.push_back(job_row(id));
  commit(batch);
  const auto ids = [this](std::uint64_t before, std::uint32_t limit) {
    std::vector<std::uint64_t> result;
    for (const JobRow& job : *store_->load_jobs({}, {before}, limit)) result.push_back(job.request.id.value);
    return result;
  };
  EXPECT_EQ(ids(0, 2), (std::vector<std::uint64_t>{5, 4}));
  EXPECT_EQ(ids(4, 10), (std::vector<std::uint64_t>{3, 2, 1}));
  EXPECT_EQ(ids(std::numeric_limits<std::uint64_t>::max(), 1), (std::vector<std::uint64_t>{5}));
  EXPECT_TRUE(ids(1, 10).empty());
  EXPECT_FALSE(store_->load_job({std::numeric_limits<std::uint64_t>::max()})->has_value());
}

TEST_P(StoreConformance, ListsADevicesJobsNewestFirst) {
  Batch batch;
  for (std::uint64_t id = 1; id <= 6; ++id) {
    batch.jobs.push_back(job_row(id));
    batch.jobs.back().request.owner = {id % 2 == 0 ? 7U : 8U};
  }
  commit(batch);
  const auto ids = [this](DeviceId owner, std::uint64_t before, std::uint32_t limit) {
    std::vector<std::uint64_t> result;
    for (const JobRow& job : *store_->load_jobs(owner, {before}, limit)) result.push_back(job.request.id.value);
    return result;
  };
  EXPECT_EQ(ids({7}, 0, 2), (std::vector<std::uint64_t>{6, 4}));
  EXPECT_EQ(ids({8}, 5, 10), (std::vector<std::uint64_t>{3, 1}));
  EXPECT_TRUE(ids({9}, 0, 10).empty());
}

TEST_P(StoreConformance, HandsBackLiveJobsAndThoseTheyRunAfter) {
  Batch batch;
  for (std::uint64_t id = 1; id <= 4; ++id) batch.jobs.push_back(job_row(id));
  batch.jobs[0].state = pool::JobState::kSucceeded;  // 3 runs after it
  batch.jobs[1].state = pool::JobState::kFailed;     // nothing live needs it
  batch.jobs[2].state = pool::JobState::kWaiting;
  batch.jobs[2].request.after = {{1}};
  batch.jobs[3].state = pool::JobState::kRunning;
  batch.tasks = {task_row(4, 8, pool::TaskState::kLeased), task_row(4, 1, pool::TaskState::kSucceeded),
                 task_row(2, 0, pool::TaskState::kFailed)};
  batch.range_ends = {{{4}, 2, 3, pool::TaskState::kCancelled, Failure::kCancelled}};
  commit(batch);
  const std::vector<LiveJob> live = *store_->load_live_jobs();
  ASSERT_EQ(live.size(), 3U);
  expect_same(live[0].row, batch.jobs[0]);
  expect_same(live[1].row, batch.jobs[2]);
  expect_same(live[2].row, batch.jobs[3]);
  ASSERT_EQ(live[2].tasks.size(), 2U);
  batch.tasks[0].outcome.clear();
  batch.tasks[1].outcome.clear();
  expect_same(live[2].tasks[0], batch.tasks[1]);
  expect_same(live[2].tasks[1], batch.tasks[0]);
  ASSERT_EQ(live[2].range_ends.size(), 1U);
  EXPECT_EQ(live[2].range_ends[0].count, 3U);
}

TEST_P(StoreConformance, ReplacesADeviceByItsNumberAndKeepsRevokedOnes) {
  Batch batch;
  batch.devices = {device_row(2, "phone"), device_row(1, "pc")};
  commit(batch);
  DeviceRow revoked = device_row(2, "phone");
  revoked.revoked = true;
  revoked.last_seen = {77};
  batch.devices = {revoked, device_row(3, "phone")};  // name and key are free again
  commit(batch);
  const std::vector<DeviceRow> devices = *store_->load_devices();
  ASSERT_EQ(devices.size(), 3U);
  EXPECT_EQ(devices[0].name, "pc");
  EXPECT_EQ(devices[0].role, 2);
  EXPECT_EQ(devices[0].key_kind, 1);
  EXPECT_EQ(devices[0].ring, Ring::kMember);
  EXPECT_EQ(devices[0].key, "key of pc");
  EXPECT_EQ(devices[0].paired.unix_millis, 5);
  EXPECT_EQ(devices[0].expires.unix_millis, 8);
  EXPECT_EQ(devices[0].account.value, 9U);
  EXPECT_TRUE(devices[1].revoked);
  EXPECT_EQ(devices[1].last_seen.unix_millis, 77);
  EXPECT_FALSE(devices[2].revoked);
  EXPECT_EQ(devices[2].id.value, 3U);
}

TEST_P(StoreConformance, TwoLivingDevicesNeverShareANameOrAKey) {
  Batch batch;
  batch.devices = {device_row(1, "pc")};
  commit(batch);
  batch.devices = {device_row(2, "pc")};
  batch.devices[0].key = "another";
  EXPECT_EQ(refused(batch), Code::kAlreadyExists);
  batch.devices = {device_row(2, "laptop")};
  batch.devices[0].key = "key of pc";
  EXPECT_EQ(refused(batch), Code::kAlreadyExists);
  EXPECT_EQ(store_->load_devices()->size(), 1U);
}

TEST_P(StoreConformance, TakesACopyOfAPoolWithEverythingInIt) {
  const std::filesystem::path other = scratch_ / "other.db";
  Result<std::unique_ptr<Store>> from = open_sqlite(other);
  ASSERT_TRUE(from) << from.error().message;
  Batch batch = full_job_batch(2);
  batch.jobs.push_back(job_row(1));
  batch.jobs.push_back(job_row(3));
  batch.devices = {device_row(1, "pc"), device_row(2, "phone")};
  batch.devices[1].revoked = true;
  batch.environments = {{"base", std::string(32, 'b'), 1, "b", {9}}};
  batch.workspaces = {{{{3}, "work"}, {7}, 1ULL << 40U, false, 12, {5}, {6}}};
  batch.accounts = {{{5}, "school", 100, {}}};
  batch.schedules = {{.owner = {3}, .name = "backup", .cron = "0 3 * * *"}};
  batch.duties = {{{7}, pool::Duty::kDraining, {99}}};
  batch.bookings = {{.id = {2}, .account = {5}, .nodes = 1}};
  batch.audiences = {{{2}, {3}, true, false}};
  batch.watch_links = {{.job = {2}, .number = 1, .secret_hash = "h", .label = "", .most_players = 2}};
  batch.webhooks = {{.id = 7, .owner = {3}, .url = "https://a.example/"}};
  batch.deliveries = {{.webhook = 7, .id = "msg_a", .body = "{}"}};
  batch.usage = {{{3}, 7, 1, 1, 2, 1'000, 10, 5, 5, 6}};
  batch.audit = {{1, {1'000}, std::string(32, 'h'), "did it"}};
  ASSERT_TRUE((*from)->commit(batch));
  Batch removal;
  removal.removed = {{3}};
  ASSERT_TRUE((*from)->commit(removal));
  const Result<Copied> copied = copy_pool(**from, *store_);
  ASSERT_TRUE(copied) << copied.error().message;
  EXPECT_EQ(std::tuple(copied->devices, copied->jobs, copied->tasks), std::tuple(2U, 2U, 3U));
  open();
  expect_same(**store_->load_job({1}), batch.jobs[1]);
  expect_same(**store_->load_job({2}), batch.jobs[0]);
  expect_same(store_->load_tasks({2}, 0, 10, false)->at(1), batch.tasks[1]);
  EXPECT_EQ(store_->load_range_ends({2})->size(), 1U);
  EXPECT_EQ(store_->load_devices()->size(), 2U);
  EXPECT_EQ(store_->load_environments()->size(), 1U);
  EXPECT_EQ(store_->load_workspaces()->size(), 1U);
  EXPECT_EQ(store_->load_accounts()->size(), 1U);
  EXPECT_EQ(store_->load_schedules()->size(), 1U);
  EXPECT_EQ(store_->load_duties()->size(), 1U);
  EXPECT_EQ(store_->load_bookings()->size(), 1U);
  EXPECT_EQ(store_->load_audiences()->size(), 1U);
  EXPECT_EQ(store_->load_watch_links()->size(), 1U);
  EXPECT_EQ(store_->load_webhooks()->size(), 1U);
  EXPECT_EQ(store_->load_deliveries()->size(), 1U);
  EXPECT_EQ(store_->load_usage({}, 0, 100, 10)->size(), 1U);
  EXPECT_EQ(store_->last_audit()->number, 1U);
  EXPECT_EQ(store_->last_job_id()->value, 3U) << "a removed job's number is never given again";
  EXPECT_FALSE(store_->load_job({3})->has_value());
}

// A writer that commits job after job, each with its tasks, and tells of each commit that returned.
constexpr std::uint32_t kTasksPerBatch = 50;

[[noreturn]] void commit_until_killed(const Backend& backend, const std::filesystem::path& scratch, int told) {
  Result<std::unique_ptr<Store>> store = backend.open(scratch);
  if (!store) std::_Exit(1);
  for (std::uint64_t id = (*store)->last_job_id()->value + 1;; ++id) {
    Batch batch = job_batch(id);
    for (std::uint32_t index = 0; index < kTasksPerBatch; ++index) {
      batch.tasks.push_back(task_row(id, index, pool::TaskState::kSucceeded));
    }
    if (!(*store)->commit(batch) || ::write(told, &id, sizeof id) != sizeof id) std::_Exit(2);
  }
}

// Kills the writer after `commits` further commits; the last one that it told of.
std::uint64_t last_told(const Backend& backend, const std::filesystem::path& scratch, int commits) {
  int ends[2] = {-1, -1};
  CHECK(::pipe2(ends, O_CLOEXEC) == 0);
  const pid_t writer = ::fork();
  if (writer == 0) commit_until_killed(backend, scratch, ends[1]);
  ::close(ends[1]);
  std::uint64_t last = 0;
  for (int count = 0; count < commits; ++count) CHECK(::read(ends[0], &last, sizeof last) == sizeof last);
  ::kill(writer, SIGKILL);
  for (std::uint64_t more = 0; ::read(ends[0], &more, sizeof more) == sizeof more;) last = more;
  ::close(ends[0]);
  int status = 0;
  CHECK(::waitpid(writer, &status, 0) == writer);
  CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  return last;
}

TEST_P(StoreConformance, KillNineLosesNoCommittedBatchAndKeepsNoHalfOne) {
  for (int round = 0; round < 12; ++round) {
    store_.reset();
    const std::uint64_t told = last_told(GetParam(), scratch_, 1 + 3 * round);
    open();
    const std::uint64_t last = store_->last_job_id()->value;
    EXPECT_GE(last, told);
    EXPECT_LE(last, told + 1) << "more than the one batch whose commit had not returned";
    for (std::uint64_t id = 1; id <= last; ++id) {
      ASSERT_TRUE(store_->load_job({id})->has_value()) << id;
      ASSERT_EQ(store_->load_tasks({id}, 0, kTasksPerBatch + 1, false)->size(), kTasksPerBatch) << id;
    }
    EXPECT_TRUE(store_->load_tasks({last + 1}, 0, kTasksPerBatch, false)->empty());
  }
}

INSTANTIATE_TEST_SUITE_P(Backends, StoreConformance, testing::ValuesIn(kBackends),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace hearth::store
