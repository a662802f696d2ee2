#include "store/sqlite/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

namespace hearth::store {
namespace {

constexpr std::int64_t kApplicationId = 0x48727468;  // "Hrth", in the file's header: what file(1) and we know it by

// Large columns come last, so that a scan for the small ones does not read them. Rows of finished jobs stay until they
// are removed; the partial indices hold only what the queries at start and in lists of failures look for.
constexpr const char* kFirstVersion = R"sql(
  CREATE TABLE devices (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    role INTEGER NOT NULL,
    key_kind INTEGER NOT NULL,
    key BLOB NOT NULL,
    paired INTEGER NOT NULL,
    last_seen INTEGER NOT NULL,
    revoked INTEGER NOT NULL CHECK (revoked IN (0, 1))
  ) STRICT;
  CREATE UNIQUE INDEX device_names ON devices (name) WHERE revoked = 0;
  CREATE UNIQUE INDEX device_keys ON devices (key) WHERE revoked = 0;

  CREATE TABLE jobs (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
    owner INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    cores INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    gpus INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    submitted INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    request_id BLOB NOT NULL UNIQUE,
    spec BLOB NOT NULL
  ) STRICT;
  CREATE INDEX live_jobs ON jobs (id) WHERE state < 4;

  CREATE TABLE job_after (
    job INTEGER NOT NULL,
    position INTEGER NOT NULL,
    after INTEGER NOT NULL,
    PRIMARY KEY (job, position)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE tasks (
    job INTEGER NOT NULL,
    task INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    epoch INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    node INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    outcome BLOB NOT NULL,
    PRIMARY KEY (job, task)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX failed_tasks ON tasks (job, task) WHERE state = 4 OR (state = 1 AND attempts > 0);

  CREATE TABLE range_ends (
    job INTEGER NOT NULL,
    first INTEGER NOT NULL,
    count INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    why INTEGER NOT NULL,
    PRIMARY KEY (job, first)
  ) STRICT, WITHOUT ROWID;
)sql";

// A request's id is its device's own: no device is answered with another's job. Jobs can be removed: the rows of their
// tasks go step by step, and their numbers are never given again.
constexpr const char* kSecondVersion = R"sql(
  CREATE TABLE new_jobs (
    id INTEGER PRIMARY KEY,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
    owner INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    cores INTEGER NOT NULL,
    memory_bytes INTEGER NOT NULL,
    gpus INTEGER NOT NULL,
    retries INTEGER NOT NULL,
    submitted INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    request_id BLOB NOT NULL,
    spec BLOB NOT NULL
  ) STRICT;
  INSERT INTO new_jobs SELECT id, state, owner, tasks, cores, memory_bytes, gpus, retries, submitted, started, ended,
    request_id, spec FROM jobs;
  DROP TABLE jobs;
  ALTER TABLE new_jobs RENAME TO jobs;
  CREATE INDEX live_jobs ON jobs (id) WHERE state < 4;
  CREATE UNIQUE INDEX job_requests ON jobs (owner, request_id) WHERE request_id <> x'';

  CREATE TABLE removed_jobs (id INTEGER PRIMARY KEY) STRICT;
)sql";

// Environments by name. A job keeps the image that its environment stood for when it was submitted.
constexpr const char* kThirdVersion = R"sql(
  CREATE TABLE environments (
    name TEXT PRIMARY KEY,
    sha256 BLOB NOT NULL,
    size INTEGER NOT NULL,
    description TEXT NOT NULL,
    made INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  ALTER TABLE jobs ADD COLUMN environment BLOB NOT NULL DEFAULT x'';
)sql";

// How far a device is trusted, and was when it asked for a job. Until then all were home.
constexpr const char* kFourthVersion = R"sql(
  ALTER TABLE devices ADD COLUMN ring INTEGER NOT NULL DEFAULT 1 CHECK (ring BETWEEN 1 AND 4);
  ALTER TABLE jobs ADD COLUMN ring INTEGER NOT NULL DEFAULT 1 CHECK (ring BETWEEN 1 AND 4);
)sql";

// Workspaces by owner and name.
constexpr const char* kFifthVersion = R"sql(
  CREATE TABLE workspaces (
    owner INTEGER NOT NULL,
    name TEXT NOT NULL,
    node INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    leaving INTEGER NOT NULL CHECK (leaving IN (0, 1)),
    used_bytes INTEGER NOT NULL,
    made INTEGER NOT NULL,
    last_used INTEGER NOT NULL,
    PRIMARY KEY (owner, name)
  ) STRICT, WITHOUT ROWID;
)sql";

// A device that is shown its own jobs alone has them listed without a look at all others.
constexpr const char* kSixthVersion = R"sql(
  CREATE INDEX jobs_of_owner ON jobs (owner, id);
)sql";

// Devices that are tokens run out.
constexpr const char* kSeventhVersion = R"sql(
  ALTER TABLE devices ADD COLUMN expires INTEGER NOT NULL DEFAULT 0;
)sql";

constexpr const char* kEighthVersion = R"sql(
  CREATE TABLE accounts (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    weight INTEGER NOT NULL,
    cores INTEGER NOT NULL,
    memory INTEGER NOT NULL,
    gpus INTEGER NOT NULL
  ) STRICT;
  ALTER TABLE devices ADD COLUMN account INTEGER NOT NULL DEFAULT 0;
)sql";

// Schedules by owner and name.
constexpr const char* kNinthVersion = R"sql(
  CREATE TABLE schedules (
    owner INTEGER NOT NULL,
    name TEXT NOT NULL,
    cron TEXT NOT NULL,
    overlap INTEGER NOT NULL,
    made INTEGER NOT NULL,
    next INTEGER NOT NULL,
    last_due INTEGER NOT NULL,
    last_job INTEGER NOT NULL,
    last_trouble TEXT NOT NULL,
    spec BLOB NOT NULL,
    PRIMARY KEY (owner, name)
  ) STRICT, WITHOUT ROWID;
)sql";

// What was done to the pool. The file itself refuses to change or drop a line.
constexpr const char* kTenthVersion = R"sql(
  CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    hash BLOB NOT NULL,
    statement BLOB NOT NULL
  ) STRICT;
  CREATE TRIGGER audit_is_not_changed BEFORE UPDATE ON audit
    BEGIN SELECT raise(ABORT, 'the audit log only grows'); END;
  CREATE TRIGGER audit_is_not_removed BEFORE DELETE ON audit
    BEGIN SELECT raise(ABORT, 'the audit log only grows'); END;
)sql";

// Who used how much, a row for each owner and day.
constexpr const char* kEleventhVersion = R"sql(
  CREATE TABLE usage (
    day INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    tasks INTEGER NOT NULL,
    failed_tasks INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    core_millis INTEGER NOT NULL,
    gpu_millis INTEGER NOT NULL,
    memory_mib_seconds INTEGER NOT NULL,
    net_bytes INTEGER NOT NULL,
    result_bytes INTEGER NOT NULL,
    PRIMARY KEY (day, owner)
  ) STRICT, WITHOUT ROWID;
)sql";

// Where this copy of the pool stands, and the hubs that have one. A lone hub's file has no more than its own standing.
constexpr const char* kTwelfthVersion = R"sql(
  CREATE TABLE standing (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    epoch INTEGER NOT NULL,
    position INTEGER NOT NULL,
    holder BLOB NOT NULL,
    released INTEGER NOT NULL CHECK (released IN (0, 1)),
    pool_name TEXT NOT NULL,
    witness INTEGER NOT NULL,
    witness_secret BLOB NOT NULL
  ) STRICT;
  CREATE TABLE hubs (
    identity BLOB PRIMARY KEY,
    name TEXT NOT NULL,
    endpoints TEXT NOT NULL,
    secret BLOB NOT NULL,
    command_line_key BLOB NOT NULL,
    node_key BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
)sql";

// What the pool's owners say of its nodes.
constexpr const char* kThirteenthVersion = R"sql(
  CREATE TABLE duties (
    node INTEGER PRIMARY KEY,
    duty INTEGER NOT NULL CHECK (duty IN (2, 3)),
    grace_ends INTEGER NOT NULL
  ) STRICT;
)sql";

// Firms, of which accounts are. Use is counted by account and firm too, and its energy.
constexpr const char* kFourteenthVersion = R"sql(
  ALTER TABLE accounts ADD COLUMN firm INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE accounts ADD COLUMN is_firm INTEGER NOT NULL DEFAULT 0 CHECK (is_firm IN (0, 1));
  CREATE TABLE new_usage (
    day INTEGER NOT NULL,
    owner INTEGER NOT NULL,
    account TEXT NOT NULL,
    firm TEXT NOT NULL,
    tasks INTEGER NOT NULL,
    failed_tasks INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    core_millis INTEGER NOT NULL,
    gpu_millis INTEGER NOT NULL,
    memory_mib_seconds INTEGER NOT NULL,
    net_bytes INTEGER NOT NULL,
    result_bytes INTEGER NOT NULL,
    energy_millijoules INTEGER NOT NULL,
    unmetered_core_millis INTEGER NOT NULL,
    PRIMARY KEY (day, owner, account, firm)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO new_usage SELECT day, owner, '', '', tasks, failed_tasks, attempts, core_millis, gpu_millis,
    memory_mib_seconds, net_bytes, result_bytes, 0, core_millis FROM usage;
  DROP TABLE usage;
  ALTER TABLE new_usage RENAME TO usage;
)sql";

// Webhooks, and the messages that their receivers have yet to take.
constexpr const char* kFifteenthVersion = R"sql(
  CREATE TABLE webhooks (
    id INTEGER PRIMARY KEY,
    owner INTEGER NOT NULL,
    url TEXT NOT NULL,
    secret BLOB NOT NULL,
    kinds INTEGER NOT NULL,
    job INTEGER NOT NULL,
    name_pattern TEXT NOT NULL,
    may_be_private INTEGER NOT NULL CHECK (may_be_private IN (0, 1)),
    made INTEGER NOT NULL,
    delivered INTEGER NOT NULL,
    given_up INTEGER NOT NULL,
    last_delivered INTEGER NOT NULL,
    last_failed INTEGER NOT NULL,
    last_trouble TEXT NOT NULL
  ) STRICT;
  CREATE TABLE deliveries (
    id TEXT PRIMARY KEY,
    webhook INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    made INTEGER NOT NULL,
    next INTEGER NOT NULL,
    tries INTEGER NOT NULL,
    body BLOB NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX deliveries_of_webhook ON deliveries (webhook);
)sql";

// A second attempt beside the first of a task that runs. The outcome, which is large, stays last.
constexpr const char* kSixteenthVersion = R"sql(
  CREATE TABLE new_tasks (
    job INTEGER NOT NULL,
    task INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
    epoch INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    failures INTEGER NOT NULL,
    node INTEGER NOT NULL,
    started INTEGER NOT NULL,
    ended INTEGER NOT NULL,
    copy_epoch INTEGER NOT NULL,
    copy_node INTEGER NOT NULL,
    copy_started INTEGER NOT NULL,
    outcome BLOB NOT NULL,
    PRIMARY KEY (job, task)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO new_tasks SELECT job, task, state, epoch, attempts, failures, node, started, ended, 0, 0, 0, outcome
    FROM tasks;
  DROP TABLE tasks;
  ALTER TABLE new_tasks RENAME TO tasks;
  CREATE INDEX failed_tasks ON tasks (job, task) WHERE state = 4 OR (state = 1 AND attempts > 0);
)sql";

// Nodes that are kept for an account for a while.
constexpr const char* kSeventeenthVersion = R"sql(
  CREATE TABLE bookings (
    id INTEGER PRIMARY KEY,
    account INTEGER NOT NULL,
    nodes INTEGER NOT NULL,
    condition TEXT NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    notice INTEGER NOT NULL,
    made_by INTEGER NOT NULL
  ) STRICT;
)sql";

// Whom apps are shared with.
constexpr const char* kEighteenthVersion = R"sql(
  CREATE TABLE audiences (
    job INTEGER NOT NULL,
    person INTEGER NOT NULL,
    may_control INTEGER NOT NULL CHECK (may_control IN (0, 1)),
    controls INTEGER NOT NULL CHECK (controls IN (0, 1)),
    PRIMARY KEY (job, person)
  ) STRICT, WITHOUT ROWID;
)sql";

// The links by which players watch apps.
constexpr const char* kNineteenthVersion = R"sql(
  CREATE TABLE watch_links (
    job INTEGER NOT NULL,
    number INTEGER NOT NULL,
    secret_hash BLOB NOT NULL,
    label TEXT NOT NULL,
    maker INTEGER NOT NULL,
    made INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    most_players INTEGER NOT NULL,
    PRIMARY KEY (job, number)
  ) STRICT, WITHOUT ROWID;
)sql";

constexpr std::array kMigrations = {kFirstVersion,       kSecondVersion,     kThirdVersion,     kFourthVersion,
                                    kFifthVersion,       kSixthVersion,      kSeventhVersion,   kEighthVersion,
                                    kNinthVersion,       kTenthVersion,      kEleventhVersion,  kTwelfthVersion,
                                    kThirteenthVersion,  kFourteenthVersion, kFifteenthVersion, kSixteenthVersion,
                                    kSeventeenthVersion, kEighteenthVersion, kNineteenthVersion};

Result<void> take_step(Database& database, std::size_t step) {
  const std::string sql = fmt::format("BEGIN; {} PRAGMA application_id = {}; PRAGMA user_version = {}; COMMIT;",
                                      kMigrations[step], kApplicationId, step + 1);
  if (const Result<void> done = database.execute(sql); !done) {
    database.roll_back();
    return fail(done, fmt::format("bringing the database to version {}", step + 1));
  }
  return {};
}

// A file of zero bytes is ours to fill; any other must carry our mark.
Result<void> refuse_foreign_file(Database& database) {
  const Result<std::int64_t> mark = database.integer("PRAGMA application_id");
  if (!mark) return std::unexpected(mark.error());
  const Result<std::int64_t> tables = database.integer("SELECT count(*) FROM sqlite_schema");
  if (!tables) return std::unexpected(tables.error());
  if (*tables == 0 || *mark == kApplicationId) return {};
  return fail(Code::kFailedPrecondition,
              fmt::format("{} is a database of another program: name another file", database.file().string()));
}

}  // namespace

Result<void> migrate(Database& database, std::size_t to) {
  if (const Result<void> ours = refuse_foreign_file(database); !ours) return ours;
  const Result<std::int64_t> version = database.integer("PRAGMA user_version");
  if (!version) return std::unexpected(version.error());
  if (*version < 0 || *version > static_cast<std::int64_t>(kMigrations.size())) {
    return fail(
        Code::kFailedPrecondition,
        fmt::format("{} was written by a newer version of Hearth (its schema is {}, this program knows up to {})"
                    ": start that version, or upgrade this one",
                    database.file().string(), *version, kMigrations.size()));
  }
  for (auto step = static_cast<std::size_t>(*version); step < std::min(to, kMigrations.size()); ++step) {
    if (const Result<void> taken = take_step(database, step); !taken) return taken;
  }
  return {};
}

}  // namespace hearth::store
