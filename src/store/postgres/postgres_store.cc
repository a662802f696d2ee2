// The pool's row is each transaction's first lock and its fence: the statement that gives the commit its serial number
// changes that row only if the epoch is ours and the serial is the one we wrote last. So a second hub, an earlier life
// of this one and a transaction of a connection that was given up can all come too late, and none can come between.
#include "store/postgres/postgres_store.h"

#include <chrono>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/schema.h"

namespace hearth::store {
namespace {

constexpr std::size_t kMaxSpecBytes = std::size_t{1} << 20U;
constexpr std::size_t kMaxOutcomeBytes = std::size_t{64} << 10U;
constexpr std::chrono::milliseconds kRedialPause(100);
constexpr int kMostTries = 5;  // of one transaction; a lock is waited for as long as one may lie idle on the server

const Error kTakenOver{Code::kFailedPrecondition,
                       "another hub holds the pool now; this one has written nothing since and stands by"};

std::string interval(Duration span) { return fmt::format("interval '{} ms'", span.micros / 1000); }

}  // namespace

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
    for (const char* table : {"devices", "jobs", "job_after", "tasks", "range_ends", "removed_jobs", "environments",
                              "workspaces", "accounts", "schedules", "duties", "bookings", "audiences", "watch_links",
                              "webhooks", "deliveries", "usage", "audit"}) {
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
  for (const ScheduleRow& schedule : batch.schedules) {
    if (schedule.spec.size() <= kMaxSpecBytes) continue;
    return fail(Code::kInvalidArgument,
                fmt::format("schedule {}: its job's description has {} bytes, at most {} are allowed", schedule.name,
                            schedule.spec.size(), kMaxSpecBytes));
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

Result<void> check_postgres_url(const std::string& url) { return Connection::check_url(url); }

Result<std::unique_ptr<DatabaseStore>> open_postgres(const PostgresOptions& options) {
  Result<std::unique_ptr<Connection>> server = Connection::open(options.url);
  if (!server) return std::unexpected(server.error());
  if (const Result<void> migrated = migrate(**server); !migrated) return std::unexpected(migrated.error());
  return std::make_unique<PostgresStore>(options, std::move(*server));
}

}  // namespace hearth::store
