#include <algorithm>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/postgres_store.h"

namespace hearth::store {

// --- writing --------------------------------------------------------------------------------------------------------

namespace {

// The last row of each key; the order of those that stay.
template <class Row, class Key>
std::vector<Row> last_of_each(const std::vector<Row>& rows, const Key& key) {
  std::map<decltype(key(rows.front())), std::size_t> last;
  for (std::size_t i = 0; i < rows.size(); ++i) last[key(rows[i])] = i;
  std::vector<Row> kept;
  kept.reserve(last.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (last[key(rows[i])] == i) kept.push_back(rows[i]);
  }
  return kept;
}

void add(const UsageRow& more, UsageRow& sum) {
  sum.tasks += more.tasks;
  sum.failed_tasks += more.failed_tasks;
  sum.attempts += more.attempts;
  sum.core_millis += more.core_millis;
  sum.gpu_millis += more.gpu_millis;
  sum.memory_mib_seconds += more.memory_mib_seconds;
  sum.net_bytes += more.net_bytes;
  sum.result_bytes += more.result_bytes;
  sum.energy_millijoules += more.energy_millijoules;
  sum.unmetered_core_millis += more.unmetered_core_millis;
}

}  // namespace

template <class Row>
Result<void> PostgresStore::insert(const std::vector<Row>& rows, Conflict conflict) {
  if (rows.empty()) return {};
  Parameters parameters = of_pool();
  ArraysOf(rows).add_to(parameters);
  const Result<Table> done = server_->run(insert_sql<Row>(conflict), parameters);
  return done ? Result<void>() : fail(done, TableOf<Row>::kName);
}

Result<void> PostgresStore::write(const Batch& batch) {
  const auto task_of = [](const TaskRow& row) { return row.task; };
  const auto range_of = [](const RangeEnd& row) { return std::pair(row.job, row.first); };
  if (Result<void> done = put_devices(batch.devices); !done) return done;
  if (Result<void> done = insert_jobs(batch.jobs); !done) return done;
  if (Result<void> done = apply(batch.changes); !done) return done;
  if (Result<void> done = insert(last_of_each(batch.tasks, task_of), Conflict::kReplace); !done) return done;
  if (Result<void> done = insert(last_of_each(batch.range_ends, range_of), Conflict::kReplace); !done) return done;
  if (Result<void> done = remove_jobs(batch.removed); !done) return done;
  if (Result<void> done = put_accounts(batch.accounts); !done) return done;
  if (Result<void> done = put_environments(batch.environments); !done) return done;
  if (Result<void> done = put_workspaces(batch.workspaces); !done) return done;
  if (Result<void> done = put_schedules(batch.schedules); !done) return done;
  if (Result<void> done = put_duties(batch.duties); !done) return done;
  if (Result<void> done = put_bookings(batch.bookings); !done) return done;
  if (Result<void> done = put_audiences(batch.audiences); !done) return done;
  if (Result<void> done = put_watch_links(batch.watch_links); !done) return done;
  if (Result<void> done = put_webhooks(batch.webhooks); !done) return done;
  if (Result<void> done = put_deliveries(batch.deliveries); !done) return done;
  if (Result<void> done = add_usage(batch.usage); !done) return done;
  return insert(batch.audit, Conflict::kRefuse);
}

// A device may take a name that another one gave up just before, so their order counts; a statement may not touch a row
// twice.
Result<void> PostgresStore::put_devices(const std::vector<DeviceRow>& devices) {
  std::vector<DeviceRow> run;
  std::set<DeviceId> ids;
  for (const DeviceRow& device : devices) {
    if (!ids.insert(device.id).second) {
      if (Result<void> done = insert(run, Conflict::kReplace); !done) return done;
      run.clear();
      ids = {device.id};
    }
    run.push_back(device);
  }
  return insert(run, Conflict::kReplace);
}

Result<void> PostgresStore::insert_jobs(const std::vector<JobRow>& jobs) {
  if (Result<void> done = insert(jobs, Conflict::kRefuse); !done) return done;
  std::vector<AfterRow> after;
  for (const JobRow& job : jobs) {
    std::uint32_t position = 0;
    for (const JobId id : job.request.after) after.push_back({job.request.id, position++, id});
  }
  return insert(after, Conflict::kRefuse);
}

Result<void> PostgresStore::apply(const std::vector<JobChange>& changes) {
  if (changes.empty()) return {};
  std::map<JobId, JobChange> merged;
  for (const JobChange& change : changes) {
    JobChange& whole = merged.try_emplace(change.job, change).first->second;
    whole.state = change.state;
    if (change.started.unix_millis != 0) whole.started = change.started;
    if (change.ended.unix_millis != 0) whole.ended = change.ended;
  }
  std::vector<std::int64_t> ids;
  std::vector<std::int64_t> states;
  std::vector<std::int64_t> started;
  std::vector<std::int64_t> ended;
  for (const auto& [id, change] : merged) {
    ids.push_back(static_cast<std::int64_t>(id.value));
    states.push_back(static_cast<std::int64_t>(change.state));
    started.push_back(change.started.unix_millis);
    ended.push_back(change.ended.unix_millis);
  }
  const Result<Table> done = server_->run(
      "UPDATE jobs SET state = given.state, started = CASE WHEN given.started = 0 THEN jobs.started ELSE given.started "
      "END, ended = CASE WHEN given.ended = 0 THEN jobs.ended ELSE given.ended END FROM unnest($2::bigint[], "
      "$3::bigint[], $4::bigint[], $5::bigint[]) AS given (id, state, started, ended) WHERE jobs.pool = $1 AND jobs.id "
      "= given.id",
      of_pool().add(ids).add(states).add(started).add(ended));
  if (!done) return fail(done, "jobs");
  if (std::cmp_equal(done->changed_rows(), ids.size())) return {};
  return fail(Code::kInternal, "a job's state changed, but it is not in the store");
}

Result<void> PostgresStore::remove_jobs(const std::vector<JobId>& jobs) {
  if (jobs.empty()) return {};
  std::vector<std::int64_t> ids;
  for (const JobId job : jobs) ids.push_back(static_cast<std::int64_t>(job.value));
  const Parameters removed = of_pool().add(ids);
  const Result<Table> gone = server_->run("DELETE FROM jobs WHERE pool = $1 AND id = ANY($2)", removed);
  if (!gone) return fail(gone, "jobs");
  if (!std::cmp_equal(gone->changed_rows(), ids.size())) {
    return fail(Code::kInternal, "a job is removed, but it is not in the store");
  }
  for (const char* sql :
       {"DELETE FROM job_after WHERE pool = $1 AND job = ANY($2)",
        "DELETE FROM range_ends WHERE pool = $1 AND job = ANY($2)",
        "INSERT INTO removed_jobs (pool, id) SELECT $1, id FROM unnest($2::bigint[]) AS given (id)"}) {
    if (const Result<Table> done = server_->run(sql, removed); !done) return fail(done, "removed jobs");
  }
  return {};
}

Result<void> PostgresStore::put_accounts(const std::vector<AccountRow>& rows) {
  std::vector<AccountRow> kept = last_of_each(rows, [](const AccountRow& row) { return row.id; });
  std::vector<std::int64_t> removed;
  for (const AccountRow& row : rows) {
    if (row.removed) removed.push_back(static_cast<std::int64_t>(row.id.value));
  }
  if (!removed.empty()) {
    const Result<Table> gone =
        server_->run("DELETE FROM accounts WHERE pool = $1 AND id = ANY($2)", of_pool().add(removed));
    if (!gone) return fail(gone, "accounts");
  }
  std::erase_if(kept, [](const AccountRow& row) { return row.removed; });
  return insert(kept, Conflict::kReplace);
}

Result<void> PostgresStore::put_environments(const std::vector<EnvironmentRow>& rows) {
  std::vector<EnvironmentRow> kept = last_of_each(rows, [](const EnvironmentRow& row) { return row.name; });
  std::vector<std::string_view> removed;
  for (const EnvironmentRow& row : rows) {
    if (row.sha256.empty()) removed.push_back(row.name);
  }
  if (!removed.empty()) {
    const Result<Table> gone =
        server_->run("DELETE FROM environments WHERE pool = $1 AND name = ANY($2)", of_pool().add(removed));
    if (!gone) return fail(gone, "environments");
  }
  std::erase_if(kept, [](const EnvironmentRow& row) { return row.sha256.empty(); });
  return insert(kept, Conflict::kReplace);
}

Result<void> PostgresStore::put_workspaces(const std::vector<WorkspaceRow>& rows) {
  std::vector<WorkspaceRow> kept = last_of_each(rows, [](const WorkspaceRow& row) { return row.id; });
  std::vector<std::int64_t> owners;
  std::vector<std::string_view> names;
  for (const WorkspaceRow& row : rows) {
    if (row.node != NodeId{}) continue;
    owners.push_back(static_cast<std::int64_t>(row.id.owner.value));
    names.push_back(row.id.name);
  }
  if (Result<void> gone = remove_named("workspaces", owners, names); !gone) return gone;
  std::erase_if(kept, [](const WorkspaceRow& row) { return row.node == NodeId{}; });
  return insert(kept, Conflict::kReplace);
}

Result<void> PostgresStore::put_schedules(const std::vector<ScheduleRow>& rows) {
  std::vector<ScheduleRow> kept =
      last_of_each(rows, [](const ScheduleRow& row) { return std::pair(row.owner, row.name); });
  std::vector<std::int64_t> owners;
  std::vector<std::string_view> names;
  for (const ScheduleRow& row : rows) {
    if (!row.cron.empty()) continue;
    owners.push_back(static_cast<std::int64_t>(row.owner.value));
    names.push_back(row.name);
  }
  if (Result<void> gone = remove_named("schedules", owners, names); !gone) return gone;
  std::erase_if(kept, [](const ScheduleRow& row) { return row.cron.empty(); });
  return insert(kept, Conflict::kReplace);
}

Result<void> PostgresStore::put_duties(const std::vector<DutyRow>& rows) {
  std::vector<DutyRow> kept = last_of_each(rows, [](const DutyRow& row) { return row.node; });
  std::vector<std::int64_t> removed;
  for (const DutyRow& row : kept) {
    if (row.duty == pool::Duty::kServing) removed.push_back(static_cast<std::int64_t>(row.node.value));
  }
  if (!removed.empty()) {
    const Result<Table> gone =
        server_->run("DELETE FROM duties WHERE pool = $1 AND node = ANY($2)", of_pool().add(removed));
    if (!gone) return fail(gone, "duties");
  }
  std::erase_if(kept, [](const DutyRow& row) { return row.duty == pool::Duty::kServing; });
  return insert(kept, Conflict::kReplace);
}

Result<void> PostgresStore::put_bookings(const std::vector<BookingRow>& rows) {
  std::vector<BookingRow> kept = last_of_each(rows, [](const BookingRow& row) { return row.id; });
  std::vector<std::int64_t> removed;
  for (const BookingRow& row : kept) {
    if (row.nodes == 0) removed.push_back(static_cast<std::int64_t>(row.id.value));
  }
  if (!removed.empty()) {
    const Result<Table> gone =
        server_->run("DELETE FROM bookings WHERE pool = $1 AND id = ANY($2)", of_pool().add(removed));
    if (!gone) return fail(gone, "bookings");
  }
  std::erase_if(kept, [](const BookingRow& row) { return row.nodes == 0; });
  return insert(kept, Conflict::kReplace);
}

Result<void> PostgresStore::put_audiences(const std::vector<AudienceRow>& rows) {
  std::vector<AudienceRow> kept =
      last_of_each(rows, [](const AudienceRow& row) { return std::pair(row.job, row.person); });
  std::vector<std::int64_t> jobs;
  std::vector<std::int64_t> people;
  for (const AudienceRow& row : kept) {
    if (!row.removed) continue;
    jobs.push_back(static_cast<std::int64_t>(row.job.value));
    people.push_back(static_cast<std::int64_t>(row.person.value));
  }
  if (!jobs.empty()) {
    const Result<Table> gone = server_->run(
        "DELETE FROM audiences WHERE pool = $1 AND (job, person) IN (SELECT * FROM unnest($2::bigint[], $3::bigint[]))",
        of_pool().add(jobs).add(people));
    if (!gone) return fail(gone, "audiences");
  }
  std::erase_if(kept, [](const AudienceRow& row) { return row.removed; });
  return insert(kept, Conflict::kReplace);
}

Result<void> PostgresStore::put_watch_links(const std::vector<WatchLinkRow>& rows) {
  std::vector<WatchLinkRow> kept =
      last_of_each(rows, [](const WatchLinkRow& row) { return std::pair(row.job, row.number); });
  std::vector<std::int64_t> jobs;
  std::vector<std::int64_t> numbers;
  for (const WatchLinkRow& row : kept) {
    if (row.most_players > 0) continue;
    jobs.push_back(static_cast<std::int64_t>(row.job.value));
    numbers.push_back(row.number);
  }
  if (!jobs.empty()) {
    const Result<Table> gone = server_->run(
        "DELETE FROM watch_links WHERE pool = $1 AND (job, number) IN (SELECT * FROM unnest($2::bigint[], "
        "$3::bigint[]))",
        of_pool().add(jobs).add(numbers));
    if (!gone) return fail(gone, "watch links");
  }
  std::erase_if(kept, [](const WatchLinkRow& row) { return row.most_players == 0; });
  return insert(kept, Conflict::kReplace);
}

// Those that are removed take their messages with them.
Result<void> PostgresStore::put_webhooks(const std::vector<WebhookRow>& rows) {
  std::vector<WebhookRow> kept = last_of_each(rows, [](const WebhookRow& row) { return row.id; });
  std::vector<std::int64_t> gone;
  for (const WebhookRow& row : rows) {
    if (row.url.empty()) gone.push_back(static_cast<std::int64_t>(row.id));
  }
  for (const char* sql : {"DELETE FROM deliveries WHERE pool = $1 AND webhook = ANY($2)",
                          "DELETE FROM webhooks WHERE pool = $1 AND id = ANY($2)"}) {
    if (gone.empty()) break;
    const Result<Table> done = server_->run(sql, of_pool().add(gone));
    if (!done) return fail(done, "webhooks");
  }
  std::erase_if(kept, [](const WebhookRow& row) { return row.url.empty(); });
  return insert(kept, Conflict::kReplace);
}

Result<void> PostgresStore::put_deliveries(const std::vector<DeliveryRow>& rows) {
  std::vector<DeliveryRow> kept = last_of_each(rows, [](const DeliveryRow& row) { return row.id; });
  std::vector<std::string_view> gone;
  for (const DeliveryRow& row : rows) {
    if (row.body.empty()) gone.emplace_back(row.id);
  }
  if (!gone.empty()) {
    const Result<Table> done =
        server_->run("DELETE FROM deliveries WHERE pool = $1 AND id = ANY($2)", of_pool().add(gone));
    if (!done) return fail(done, "deliveries");
  }
  std::erase_if(kept, [](const DeliveryRow& row) { return row.body.empty(); });
  return insert(kept, Conflict::kReplace);
}

// What a batch adds to one row is summed up first: a statement may not touch a row twice.
Result<void> PostgresStore::add_usage(const std::vector<UsageRow>& rows) {
  if (rows.empty()) return {};
  std::map<std::tuple<std::int64_t, DeviceId, std::string, std::string>, UsageRow> sums;
  for (const UsageRow& row : rows) {
    const auto [entry, is_new] = sums.try_emplace({row.day, row.owner, row.account, row.firm}, row);
    if (!is_new) add(row, entry->second);
  }
  std::vector<UsageRow> summed;
  for (const auto& [key, row] : sums) summed.push_back(row);
  Parameters parameters = of_pool();
  ArraysOf(summed).add_to(parameters);
  std::string added;
  for (const char* column : {"tasks", "failed_tasks", "attempts", "core_millis", "gpu_millis", "memory_mib_seconds",
                             "net_bytes", "result_bytes", "energy_millijoules", "unmetered_core_millis"}) {
    added += fmt::format("{0}{1} = usage.{1} + excluded.{1}", added.empty() ? "" : ", ", column);
  }
  const Result<Table> done =
      server_->run(insert_sql<UsageRow>(Conflict::kRefuse) +
                       fmt::format(" ON CONFLICT (pool, {}) DO UPDATE SET {}", TableOf<UsageRow>::kKey, added),
                   parameters);
  return done ? Result<void>() : fail(done, "usage");
}

// What is its device's own by a name.
Result<void> PostgresStore::remove_named(std::string_view table, const std::vector<std::int64_t>& owners,
                                         const std::vector<std::string_view>& names) {
  if (names.empty()) return {};
  const Result<Table> gone = server_->run(
      fmt::format("DELETE FROM {} WHERE pool = $1 AND (owner, name) IN (SELECT * FROM unnest($2::bigint[], "
                  "$3::bytea[]))",
                  table),
      of_pool().add(owners).add(names));
  return gone ? Result<void>() : fail(gone, table);
}

// --- reading --------------------------------------------------------------------------------------------------------

template <class Row>
Result<std::vector<Row>> PostgresStore::load(const std::string& rest, const Parameters& parameters) {
  const Result<Table> table = read(
      fmt::format("SELECT {} FROM {} WHERE pool = $1 {}", column_names<Row>(), TableOf<Row>::kName, rest), parameters);
  if (!table) return std::unexpected(table.error());
  std::vector<Row> rows;
  rows.reserve(static_cast<std::size_t>(table->rows()));
  for (int row = 0; row < table->rows(); ++row) rows.push_back(read_row<Row>(*table, row));
  return rows;
}

Result<std::vector<DeviceRow>> PostgresStore::load_devices() { return load<DeviceRow>("ORDER BY id", of_pool()); }

Result<std::vector<EnvironmentRow>> PostgresStore::load_environments() {
  return load<EnvironmentRow>("ORDER BY name", of_pool());
}

Result<std::vector<AccountRow>> PostgresStore::load_accounts() { return load<AccountRow>("ORDER BY id", of_pool()); }

Result<std::vector<ScheduleRow>> PostgresStore::load_schedules() {
  return load<ScheduleRow>("ORDER BY owner, name", of_pool());
}

Result<std::vector<DutyRow>> PostgresStore::load_duties() { return load<DutyRow>("ORDER BY node", of_pool()); }

Result<std::vector<BookingRow>> PostgresStore::load_bookings() { return load<BookingRow>("ORDER BY id", of_pool()); }
Result<std::vector<AudienceRow>> PostgresStore::load_audiences() {
  return load<AudienceRow>("ORDER BY job, person", of_pool());
}

Result<std::vector<WatchLinkRow>> PostgresStore::load_watch_links() {
  return load<WatchLinkRow>("ORDER BY job, number", of_pool());
}

Result<std::vector<WebhookRow>> PostgresStore::load_webhooks() { return load<WebhookRow>("ORDER BY id", of_pool()); }

Result<std::vector<DeliveryRow>> PostgresStore::load_deliveries() {
  return load<DeliveryRow>("ORDER BY made, id", of_pool());
}

Result<std::vector<UsageRow>> PostgresStore::load_usage(std::optional<DeviceId> owner, std::int64_t first,
                                                        std::int64_t last, std::uint32_t limit) {
  Parameters parameters = of_pool().add(first).add(last).add(std::int64_t{limit});
  if (!owner)
    return load<UsageRow>("AND day BETWEEN $2 AND $3 ORDER BY day, owner, account, firm LIMIT $4", parameters);
  return load<UsageRow>("AND day BETWEEN $2 AND $3 AND owner = $5 ORDER BY day, owner, account, firm LIMIT $4",
                        parameters.add(owner->value));
}

Result<AuditRow> PostgresStore::last_audit() {
  const Result<std::vector<AuditRow>> last = load<AuditRow>("ORDER BY number DESC LIMIT 1", of_pool());
  if (!last) return std::unexpected(last.error());
  return last->empty() ? AuditRow{} : last->front();
}

// Numbers beyond 2^63 never exist, but a client may name one.
Result<std::vector<AuditRow>> PostgresStore::load_audit(std::uint64_t after, WallTime since, std::uint32_t limit) {
  constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  return load<AuditRow>("AND number > $2 AND at >= $3 ORDER BY number LIMIT $4",
                        of_pool().add(std::min(after, kMost)).add(since.unix_millis).add(std::int64_t{limit}));
}

Result<std::vector<WorkspaceRow>> PostgresStore::load_workspaces() {
  return load<WorkspaceRow>("ORDER BY owner, name", of_pool());
}

Result<std::vector<JobRow>> PostgresStore::load_jobs_where(const std::string& rest, const Parameters& parameters) {
  Result<std::vector<JobRow>> jobs = load<JobRow>(rest, parameters);
  if (!jobs || jobs->empty()) return jobs;
  std::vector<std::int64_t> ids;
  std::map<JobId, JobRow*> by_id;
  for (JobRow& job : *jobs) {
    ids.push_back(static_cast<std::int64_t>(job.request.id.value));
    by_id[job.request.id] = &job;
  }
  const Result<std::vector<AfterRow>> after =
      load<AfterRow>("AND job = ANY($2) ORDER BY job, position", of_pool().add(ids));
  if (!after) return std::unexpected(after.error());
  for (const AfterRow& row : *after) by_id.at(row.job)->request.after.push_back(row.after);
  return jobs;
}

Result<std::vector<LiveJob>> PostgresStore::load_live_jobs() {
  Result<std::vector<JobRow>> jobs = load_jobs_where(
      "AND id IN (SELECT id FROM jobs WHERE pool = $1 AND state < 4 UNION SELECT after FROM job_after JOIN jobs ON "
      "jobs.pool = job_after.pool AND jobs.id = job_after.job WHERE job_after.pool = $1 AND jobs.state < 4) ORDER BY "
      "id",
      of_pool());
  if (!jobs) return std::unexpected(jobs.error());
  std::vector<LiveJob> live;
  for (JobRow& job : *jobs) {
    const JobId id = job.request.id;
    LiveJob& entry = live.emplace_back(LiveJob{std::move(job), {}, {}});
    const Result<Table> tasks = read(
        "SELECT job, task, state, epoch, attempts, failures, node, started, ended, copy_epoch, "
        "copy_node, copy_started, ''::bytea FROM tasks WHERE pool = "
        "$1 "
        "AND job = $2 ORDER BY task",
        of_pool().add(id.value));
    if (!tasks) return std::unexpected(tasks.error());
    for (int row = 0; row < tasks->rows(); ++row) entry.tasks.push_back(read_row<TaskRow>(*tasks, row));
    Result<std::vector<RangeEnd>> ranges = load_range_ends(id);
    if (!ranges) return std::unexpected(ranges.error());
    entry.range_ends = std::move(*ranges);
  }
  return live;
}

Result<JobId> PostgresStore::last_job_id() {
  const Result<Table> last = read(
      "SELECT coalesce(max(id), 0) FROM (SELECT id FROM jobs WHERE pool = $1 UNION ALL SELECT id FROM removed_jobs "
      "WHERE pool = $1) AS given",
      of_pool());
  if (!last) return std::unexpected(last.error());
  return JobId{last->integer<std::uint64_t>(0, 0)};
}

Result<std::optional<JobRow>> PostgresStore::load_job(JobId id) {
  Result<std::vector<JobRow>> jobs = load_jobs_where("AND id = $2", of_pool().add(id.value));
  if (!jobs) return std::unexpected(jobs.error());
  if (jobs->empty()) return std::nullopt;
  return std::move(jobs->front());
}

Result<std::optional<JobId>> PostgresStore::find_request(DeviceId owner, const std::string& request_id) {
  const Result<Table> found =
      read("SELECT id FROM jobs WHERE pool = $1 AND owner = $2 AND request_id = $3 AND request_id <> ''::bytea",
           of_pool().add(owner.value).add(request_id));
  if (!found) return std::unexpected(found.error());
  if (found->rows() == 0) return std::nullopt;
  return JobId{found->integer<std::uint64_t>(0, 0)};
}

// Ids beyond 2^63 never exist, but a client may name one.
Result<std::vector<JobRow>> PostgresStore::load_jobs(std::optional<DeviceId> owner, JobId before, std::uint32_t limit) {
  constexpr auto kAll = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::uint64_t end = before.value == 0 ? kAll : std::min(before.value, kAll);
  Parameters parameters = of_pool().add(end).add(std::int64_t{limit});
  if (!owner) return load_jobs_where("AND id < $2 ORDER BY id DESC LIMIT $3", parameters);
  return load_jobs_where("AND owner = $4 AND id < $2 ORDER BY id DESC LIMIT $3", parameters.add(owner->value));
}

Result<std::vector<TaskRow>> PostgresStore::load_tasks(JobId job, std::uint32_t first, std::uint32_t limit,
                                                       bool only_failed) {
  const Parameters from = of_pool().add(job.value).add(std::int64_t{first});
  if (!only_failed) {
    return load<TaskRow>("AND job = $2 AND task >= $3 AND task < $4 ORDER BY task",
                         Parameters(from).add(std::int64_t{first} + limit));
  }
  // A pending task that was placed before waits because that attempt failed or was lost.
  return load<TaskRow>(
      "AND job = $2 AND task >= $3 AND (state = 4 OR (state = 1 AND attempts > 0)) ORDER BY task LIMIT $4",
      Parameters(from).add(std::int64_t{limit}));
}

Result<std::vector<RangeEnd>> PostgresStore::load_range_ends(JobId job) {
  return load<RangeEnd>("AND job = $2 ORDER BY first", of_pool().add(job.value));
}

Result<std::array<std::uint32_t, 6>> PostgresStore::count_tasks(JobId job) {
  const Result<Table> table = read(
      "SELECT state, count(*) FROM tasks WHERE pool = $1 AND job = $2 GROUP BY state UNION ALL SELECT state, "
      "CAST(sum(count) AS BIGINT) FROM range_ends WHERE pool = $1 AND job = $2 GROUP BY state",
      of_pool().add(job.value));
  if (!table) return std::unexpected(table.error());
  std::array<std::uint32_t, 6> counts{};
  for (int row = 0; row < table->rows(); ++row) {
    counts.at(table->integer<std::size_t>(row, 0)) += table->integer<std::uint32_t>(row, 1);
  }
  return counts;
}

}  // namespace hearth::store
