// The store in PostgreSQL: every batch is one transaction of a few statements that carry many rows each.
//
// The pool's row is each transaction's first lock and its fence: the statement that gives the commit its serial number
// changes that row only if the epoch is ours and the serial is the one we wrote last. So a second hub, an earlier life
// of this one and a transaction of a connection that was given up can all come too late, and none can come between.
#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/columns.h"
#include "store/postgres/connection.h"
#include "store/postgres/schema.h"
#include "store/shared.h"

namespace hearth::store {
namespace {

constexpr std::size_t kMaxSpecBytes = std::size_t{1} << 20U;
constexpr std::size_t kMaxOutcomeBytes = std::size_t{64} << 10U;
constexpr std::chrono::milliseconds kRedialPause(100);
constexpr int kMostTries = 5;  // of one transaction; a lock is waited for as long as one may lie idle on the server

const Error kTakenOver{Code::kFailedPrecondition,
                       "another hub holds the pool now; this one has written nothing since and stands by"};

class PostgresStore : public SharedStore {
 public:
  PostgresStore(PostgresOptions options, std::unique_ptr<Connection> server)
      : options_(std::move(options)), server_(std::move(server)) {}

  Result<Meeting> meet(const HubRow& self) override;
  Result<void> release() override;
  Result<void> begin_filling() override;
  Result<void> end_filling() override;
  Result<void> commit(const Batch& batch) override;
  Result<bool> purge(std::uint32_t limit) override;
  Result<std::vector<DeviceRow>> load_devices() override;
  Result<std::vector<EnvironmentRow>> load_environments() override;
  Result<std::vector<WorkspaceRow>> load_workspaces() override;
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
  enum class Fate : std::uint8_t { kCommitted, kNot };

  Parameters of_pool() const { return Parameters().add(options_.pool); }
  Result<void> reconnect();
  Result<Table> read(const std::string& sql, const Parameters& parameters);
  Result<void> in_transaction(const std::function<Result<void>()>& work);
  Result<void> attempt(std::int64_t serial, const std::function<Result<void>()>& work);
  Result<Fate> fate_of(std::int64_t serial);
  Result<void> settle(std::int64_t serial);
  Result<void> make_known(const HubRow& self);
  Result<bool> take_hold(const HubRow& self);
  Result<bool> renew_hold();

  Result<void> write(const Batch& batch);
  Result<void> put_devices(const std::vector<DeviceRow>& devices);
  Result<void> insert_jobs(const std::vector<JobRow>& jobs);
  Result<void> apply(const std::vector<JobChange>& changes);
  Result<void> remove_jobs(const std::vector<JobId>& jobs);
  Result<void> put_environments(const std::vector<EnvironmentRow>& rows);
  Result<void> put_workspaces(const std::vector<WorkspaceRow>& rows);
  template <class Row>
  Result<void> insert(const std::vector<Row>& rows, Conflict conflict);

  template <class Row>
  Result<std::vector<Row>> load(const std::string& rest, const Parameters& parameters);
  Result<std::vector<JobRow>> load_jobs_where(const std::string& rest, const Parameters& parameters);

  PostgresOptions options_;
  std::unique_ptr<Connection> server_;  // none: lost
  std::optional<std::int64_t> epoch_;   // of our hold
  std::int64_t last_serial_ = 0;        // of the last commit under it
  std::int64_t next_serial_ = 0;        // never given twice
  std::optional<Error> failure_;        // nothing is written any more
};

// --- connections ----------------------------------------------------------------------------------------------------

Result<void> PostgresStore::reconnect() {
  if (server_) return {};
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(options_.patience.micros);
  while (true) {
    Result<std::unique_ptr<Connection>> server = Connection::open(options_.url);
    if (server) {
      server_ = std::move(*server);
      return {};
    }
    if (server.error().code != Code::kUnavailable || std::chrono::steady_clock::now() >= end) {
      return std::unexpected(server.error());
    }
    std::this_thread::sleep_for(kRedialPause);
  }
}

// A question may be asked again of the next server.
Result<Table> PostgresStore::read(const std::string& sql, const Parameters& parameters) {
  for (bool again = false;; again = true) {
    if (const Result<void> connected = reconnect(); !connected) return std::unexpected(connected.error());
    Result<Table> table = server_->run(sql, parameters);
    if (table || table.error().code != Code::kUnavailable) return table;
    server_.reset();
    if (again) return table;
  }
}

// --- holding the pool -----------------------------------------------------------------------------------------------

std::string interval(Duration span) { return fmt::format("interval '{} ms'", span.micros / 1000); }

Result<void> PostgresStore::make_known(const HubRow& self) {
  Parameters row = of_pool();
  ArraysOf(std::vector<HubRow>{self}).add_to(row);
  if (const Result<Table> put = read(insert_sql<HubRow>(Conflict::kReplace) + ", met = now()", row); !put) {
    return std::unexpected(put.error());
  }
  const Result<Table> pool = read(
      "INSERT INTO pools (pool, epoch, serial, name, filling, holder, held_until) VALUES ($1, 0, 0, $2, 0, ''::bytea, "
      "now()) ON CONFLICT (pool) DO NOTHING",
      of_pool().add(options_.pool_name));
  return pool ? Result<void>() : std::unexpected(pool.error());
}

// Once asked of each server: should the answer be lost, the hold is this very hub's and is taken again.
Result<bool> PostgresStore::take_hold(const HubRow& self) {
  const Result<Table> taken =
      read("UPDATE pools SET epoch = epoch + 1, holder = $2, held_until = now() + " + interval(kFirstHoldSpan) +
               " WHERE pool = $1 AND (holder = $2 OR (held_until < now() AND filling = 0)) RETURNING epoch, serial",
           of_pool().add(self.identity));
  if (!taken) return std::unexpected(taken.error());
  if (taken->rows() == 0) return false;
  epoch_ = taken->integer(0, 0);
  last_serial_ = taken->integer(0, 1);
  next_serial_ = last_serial_ + 1;
  return true;
}

Result<bool> PostgresStore::renew_hold() {
  const Result<Table> renewed =
      read("UPDATE pools SET held_until = now() + " + interval(kHoldSpan) + " WHERE pool = $1 AND epoch = $2",
           of_pool().add(*epoch_));
  if (!renewed) return std::unexpected(renewed.error());
  if (renewed->changed_rows() == 1) return true;
  failure_ = kTakenOver;
  return std::unexpected(*failure_);
}

Result<Meeting> PostgresStore::meet(const HubRow& self) {
  if (failure_) return std::unexpected(*failure_);
  if (const Result<void> known = make_known(self); !known) return std::unexpected(known.error());
  Result<bool> holding = epoch_ ? renew_hold() : take_hold(self);
  if (!holding && holding.error().code == Code::kAborted && !epoch_) holding = false;  // the holder commits just now
  if (!holding) return std::unexpected(holding.error());
  const Result<Table> hubs = read(
      "SELECT " + column_names<HubRow>() +
          ", CASE WHEN identity = (SELECT holder FROM pools WHERE pool = $1) THEN 1::bigint ELSE 0::bigint END, "
          "CASE WHEN met > now() - " +
          interval(kHoldSpan) + " THEN 1::bigint ELSE 0::bigint END FROM hubs WHERE pool = $1 ORDER BY name, identity",
      of_pool());
  if (!hubs) return std::unexpected(hubs.error());
  const Result<Table> pool = read("SELECT name, filling FROM pools WHERE pool = $1", of_pool());
  if (!pool) return std::unexpected(pool.error());
  Meeting meeting{.holding = *holding, .filling = pool->integer(0, 1) != 0, .pool_name = pool->bytes(0, 0), .hubs = {}};
  constexpr int kHolds = 6;  // the columns of a HubRow come before
  for (int row = 0; row < hubs->rows(); ++row) {
    meeting.hubs.push_back({.row = read_row<HubRow>(*hubs, row),
                            .holds = hubs->integer(row, kHolds) != 0,
                            .alive = hubs->integer(row, kHolds + 1) != 0});
  }
  return meeting;
}

Result<void> PostgresStore::release() {
  if (!epoch_ || failure_) return {};
  const Result<Table> released =
      read("UPDATE pools SET held_until = now(), holder = ''::bytea WHERE pool = $1 AND epoch = $2 AND filling = 0",
           of_pool().add(*epoch_));
  epoch_.reset();
  return released ? Result<void>() : std::unexpected(released.error());
}

// --- filling ---------------------------------------------------------------------------------------------------------

Result<void> PostgresStore::begin_filling() {
  return in_transaction([&]() -> Result<void> {
    const Result<Table> kept = server_->run(
        "SELECT filling, (SELECT count(*) FROM jobs WHERE pool = $1) + (SELECT count(*) FROM removed_jobs WHERE pool = "
        "$1) + (SELECT count(*) FROM devices WHERE pool = $1) FROM pools WHERE pool = $1",
        of_pool());
    if (!kept) return std::unexpected(kept.error());
    if (kept->integer(0, 0) == 0 && kept->integer(0, 1) != 0) {
      return fail(Code::kFailedPrecondition, "the database holds a pool already: name an empty one");
    }
    for (const char* table :
         {"devices", "jobs", "job_after", "tasks", "range_ends", "removed_jobs", "environments", "workspaces"}) {
      const Result<Table> gone = server_->run(fmt::format("DELETE FROM {} WHERE pool = $1", table), of_pool());
      if (!gone) return std::unexpected(gone.error());
    }
    const Result<Table> marked = server_->run("UPDATE pools SET filling = 1 WHERE pool = $1", of_pool());
    return marked ? Result<void>() : std::unexpected(marked.error());
  });
}

Result<void> PostgresStore::end_filling() {
  return in_transaction([&]() -> Result<void> {
    const Result<Table> done = server_->run("UPDATE pools SET filling = 0 WHERE pool = $1", of_pool());
    return done ? Result<void>() : std::unexpected(done.error());
  });
}

// --- transactions ---------------------------------------------------------------------------------------------------

// One try. kUnavailable: nothing is known of it.
Result<void> PostgresStore::attempt(std::int64_t serial, const std::function<Result<void>()>& work) {
  Result<void> done = server_->script("BEGIN");
  if (!done) return done;
  const Result<Table> fence = server_->run("UPDATE pools SET serial = $2, held_until = now() + " + interval(kHoldSpan) +
                                               " WHERE pool = $1 AND epoch = $3 AND serial = $4",
                                           of_pool().add(serial).add(*epoch_).add(last_serial_));
  if (!fence) {
    done = std::unexpected(fence.error());
  } else if (fence->changed_rows() != 1) {
    done = std::unexpected(kTakenOver);
  } else {
    done = work();
  }
  if (done) return server_->script("COMMIT");
  if (done.error().code == Code::kUnavailable) return done;
  if (const Result<void> back = server_->script("ROLLBACK"); !back) server_.reset();
  return done;
}

// The lock waits for the end of a transaction that an earlier connection left behind.
Result<PostgresStore::Fate> PostgresStore::fate_of(std::int64_t serial) {
  for (int tries = 0;; ++tries) {
    const Result<Table> row = read("SELECT epoch, serial FROM pools WHERE pool = $1 FOR UPDATE", of_pool());
    if (!row && row.error().code == Code::kAborted && tries < kMostTries) continue;
    if (!row) return std::unexpected(row.error());
    if (row->rows() != 1 || row->integer(0, 0) != *epoch_) return std::unexpected(kTakenOver);
    if (row->integer(0, 1) == serial) return Fate::kCommitted;
    if (row->integer(0, 1) == last_serial_) return Fate::kNot;
    return fail(Code::kDataLoss, "the pool's database has gone back to an older state, or another program wrote to it");
  }
}

Result<void> PostgresStore::in_transaction(const std::function<Result<void>()>& work) {
  if (failure_) return std::unexpected(*failure_);
  if (!epoch_) return fail(Code::kFailedPrecondition, "this hub stands by: only the one that holds the pool writes");
  Result<void> done;
  for (int tries = 0; tries < kMostTries; ++tries) {
    if (done = reconnect(); !done) break;
    const std::int64_t serial = next_serial_++;
    done = attempt(serial, work);
    if (!done && done.error().code == Code::kUnavailable) done = settle(serial);
    if (done) last_serial_ = serial;
    if (done || done.error().code != Code::kAborted) break;
  }
  if (done) return done;
  const Code code = done.error().code;
  const bool tried = code == Code::kDataLoss || code == Code::kUnavailable || code == Code::kAborted;
  if (tried || done.error() == kTakenOver) failure_ = done.error();
  return done;
}

// What became of a transaction whose connection broke. kAborted: nothing, it may be tried again.
Result<void> PostgresStore::settle(std::int64_t serial) {
  server_.reset();
  const Result<Fate> fate = fate_of(serial);
  if (!fate) return std::unexpected(fate.error());
  if (*fate == Fate::kNot) return fail(Code::kAborted, "the connection to the pool's database breaks again and again");
  // It is on this server. That it is on the servers behind it is known once a later write is.
  const Result<bool> renewed = renew_hold();
  return renewed ? Result<void>() : std::unexpected(renewed.error());
}

Result<void> PostgresStore::commit(const Batch& batch) {
  if (batch.empty()) return {};
  for (const JobRow& job : batch.jobs) {
    if (job.spec.size() <= kMaxSpecBytes) continue;
    return fail(Code::kInvalidArgument, fmt::format("job {}: its description has {} bytes, at most {} are allowed",
                                                    job.request.id.value, job.spec.size(), kMaxSpecBytes));
  }
  for (const TaskRow& task : batch.tasks) {
    if (task.outcome.size() <= kMaxOutcomeBytes) continue;
    return fail(Code::kInvalidArgument,
                fmt::format("task {} of job {}: its outcome has {} bytes, at most {} are allowed", task.task.index,
                            task.task.job.value, task.outcome.size(), kMaxOutcomeBytes));
  }
  return in_transaction([&] { return write(batch); });
}

Result<bool> PostgresStore::purge(std::uint32_t limit) {
  bool more = false;
  const Result<void> done = in_transaction([&]() -> Result<void> {
    const Result<Table> purged = server_->run(
        "DELETE FROM tasks WHERE pool = $1 AND (job, task) IN (SELECT job, task FROM tasks WHERE pool = $1 "
        "AND job IN (SELECT id FROM removed_jobs WHERE pool = $1) LIMIT $2)",
        of_pool().add(std::int64_t{limit}));
    if (!purged) return std::unexpected(purged.error());
    more = purged->changed_rows() == limit;
    if (more) return {};
    // All but those whose numbers no newer job keeps from being given again.
    const Result<Table> forgotten = server_->run(
        "DELETE FROM removed_jobs WHERE pool = $1 AND id < (SELECT coalesce(max(id), 0) FROM jobs WHERE "
        "pool = $1)",
        of_pool());
    return forgotten ? Result<void>() : std::unexpected(forgotten.error());
  });
  if (!done) return std::unexpected(done.error());
  return more;
}

// --- writing --------------------------------------------------------------------------------------------------------

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
  if (Result<void> done = put_environments(batch.environments); !done) return done;
  return put_workspaces(batch.workspaces);
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
  if (!names.empty()) {
    const Result<Table> gone = server_->run(
        "DELETE FROM workspaces WHERE pool = $1 AND (owner, name) IN (SELECT * FROM unnest($2::bigint[], $3::bytea[]))",
        of_pool().add(owners).add(names));
    if (!gone) return fail(gone, "workspaces");
  }
  std::erase_if(kept, [](const WorkspaceRow& row) { return row.node == NodeId{}; });
  return insert(kept, Conflict::kReplace);
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
        "SELECT job, task, state, epoch, attempts, failures, node, started, ended, ''::bytea FROM tasks WHERE pool = "
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

}  // namespace

Result<void> check_postgres_url(const std::string& url) { return Connection::check_url(url); }

Result<std::unique_ptr<SharedStore>> open_postgres(const PostgresOptions& options) {
  Result<std::unique_ptr<Connection>> server = Connection::open(options.url);
  if (!server) return std::unexpected(server.error());
  if (const Result<void> migrated = migrate(**server); !migrated) return std::unexpected(migrated.error());
  return std::make_unique<PostgresStore>(options, std::move(*server));
}

}  // namespace hearth::store
