// The hub's mind: which node runs which task, under which lease, and what becomes of it. Pure: it is told events and
// the time, and gives back effects.
//
// A shell feeds a batch of events through the on_*() functions and tick() at next_deadline(), then takes the effects,
// commits the *records* among them in one transaction, and only then carries out the *sends*. After a crash it hands
// the committed records back through restore_*() and goes on.
//
// Decided here: priority classes (see priority.h), fair share between the accounts of one class (see accounts.h; within
// an account the earliest deadline, then first come, first served), placement (incremental, best fit, on nodes that
// meet the job's condition and, of those that have room, hold its data), reservations so that a large task is not
// overtaken for ever, gangs (all tasks at once or none, see gangs.cc), prefetch (short tasks are leased ahead of a
// node's free room, so that it never waits for a round trip), leases and epochs, retries and their back-off,
// copies of tasks that run far longer than their siblings (see copies.cc), what a PC's owner runs there himself (see
// own_programs.cc), dependencies, cancellation, workspaces (a
// job's tasks go where its workspace lies, one at a time, see workspaces.h).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"
#include "core/admission.h"
#include "core/outcome.h"
#include "core/pool/attributes.h"
#include "core/pool/priority.h"
#include "core/resources.h"

namespace hearth::pool {

struct Options {
  Duration lease = seconds(12);         // a node not heard of for this long has lost its attempts
  Duration retry_backoff = seconds(1);  // before a failed task's second attempt; doubled each time, at most 60 s
  Duration prefetch_span =
      milliseconds(200);  // how much work (by the job's mean task time) may lie ahead on a node beyond its free room
  std::uint32_t max_prefetch = 256;  // tasks ahead per node
  // A task that fits some node and waited longer gets one to itself if its account is next in turn; after ten times as
  // long, whatever that has had.
  Duration starvation_bound = seconds(60);
  Duration usage_half_life = seconds(6 * 3600);  // after which past use counts half
  Duration gang_retry = milliseconds(250);       // room for a gang is looked for so often at most
  std::uint32_t max_live_jobs = 100'000;
  Duration copy_floor = seconds(10);  // no task that ran for less is copied, see copies.cc
  bool fence_epochs = true;           // false only in the simulator's planted-bug test
};

enum class JobState : std::uint8_t {
  kWaiting = 1,
  kQueued = 2,
  kRunning = 3,
  kSucceeded = 4,
  kFailed = 5,
  kCancelled = 6
};  // as hearth.v1.JobState
enum class TaskState : std::uint8_t {
  kPending = 1,
  kLeased = 2,
  kSucceeded = 3,
  kFailed = 4,
  kCancelled = 5
};  // as hearth.v1.TaskState

// A large blob, by the first 8 bytes of a name of it. Another one of equal bytes misleads a preference, no more.
struct DataId {
  std::uint64_t value = 0;
  constexpr auto operator<=>(const DataId&) const = default;
};

inline constexpr std::size_t kMaxDataPerNode = 256;
inline constexpr std::size_t kMaxDataPerJob = 16;

// How the jobs that one runs after must have ended, as hearth.v1.When.
enum class When : std::uint8_t { kSuccess = 1, kFailure = 2, kAlways = 3 };

struct JobRequest {
  JobId id;
  DeviceId owner;
  std::uint32_t tasks = 1;  // 1 to 1,000,000
  Resources per_task;
  std::uint32_t retries = 0;
  std::vector<JobId> after;  // known jobs
  // What follows from the job's specification and its owner's ring, so that no store keeps it.
  Admission admission = {};
  std::string workspace = {};  // the name of one of the owner's; empty: none
  std::string where = {};      // a condition on nodes, see condition.h; empty: none
  PriorityClass priority = PriorityClass::kNormal;
  bool gang = false;                 // at most kMaxGang tasks
  std::int64_t deadline_millis = 0;  // by the calendar; 0: none
  AccountId account = {};            // whose use it is; none: its owner's own
  When when = When::kSuccess;
  bool even_if_never_run = false;  // of on_submit() alone: where it would refuse, the job ends at once
  std::vector<DataId> data = {};   // what each of its tasks fetches, the largest first; at most kMaxDataPerJob
  bool no_copies = false;          // see copies.cc
  std::string prefer = {};         // of nodes that have room, see preference.h; empty: nothing
  Duration limit = {};             // of one attempt's program; 0: none is known
  // Of one task that is its node's owner's own program, and needs nothing of what is lent: there at once, whatever is
  // lent, or never; see own_programs.cc. None: it is none.
  NodeId own_of = {};
};

inline constexpr std::uint32_t kMaxGang = 1'024;

// What the pool's owners say of a node, beside what its own owner says there; as hearth.v1.Duty.
enum class Duty : std::uint8_t {
  kServing = 1,  // it is given tasks
  kCordoned,     // nothing new
  kDraining      // nothing new, and what still runs when its grace ends goes back to the queue
};

// What an owner of the pool says of an account, or of a firm: that is one whose part several accounts share.
struct AccountTerms {
  AccountId id;
  std::uint32_t weight = 100;  // 1 to 10,000: how much it is to have beside others
  Resources most = {};         // leased to it at once: cores, memory, GPUs; 0: no limit
  bool is_set = false;         // somebody said so
  AccountId firm = {};         // that it is of; none: it stands beside firms itself. A firm is of none
};

// What the pool keeps of a booking, see bookings.h.
struct BookingTerms {
  BookingId id;
  AccountId account;        // or a firm: all its accounts
  std::uint32_t nodes = 1;  // so many
  std::string where = {};   // a condition on them, see condition.h; empty: any
  Time from;
  Time until;
  Duration notice = {};  // for so long before it begins they are given only what ends in time
};

// What its owner offers of a node now.
struct NodeOffer {
  Terms terms;
  bool closed = false;
  bool frozen = false;  // closed, and what runs there stands still: its owner needs it
};

struct NodeHello {
  Resources offered;
  bool closed = false;
  std::vector<AttemptId> held;  // running there, or finished and not yet acknowledged
  Admission admits = {};
  std::vector<WorkspaceId> workspaces = {};  // that lie there
  Attributes attributes = {};
  std::vector<DataId> data = {};  // that it holds, see on_data()
  bool frozen = false;            // as NodeOffer
};

// --- effects
// ---------------------------------------------------------------------------------------------------------------------------------

// Records: to be committed before any send of the same batch. Each names what is now true; in the order given.
struct JobRecord {  // the job's state changed
  JobId job;
  JobState state = JobState::kQueued;
};
struct LeaseRecord {  // the task is leased; attempts counts placements so far, this one included
  AttemptId attempt;
  NodeId node;
  std::uint32_t attempts = 0;
};
struct CopyRecord {  // the leased task has a second attempt beside the first; attempts counts both
  AttemptId attempt;
  NodeId node;
  std::uint32_t attempts = 0;
};
struct DropRecord {  // one of a task's two attempts is no more, the other goes on alone; attempts as in RequeueRecord
  AttemptId attempt;
  std::uint32_t attempts = 0;
  Failure why = Failure::kNodeLost;
};
struct RequeueRecord {  // the attempt is lost or failed and the task waits for another; epoch and counts stay known
  AttemptId attempt;
  std::uint32_t attempts = 0;  // without this one if its PC's owner, a drain, a higher class or its gang ended it
  std::uint32_t failures = 0;  // those by its own doing, counted against retries
  Failure why = Failure::kNodeLost;
};
struct EndRecord {  // the task's one accepted end
  AttemptId attempt;
  TaskState state = TaskState::kSucceeded;
  Failure why = Failure::kNone;
};
// Tasks [first, first + count) that never ran end with their job (cancelled, skipped, or a dependency failed).
struct EndRangeRecord {
  JobId job;
  std::uint32_t first = 0;
  std::uint32_t count = 0;
  TaskState state = TaskState::kCancelled;
  Failure why = Failure::kCancelled;
};
struct RemoveRecord {  // nothing is to be known of the job any more
  JobId job;
  DeviceId owner = {};
};
struct WorkspaceRecord {  // a task of it was placed, or it is to go
  WorkspaceId id;
  NodeId node;  // where it lies; none: it is gone
  std::uint64_t bytes = 0;
  bool leaving = false;  // its node is to wipe it
};
struct BookingRecord {  // it is over
  BookingId id;
};

// Sends: to a node's session, if it still has one.
struct AssignSend {
  NodeId node;
  AttemptId attempt;
};
struct StopSend {
  NodeId node;
  AttemptId attempt;
};
struct AcknowledgeSend {  // the attempt's outcome is settled (accepted, or fenced off): the node may forget it
  NodeId node;
  AttemptId attempt;
};
struct WipeWorkspaceSend {  // answered by on_workspace_wiped(); said again at the node's next hello
  NodeId node;
  WorkspaceId id;
};

using Effect =
    std::variant<JobRecord, LeaseRecord, CopyRecord, DropRecord, RequeueRecord, EndRecord, EndRangeRecord, RemoveRecord,
                 WorkspaceRecord, BookingRecord, AssignSend, StopSend, AcknowledgeSend, WipeWorkspaceSend>;

// --- questions
// -------------------------------------------------------------------------------------------------------------------------------

struct JobView {
  JobState state = JobState::kQueued;
  std::uint32_t pending = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0;  // add up to the job's tasks
  std::uint32_t copies = 0;  // of the running, those that run twice
  Duration mean_task_time;   // lease to accepted end, of the tasks that ended; 0: none has
  std::int64_t seconds_left = -1;
};

struct NodeView {
  bool connected = false;
  bool closed = false;  // by its own owner
  Duty duty = Duty::kServing;
  Resources offered;
  Resources used;  // leased to it, prefetched tasks excluded
  std::uint32_t leased = 0;
  BookingId booking = {};  // that keeps it, or is about to; none: none does
  bool spared = false;     // silent with most others at once: it keeps what it has for now (silence.h)
};

struct BookingView {
  std::vector<NodeId> nodes;  // that it was decided to keep
  bool has_begun = false;     // and nobody else's tasks are there
};

enum class Cause : std::uint8_t {
  kEnded = 1,
  kRunning,
  kWaitsForJobs,
  kNoNode,
  kTooLarge,
  kNodesClosed,
  kBusy,
  kBackoff,
  kNotAdmitted,
  kWorkspaceAway = 12,
  kWorkspaceInUse,
  kNotMet,
  kQuota,
  kGang,
  kBooked
};  // as hearth.v1.WhyReply.Cause

struct Why {
  Cause cause = Cause::kEnded;
  std::vector<JobId> jobs;  // at most 10
  Resources largest_offer;  // with kTooLarge: the largest node's
  // With kBusy and kNodesClosed: how many could take it; with kNotAdmitted: how many are large enough; with kTooLarge:
  // how many meet its condition, of which `largest_offer` is, while one that is large enough does not; 0: none is.
  std::uint32_t nodes = 0;
  std::uint32_t cordoned = 0;  // with kNodesClosed: of those, how many are not closed but cordoned or drained
  Duration wait;               // with kBackoff
  Admission lacking;  // with kNotAdmitted: what none of those grants; empty: each is granted by some, all by none
  NodeId node;        // with kWorkspaceAway: where it lies
  // With kNotMet: the condition's parts, and how many of the `nodes` that are large enough do not meet each.
  std::vector<std::pair<std::string, std::uint32_t>> unmet;
  AccountId full;              // with kQuota: the account or firm that may have no more
  std::uint32_t room_for = 0;  // with kGang: so many of its tasks
  std::uint32_t copies = 0;    // see JobView
  BookingId booking = {};      // with kBooked: of those that keep the `nodes`, the one that ends first
};

struct AccountView {
  AccountTerms terms;
  Resources used;            // leased
  std::uint32_t queues = 0;  // kinds of tasks that wait; a firm's: its accounts'
  double share = 0;          // of the pool now: the largest part of cores, memory, GPUs
  double recent = 0;         // its mean over the recent past, which fades
  bool is_firm = false;      // others are of it
};

// --- restoring
// -------------------------------------------------------------------------------------------------------------------------------

struct RestoredTask {  // a task that has a row; all others of the job are pending and untouched
  std::uint32_t index = 0;
  TaskState state = TaskState::kPending;
  std::uint32_t epoch = 0;
  std::uint32_t attempts = 0;
  std::uint32_t failures = 0;
  NodeId node;                   // if leased
  std::uint32_t copy_epoch = 0;  // the newest given to a copy of it since it was leased; 0: none was
  NodeId copy_node = {};         // if leased and a copy runs
  Duration took = {};            // if it has succeeded: how long its program ran; 0: unknown
};

class Pool {
 public:
  explicit Pool(const Options& options);
  ~Pool();
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // Before any event, jobs in the order of their ids. Leases restored here run for one more lease from `now`, for their
  // nodes to come back. A job that has ended may be restored at any time, so that another can run after it or that it
  // can be removed. `rest`: why those of its tasks ended that never ran.
  void restore_job(const JobRequest& job, JobState state, const std::vector<RestoredTask>& tasks, Time now,
                   Failure rest = Failure::kNone);
  void restore_workspace(const WorkspaceRecord& workspace);  // before any job

  // What is said of accounts holds at once, for what is leased too but for `most`.
  void restore_booking(const BookingTerms& terms, Time now);  // also when the times of a known one are others
  void set_account(const AccountTerms& terms);
  void forget_account(AccountId account);  // it is as one that nobody spoke of
  // As JobRequest::data, for a job that was restored. No effect on one that is not known.
  void set_data(JobId job, std::vector<DataId> data);
  // All of the owner's jobs count for this account from now on.
  void move_jobs(DeviceId owner, AccountId account, Time now);

  // A JobRecord tells the new job's state. Errors: kResourceExhausted (too many live jobs), kNotFound /
  // kFailedPrecondition (a job of `after` is unknown / they have ended so that it would never run), kInvalidArgument
  // (no tasks or cores, or too many tasks, or a wrong condition, or a gang with a workspace), kAlreadyExists. Of
  // conditions: kResourceExhausted. Of a workspace: kFailedPrecondition (it is being removed), kResourceExhausted (too
  // many).
  Result<void> on_submit(const JobRequest& job, Time now);
  void on_cancel(JobId job, Time now);
  // What the gang's tasks shared is gone: those that run end, and all run again, which counts as no attempt. No effect
  // on a job that is no gang, or of which nothing runs.
  void on_gang_broken(JobId job, Time now);
  // Errors: kNotFound (unknown, or removed already); kFailedPrecondition (it has not ended, or one that has not ended
  // runs after it and needs its results: the message names both).
  Result<void> on_remove(JobId job, Time now);
  // Has its node wipe it, now or once that is back. Errors: kNotFound; kFailedPrecondition (a job that has not ended
  // names it: the message says which).
  Result<void> on_remove_workspace(const WorkspaceId& id, Time now);

  void on_node_hello(NodeId node, const NodeHello& hello, Time now);
  void on_node_gone(NodeId node, Time now);  // its session ended; its leases run on
  // Its device was revoked or left: its leases end now, and its workspaces are no more.
  void on_node_removed(NodeId node, Time now);
  void on_heartbeat(NodeId node, Time now);  // any word from the node counts as one
  void on_offer(NodeId node, const NodeOffer& offer, Time now);
  void on_attributes(NodeId node, const Attributes& attributes, Time now);  // what runs goes on
  // Holds until the next such word or the node's removal, whether the node is there, away or has not been heard of yet.
  // `grace_ends`: of one that drains.
  void on_duty(NodeId node, Duty duty, Time grace_ends, Time now);
  // Errors: those of conditions in on_submit(); kFailedPrecondition (there are not so many nodes, or others have booked
  // them), kResourceExhausted. A BookingRecord tells its end.
  Result<void> on_book(const BookingTerms& terms, Time now);
  void on_unbook(BookingId id, Time now);
  // Large blobs that the node holds from now on, and no more. Of those beyond kMaxDataPerNode nothing is known.
  void on_data(NodeId node, const std::vector<DataId>& added, const std::vector<DataId>& removed, Time now);
  void on_started(NodeId node, AttemptId attempt, Time now);
  void on_finished(NodeId node, AttemptId attempt, Failure failure, Time now);
  void on_workspace_wiped(NodeId node, const WorkspaceId& id, Time now);

  void tick(Time now);
  // Ask after take_effects(). A time that has come already means that more is to be done at once: a batch leases a
  // bounded number of tasks.
  std::optional<Time> next_deadline() const;
  // Tasks are placed here, once per batch.
  std::vector<Effect> take_effects();

  // Whether that node has it, be it the first or the copy: whether the node's word on it counts.
  bool is_leased_to(NodeId node, AttemptId attempt) const;
  // Whether its success was reported and waits for the rest of its gang: its EndRecord, or its restart, is yet to come.
  bool is_held(AttemptId attempt) const;
  // Whether it is the second of the task's two attempts.
  bool is_copy(AttemptId attempt) const;

  std::optional<JobView> job(JobId id, Time now) const;
  std::optional<Why> why(JobId id, Time now) const;
  std::optional<NodeView> node(NodeId id) const;
  std::optional<BookingView> booking(BookingId id) const;
  std::vector<AccountView> accounts() const;         // that use something, have used it lately, wait, or are spoken of
  std::optional<NodeId> node_of(TaskId task) const;  // of its current lease, the first if there are two
  std::vector<AttemptId> leased_tasks(JobId id) const;                      // current attempts, by index, no copies
  std::vector<AttemptId> started_on(NodeId node, std::size_t limit) const;  // attempts that run there
  std::vector<JobId> jobs_at(NodeId node) const;                            // that have attempts leased to it
  std::vector<NodeId> holders(DataId data, std::size_t most) const;         // connected ones, by id
  std::optional<JobId> user_of(const WorkspaceId& id) const;                // the job whose task has it now
  std::uint64_t pending_tasks() const;
  std::uint64_t leased_tasks() const;

  // Drops a job that has ended from memory (its record stays in the store). No effect on a live one, or one that a live
  // one runs after.
  void forget(JobId id);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace hearth::pool
