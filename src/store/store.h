// A pool's durable state, behind an interface of intents in batches: no SQL, no cursors, no transactions handed out.
// What a commit() that returned success contains survives kill -9 and power cuts; a failed one has changed nothing.
//
// A Store is used by one thread at a time (the hub's store worker). Implementations: sqlite/, and postgres/ (shared.h).
// One conformance suite, conformance_test.cc, holds for all.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "core/admission.h"
#include "core/pool/pool.h"

namespace hearth::store {

struct JobRow {
  pool::JobRequest request;  // what decisions need
  std::string spec;          // a serialized hearth.v1.JobSpec, opaque here; at most 1 MiB
  Ring ring = Ring::kHome;   // its owner's when it was submitted
  std::string environment;   // a serialized hearth.v1.Blob, opaque here: the image that it runs in; empty: "host"
  std::string request_id;    // the client's 16 bytes, which no other job of this owner has; empty: none
  WallTime submitted;
  WallTime started;
  WallTime ended;
  pool::JobState state = pool::JobState::kQueued;
};

struct TaskRow {
  TaskId task;
  pool::TaskState state = pool::TaskState::kPending;
  std::uint32_t epoch = 0;
  std::uint32_t attempts = 0;
  std::uint32_t failures = 0;
  NodeId node;
  WallTime started;
  WallTime ended;
  std::string outcome;  // a serialized hearth.v1.Outcome of the last attempt that ended, opaque here; at most 64 KiB
  std::uint32_t copy_epoch = 0;  // the newest that a copy was given since it was leased; 0: none was
  NodeId copy_node = {};         // of a leased task: where a copy of it runs; none: none does
  WallTime copy_started = {};
};

struct DeviceRow {
  DeviceId id;
  std::string name;           // unique among devices that are not revoked
  std::uint8_t role = 0;      // hearth.v1.Role
  std::uint8_t key_kind = 0;  // hearth.v1.KeyKind
  std::string key;  // SubjectPublicKeyInfo, DER, or a token's digest; unique among devices that are not revoked
  WallTime paired;
  WallTime last_seen;
  bool revoked = false;     // the row stays: its number is never given again and old jobs name it
  Ring ring = Ring::kHome;  // how far its jobs are trusted
  WallTime expires;         // 0: never
  AccountId account;        // 0: an account of its own
};

struct AccountRow {
  AccountId id;
  std::string name;  // unique
  std::uint32_t weight = 100;
  Resources most;  // cores, memory, GPUs; 0: no limit
  bool removed = false;
  AccountId firm = {};   // that it is of; 0: of none
  bool is_firm = false;  // of accounts, not of devices
};

struct EnvironmentRow {
  std::string name;    // unique
  std::string sha256;  // of its image, 32 bytes
  std::uint64_t size = 0;
  std::string description;
  WallTime made;
};

struct WorkspaceRow {
  WorkspaceId id;  // unique
  NodeId node;     // where it lies
  std::uint64_t bytes = 0;
  bool leaving = false;
  std::uint64_t used_bytes = 0;  // when a task of it ended last
  WallTime made;
  WallTime last_used;
};

struct ScheduleRow {
  DeviceId owner;
  std::string name;  // unique for the device
  std::string cron;
  std::string spec;          // a serialized hearth.v1.JobSpec, opaque here; at most 1 MiB
  std::uint8_t overlap = 0;  // hearth.v1.Overlap
  WallTime made;
  WallTime next;      // when it comes due
  WallTime last_due;  // 0: never yet
  JobId last_job;     // what was submitted last
  std::string last_trouble;
};

// What the pool's owners say of a node.
struct DutyRow {
  NodeId node;  // unique
  pool::Duty duty = pool::Duty::kServing;
  WallTime grace_ends;  // of one that drains
};

// Nodes that are kept for an account.
struct BookingRow {
  BookingId id;  // unique; not 0
  AccountId account;
  std::uint32_t nodes = 0;  // 0: it is over, or was taken back
  std::string where;        // at most 4 KiB
  WallTime from;
  WallTime until;
  std::int64_t notice_millis = 0;
  DeviceId made_by;
};

// That an app is shared with a person, see core/pool/audiences.h.
struct AudienceRow {
  JobId job;
  AccountId person;  // an account, or a device's number
  bool may_control = false;
  bool controls = false;  // has the controller
  bool removed = false;
};

// By which players watch an app, see core/pool/audiences.h.
struct WatchLinkRow {
  JobId job;
  std::uint32_t number = 0;  // of the job's
  std::string secret_hash;
  std::string label;
  DeviceId maker;
  WallTime made;
  WallTime expires;
  std::uint32_t most_players = 0;  // 0: it is removed
};

// A URL that is told of what happens.
struct WebhookRow {
  std::uint64_t id = 0;     // unique; not 0
  DeviceId owner;           // its device
  std::string url;          // at most 2 KiB
  std::string secret;       // by which its messages are signed
  std::uint32_t kinds = 0;  // webhook::Kinds
  JobId job;                // this one's events alone; 0: any
  std::string name_pattern;
  bool may_be_private = false;  // its host may lie in a private network
  WallTime made;
  std::uint64_t delivered = 0;  // messages that its receiver took
  std::uint64_t given_up = 0;   // and those that it never did
  WallTime last_delivered;
  WallTime last_failed;
  std::string last_trouble;  // why, then
};

// A message that is yet to be taken by a webhook's receiver.
struct DeliveryRow {
  std::uint64_t webhook = 0;
  std::string id;         // unique; the same whenever it is sent
  std::uint8_t kind = 0;  // webhook::Kind
  std::string body;       // at most 64 KiB
  WallTime made;
  WallTime next;  // when it is to be sent
  std::uint32_t tries = 0;
};

// One line of the audit log: it only grows.
struct AuditRow {
  std::uint64_t number = 0;  // counts up from 1; one that is there already is refused, and the batch with it
  WallTime at;
  std::string hash;       // 32 bytes
  std::string statement;  // a serialized hearth.v1.AuditStatement, opaque here
};

// What the attempts of one owner used that ended on one day and counted for one account. In a batch: what is to be
// added to that.
struct UsageRow {
  DeviceId owner;
  std::int64_t day = 0;  // since 1970-01-01, in UTC
  std::int64_t tasks = 0;
  std::int64_t failed_tasks = 0;
  std::int64_t attempts = 0;
  std::int64_t core_millis = 0;
  std::int64_t gpu_millis = 0;
  std::int64_t memory_mib_seconds = 0;
  std::int64_t net_bytes = 0;
  std::int64_t result_bytes = 0;
  std::int64_t energy_millijoules = 0;
  std::int64_t unmetered_core_millis = 0;  // of core_millis: on nodes that do not say what they draw
  // Their names then, since an account may be removed and another be called so. Empty: none.
  std::string account = {};
  std::string firm = {};
};

struct JobChange {
  JobId job;
  pool::JobState state = pool::JobState::kQueued;
  WallTime started;  // 0: leave as it is
  WallTime ended;
};

// [first, first + count) of tasks without rows end at once: one row for all.
struct RangeEnd {
  JobId job;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  pool::TaskState state = pool::TaskState::kCancelled;
  Failure why = Failure::kCancelled;
};

// What one transaction writes, in this order.
struct Batch {
  std::vector<DeviceRow> devices;  // inserted or replaced by id
  std::vector<JobRow> jobs;        // new
  std::vector<JobChange> changes;
  std::vector<TaskRow> tasks;  // inserted or replaced by (job, index); the last one of a task in a batch wins
  std::vector<RangeEnd> range_ends;
  std::vector<JobId> removed;                // jobs that have ended: nothing of them is found any more
  std::vector<EnvironmentRow> environments;  // inserted or replaced by name; one without an image is removed
  std::vector<WorkspaceRow> workspaces;      // inserted or replaced by id; one without a node is removed
  std::vector<AccountRow> accounts;          // inserted or replaced by id, or removed
  std::vector<ScheduleRow> schedules;        // inserted or replaced by owner and name; one without a cron is removed
  std::vector<DutyRow> duties;               // inserted or replaced by node; one that serves is removed
  std::vector<BookingRow> bookings;          // inserted or replaced by id; one without nodes is removed
  std::vector<AudienceRow> audiences;        // inserted or replaced by job and person, or removed
  std::vector<WatchLinkRow> watch_links;     // inserted or replaced by job and number; one without players is removed
  std::vector<WebhookRow> webhooks;          // inserted or replaced by id; one without a URL goes, with its deliveries
  std::vector<DeliveryRow> deliveries;       // inserted or replaced by id; one without a body is removed
  std::vector<AuditRow> audit;               // new
  std::vector<UsageRow> usage;               // added to the row of the same day, owner, account and firm
  std::size_t rows() const;
  bool empty() const { return rows() == 0; }
};

// Everything that a hub needs to go on.
struct LiveJob {
  JobRow row;
  std::vector<TaskRow> tasks;  // those with rows, by index, without their outcomes
  std::vector<RangeEnd> range_ends;
};

class Store {
 public:
  virtual ~Store() = default;

  // Errors: kResourceExhausted (disk full, may be tried again), kAlreadyExists (a job of the same owner has the
  // request_id), kInvalidArgument, kInternal; kDataLoss: the file is damaged, or the disk failed. After a failed fsync
  // a later one proves nothing of what was written before, so from then on every commit fails: end the process and open
  // the file again. A SharedStore has two more of that kind: kUnavailable and kFailedPrecondition.
  virtual Result<void> commit(const Batch& batch) = 0;

  // A removed job's tasks may be many, so their rows go afterwards and step by step: at most `limit` (at least 1) now.
  // True: there are more. Errors as commit()'s.
  virtual Result<bool> purge(std::uint32_t limit) = 0;

  virtual Result<std::vector<DeviceRow>> load_devices() = 0;            // revoked ones included, by id
  virtual Result<std::vector<EnvironmentRow>> load_environments() = 0;  // by name
  virtual Result<std::vector<WorkspaceRow>> load_workspaces() = 0;      // by id
  virtual Result<std::vector<AccountRow>> load_accounts() = 0;          // by id
  virtual Result<std::vector<ScheduleRow>> load_schedules() = 0;        // by owner and name
  virtual Result<std::vector<DutyRow>> load_duties() = 0;               // by node
  virtual Result<std::vector<BookingRow>> load_bookings() = 0;          // by id
  virtual Result<std::vector<AudienceRow>> load_audiences() = 0;        // by job and person
  virtual Result<std::vector<WatchLinkRow>> load_watch_links() = 0;     // by job and number
  virtual Result<std::vector<WebhookRow>> load_webhooks() = 0;          // by id
  virtual Result<std::vector<DeliveryRow>> load_deliveries() = 0;       // by when they were made, then by id
  // Of one owner, or of all if there is none; days from `first` to `last`, by day, owner, account and firm.
  virtual Result<std::vector<UsageRow>> load_usage(std::optional<DeviceId> owner, std::int64_t first, std::int64_t last,
                                                   std::uint32_t limit) = 0;
  virtual Result<AuditRow> last_audit() = 0;  // of the highest number; 0: there is none
  // Numbers above `after` from `since` on, by number.
  virtual Result<std::vector<AuditRow>> load_audit(std::uint64_t after, WallTime since, std::uint32_t limit) = 0;
  virtual Result<std::vector<LiveJob>>
  load_live_jobs() = 0;                     // jobs that have not ended, and those they run after, by id
  virtual Result<JobId> last_job_id() = 0;  // the highest ever given, removed ones included; 0: none
  virtual Result<std::optional<JobRow>> load_job(JobId id) = 0;
  virtual Result<std::optional<JobId>> find_request(DeviceId owner, const std::string& request_id) = 0;
  // Of one device, or of all if there is none; ids below `before` (0: all), newest first.
  virtual Result<std::vector<JobRow>> load_jobs(std::optional<DeviceId> owner, JobId before, std::uint32_t limit) = 0;
  // Tasks with rows among [first, first + limit), by index, with outcomes; or, if only_failed, the first `limit` from
  // `first` on whose last attempt failed.
  virtual Result<std::vector<TaskRow>> load_tasks(JobId job, std::uint32_t first, std::uint32_t limit,
                                                  bool only_failed) = 0;
  virtual Result<std::vector<RangeEnd>> load_range_ends(JobId job) = 0;
  // How many tasks with rows or ranges are in each TaskState, by its value (pending ones without rows are not counted).
  virtual Result<std::array<std::uint32_t, 6>> count_tasks(JobId job) = 0;
};

// Opens or makes the database file (mode 0600). WAL, synchronous=FULL. Errors: kFailedPrecondition (another process has
// it open, or a newer version of Hearth wrote it), kDataLoss (damaged: the message says which file and how to mend it),
// kPermissionDenied, kResourceExhausted.
Result<std::unique_ptr<Store>> open_sqlite(const std::filesystem::path& file);

}  // namespace hearth::store
