#include "store/sqlite/queries.h"

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>

namespace hearth::store {
namespace {

// What SqliteStore reads into a JobRow and a TaskRow, in its order.
constexpr std::string_view kJobColumns =
    "id, state, owner, tasks, cores, memory_bytes, gpus, retries, submitted, started, ended, request_id, spec, "
    "environment, ring";
constexpr std::string_view kTaskColumns =
    "task, state, epoch, attempts, failures, node, started, ended, copy_epoch, copy_node, copy_started";

// Of what is said of nodes and apps.
std::string word_sql(Query query) {
  switch (query) {
    case Query::kPutDuty:
      return "REPLACE INTO duties VALUES (?1, ?2, ?3)";
    case Query::kRemoveDuty:
      return "DELETE FROM duties WHERE node = ?1";
    case Query::kPutBooking:
      return "REPLACE INTO bookings VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    case Query::kRemoveBooking:
      return "DELETE FROM bookings WHERE id = ?1";
    case Query::kPutAudience:
      return "REPLACE INTO audiences VALUES (?1, ?2, ?3, ?4)";
    case Query::kRemoveAudience:
      return "DELETE FROM audiences WHERE job = ?1 AND person = ?2";
    case Query::kPutWatchLink:
      return "REPLACE INTO watch_links VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    case Query::kRemoveWatchLink:
      return "DELETE FROM watch_links WHERE job = ?1 AND number = ?2";
    case Query::kWatchLinks:
      return "SELECT job, number, secret_hash, label, maker, made, expires, most_players FROM watch_links ORDER BY "
             "job, number";
    case Query::kDuties:
      return "SELECT node, duty, grace_ends FROM duties ORDER BY node";
    case Query::kBookings:
      return "SELECT id, account, nodes, condition, begins, ends, notice, made_by FROM bookings ORDER BY id";
    case Query::kAudiences:
      return "SELECT job, person, may_control, controls FROM audiences ORDER BY job, person";
    default:
      return {};
  }
}

std::string webhook_sql(Query query) {
  switch (query) {
    case Query::kPutWebhook:
      return "REPLACE INTO webhooks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    case Query::kRemoveWebhook:
      return "DELETE FROM webhooks WHERE id = ?1";
    case Query::kRemoveDeliveriesOf:
      return "DELETE FROM deliveries WHERE webhook = ?1";
    case Query::kPutDelivery:
      return "REPLACE INTO deliveries VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    case Query::kRemoveDelivery:
      return "DELETE FROM deliveries WHERE id = ?1";
    default:
      return word_sql(query);
  }
}

std::string writing_sql(Query query) {
  switch (query) {
    case Query::kPutDevice:  // no REPLACE: that would delete the other device that has the name
      return "INSERT INTO devices VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11) ON CONFLICT (id) DO UPDATE SET "
             "name = ?2, role = ?3, key_kind = ?4, key = ?5, paired = ?6, last_seen = ?7, revoked = ?8, ring = ?9, "
             "expires = ?10, account = ?11";
    case Query::kInsertJob:
      return fmt::format(
          "INSERT INTO jobs ({}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
          kJobColumns);
    case Query::kInsertAfter:
      return "INSERT INTO job_after VALUES (?1, ?2, ?3)";
    case Query::kChangeJob:
      return "UPDATE jobs SET state = ?2, started = iif(?3 = 0, started, ?3), ended = iif(?4 = 0, ended, ?4) "
             "WHERE id = ?1";
    case Query::kPutTask:
      return "REPLACE INTO tasks VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
    case Query::kPutRangeEnd:
      return "REPLACE INTO range_ends VALUES (?1, ?2, ?3, ?4, ?5)";
    case Query::kRemoveJob:
      return "DELETE FROM jobs WHERE id = ?1";
    case Query::kRemoveAfter:
      return "DELETE FROM job_after WHERE job = ?1";
    case Query::kRemoveRangeEnds:
      return "DELETE FROM range_ends WHERE job = ?1";
    case Query::kNoteRemoved:
      return "INSERT INTO removed_jobs VALUES (?1)";
    case Query::kPurgeTasks:
      return "DELETE FROM tasks WHERE (job, task) IN (SELECT job, task FROM removed_jobs JOIN tasks ON job = id "
             "LIMIT ?1)";
    case Query::kForgetRemoved:  // all but those whose numbers no newer job keeps from being given again
      return "DELETE FROM removed_jobs WHERE id < (SELECT coalesce(max(id), 0) FROM jobs)";
    case Query::kPutEnvironment:
      return "REPLACE INTO environments VALUES (?1, ?2, ?3, ?4, ?5)";
    case Query::kRemoveEnvironment:
      return "DELETE FROM environments WHERE name = ?1";
    case Query::kPutWorkspace:
      return "REPLACE INTO workspaces VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    case Query::kRemoveWorkspace:
      return "DELETE FROM workspaces WHERE owner = ?1 AND name = ?2";
    case Query::kPutAccount:
      return "INSERT INTO accounts VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO UPDATE SET "
             "name = ?2, weight = ?3, cores = ?4, memory = ?5, gpus = ?6, firm = ?7, is_firm = ?8";
    case Query::kRemoveAccount:
      return "DELETE FROM accounts WHERE id = ?1";
    case Query::kPutSchedule:
      return "REPLACE INTO schedules VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    case Query::kRemoveSchedule:
      return "DELETE FROM schedules WHERE owner = ?1 AND name = ?2";
    case Query::kAddAudit:
      return "INSERT INTO audit VALUES (?1, ?2, ?3, ?4)";
    case Query::kAddUsage:
      return "INSERT INTO usage VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT (day, "
             "owner, account, firm) DO UPDATE SET tasks = tasks + ?5, failed_tasks = failed_tasks + ?6, attempts = "
             "attempts + ?7, core_millis = core_millis + ?8, gpu_millis = gpu_millis + ?9, memory_mib_seconds = "
             "memory_mib_seconds + ?10, net_bytes = net_bytes + ?11, result_bytes = result_bytes + ?12, "
             "energy_millijoules = energy_millijoules + ?13, unmetered_core_millis = unmetered_core_millis + ?14";
    default:
      return webhook_sql(query);
  }
}

std::string reading_sql(Query query) {
  switch (query) {
    case Query::kDevices:
      return "SELECT id, name, role, key_kind, key, paired, last_seen, revoked, ring, expires, account FROM devices "
             "ORDER BY id";
    case Query::kAccounts:
      return "SELECT id, name, weight, cores, memory, gpus, firm, is_firm FROM accounts ORDER BY id";
    case Query::kEnvironments:
      return "SELECT name, sha256, size, description, made FROM environments ORDER BY name";
    case Query::kWorkspaces:
      return "SELECT owner, name, node, bytes, leaving, used_bytes, made, last_used FROM workspaces ORDER BY owner, "
             "name";
    case Query::kSchedules:
      return "SELECT owner, name, cron, overlap, made, next, last_due, last_job, last_trouble, spec FROM schedules "
             "ORDER BY owner, name";
    case Query::kWebhooks:
      return "SELECT id, owner, url, secret, kinds, job, name_pattern, may_be_private, made, delivered, given_up, "
             "last_delivered, last_failed, last_trouble FROM webhooks ORDER BY id";
    case Query::kDeliveries:
      return "SELECT id, webhook, kind, made, next, tries, body FROM deliveries ORDER BY made, id";
    case Query::kUsage:  // an owner of 0: all
      return "SELECT day, owner, account, firm, tasks, failed_tasks, attempts, core_millis, gpu_millis, "
             "memory_mib_seconds, net_bytes, result_bytes, energy_millijoules, unmetered_core_millis FROM usage WHERE "
             "day BETWEEN ?1 AND ?2 AND (?3 = 0 OR owner = ?3) ORDER BY day, owner, account, firm LIMIT ?4";
    case Query::kLastAudit:
      return "SELECT number, at, hash, statement FROM audit ORDER BY number DESC LIMIT 1";
    case Query::kAuditAfter:
      return "SELECT number, at, hash, statement FROM audit WHERE number > ?1 AND at >= ?2 ORDER BY number LIMIT ?3";
    case Query::kLiveJobs:
      return fmt::format(
          "SELECT {} FROM jobs WHERE id IN (SELECT id FROM jobs WHERE state < 4 UNION SELECT after FROM jobs JOIN "
          "job_after ON job = id WHERE state < 4) ORDER BY id",
          kJobColumns);
    case Query::kLastJobId:
      return "SELECT coalesce(max(id), 0) FROM (SELECT max(id) AS id FROM jobs UNION ALL SELECT max(id) FROM "
             "removed_jobs)";
    case Query::kJob:
      return fmt::format("SELECT {} FROM jobs WHERE id = ?1", kJobColumns);
    case Query::kJobsBefore:
      return fmt::format("SELECT {} FROM jobs WHERE id < ?1 ORDER BY id DESC LIMIT ?2", kJobColumns);
    case Query::kJobsOfOwner:
      return fmt::format("SELECT {} FROM jobs WHERE owner = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3", kJobColumns);
    case Query::kAfter:
      return "SELECT after FROM job_after WHERE job = ?1 ORDER BY position";
    case Query::kRequest:
      return "SELECT id FROM jobs WHERE owner = ?1 AND request_id = ?2 AND request_id <> x''";
    case Query::kTasksOfLiveJob:
      return fmt::format("SELECT {} FROM tasks WHERE job = ?1 ORDER BY task", kTaskColumns);
    case Query::kTasks:
      return fmt::format("SELECT {}, outcome FROM tasks WHERE job = ?1 AND task >= ?2 AND task < ?3 ORDER BY task",
                         kTaskColumns);
    case Query::kFailedTasks:  // a pending task that was placed before waits because that attempt failed or was lost
      return fmt::format(
          "SELECT {}, outcome FROM tasks INDEXED BY failed_tasks WHERE job = ?1 AND task >= ?2 AND "
          "(state = 4 OR (state = 1 AND attempts > 0)) ORDER BY task LIMIT ?3",
          kTaskColumns);
    case Query::kRangeEnds:
      return "SELECT first, count, state, why FROM range_ends WHERE job = ?1 ORDER BY first";
    case Query::kCountTasks:
      return "SELECT state, count(*) FROM tasks WHERE job = ?1 GROUP BY state";
    case Query::kCountRangeEnds:
      return "SELECT state, sum(count) FROM range_ends WHERE job = ?1 GROUP BY state";
    default:
      return {};
  }
}

}  // namespace

Result<Queries> Queries::prepare(Database& database) {
  Queries queries;
  for (int number = 0; number <= static_cast<int>(Query::kCountRangeEnds); ++number) {
    const auto query = static_cast<Query>(number);
    std::string sql = writing_sql(query);
    if (sql.empty()) sql = reading_sql(query);
    Result<Statement> statement = database.prepare(sql);
    if (!statement) return std::unexpected(statement.error());
    queries.statements_.push_back(std::move(*statement));
  }
  return queries;
}

}  // namespace hearth::store
