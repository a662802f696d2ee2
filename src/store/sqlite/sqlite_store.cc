// The store in one SQLite file: every query is prepared at open, every batch is one transaction.
#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "store/sqlite/audience_rows.h"
#include "store/sqlite/change_log.h"
#include "store/sqlite/database.h"
#include "store/sqlite/node_rows.h"
#include "store/sqlite/queries.h"
#include "store/sqlite/schema.h"
#include "store/sqlite/webhook_rows.h"

namespace hearth::store {
namespace {

constexpr std::size_t kMaxSpecBytes = std::size_t{1} << 20U;
constexpr std::size_t kMaxOutcomeBytes = std::size_t{64} << 10U;

class SqliteStore : public Journal {
 public:
  SqliteStore(std::unique_ptr<Database> database, Queries queries, std::unique_ptr<SqliteChangeLog> changes)
      : database_(std::move(database)), queries_(std::move(queries)), changes_(std::move(changes)) {}

  ChangeLog& changes() override { return *changes_; }
  Result<void> commit(const Batch& batch) override;
  Result<bool> purge(std::uint32_t limit) override;
  Result<std::vector<DeviceRow>> load_devices() override;
  Result<std::vector<EnvironmentRow>> load_environments() override;
  Result<std::vector<AccountRow>> load_accounts() override;
  Result<std::vector<WorkspaceRow>> load_workspaces() override;
  Result<std::vector<ScheduleRow>> load_schedules() override;
  Result<std::vector<DutyRow>> load_duties() override { return store::load_duties(queries_); }
  Result<std::vector<BookingRow>> load_bookings() override { return store::load_bookings(queries_); }
  Result<std::vector<AudienceRow>> load_audiences() override { return store::load_audiences(queries_); }
  Result<std::vector<WatchLinkRow>> load_watch_links() override { return store::load_watch_links(queries_); }
  Result<std::vector<WebhookRow>> load_webhooks() override { return store::load_webhooks(queries_); }
  Result<std::vector<DeliveryRow>> load_deliveries() override { return store::load_deliveries(queries_); }
  Result<std::vector<UsageRow>> load_usage(std::optional<DeviceId> owner, std::int64_t first, std::int64_t last,
                                           std::uint32_t limit) override;
  Result<AuditRow> last_audit() override;
  Result<std::vector<AuditRow>> load_audit(std::uint64_t after, WallTime since, std::uint32_t limit) override;
  Result<std::vector<LiveJob>> load_live_jobs() override;
  Result<JobId> last_job_id() override;
  Result<std::optional<JobRow>> load_job(JobId id) override;
  Result<std::optional<JobId>> find_request(DeviceId owner, const std::string& request_id) override;
  Result<std::vector<JobRow>> load_jobs(std::optional<DeviceId> owner, JobId before, std::uint32_t limit) override;
  Result<std::vector<TaskRow>> load_tasks(JobId job, std::uint32_t first, std::uint32_t limit,
                                          bool only_failed) override;
  Result<std::vector<RangeEnd>> load_range_ends(JobId job) override;
  Result<std::array<std::uint32_t, 6>> count_tasks(JobId job) override;

 private:
  Result<void> write(const Batch& batch);
  Result<void> put(const DeviceRow& device);
  Result<void> insert(const JobRow& job);
  Result<void> apply(const JobChange& change);
  Result<void> put(const TaskRow& task);
  Result<void> put(const RangeEnd& range);
  Result<void> remove(JobId job);
  Result<void> put(const EnvironmentRow& environment);
  Result<void> put(const AccountRow& account);
  Result<void> put(const WorkspaceRow& workspace);
  Result<void> put(const ScheduleRow& schedule);
  Result<void> add(const UsageRow& usage);
  Result<void> read_after(JobRow& job);
  Result<std::vector<JobRow>> read_jobs(Rows& rows);
  Result<void> add_counts(Query query, JobId job, std::array<std::uint32_t, 6>& counts);

  std::unique_ptr<Database> database_;
  Queries queries_;
  std::unique_ptr<SqliteChangeLog> changes_;
};

JobRow read_job(const Rows& rows) {
  JobRow job;
  job.request.id = {rows.integer<std::uint64_t>(0)};
  job.state = rows.integer<pool::JobState>(1);
  job.request.owner = {rows.integer<std::uint64_t>(2)};
  job.request.tasks = rows.integer<std::uint32_t>(3);
  job.request.per_task.cores = rows.integer<std::uint32_t>(4);
  job.request.per_task.memory_bytes = rows.integer<std::uint64_t>(5);
  job.request.per_task.gpus = rows.integer<std::uint32_t>(6);
  job.request.retries = rows.integer<std::uint32_t>(7);
  job.submitted = {rows.integer(8)};
  job.started = {rows.integer(9)};
  job.ended = {rows.integer(10)};
  job.request_id = rows.bytes(11);
  job.spec = rows.bytes(12);
  job.environment = rows.bytes(13);
  job.ring = rows.integer<Ring>(14);
  return job;
}

TaskRow read_task(JobId job, const Rows& rows) {
  TaskRow task;
  task.task = {job, rows.integer<std::uint32_t>(0)};
  task.state = rows.integer<pool::TaskState>(1);
  task.epoch = rows.integer<std::uint32_t>(2);
  task.attempts = rows.integer<std::uint32_t>(3);
  task.failures = rows.integer<std::uint32_t>(4);
  task.node = {rows.integer<std::uint64_t>(5)};
  task.started = {rows.integer(6)};
  task.ended = {rows.integer(7)};
  task.copy_epoch = rows.integer<std::uint32_t>(8);
  task.copy_node = {rows.integer<std::uint64_t>(9)};
  task.copy_started = {rows.integer(10)};
  return task;
}

DeviceRow read_device(const Rows& rows) {
  DeviceRow device;
  device.id = {rows.integer<std::uint64_t>(0)};
  device.name = rows.bytes(1);
  device.role = rows.integer<std::uint8_t>(2);
  device.key_kind = rows.integer<std::uint8_t>(3);
  device.key = rows.bytes(4);
  device.paired = {rows.integer(5)};
  device.last_seen = {rows.integer(6)};
  device.revoked = rows.integer(7) != 0;
  device.ring = rows.integer<Ring>(8);
  device.expires = {rows.integer(9)};
  device.account = {rows.integer<std::uint64_t>(10)};
  return device;
}

AccountRow read_account(const Rows& rows) {
  AccountRow account;
  account.id = {rows.integer<std::uint64_t>(0)};
  account.name = rows.bytes(1);
  account.weight = rows.integer<std::uint32_t>(2);
  account.most.cores = rows.integer<std::uint32_t>(3);
  account.most.memory_bytes = rows.integer<std::uint64_t>(4);
  account.most.gpus = rows.integer<std::uint32_t>(5);
  account.firm = {rows.integer<std::uint64_t>(6)};
  account.is_firm = rows.integer(7) != 0;
  return account;
}

EnvironmentRow read_environment(const Rows& rows) {
  return {rows.bytes(0), rows.bytes(1), rows.integer<std::uint64_t>(2), rows.bytes(3), {rows.integer(4)}};
}

WorkspaceRow read_workspace(const Rows& rows) {
  return {.id = {{rows.integer<std::uint64_t>(0)}, rows.bytes(1)},
          .node = {rows.integer<std::uint64_t>(2)},
          .bytes = rows.integer<std::uint64_t>(3),
          .leaving = rows.integer(4) != 0,
          .used_bytes = rows.integer<std::uint64_t>(5),
          .made = {rows.integer(6)},
          .last_used = {rows.integer(7)}};
}

ScheduleRow read_schedule(const Rows& rows) {
  return {.owner = {rows.integer<std::uint64_t>(0)},
          .name = rows.bytes(1),
          .cron = rows.bytes(2),
          .spec = rows.bytes(9),
          .overlap = rows.integer<std::uint8_t>(3),
          .made = {rows.integer(4)},
          .next = {rows.integer(5)},
          .last_due = {rows.integer(6)},
          .last_job = {rows.integer<std::uint64_t>(7)},
          .last_trouble = rows.bytes(8)};
}

UsageRow read_usage(const Rows& rows) {
  return {.owner = {rows.integer<std::uint64_t>(1)},
          .day = rows.integer(0),
          .tasks = rows.integer(4),
          .failed_tasks = rows.integer(5),
          .attempts = rows.integer(6),
          .core_millis = rows.integer(7),
          .gpu_millis = rows.integer(8),
          .memory_mib_seconds = rows.integer(9),
          .net_bytes = rows.integer(10),
          .result_bytes = rows.integer(11),
          .energy_millijoules = rows.integer(12),
          .unmetered_core_millis = rows.integer(13),
          .account = rows.bytes(2),
          .firm = rows.bytes(3)};
}

AuditRow read_audit(const Rows& rows) {
  return {.number = rows.integer<std::uint64_t>(0),
          .at = {rows.integer(1)},
          .hash = rows.bytes(2),
          .statement = rows.bytes(3)};
}

RangeEnd read_range_end(JobId job, const Rows& rows) {
  return {job, rows.integer<std::uint32_t>(0), rows.integer<std::uint32_t>(1), rows.integer<pool::TaskState>(2),
          rows.integer<Failure>(3)};
}

Result<void> SqliteStore::commit(const Batch& batch) {
  if (batch.empty()) return {};
  return changes_->in_transaction([&] { return write(batch); });
}

Result<bool> SqliteStore::purge(std::uint32_t limit) {
  bool more = false;
  const Result<void> done = changes_->in_transaction([&]() -> Result<void> {
    if (const Result<void> purged = queries_[Query::kPurgeTasks].run(limit); !purged) return purged;
    more = database_->changed_rows() == limit;
    return more ? Result<void>() : queries_[Query::kForgetRemoved].run();
  });
  if (!done) return std::unexpected(done.error());
  return more;
}

Result<void> SqliteStore::write(const Batch& batch) {
  for (const DeviceRow& device : batch.devices) {
    if (const Result<void> done = put(device); !done) return fail(done, "device " + device.name);
  }
  for (const JobRow& job : batch.jobs) {
    if (const Result<void> done = insert(job); !done) return fail(done, fmt::format("job {}", job.request.id.value));
  }
  for (const JobChange& change : batch.changes) {
    if (const Result<void> done = apply(change); !done) return fail(done, fmt::format("job {}", change.job.value));
  }
  for (const TaskRow& task : batch.tasks) {
    if (const Result<void> done = put(task); !done) {
      return fail(done, fmt::format("task {} of job {}", task.task.index, task.task.job.value));
    }
  }
  for (const RangeEnd& range : batch.range_ends) {
    if (const Result<void> done = put(range); !done) return fail(done, fmt::format("job {}", range.job.value));
  }
  for (const JobId job : batch.removed) {
    if (const Result<void> done = remove(job); !done) return fail(done, fmt::format("job {}", job.value));
  }
  for (const AccountRow& account : batch.accounts) {
    if (const Result<void> done = put(account); !done) return fail(done, "account " + account.name);
  }
  for (const EnvironmentRow& environment : batch.environments) {
    if (const Result<void> done = put(environment); !done) return fail(done, "environment " + environment.name);
  }
  for (const WorkspaceRow& workspace : batch.workspaces) {
    if (const Result<void> done = put(workspace); !done) return fail(done, "workspace " + workspace.id.name);
  }
  for (const ScheduleRow& schedule : batch.schedules) {
    if (const Result<void> done = put(schedule); !done) return fail(done, "schedule " + schedule.name);
  }
  for (const DutyRow& duty : batch.duties) {
    if (const Result<void> done = put_duty(queries_, duty); !done)
      return fail(done, fmt::format("duty of {}", duty.node.value));
  }
  for (const BookingRow& booking : batch.bookings) {
    if (const Result<void> done = put_booking(queries_, booking); !done)
      return fail(done, fmt::format("booking {}", booking.id.value));
  }
  for (const AudienceRow& one : batch.audiences) {
    if (const Result<void> done = put_audience(queries_, one); !done)
      return fail(done, fmt::format("audience of job {}", one.job.value));
  }
  for (const WatchLinkRow& link : batch.watch_links) {
    if (const Result<void> done = put_watch_link(queries_, link); !done)
      return fail(done, fmt::format("watch link of job {}", link.job.value));
  }
  for (const WebhookRow& webhook : batch.webhooks) {
    if (const Result<void> done = put_webhook(queries_, webhook); !done) return fail(done, "a webhook");
  }
  for (const DeliveryRow& delivery : batch.deliveries) {
    if (const Result<void> done = put_delivery(queries_, delivery); !done) return fail(done, "a webhook's message");
  }
  for (const UsageRow& usage : batch.usage) {
    if (const Result<void> done = add(usage); !done) return fail(done, fmt::format("usage of {}", usage.owner.value));
  }
  for (const AuditRow& line : batch.audit) {
    const Result<void> done =
        queries_[Query::kAddAudit].run(line.number, line.at.unix_millis, line.hash, line.statement);
    if (!done) return fail(done, fmt::format("line {} of the audit log", line.number));
  }
  return {};
}

Result<void> SqliteStore::put(const DeviceRow& device) {
  return queries_[Query::kPutDevice].run(device.id.value, Text{device.name}, device.role, device.key_kind, device.key,
                                         device.paired.unix_millis, device.last_seen.unix_millis, device.revoked,
                                         static_cast<int>(device.ring), device.expires.unix_millis,
                                         device.account.value);
}

Result<void> SqliteStore::insert(const JobRow& job) {
  if (job.spec.size() > kMaxSpecBytes) {
    return fail(Code::kInvalidArgument,
                fmt::format("its description has {} bytes, at most {} are allowed", job.spec.size(), kMaxSpecBytes));
  }
  const pool::JobRequest& request = job.request;
  const Result<void> inserted = queries_[Query::kInsertJob].run(
      request.id.value, static_cast<int>(job.state), request.owner.value, request.tasks, request.per_task.cores,
      request.per_task.memory_bytes, request.per_task.gpus, request.retries, job.submitted.unix_millis,
      job.started.unix_millis, job.ended.unix_millis, job.request_id, job.spec, job.environment,
      static_cast<int>(job.ring));
  if (!inserted) return inserted;
  int position = 0;
  for (const JobId after : request.after) {
    const Result<void> done = queries_[Query::kInsertAfter].run(request.id.value, position++, after.value);
    if (!done) return done;
  }
  return {};
}

Result<void> SqliteStore::apply(const JobChange& change) {
  const Result<void> done = queries_[Query::kChangeJob].run(change.job.value, static_cast<int>(change.state),
                                                            change.started.unix_millis, change.ended.unix_millis);
  if (!done) return done;
  if (database_->changed_rows() == 1) return {};
  return fail(Code::kInternal, "its state changed, but it is not in the store");
}

Result<void> SqliteStore::put(const TaskRow& task) {
  if (task.outcome.size() > kMaxOutcomeBytes) {
    return fail(Code::kInvalidArgument,
                fmt::format("its outcome has {} bytes, at most {} are allowed", task.outcome.size(), kMaxOutcomeBytes));
  }
  return queries_[Query::kPutTask].run(task.task.job.value, task.task.index, static_cast<int>(task.state), task.epoch,
                                       task.attempts, task.failures, task.node.value, task.started.unix_millis,
                                       task.ended.unix_millis, task.copy_epoch, task.copy_node.value,
                                       task.copy_started.unix_millis, task.outcome);
}

Result<void> SqliteStore::put(const RangeEnd& range) {
  return queries_[Query::kPutRangeEnd].run(range.job.value, range.first, range.count, static_cast<int>(range.state),
                                           static_cast<int>(range.why));
}

Result<void> SqliteStore::remove(JobId job) {
  if (const Result<void> done = queries_[Query::kRemoveJob].run(job.value); !done) return done;
  if (database_->changed_rows() != 1) return fail(Code::kInternal, "it is removed, but it is not in the store");
  for (const Query query : {Query::kRemoveAfter, Query::kRemoveRangeEnds, Query::kNoteRemoved}) {
    if (const Result<void> done = queries_[query].run(job.value); !done) return done;
  }
  return {};
}

Result<void> SqliteStore::put(const AccountRow& account) {
  if (account.removed) return queries_[Query::kRemoveAccount].run(account.id.value);
  return queries_[Query::kPutAccount].run(account.id.value, Text{account.name}, account.weight, account.most.cores,
                                          account.most.memory_bytes, account.most.gpus, account.firm.value,
                                          account.is_firm);
}

Result<void> SqliteStore::put(const EnvironmentRow& environment) {
  if (environment.sha256.empty()) return queries_[Query::kRemoveEnvironment].run(Text{environment.name});
  return queries_[Query::kPutEnvironment].run(Text{environment.name}, environment.sha256, environment.size,
                                              Text{environment.description}, environment.made.unix_millis);
}

Result<void> SqliteStore::put(const WorkspaceRow& workspace) {
  const WorkspaceId& id = workspace.id;
  if (workspace.node == NodeId{}) return queries_[Query::kRemoveWorkspace].run(id.owner.value, Text{id.name});
  return queries_[Query::kPutWorkspace].run(id.owner.value, Text{id.name}, workspace.node.value, workspace.bytes,
                                            workspace.leaving, workspace.used_bytes, workspace.made.unix_millis,
                                            workspace.last_used.unix_millis);
}

Result<void> SqliteStore::put(const ScheduleRow& schedule) {
  if (schedule.cron.empty()) return queries_[Query::kRemoveSchedule].run(schedule.owner.value, Text{schedule.name});
  if (schedule.spec.size() > kMaxSpecBytes) {
    return fail(Code::kInvalidArgument, fmt::format("its job's description has {} bytes, at most {} are allowed",
                                                    schedule.spec.size(), kMaxSpecBytes));
  }
  return queries_[Query::kPutSchedule].run(schedule.owner.value, Text{schedule.name}, Text{schedule.cron},
                                           schedule.overlap, schedule.made.unix_millis, schedule.next.unix_millis,
                                           schedule.last_due.unix_millis, schedule.last_job.value,
                                           Text{schedule.last_trouble}, schedule.spec);
}

Result<std::vector<ScheduleRow>> SqliteStore::load_schedules() {
  std::vector<ScheduleRow> schedules;
  Rows rows = queries_[Query::kSchedules].rows();
  const Result<void> done = each(rows, [&](const Rows& row) { schedules.push_back(read_schedule(row)); });
  if (!done) return std::unexpected(done.error());
  return schedules;
}

Result<std::vector<WorkspaceRow>> SqliteStore::load_workspaces() {
  std::vector<WorkspaceRow> workspaces;
  Rows rows = queries_[Query::kWorkspaces].rows();
  const Result<void> done = each(rows, [&](const Rows& row) { workspaces.push_back(read_workspace(row)); });
  if (!done) return std::unexpected(done.error());
  return workspaces;
}

Result<std::vector<AccountRow>> SqliteStore::load_accounts() {
  std::vector<AccountRow> accounts;
  Rows rows = queries_[Query::kAccounts].rows();
  const Result<void> done = each(rows, [&](const Rows& row) { accounts.push_back(read_account(row)); });
  if (!done) return std::unexpected(done.error());
  return accounts;
}

Result<void> SqliteStore::add(const UsageRow& usage) {
  return queries_[Query::kAddUsage].run(usage.day, usage.owner.value, Text{usage.account}, Text{usage.firm},
                                        usage.tasks, usage.failed_tasks, usage.attempts, usage.core_millis,
                                        usage.gpu_millis, usage.memory_mib_seconds, usage.net_bytes, usage.result_bytes,
                                        usage.energy_millijoules, usage.unmetered_core_millis);
}

Result<std::vector<UsageRow>> SqliteStore::load_usage(std::optional<DeviceId> owner, std::int64_t first,
                                                      std::int64_t last, std::uint32_t limit) {
  std::vector<UsageRow> usage;
  Rows rows = queries_[Query::kUsage].rows(first, last, owner.value_or(DeviceId{}).value, limit);
  const Result<void> done = each(rows, [&](const Rows& row) { usage.push_back(read_usage(row)); });
  if (!done) return std::unexpected(done.error());
  return usage;
}

Result<AuditRow> SqliteStore::last_audit() {
  AuditRow last;
  Rows rows = queries_[Query::kLastAudit].rows();
  const Result<void> done = each(rows, [&](const Rows& row) { last = read_audit(row); });
  if (!done) return std::unexpected(done.error());
  return last;
}

// Numbers beyond 2^63 never exist, but a client may name one.
Result<std::vector<AuditRow>> SqliteStore::load_audit(std::uint64_t after, WallTime since, std::uint32_t limit) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  std::vector<AuditRow> lines;
  Rows rows = queries_[Query::kAuditAfter].rows(std::min(after, kMost), since.unix_millis, limit);
  const Result<void> done = each(rows, [&](const Rows& row) { lines.push_back(read_audit(row)); });
  if (!done) return std::unexpected(done.error());
  return lines;
}

Result<std::vector<EnvironmentRow>> SqliteStore::load_environments() {
  std::vector<EnvironmentRow> environments;
  Rows rows = queries_[Query::kEnvironments].rows();
  const Result<void> done = each(rows, [&](const Rows& row) { environments.push_back(read_environment(row)); });
  if (!done) return std::unexpected(done.error());
  return environments;
}

Result<std::vector<DeviceRow>> SqliteStore::load_devices() {
  std::vector<DeviceRow> devices;
  Rows rows = queries_[Query::kDevices].rows();
  const Result<void> done = each(rows, [&](const Rows& row) { devices.push_back(read_device(row)); });
  if (!done) return std::unexpected(done.error());
  return devices;
}

Result<void> SqliteStore::read_after(JobRow& job) {
  Rows rows = queries_[Query::kAfter].rows(job.request.id.value);
  return each(rows, [&](const Rows& row) { job.request.after.push_back({row.integer<std::uint64_t>(0)}); });
}

Result<std::vector<JobRow>> SqliteStore::read_jobs(Rows& rows) {
  std::vector<JobRow> jobs;
  const Result<void> done = each(rows, [&](const Rows& row) { jobs.push_back(read_job(row)); });
  if (!done) return std::unexpected(done.error());
  for (JobRow& job : jobs) {
    if (const Result<void> read = read_after(job); !read) return std::unexpected(read.error());
  }
  return jobs;
}

Result<std::vector<LiveJob>> SqliteStore::load_live_jobs() {
  Rows rows = queries_[Query::kLiveJobs].rows();
  Result<std::vector<JobRow>> jobs = read_jobs(rows);
  if (!jobs) return std::unexpected(jobs.error());
  std::vector<LiveJob> live;
  for (JobRow& job : *jobs) {
    const JobId id = job.request.id;
    LiveJob& entry = live.emplace_back(LiveJob{std::move(job), {}, {}});
    Rows tasks = queries_[Query::kTasksOfLiveJob].rows(id.value);
    const Result<void> done = each(tasks, [&](const Rows& row) { entry.tasks.push_back(read_task(id, row)); });
    if (!done) return std::unexpected(done.error());
    Result<std::vector<RangeEnd>> ranges = load_range_ends(id);
    if (!ranges) return std::unexpected(ranges.error());
    entry.range_ends = std::move(*ranges);
  }
  return live;
}

Result<JobId> SqliteStore::last_job_id() {
  Rows rows = queries_[Query::kLastJobId].rows();
  JobId last;
  const Result<void> done = each(rows, [&](const Rows& row) { last = {row.integer<std::uint64_t>(0)}; });
  if (!done) return std::unexpected(done.error());
  return last;
}

Result<std::optional<JobRow>> SqliteStore::load_job(JobId id) {
  Rows rows = queries_[Query::kJob].rows(id.value);
  Result<std::vector<JobRow>> jobs = read_jobs(rows);
  if (!jobs) return std::unexpected(jobs.error());
  if (jobs->empty()) return std::nullopt;
  return std::move(jobs->front());
}

Result<std::optional<JobId>> SqliteStore::find_request(DeviceId owner, const std::string& request_id) {
  Rows rows = queries_[Query::kRequest].rows(owner.value, request_id);
  std::optional<JobId> found;
  const Result<void> done = each(rows, [&](const Rows& row) { found = {row.integer<std::uint64_t>(0)}; });
  if (!done) return std::unexpected(done.error());
  return found;
}

// Ids beyond 2^63 never exist, but a client may name one.
Result<std::vector<JobRow>> SqliteStore::load_jobs(std::optional<DeviceId> owner, JobId before, std::uint32_t limit) {
  constexpr auto kAll = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::uint64_t end = before.value == 0 ? kAll : std::min(before.value, kAll);
  Rows rows = owner ? queries_[Query::kJobsOfOwner].rows(owner->value, end, limit)
                    : queries_[Query::kJobsBefore].rows(end, limit);
  return read_jobs(rows);
}

Result<std::vector<TaskRow>> SqliteStore::load_tasks(JobId job, std::uint32_t first, std::uint32_t limit,
                                                     bool only_failed) {
  const std::uint64_t end = std::uint64_t{first} + limit;
  Rows rows = only_failed ? queries_[Query::kFailedTasks].rows(job.value, first, limit)
                          : queries_[Query::kTasks].rows(job.value, first, end);
  std::vector<TaskRow> tasks;
  const Result<void> done = each(rows, [&](const Rows& row) {
    tasks.push_back(read_task(job, row));
    tasks.back().outcome = row.bytes(11);
  });
  if (!done) return std::unexpected(done.error());
  return tasks;
}

Result<std::vector<RangeEnd>> SqliteStore::load_range_ends(JobId job) {
  std::vector<RangeEnd> ranges;
  Rows rows = queries_[Query::kRangeEnds].rows(job.value);
  const Result<void> done = each(rows, [&](const Rows& row) { ranges.push_back(read_range_end(job, row)); });
  if (!done) return std::unexpected(done.error());
  return ranges;
}

Result<void> SqliteStore::add_counts(Query query, JobId job, std::array<std::uint32_t, 6>& counts) {
  Rows rows = queries_[query].rows(job.value);
  return each(rows, [&](const Rows& row) { counts.at(row.integer<std::size_t>(0)) += row.integer<std::uint32_t>(1); });
}

Result<std::array<std::uint32_t, 6>> SqliteStore::count_tasks(JobId job) {
  std::array<std::uint32_t, 6> counts{};
  for (const Query query : {Query::kCountTasks, Query::kCountRangeEnds}) {
    if (const Result<void> added = add_counts(query, job, counts); !added) return std::unexpected(added.error());
  }
  return counts;
}

}  // namespace

Result<std::unique_ptr<Journal>> open_journal(const std::filesystem::path& file) {
  Result<std::unique_ptr<Database>> database = Database::open(file);
  if (!database) return std::unexpected(database.error());
  if (const Result<void> migrated = migrate(**database); !migrated) return std::unexpected(migrated.error());
  Result<Queries> queries = Queries::prepare(**database);
  if (!queries) return std::unexpected(queries.error());
  Result<std::unique_ptr<SqliteChangeLog>> changes = SqliteChangeLog::open(**database);
  if (!changes) return std::unexpected(changes.error());
  return std::make_unique<SqliteStore>(std::move(*database), std::move(*queries), std::move(*changes));
}

Result<std::unique_ptr<Store>> open_sqlite(const std::filesystem::path& file) {
  Result<std::unique_ptr<Journal>> journal = open_journal(file);
  if (!journal) return std::unexpected(journal.error());
  return std::move(*journal);
}

}  // namespace hearth::store
