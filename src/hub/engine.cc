#include "hub/engine.h"

#include "base/check.h"
#include "base/log.h"
#include "hub/convert.h"
#include "hub/spec.h"

namespace hearth::hub {
namespace {

// Tasks that never ran end all at once, for one reason.
Failure why_of_rest(const std::vector<store::RangeEnd>& ends) {
  return ends.empty() ? Failure::kNone : ends.front().why;
}

// That a task which has succeeded took.
Duration time_of(const store::TaskRow& row) {
  const bool is_known = row.state == pool::TaskState::kSucceeded && row.started.unix_millis > 0;
  return is_known ? milliseconds(row.ended.unix_millis - row.started.unix_millis) : Duration{};
}

constexpr const char* kFailed = "the hub's disk has failed, and the hub starts again from what is there: ask again";

}  // namespace

v1::Outcome outcome_of(Failure why) {
  v1::Outcome outcome;
  outcome.set_exit_code(-1);
  outcome.set_reason(static_cast<v1::FailureReason>(why));
  switch (why) {
    case Failure::kNodeLost:
      outcome.set_message("its node died, or was out of reach for longer than its lease");
      break;
    case Failure::kOwner:
      outcome.set_message("its PC's owner needed it");
      break;
    case Failure::kDrained:
      outcome.set_message("its node is drained by the pool's owner; it runs again");
      break;
    case Failure::kBooked:
      outcome.set_message("its node is kept for another account from now on; it runs again");
      break;
    case Failure::kPreempted:
      outcome.set_message("a task of a higher class needed its room; it runs again");
      break;
    case Failure::kGang:
      outcome.set_message("another task of its gang failed or was lost");
      break;
    case Failure::kDependency:
      outcome.set_message("a job that it runs after did not succeed");
      break;
    case Failure::kSkipped:
      outcome.set_message("skipped: no job that it runs after failed, or one of them was skipped");
      break;
    case Failure::kCancelled:
      outcome.set_message("cancelled");
      break;
    default:
      break;
  }
  return outcome;
}

struct Engine::Ticket {
  net::Event done;
  std::optional<Result<void>> result;
};

bool Engine::Pending::empty() const {
  return batch.empty() && sends.empty() && changed_jobs.empty() && changed_nodes.empty();
}

Engine::Engine(net::Loop& loop, net::Workers& store_worker, store::Store& store)
    : loop_(loop), store_worker_(store_worker), store_(store), pool_(pool::Options{}) {
  pending_.ticket = std::make_shared<Ticket>();
}

Engine::~Engine() = default;

// --- starting and stopping ------------------------------------------------------------------------------------------

Result<void> Engine::restore() {
  Result<JobId> last = store_.last_job_id();
  if (!last) return fail(last, "reading the pool's database");
  last_job_id_ = last->value;
  Result<std::vector<store::LiveJob>> jobs = store_.load_live_jobs();
  if (!jobs) return fail(jobs, "reading the pool's database");
  if (Result<void> restored = restore_workspaces(); !restored) return fail(restored, "reading the pool's database");
  if (Result<void> restored = restore_accounts(*jobs); !restored) return fail(restored, "reading the pool's database");
  if (Result<void> restored = restore_duties(); !restored) return fail(restored, "reading the pool's database");
  if (Result<void> restored = restore_bookings(); !restored) return fail(restored, "reading the pool's database");
  for (const store::LiveJob& job : *jobs) {
    if (Result<void> restored = restore_job(job); !restored) return fail(restored, "reading the pool's database");
  }
  for (const auto& [id, job] : live_) {
    if (job.spec.net_gang()) pool_.on_gang_broken(id, now());
  }
  running_ = 2;
  loop_.spawn(commit_for_ever());
  loop_.spawn(tick_for_ever());
  drain();
  return {};
}

// The one that failed for good before all others. None: an outcome without a reason.
Result<v1::Outcome> Engine::stored_first_failure(const store::LiveJob& job) {
  const store::TaskRow* first = nullptr;
  for (const store::TaskRow& row : job.tasks) {
    if (row.state == pool::TaskState::kFailed && (first == nullptr || row.ended < first->ended)) first = &row;
  }
  v1::Outcome outcome;
  if (first == nullptr) return outcome;
  Result<std::vector<store::TaskRow>> rows = store_.load_tasks(first->task.job, first->task.index, 1, false);
  if (!rows) return std::unexpected(rows.error());
  CHECK(rows->size() == 1);
  // It holds what a node said, so no word of it may keep the hub from starting.
  if (!outcome.ParseFromString(rows->front().outcome)) {
    log_error("an outcome cannot be read", {{"job", first->task.job.value}, {"task", first->task.index}});
  }
  return outcome;
}

Result<void> Engine::restore_job(const store::LiveJob& job) {
  std::vector<pool::RestoredTask> tasks;
  const bool live = job.row.state <= pool::JobState::kRunning;
  for (const store::TaskRow& row : job.tasks) {
    tasks.push_back({row.task.index, row.state, row.epoch, row.attempts, row.failures, row.node, row.copy_epoch,
                     row.copy_node, time_of(row)});
    if (live && row.state <= pool::TaskState::kLeased) rows_[row.task] = row;
  }
  v1::JobSpec spec;
  CHECK(spec.ParseFromString(job.row.spec));
  pool::JobRequest request = job.row.request;
  fill_request(spec, job.row.ring, request);
  pool_.restore_job(request, job.row.state, tasks, now(), why_of_rest(job.range_ends));
  if (!live) return {};
  LiveJob& restored = live_[job.row.request.id];
  restored.row = job.row;
  restored.kept_state = job.row.state;
  restored.spec = std::move(spec);
  if (!job.row.environment.empty()) CHECK(restored.environment.emplace().ParseFromString(job.row.environment));
  Result<v1::Outcome> failure = stored_first_failure(job);
  if (!failure) return std::unexpected(failure.error());
  restored.first_failure = std::move(*failure);
  if (!job.row.request_id.empty()) requests_[{job.row.request.owner, job.row.request_id}] = job.row.request.id;
  return {};
}

net::Async<void> Engine::stop() {
  stopping_ = true;
  wake_.notify();
  while (running_ > 0) co_await stopped_.wait();
}

// --- jobs -----------------------------------------------------------------------------------------------------------

// On disk, or given up.
net::Async<Result<JobId>> Engine::wait_for(const Request& request, JobId job) {
  if (Result<void> done = co_await committed(); !done) co_return std::unexpected(done.error());
  if (const auto still = requests_.find(request); still != requests_.end() && still->second == job) co_return job;
  Result<std::optional<JobId>> stored =
      co_await ask([&](store::Store& store) { return store.find_request(request.first, request.second); });
  if (!stored) co_return std::unexpected(stored.error());
  if (*stored) co_return **stored;
  co_return fail(Code::kAborted, "the same request was refused meanwhile; ask again");
}

net::Async<Result<JobId>> Engine::submit(Submission submission) {
  const Request request{submission.owner, submission.request_id};
  if (const auto known = requests_.find(request); known != requests_.end()) {
    co_return co_await wait_for(request, known->second);
  }
  Result<std::optional<JobId>> stored =
      co_await ask([&](store::Store& store) { return store.find_request(request.first, request.second); });
  if (!stored) co_return std::unexpected(stored.error());
  if (*stored) co_return **stored;
  std::vector<JobId> after;
  for (const std::uint64_t id : submission.spec.after()) after.push_back({id});
  Result<std::vector<JobId>> added = co_await make_known(after);
  if (!added) co_return std::unexpected(added.error());
  Result<JobId> id = take_job(std::move(submission), after);
  if (!id) {
    forget(*added);
    co_return id;
  }
  Result<void> done = co_await committed();
  if (!done) co_return fail(done, "the job was not accepted");
  co_return id;
}

Result<JobId> Engine::take_job(Submission submission, const std::vector<JobId>& after) {
  const Request request{submission.owner, submission.request_id};
  if (disk_trouble_) return fail(*disk_trouble_, "no new job is taken while the hub cannot write");
  if (requests_.contains(request)) return fail(Code::kAborted, "the same request is being answered; ask again");
  LiveJob job;
  const JobId id{last_job_id_ + 1};
  v1::JobSpec& spec = submission.spec;
  size_workspace(request.first, spec);
  job.row.request = {.id = id,
                     .owner = submission.owner,
                     .tasks = spec.tasks(),
                     .retries = spec.retries(),
                     .after = after,
                     .account = submission.account,
                     .even_if_never_run = submission.even_if_never_run};
  fill_request(spec, submission.ring, job.row.request);
  job.row.request.data = names_of(submission.data);
  job.row.ring = submission.ring;
  job.row.spec = spec.SerializeAsString();
  if (submission.environment) job.row.environment = submission.environment->SerializeAsString();
  job.row.request_id = request.second;
  job.row.submitted = wall_now();
  job.spec = std::move(submission.spec);
  job.environment = std::move(submission.environment);
  job.data = std::move(submission.data);
  if (Result<void> taken = pool_.on_submit(job.row.request, now()); !taken) return std::unexpected(taken.error());
  last_job_id_ = id.value;
  pending_.batch.jobs.push_back(job.row);
  pending_.changed_jobs.push_back(id);
  record(live_.emplace(id, std::move(job)).first->second, webhook::Kind::kJobQueued);
  requests_.emplace(request, id);
  drain();
  return id;
}

// The pool forgets jobs that have ended. Lets it know those that something is to be decided of; gives those that it had
// not known. The store's worker answers in order, so a removal that these rows do not show is still in removing_.
net::Async<Result<std::vector<JobId>>> Engine::make_known(const std::vector<JobId>& jobs) {
  std::vector<JobId> unknown;
  for (const JobId id : jobs) {
    if (!pool_.job(id, now())) unknown.push_back(id);
  }
  std::vector<JobId> added;
  if (unknown.empty()) co_return added;
  struct Ended {
    store::JobRow row;
    std::vector<store::RangeEnd> ends;
  };
  using Rows = Result<std::vector<Ended>>;
  Rows rows = co_await ask([&](store::Store& store) -> Rows {
    std::vector<Ended> found;
    for (const JobId id : unknown) {
      Result<std::optional<store::JobRow>> row = store.load_job(id);
      if (!row) return std::unexpected(row.error());
      if (!*row) continue;
      Result<std::vector<store::RangeEnd>> ends = store.load_range_ends(id);
      if (!ends) return std::unexpected(ends.error());
      found.push_back({std::move(**row), std::move(*ends)});
    }
    return found;
  });
  if (!rows) co_return std::unexpected(rows.error());
  for (const auto& [row, ends] : *rows) {
    const JobId id = row.request.id;
    if (row.state < pool::JobState::kSucceeded || removing_.contains(id) || pool_.job(id, now())) continue;
    pool_.restore_job(row.request, row.state, {}, now(), why_of_rest(ends));
    added.push_back(id);
  }
  co_return added;
}

// Those that have ended and that nobody needs.
void Engine::forget(const std::vector<JobId>& jobs) {
  for (const JobId id : jobs) {
    if (!live_.contains(id)) pool_.forget(id);
  }
}

net::Async<Result<void>> Engine::cancel(JobId job) {
  pool_.on_cancel(job, now());
  drain();
  co_return co_await committed();
}

net::Async<Result<void>> Engine::remove(JobId job, std::function<void()> taken) {
  if (disk_trouble_) co_return fail(*disk_trouble_, "no job is removed while the hub cannot write");
  Result<std::vector<JobId>> added = co_await make_known({job});
  if (!added) co_return std::unexpected(added.error());
  if (Result<void> done = pool_.on_remove(job, now()); !done) co_return done;
  if (taken) taken();
  drain();
  Result<void> done = co_await committed();
  if (!done) co_return fail(done, "the job is removed as soon as the hub can write");
  co_return done;
}

// --- what lies in the store and not in the pool ----------------------------------------------------------------------

net::Async<Result<void>> Engine::save_device(const store::DeviceRow& row) {
  pending_.batch.devices.push_back(row);
  co_return co_await committed();
}

net::Async<Result<void>> Engine::save_environment(const store::EnvironmentRow& row) {
  pending_.batch.environments.push_back(row);
  co_return co_await committed();
}

void Engine::keep(store::AuditRow line) {
  pending_.batch.audit.push_back(std::move(line));
  wake_.notify();
}

void Engine::keep(store::AudienceRow row) {
  pending_.batch.audiences.push_back(row);
  wake_.notify();
}

void Engine::keep(store::WatchLinkRow row) {
  pending_.batch.watch_links.push_back(std::move(row));
  wake_.notify();
}

net::Async<Result<void>> Engine::remove_environment(std::string name) {
  pending_.batch.environments.push_back({.name = std::move(name), .sha256 = {}, .description = {}});
  co_return co_await committed();
}

net::Async<Result<void>> Engine::save_schedule(store::ScheduleRow row) {
  pending_.batch.schedules.push_back(std::move(row));
  co_return co_await committed();
}

net::Async<Result<void>> Engine::save_webhook(store::WebhookRow row, std::vector<store::DeliveryRow> deliveries) {
  pending_.batch.webhooks.push_back(std::move(row));
  for (store::DeliveryRow& delivery : deliveries) pending_.batch.deliveries.push_back(std::move(delivery));
  co_return co_await committed();
}

// --- questions ------------------------------------------------------------------------------------------------------

const LiveJob* Engine::live_job(JobId id) const {
  const auto found = live_.find(id);
  return found == live_.end() ? nullptr : &found->second;
}

std::optional<store::TaskRow> Engine::live_task(TaskId task) const {
  const auto found = rows_.find(task);
  return found == rows_.end() ? std::nullopt : std::optional(found->second);
}

NodeLink* Engine::link(NodeId node) const {
  const auto found = links_.find(node);
  return found == links_.end() ? nullptr : found->second;
}

// --- effects --------------------------------------------------------------------------------------------------------

// `report`: what the event that was just fed in told, for the record that settles that attempt. The pool places a
// bounded number of tasks at a time; while more could be placed its deadline is already past.
void Engine::drain(const std::optional<Report>& report) {
  take_effects(report);
  for (std::optional<Time> deadline = pool_.next_deadline(); deadline && *deadline <= now();
       deadline = pool_.next_deadline()) {
    pool_.tick(now());
    take_effects(std::nullopt);
  }
  if (!pending_.empty()) wake_.notify();
}

void Engine::take_effects(const std::optional<Report>& report) {
  for (pool::Effect& effect : pool_.take_effects()) {
    if (const auto* job = std::get_if<pool::JobRecord>(&effect)) {
      apply(*job);
    } else if (const auto* lease = std::get_if<pool::LeaseRecord>(&effect)) {
      apply(*lease);
    } else if (const auto* copy = std::get_if<pool::CopyRecord>(&effect)) {
      apply(*copy);
    } else if (const auto* drop = std::get_if<pool::DropRecord>(&effect)) {
      apply(*drop, report);
    } else if (const auto* requeue = std::get_if<pool::RequeueRecord>(&effect)) {
      apply(*requeue, report);
    } else if (const auto* end = std::get_if<pool::EndRecord>(&effect)) {
      apply(*end, report);
    } else if (const auto* range = std::get_if<pool::EndRangeRecord>(&effect)) {
      apply(*range);
    } else if (const auto* removal = std::get_if<pool::RemoveRecord>(&effect)) {
      apply(*removal);
    } else if (const auto* workspace = std::get_if<pool::WorkspaceRecord>(&effect)) {
      apply(*workspace);
    } else if (const auto* booking = std::get_if<pool::BookingRecord>(&effect)) {
      apply(*booking);
    } else {
      pending_.sends.push_back(effect);
    }
  }
}

// --- committing -----------------------------------------------------------------------------------------------------

net::Async<Result<void>> Engine::committed() {
  if (failed_) co_return fail(Code::kUnavailable, kFailed);
  const std::shared_ptr<Ticket> ticket = pending_.ticket;
  wake_.notify();
  while (!ticket->result) co_await ticket->done.wait();
  co_return *ticket->result;
}

net::Async<void> Engine::commit_for_ever() {
  while (!stopping_ || !pending_.empty()) {
    const bool awaited = pending_.ticket.use_count() > 1;
    if (pending_.empty() && !awaited) {
      co_await wake_.wait();
      continue;
    }
    Pending now = std::exchange(pending_, Pending{});
    pending_.ticket = std::make_shared<Ticket>();
    if (!now.batch.empty() && !co_await commit(now)) break;
    co_await speak(now);
  }
  if (--running_ == 0) stopped_.notify();
}

net::Async<bool> Engine::commit(Pending& pending) {
  const Time began = now();
  for (bool first = true;; first = false) {
    Result<void> done = co_await ask([&](store::Store& store) { return store.commit(pending.batch); });
    if (done) break;
    if (done.error().code != Code::kResourceExhausted) {
      fail_for_good(pending, done.error());
      co_return false;
    }
    disk_trouble_ = done.error();
    if (first) {
      log_error("could not write the pool's database, trying again every second", {{"error", done.error().message}});
      give_up_submissions(pending);
      pending.ticket->result = done;
      pending.ticket->done.notify();
    }
    if (stopping_) co_return false;
    co_await net::sleep_for(seconds(1));
  }
  if (disk_trouble_) log_info("the pool's database can be written again");
  disk_trouble_.reset();
  if (on_commit_) on_commit_(pending.batch.rows(), now() - began);
  co_return true;
}

// Their callers are about to hear that they were not accepted. So they must not run once the disk has room, and the
// same request, repeated, is a new one.
void Engine::give_up_submissions(Pending& pending) {
  for (store::JobRow& row : pending.batch.jobs) {
    requests_.erase({row.request.owner, row.request_id});
    row.request_id.clear();
    if (const auto live = live_.find(row.request.id); live != live_.end()) live->second.row.request_id.clear();
    pool_.on_cancel(row.request.id, now());
  }
  drain();
}

void Engine::fail_for_good(const Pending& pending, const Error& error) {
  log_error("the pool's database has failed: nothing is written or said any more", {{"error", error.message}});
  failed_ = true;
  for (const std::shared_ptr<Ticket>& ticket : {pending.ticket, pending_.ticket}) {
    if (!ticket->result) ticket->result = fail(Code::kUnavailable, kFailed);
    ticket->done.notify();
  }
  if (on_failure_) on_failure_(error);
}

net::Async<void> Engine::speak(Pending& pending) {
  for (const store::JobChange& change : pending.batch.changes) {
    if (const auto live = live_.find(change.job); live != live_.end()) live->second.kept_state = change.state;
  }
  if (!pending.ticket->result) pending.ticket->result = Result<void>();
  pending.ticket->done.notify();
  announce_assignments(pending);
  for (const pool::Effect& effect : pending.sends) {
    if (const auto* send = std::get_if<pool::AssignSend>(&effect)) {
      co_await send_assign(*send);
    } else if (const auto* halt = std::get_if<pool::StopSend>(&effect)) {
      if (NodeLink* to = link(halt->node)) to->stop(halt->attempt);
    } else if (const auto* acknowledgement = std::get_if<pool::AcknowledgeSend>(&effect)) {
      if (NodeLink* to = link(acknowledgement->node)) to->acknowledge(acknowledgement->attempt);
    } else if (const auto* wipe = std::get_if<pool::WipeWorkspaceSend>(&effect)) {
      if (NodeLink* to = link(wipe->node)) to->wipe_workspace(wipe->id);
    }
  }
  for (Observer* observer : observers_) {
    for (const Ended& ended : pending.ended) observer->attempt_ended(ended.attempt, ended.outcome);
    for (const store::UsageRow& row : pending.batch.usage) observer->used(row);
    for (const FailedAttempt& failed : pending.failed) observer->attempt_failed(failed);
    for (const JobId job : pending.changed_jobs) {
      if (const LiveJob* live = live_job(job)) observer->job_changed(job, live->row.request.owner);
    }
    for (const NodeId node : pending.changed_nodes) observer->node_changed(node);
    for (const JobId job : pending.ended_jobs) observer->job_ended(job);
    for (const pool::RemoveRecord& removal : pending.removed_jobs) observer->job_removed(removal.job, removal.owner);
  }
  let_go(pending);
}

// What is on disk, has ended or is removed, and was told need not be remembered.
void Engine::let_go(const Pending& pending) {
  for (const pool::RemoveRecord& removal : pending.removed_jobs) removing_.erase(removal.job);
  for (const JobId job : pending.ended_jobs) {
    const auto ended = live_.find(job);
    if (ended == live_.end()) continue;
    const pool::JobRequest request = ended->second.row.request;
    requests_.erase({request.owner, ended->second.row.request_id});
    live_.erase(ended);
    pool_.forget(job);
    forget(request.after);
  }
}

void Engine::restart_gang(JobId job) {
  pool_.on_gang_broken(job, now());
  drain();
}

net::Async<void> Engine::tick_for_ever() {
  while (!stopping_) {
    co_await net::sleep_for(milliseconds(100));
    follow_calendar();
    drain();
  }
  if (--running_ == 0) stopped_.notify();
}

}  // namespace hearth::hub
