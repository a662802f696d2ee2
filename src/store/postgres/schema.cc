#include "store/postgres/schema.h"

#include <fmt/format.h>

#include <array>
#include <cstdint>
#include <string>

namespace hearth::store {
namespace {

// serial: of the last commit, by which a hub finds out what became of one whose answer it did not hear. filling:
// another store's rows are being copied here, and only the hub that began it may hold the pool. The hold runs out by
// the server's clock alone, so that no two computers' clocks need to agree.
constexpr const char* kFirstVersion = R"sql(
  CREATE TABLE pools (
    pool BIGINT PRIMARY KEY,
    epoch BIGINT NOT NULL,
    serial BIGINT NOT NULL,
    name BYTEA NOT NULL,
    filling BIGINT NOT NULL CHECK (filling IN (0, 1)),
    holder BYTEA NOT NULL,
    held_until TIMESTAMPTZ NOT NULL
  );
  CREATE TABLE hubs (
    pool BIGINT NOT NULL,
    identity BYTEA NOT NULL,
    name BYTEA NOT NULL,
    endpoints BYTEA NOT NULL,
    secret BYTEA NOT NULL,
    command_line_key BYTEA NOT NULL,
    node_key BYTEA NOT NULL,
    met TIMESTAMPTZ NOT NULL DEFAULT now(),
    PRIMARY KEY (pool, identity)
  );
  CREATE TABLE devices (
    pool BIGINT NOT NULL,
    id BIGINT NOT NULL,
    name BYTEA NOT NULL,
    role BIGINT NOT NULL,
    key_kind BIGINT NOT NULL,
    key BYTEA NOT NULL,
    paired BIGINT NOT NULL,
    last_seen BIGINT NOT NULL,
    revoked BIGINT NOT NULL CHECK (revoked IN (0, 1)),
    ring BIGINT NOT NULL CHECK (ring BETWEEN 1 AND 4),
    expires BIGINT NOT NULL,
    account BIGINT NOT NULL,
    PRIMARY KEY (pool, id)
  );
  CREATE UNIQUE INDEX device_names ON devices (pool, name) WHERE revoked = 0;
  CREATE UNIQUE INDEX device_keys ON devices (pool, key) WHERE revoked = 0;

  CREATE TABLE jobs (
    pool BIGINT NOT NULL,
    id BIGINT NOT NULL,
    state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 6),
    owner BIGINT NOT NULL,
    tasks BIGINT NOT NULL,
    cores BIGINT NOT NULL,
    memory_bytes BIGINT NOT NULL,
    gpus BIGINT NOT NULL,
    retries BIGINT NOT NULL,
    submitted BIGINT NOT NULL,
    started BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    request_id BYTEA NOT NULL,
    spec BYTEA NOT NULL,
    environment BYTEA NOT NULL,
    ring BIGINT NOT NULL CHECK (ring BETWEEN 1 AND 4),
    PRIMARY KEY (pool, id)
  );
  CREATE INDEX live_jobs ON jobs (pool, id) WHERE state < 4;
  CREATE INDEX jobs_of_owner ON jobs (pool, owner, id);
  CREATE UNIQUE INDEX job_requests ON jobs (pool, owner, request_id) WHERE request_id <> ''::bytea;

  CREATE TABLE job_after (
    pool BIGINT NOT NULL,
    job BIGINT NOT NULL,
    position BIGINT NOT NULL,
    after BIGINT NOT NULL,
    PRIMARY KEY (pool, job, position)
  );

  CREATE TABLE tasks (
    pool BIGINT NOT NULL,
    job BIGINT NOT NULL,
    task BIGINT NOT NULL,
    state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 5),
    epoch BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    node BIGINT NOT NULL,
    started BIGINT NOT NULL,
    ended BIGINT NOT NULL,
    copy_epoch BIGINT NOT NULL,
    copy_node BIGINT NOT NULL,
    copy_started BIGINT NOT NULL,
    outcome BYTEA NOT NULL,
    PRIMARY KEY (pool, job, task)
  );
  CREATE INDEX failed_tasks ON tasks (pool, job, task) WHERE state = 4 OR (state = 1 AND attempts > 0);

  CREATE TABLE range_ends (
    pool BIGINT NOT NULL,
    job BIGINT NOT NULL,
    first BIGINT NOT NULL,
    count BIGINT NOT NULL,
    state BIGINT NOT NULL CHECK (state BETWEEN 1 AND 5),
    why BIGINT NOT NULL,
    PRIMARY KEY (pool, job, first)
  );

  CREATE TABLE removed_jobs (
    pool BIGINT NOT NULL,
    id BIGINT NOT NULL,
    PRIMARY KEY (pool, id)
  );

  CREATE TABLE environments (
    pool BIGINT NOT NULL,
    name BYTEA NOT NULL,
    sha256 BYTEA NOT NULL,
    size BIGINT NOT NULL,
    description BYTEA NOT NULL,
    made BIGINT NOT NULL,
    PRIMARY KEY (pool, name)
  );

  CREATE TABLE accounts (
    pool BIGINT NOT NULL,
    id BIGINT NOT NULL,
    name BYTEA NOT NULL,
    weight BIGINT NOT NULL,
    cores BIGINT NOT NULL,
    memory_bytes BIGINT NOT NULL,
    gpus BIGINT NOT NULL,
    firm BIGINT NOT NULL,
    is_firm BIGINT NOT NULL,
    PRIMARY KEY (pool, id)
  );
  CREATE UNIQUE INDEX account_names ON accounts (pool, name);

  CREATE TABLE schedules (
    pool BIGINT NOT NULL,
    owner BIGINT NOT NULL,
    name BYTEA NOT NULL,
    cron BYTEA NOT NULL,
    overlap BIGINT NOT NULL,
    made BIGINT NOT NULL,
    next BIGINT NOT NULL,
    last_due BIGINT NOT NULL,
    last_job BIGINT NOT NULL,
    last_trouble BYTEA NOT NULL,
    spec BYTEA NOT NULL,
    PRIMARY KEY (pool, owner, name)
  );

  CREATE TABLE duties (
    pool BIGINT NOT NULL,
    node BIGINT NOT NULL,
    duty BIGINT NOT NULL,
    grace_ends BIGINT NOT NULL,
    PRIMARY KEY (pool, node)
  );

  CREATE TABLE webhooks (
    pool BIGINT NOT NULL,
    id BIGINT NOT NULL,
    owner BIGINT NOT NULL,
    url BYTEA NOT NULL,
    secret BYTEA NOT NULL,
    kinds BIGINT NOT NULL,
    job BIGINT NOT NULL,
    name_pattern BYTEA NOT NULL,
    may_be_private BIGINT NOT NULL CHECK (may_be_private IN (0, 1)),
    made BIGINT NOT NULL,
    delivered BIGINT NOT NULL,
    given_up BIGINT NOT NULL,
    last_delivered BIGINT NOT NULL,
    last_failed BIGINT NOT NULL,
    last_trouble BYTEA NOT NULL,
    PRIMARY KEY (pool, id)
  );

  CREATE TABLE deliveries (
    pool BIGINT NOT NULL,
    id BYTEA NOT NULL,
    webhook BIGINT NOT NULL,
    kind BIGINT NOT NULL,
    made BIGINT NOT NULL,
    next BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    body BYTEA NOT NULL,
    PRIMARY KEY (pool, id)
  );
  CREATE INDEX deliveries_of_webhook ON deliveries (pool, webhook);

  CREATE TABLE usage (
    pool BIGINT NOT NULL,
    day BIGINT NOT NULL,
    owner BIGINT NOT NULL,
    account BYTEA NOT NULL,
    firm BYTEA NOT NULL,
    tasks BIGINT NOT NULL,
    failed_tasks BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    core_millis BIGINT NOT NULL,
    gpu_millis BIGINT NOT NULL,
    memory_mib_seconds BIGINT NOT NULL,
    net_bytes BIGINT NOT NULL,
    result_bytes BIGINT NOT NULL,
    energy_millijoules BIGINT NOT NULL,
    unmetered_core_millis BIGINT NOT NULL,
    PRIMARY KEY (pool, day, owner, account, firm)
  );

  CREATE TABLE audit (
    pool BIGINT NOT NULL,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    statement BYTEA NOT NULL,
    PRIMARY KEY (pool, number)
  );

  CREATE TABLE workspaces (
    pool BIGINT NOT NULL,
    owner BIGINT NOT NULL,
    name BYTEA NOT NULL,
    node BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    leaving BIGINT NOT NULL CHECK (leaving IN (0, 1)),
    used_bytes BIGINT NOT NULL,
    made BIGINT NOT NULL,
    last_used BIGINT NOT NULL,
    PRIMARY KEY (pool, owner, name)
  );
)sql";

// Nodes that are kept for an account for a while.
constexpr const char* kSecondVersion = R"sql(
  CREATE TABLE bookings (
    pool BIGINT NOT NULL,
    id BIGINT NOT NULL,
    account BIGINT NOT NULL,
    nodes BIGINT NOT NULL,
    condition BYTEA NOT NULL,
    begins BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    notice BIGINT NOT NULL,
    made_by BIGINT NOT NULL,
    PRIMARY KEY (pool, id)
  );
)sql";

// Whom apps are shared with.
constexpr const char* kThirdVersion = R"sql(
  CREATE TABLE audiences (
    pool BIGINT NOT NULL,
    job BIGINT NOT NULL,
    person BIGINT NOT NULL,
    may_control BIGINT NOT NULL CHECK (may_control IN (0, 1)),
    controls BIGINT NOT NULL CHECK (controls IN (0, 1)),
    PRIMARY KEY (pool, job, person)
  );
)sql";

// The links by which players watch apps.
constexpr const char* kFourthVersion = R"sql(
  CREATE TABLE watch_links (
    pool BIGINT NOT NULL,
    job BIGINT NOT NULL,
    number BIGINT NOT NULL,
    secret_hash BYTEA NOT NULL,
    label BYTEA NOT NULL,
    maker BIGINT NOT NULL,
    made BIGINT NOT NULL,
    expires BIGINT NOT NULL,
    most_players BIGINT NOT NULL,
    PRIMARY KEY (pool, job, number)
  );
)sql";

constexpr std::array kMigrations = {kFirstVersion, kSecondVersion, kThirdVersion, kFourthVersion};

std::string steps_from(std::int64_t version) {
  std::string sql = "BEGIN;";
  if (version == 0) {
    sql += "CREATE TABLE hearth_schema (version BIGINT PRIMARY KEY); INSERT INTO hearth_schema VALUES (0);";
  }
  for (auto step = static_cast<std::size_t>(version); step < kMigrations.size(); ++step) sql += kMigrations.at(step);
  return sql + fmt::format("UPDATE hearth_schema SET version = {}; UPDATE pools SET epoch = epoch + 1; COMMIT",
                           kMigrations.size());
}

}  // namespace

Result<std::int64_t> schema_version(Connection& server) {
  const Result<Table> made = server.run(
      "SELECT count(*) FROM information_schema.tables WHERE table_schema = "
      "current_schema() AND table_name = 'hearth_schema'");
  if (!made) return std::unexpected(made.error());
  if (made->integer(0, 0) == 0) return 0;
  const Result<Table> version = server.run("SELECT version FROM hearth_schema");
  if (!version) return std::unexpected(version.error());
  return version->rows() == 1 ? version->integer(0, 0) : -1;
}

Result<void> migrate(Connection& server) {
  constexpr auto kNewest = static_cast<std::int64_t>(kMigrations.size());
  Result<std::int64_t> version = schema_version(server);
  if (!version) return std::unexpected(version.error());
  if (*version == kNewest) return {};
  if (*version < 0 || *version > kNewest) {
    return fail(Code::kFailedPrecondition,
                fmt::format("the database was written by a newer version of Hearth (its schema is {}, this program "
                            "knows up to {}): start that version, or upgrade this one",
                            *version, kNewest));
  }
  const Result<void> taken = server.script(steps_from(*version));
  if (taken) return {};
  if (const Result<void> back = server.script("ROLLBACK"); !back) return back;
  // Another hub may have done it at the same moment.
  version = schema_version(server);
  if (version && *version == kNewest) return {};
  if (taken.error().code == Code::kInternal) {
    return fail(Code::kFailedPrecondition,
                fmt::format("the pool's tables cannot be made; the database may hold another program's: name an empty "
                            "one ({})",
                            taken.error().message));
  }
  return fail(taken, "making the pool's tables");
}

}  // namespace hearth::store
