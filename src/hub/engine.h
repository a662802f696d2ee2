// Commit, then speak: the shell round core/pool and the store. Events go in one by one; what they decided is gathered,
// committed in one transaction on the store's worker (while it runs, the next batch gathers), and only then sent to
// nodes, told to callers and shown to watchers.
//
// A commit that finds the disk full is tried again every second. Until it succeeds nothing is said to anybody, no new
// job is taken, and the jobs whose submission was in it are cancelled and lose their request ids: their callers were
// told that they are not accepted. After any other failure nothing that was committed may be relied on: the engine
// commits and says nothing any more, and the process has to end and take up what is on the disk.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/wall_clock.h"
#include "core/pool/pool.h"
#include "core/webhook/webhook.h"
#include "hearth/v1/jobs.pb.h"
#include "hearth/v1/session.pb.h"
#include "net/async.h"
#include "store/store.h"

namespace hearth::hub {

// What the hub remembers of a job that has not ended.
struct LiveJob {
  store::JobRow row;
  pool::JobState kept_state = pool::JobState::kQueued;  // on disk, so it may be told; row.state may be ahead of it
  v1::JobSpec spec;
  std::optional<v1::Blob> environment;  // the image that it runs in; none: the node's own /usr
  std::vector<v1::Blob> data;           // as Submission::data
  v1::Outcome first_failure;
  std::optional<std::vector<v1::Blob>> dependency_outputs;  // trees of the jobs it runs after, once loaded
};

// What is said of an end that no node reported.
v1::Outcome outcome_of(Failure why);

// What a node's session carries out.
class NodeLink {
 public:
  virtual ~NodeLink() = default;
  // `network`: of its gang, if its job has one.
  virtual void assign(AttemptId attempt, const LiveJob& job, const v1::GangNetwork* network) = 0;
  virtual void stop(AttemptId attempt) = 0;
  virtual void acknowledge(AttemptId attempt) = 0;
  virtual void stop_everything(bool stop) = 0;  // false: resume
  virtual void wipe_workspace(const WorkspaceId& id) = 0;
  virtual void tell_hubs(const v1::Hubs&) {}
  virtual void tell_swarm_peers(const v1::SwarmPeers&) {}
  virtual void tell_duty(const v1::WitnessDuty&) {}
  virtual void open_tunnel(const v1::OpenTunnel&) {}
};

// An attempt that failed or was lost.
struct FailedAttempt {
  AttemptId attempt;
  DeviceId owner;              // of its job
  NodeId node;                 // where it was
  std::uint32_t attempts = 0;  // of its task so far, as tasks are listed
  bool again = false;          // another one follows
  WallTime at;
  v1::Outcome outcome;
};

// Told after the commit.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void job_changed(JobId job, DeviceId owner) = 0;
  virtual void node_changed(NodeId node) = 0;
  virtual void about_to_assign(NodeId, const LiveJob&) {}  // before any assignment of the same commit is sent
  virtual void attempt_assigned(AttemptId attempt, NodeId node) = 0;
  virtual void attempt_ended(AttemptId attempt, const v1::Outcome& outcome) = 0;  // for good, or to be tried again
  virtual void attempt_failed(const FailedAttempt&) {}
  virtual void job_ended(JobId job) = 0;
  virtual void job_removed(JobId, DeviceId /*owner*/) {}
  virtual void used(const store::UsageRow&) {}
};

// Told as it is decided, before the commit: what it adds to the batch is on the disk together with what it was told.
class Recorder {
 public:
  virtual ~Recorder() = default;
  // `kind`: kJobQueued, kJobStarted or kJobEnded. Its row says what it will be once that is committed.
  virtual void job_recorded(const LiveJob& job, webhook::Kind kind, store::Batch& batch) = 0;
  virtual void attempt_recorded(const LiveJob& job, const FailedAttempt& failed, store::Batch& batch) = 0;
};

// What a device asks for.
struct Submission {
  DeviceId owner;
  Ring ring = Ring::kHome;  // the device's
  AccountId account = {};   // the device's
  v1::JobSpec spec;         // complete, see spec.h
  std::string request_id;
  std::optional<v1::Blob> environment;  // the image that spec.environment stands for; none: "host"
  std::vector<v1::Blob> data = {};      // what each of its tasks fetches, see job_data.h
  bool even_if_never_run = false;       // see SubmitRequest
};

// What became of a workspace that was to be removed.
struct RemovedWorkspace {
  bool gone = false;                    // false: its node has yet to wipe it
  std::optional<v1::WipeRecord> wiped;  // its node's word
};

class Engine {
 public:
  Engine(net::Loop& loop, net::Workers& store_worker, store::Store& store);
  ~Engine();

  void observe(Observer& observer) { observers_.push_back(&observer); }
  // There is one at most. Set before restore().
  void record_to(Recorder& recorder) { recorder_ = &recorder; }

  // Takes up where the store's last commit left off, then starts committing. Blocks; call before the loop runs.
  Result<void> restore();

  // Called once, on the loop, after a failure for good. Set before the loop runs.
  void on_failure(std::function<void(const Error&)> handler) { on_failure_ = std::move(handler); }

  // Called after each commit that succeeded: how many rows it wrote, and how long it took. Set before the loop runs.
  void on_commit(std::function<void(std::size_t rows, Duration took)> handler) { on_commit_ = std::move(handler); }

  // Commits what is pending and stops.
  net::Async<void> stop();

  // Makes the ways into the networks of gangs whose jobs have one. Set before the loop runs.
  void on_gang_network(std::function<Result<v1::GangNetwork>(AttemptId, const LiveJob&)> maker) {
    make_gang_network_ = std::move(maker);
  }
  void restart_gang(JobId job);  // its network is gone

  // --- jobs. Errors: kResourceExhausted (disk full), kUnavailable (failed for good: what becomes of the request is
  // known after a restart), and those that are named. A request_id counts for its owner alone. Errors: those of
  // pool::Pool::on_submit; kAborted (an equal request was refused at the same moment: ask again).
  net::Async<Result<JobId>> submit(Submission submission);
  net::Async<Result<void>> cancel(JobId job);
  // Errors: those of pool::Pool::on_remove. `taken` is called once the pool has taken it, before the commit that it is
  // part of.
  net::Async<Result<void>> remove(JobId job, std::function<void()> taken = {});

  // --- nodes
  void node_joined(NodeId node, NodeLink& link, const pool::NodeHello& hello);
  void node_gone(NodeId node, NodeLink& link);  // no effect if another link has taken its place
  void node_removed(NodeId node);
  void heartbeat(NodeId node);
  void note_change(NodeId node);  // what the node says of itself has changed: watchers want to know
  void offer(NodeId node, const pool::NodeOffer& offer);
  void attributes(NodeId node, const pool::Attributes& attributes);
  // What the pool's owners say of it, from now on.
  net::Async<Result<void>> set_duty(const store::DutyRow& row);
  const store::DutyRow* duty(NodeId node) const;  // null: it serves
  // Its row, but for the number, which is given here. Errors: those of pool::Pool::on_book. `taken`: as remove()'s.
  net::Async<Result<BookingId>> book(store::BookingRow row, std::function<void(BookingId)> taken);
  net::Async<Result<void>> unbook(BookingId id);
  const std::map<BookingId, store::BookingRow>& bookings() const { return bookings_; }
  void data(NodeId node, const std::vector<pool::DataId>& added, const std::vector<pool::DataId>& removed) {
    pool_.on_data(node, added, removed, now());
  }
  void started(NodeId node, AttemptId attempt);
  // `result_bytes`: of its outputs and its log.
  void finished(NodeId node, AttemptId attempt, v1::Outcome outcome, std::uint64_t result_bytes = 0);

  // Where the pool's other hubs are: told to every node, now and when it connects.
  void tell_hubs(v1::Hubs hubs) {
    hubs_ = std::move(hubs);
    for (const auto& [node, link] : links_) link->tell_hubs(hubs_);
  }

  // Which node bears witness for two hubs, and how: told to all, now and when they connect, since any may have been it.
  void tell_duty(NodeId witness, v1::WitnessDuty duty) {
    witness_ = witness;
    duty_ = std::move(duty);
    for (const auto& [node, link] : links_) link->tell_duty(node == witness_ ? *duty_ : v1::WitnessDuty());
  }

  void workspace_wiped(NodeId node, const WorkspaceId& id, v1::WipeRecord record);

  // --- workspaces. Waits some seconds for a node that is connected. Errors: those of pool::Pool::on_remove_workspace.
  // `taken`: as remove()'s.
  net::Async<Result<RemovedWorkspace>> remove_workspace(WorkspaceId id, std::function<void()> taken = {});
  const std::map<WorkspaceId, store::WorkspaceRow>& workspaces() const { return workspaces_; }

  // --- rows that the engine only commits, along with its own
  net::Async<Result<void>> save_device(const store::DeviceRow& row);
  net::Async<Result<void>> save_environment(const store::EnvironmentRow& row);
  net::Async<Result<void>> remove_environment(std::string name);
  net::Async<Result<void>> save_schedule(store::ScheduleRow row);
  net::Async<Result<void>> save_webhook(store::WebhookRow row, std::vector<store::DeliveryRow> deliveries);

  // --- accounts: what is said of them holds at once, and is saved with the devices that it changes
  net::Async<Result<void>> save_accounts(const std::vector<store::AccountRow>& rows,
                                         const std::vector<store::DeviceRow>& devices);
  net::Async<Result<void>> assign_device(const store::DeviceRow& row);

  void keep(store::AuditRow line);    // part of the next commit
  void keep(store::AudienceRow row);  // the same
  void keep(store::WatchLinkRow row);

  // Until what was given to the engine is on disk.
  net::Async<Result<void>> committed();

  // Other names by which nodes may hold a blob, beside its own. Set before restore().
  void name_data(std::function<std::string(const v1::Blob&)> other_name) { other_name_ = std::move(other_name); }

  // --- questions
  const LiveJob* live_job(JobId id) const;
  const std::map<JobId, LiveJob>& live_jobs() const { return live_; }
  // As Submission::data, for a job that was restored. No effect on one that has ended.
  void set_data(JobId job, std::vector<v1::Blob> data);
  const pool::Pool& pool() const { return pool_; }
  std::optional<store::TaskRow> live_task(
      TaskId task) const;  // of a leased task, or one that waits for another attempt
  bool connected(NodeId node) const { return links_.contains(node); }
  NodeLink* link(NodeId node) const;

  // Runs a question on the store's worker.
  template <class Function>
  auto ask(Function function) -> net::Async<decltype(function(std::declval<store::Store&>()))> {
    co_return co_await store_worker_.run([&] { return function(store_); });
  }

 private:
  struct Ticket;
  struct Removal;
  // What a device's use counts for, by name.
  struct Counted {
    std::string account;
    std::string firm;
  };
  // What a node's owner says that it draws, of how many cores; zeros if nothing was said.
  struct Power {
    double watts = 0;
    double cores = 0;
  };
  struct Ended {
    AttemptId attempt;
    v1::Outcome outcome;
  };
  // What is said of an attempt's end.
  struct Report {
    AttemptId attempt;
    v1::Outcome outcome;
    std::uint64_t result_bytes = 0;
    bool is_nodes_word = true;
  };
  // What one commit makes true, and what is said once it is.
  struct Pending {
    store::Batch batch;
    std::vector<pool::Effect> sends;
    std::vector<Ended> ended;
    std::vector<FailedAttempt> failed;
    std::vector<JobId> changed_jobs;
    std::vector<JobId> ended_jobs;
    std::vector<pool::RemoveRecord> removed_jobs;
    std::vector<NodeId> changed_nodes;
    std::shared_ptr<Ticket> ticket;
    bool empty() const;
  };

  using Request = std::pair<DeviceId, std::string>;

  Time now() const { return loop_.now(); }
  Result<void> restore_job(const store::LiveJob& job);
  Result<void> restore_workspaces();
  Result<void> restore_accounts(std::vector<store::LiveJob>& jobs);
  void take_account(const store::AccountRow& row);
  void take_assignment(const store::DeviceRow& row);
  Counted counted_for(DeviceId owner) const;
  void note_power(NodeId node, const pool::Attributes& attributes);
  Power power_of(NodeId node) const;
  Result<void> restore_duties();
  void take_duty(const store::DutyRow& row);
  Time pool_time(WallTime at) const;
  pool::BookingTerms terms_of(const store::BookingRow& row) const;
  Result<void> restore_bookings();
  void follow_calendar();
  void size_workspace(DeviceId owner, v1::JobSpec& spec) const;
  void note_workspace(AttemptId attempt, const v1::Outcome& outcome);
  Result<v1::Outcome> stored_first_failure(const store::LiveJob& job);
  net::Async<Result<JobId>> wait_for(const Request& request, JobId job);
  Result<JobId> take_job(Submission submission, const std::vector<JobId>& after);
  net::Async<Result<std::vector<JobId>>> make_known(const std::vector<JobId>& jobs);
  void forget(const std::vector<JobId>& jobs);
  void drain(const std::optional<Report>& report = std::nullopt);
  void take_effects(const std::optional<Report>& report);
  void apply(const pool::JobRecord& record);
  void apply(const pool::LeaseRecord& record);
  void apply(const pool::CopyRecord& record);
  void apply(const pool::DropRecord& record, const std::optional<Report>& report);
  void apply(const pool::RequeueRecord& record, const std::optional<Report>& report);
  void apply(const pool::EndRecord& record, const std::optional<Report>& report);
  Report take_report(AttemptId attempt, Failure why, const std::optional<Report>& report);
  void apply(const pool::EndRangeRecord& record);
  void apply(const pool::RemoveRecord& record);
  void apply(const pool::WorkspaceRecord& record);
  void apply(const pool::BookingRecord& record);
  void record(const LiveJob& job, webhook::Kind kind);
  void note_failure(JobId id, const v1::Outcome& failure);
  void note_failed_attempt(const store::TaskRow& row, const v1::Outcome& outcome, bool again);
  void note_usage(const store::TaskRow& row, const Report& report, std::optional<pool::TaskState> end);
  net::Async<void> commit_for_ever();
  net::Async<bool> commit(Pending& pending);  // false: never
  void give_up_submissions(Pending& pending);
  void fail_for_good(const Pending& pending, const Error& error);
  net::Async<void> speak(Pending& pending);
  void let_go(const Pending& pending);
  std::vector<pool::DataId> names_of(const std::vector<v1::Blob>& data) const;
  void announce_assignments(const Pending& pending);
  net::Async<Result<std::vector<v1::Blob>>> load_dependency_outputs(const v1::JobSpec& spec);
  net::Async<void> give_up(const pool::AssignSend& send, const Error& error);
  net::Async<void> send_assign(const pool::AssignSend& send);
  net::Async<void> tick_for_ever();

  net::Loop& loop_;
  net::Workers& store_worker_;
  store::Store& store_;
  pool::Pool pool_;
  std::vector<Observer*> observers_;
  Recorder* recorder_ = nullptr;
  std::map<NodeId, NodeLink*> links_;
  v1::Hubs hubs_;
  NodeId witness_;
  std::optional<v1::WitnessDuty> duty_;  // none: nothing is said of it
  std::map<JobId, LiveJob> live_;
  std::map<AttemptId, Report> held_;       // of gangs' tasks that wait for the rest
  std::map<TaskId, store::TaskRow> rows_;  // of tasks that are leased or wait for another attempt
  std::map<Request, JobId> requests_;      // of live jobs
  std::set<JobId> removing_;               // their removal is not committed yet
  std::map<WorkspaceId, store::WorkspaceRow> workspaces_;
  std::map<NodeId, store::DutyRow> duties_;  // of those that do not just serve
  std::map<BookingId, store::BookingRow> bookings_;
  std::uint64_t last_booking_id_ = 0;
  std::optional<Duration> between_clocks_;  // the calendar's time less the loop's
  std::map<NodeId, Power> power_;           // of those that have been here
  std::map<AccountId, store::AccountRow> accounts_;
  std::map<DeviceId, AccountId> account_of_;  // of devices that are in one
  std::map<WorkspaceId, std::shared_ptr<Removal>> removals_;
  std::uint64_t last_job_id_ = 0;
  Pending pending_;
  net::Event wake_;
  bool stopping_ = false;
  int running_ = 0;  // coroutines of ours
  net::Event stopped_;
  std::optional<Error> disk_trouble_;
  std::function<void(const Error&)> on_failure_;
  std::function<std::string(const v1::Blob&)> other_name_;
  std::function<void(std::size_t, Duration)> on_commit_;
  std::function<Result<v1::GangNetwork>(AttemptId, const LiveJob&)> make_gang_network_;
  bool failed_ = false;
};

}  // namespace hearth::hub
