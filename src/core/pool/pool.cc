#include "core/pool/pool.h"

#include <algorithm>
#include <string>
#include <tuple>
#include <utility>

#include "base/check.h"
#include "core/pool/state.h"

namespace hearth::pool {
namespace {

constexpr std::uint32_t kMaxTasks = 1'000'000;
constexpr std::size_t kMaxAfter = 64;

// So many tasks are leased between two commits; the rest follow at once in the next batch.
constexpr int kMaxLeasesPerBatch = 4'096;

std::string name(JobId job) { return "job " + std::to_string(job.value); }

}  // namespace

Job* Pool::State::find_job(JobId id) {
  const auto entry = jobs.find(id);
  return entry == jobs.end() ? nullptr : &entry->second;
}

Result<void> Pool::State::check_request(const JobRequest& job) const {
  if (job.tasks == 0 || job.tasks > kMaxTasks) {
    return fail(Code::kInvalidArgument, "a job has 1 to 1000000 tasks, not " + std::to_string(job.tasks));
  }
  if (job.own_of != NodeId{}) {
    if (Result<void> good = check_own(job); !good) return good;
  } else if (job.per_task.cores == 0) {
    return fail(Code::kInvalidArgument, "a task needs at least 1 core");
  }
  if (job.after.size() > kMaxAfter) return fail(Code::kInvalidArgument, "a job runs after at most 64 others");
  if (jobs.contains(job.id)) return fail(Code::kAlreadyExists, name(job.id) + " exists");
  if (live_jobs >= options.max_live_jobs) {
    return fail(Code::kResourceExhausted, "the pool has " + std::to_string(live_jobs) +
                                              " jobs that have not ended, as many as it takes: wait, or cancel some");
  }
  if (Result<void> checked = check_after(job); !checked) return checked;
  if (job.gang && job.tasks > kMaxGang) {
    return fail(Code::kInvalidArgument,
                "a gang has at most " + std::to_string(kMaxGang) + " tasks, not " + std::to_string(job.tasks));
  }
  if (job.gang && !job.workspace.empty()) {
    return fail(Code::kInvalidArgument, "the tasks of a gang run at once, but a workspace is one task's at a time");
  }
  if (const Result<void> asked = conditions.check(job.where); !asked) return asked;
  if (const Result<void> preferred = nodes.preferences().check(job.prefer); !preferred) return preferred;
  return check_workspace(job);
}

// Nodes are asked once, when the first job asks.
void Pool::State::name_terms(Job& job) {
  bool is_new = false;
  job.ranking = nodes.preferences().add(job.request.prefer, is_new);
  if (is_new) {
    for (auto& [id, node] : nodes.all()) nodes.refresh(node);
  }
  job.conditions = ask_of_nodes(job.request.where);
  name_kept(job);
}

Conditions Pool::State::ask_of_nodes(const std::string& where) {
  bool is_new = false;
  const Conditions asked = conditions.add(where, is_new);
  if (!is_new) return asked;
  for (auto& [id, node] : nodes.all()) {
    node.meets = conditions.met_by(node.attributes);
    nodes.refresh(node);
  }
  nodes.changed_offers();
  return asked;
}

void Pool::State::forget_terms(Job& job) {
  job.ranking = nullptr;
  nodes.preferences().remove(job.request.prefer);
  forget_condition(job.request.where);
}

void Pool::State::forget_condition(const std::string& where) {
  if (!conditions.remove(where)) return;
  for (auto& [id, node] : nodes.all()) {
    node.meets = conditions.met_by(node.attributes);
    nodes.refresh(node);
  }
}

void Pool::State::add_job(const JobRequest& request, JobState state) {
  Job& job = jobs[request.id];
  job.request = request;
  std::ranges::sort(job.request.after);
  job.request.after.erase(std::ranges::unique(job.request.after).begin(), job.request.after.end());
  job.state = state;
  job.fresh.insert(0, request.tasks);
  pending += request.tasks;
  ++live_jobs;
  if (!job.has_ended()) name_terms(job);
  for (const JobId id : job.request.after) {
    if (Job* other = find_job(id)) other->dependants.insert(request.id);
  }
}

Lease& Pool::State::add_lease(Job& job, Node& node, AttemptId attempt, std::uint32_t attempts, std::uint32_t failures) {
  Lease& lease = leases.add(attempt);
  lease.job = &job;
  lease.node = &node;
  lease.attempts = attempts;
  lease.failures = failures;
  lease.batch = batch;
  lease.leased_at = now;
  ++job.leased;
  --pending;
  queue.charge(job.account(), job.request.per_task);
  if (node.frozen) count_frozen(job, true);
  node.ahead.push_back(lease);
  occupy(lease);
  return lease;
}

void Pool::State::move_into_room(Lease& lease) {
  Node& node = *lease.node;
  const Resources& needs = lease.job->request.per_task;
  node.ahead.remove(lease);
  node.ahead_core_micros -= lease.core_micros;
  node.in_room.push_back(lease);
  node.used = node.used + needs;
  for (Reach reach = lease.ended_from(); reach < kReaches; ++reach) node.endable[reach] = node.endable[reach] + needs;
  lease.core_micros = 0;
  lease.in_room = true;
  lease.in_room_since = now;
  lease.brief = lease.job->is_brief(options.prefetch_span);
  if (lease.brief) node.brief_cores += needs.cores;
  if (!lease.is_copy) ++lease.job->in_room;
}

// Ends those that may be ended until so many tasks find room: copies first, then the lowest class, of it what was
// placed last.
void Pool::State::make_room(Node& node, const Terms& needs, std::uint32_t tasks, Reach reach) {
  std::vector<Lease*> endable = node.in_room.all();
  std::erase_if(endable, [&](const Lease* lease) { return lease->ended_from() > reach; });
  std::ranges::sort(endable, [](const Lease* a, const Lease* b) {
    return std::tuple(!a->is_copy, a->job->request.priority, b->in_room_since, b->attempt) <
           std::tuple(!b->is_copy, b->job->request.priority, a->in_room_since, a->attempt);
  });
  for (Lease* lease : endable) {
    if (needs.resources.times_in(node.room()) >= tasks) return;
    take_back(*lease, Failure::kPreempted);
  }
}

void Pool::State::lease(const Choice& choice) {
  placement.placed(choice, now);
  const Job& job = *choice.job;
  if (choice.seats.empty()) {
    if (choice.reach != kFreeRoom) make_room(*choice.node, job.needs(), 1, choice.reach);
    lease_task(choice, *choice.node);
    return;
  }
  for (const auto& [node, tasks] : choice.seats) {
    if (choice.reach != kFreeRoom) make_room(*node, job.needs(), tasks, choice.reach);
  }
  for (const auto& [node, tasks] : choice.seats) {
    for (std::uint32_t i = 0; i < tasks; ++i) lease_task(choice, *node);
  }
}

void Pool::State::lease_task(const Choice& choice, Node& node) {
  Job& job = *choice.job;
  if (job.request.gang) leave_queue(job);  // as a whole, by its first task
  Retry task;
  std::uint32_t index = 0;
  if (!choice.ahead && !job.ready_retries.empty()) {
    index = *job.ready_retries.begin();
    job.ready_retries.erase(job.ready_retries.begin());
    task = job.retries.extract(index).mapped();
  } else {
    index = job.fresh.pop_front();
  }
  if (!job.has_ready()) leave_queue(job);
  const AttemptId attempt{{job.request.id, index}, task.epoch + 1};
  Lease& lease = add_lease(job, node, attempt, task.attempts + 1, task.failures);
  if (choice.ahead) {
    lease.core_micros = choice.core_micros;
    node.ahead_core_micros += choice.core_micros;
    if (!node.review) nodes.set_review(node, now + kPatienceAhead);
  } else {
    move_into_room(lease);
  }
  nodes.refresh(node);
  if (job.state == JobState::kQueued) {
    job.state = JobState::kRunning;
    effects.emplace_back(JobRecord{job.request.id, job.state});
  }
  record_workspace(job);
  effects.emplace_back(LeaseRecord{attempt, node.id, lease.attempts});
  effects.emplace_back(AssignSend{node.id, attempt});
  watch_tail(job, now);
}

void Pool::State::place() {
  more_to_place = false;
  restart_broken_gangs();
  queue.set_capacity(nodes.capacity());
  for (int leased = 0; leased < kMaxLeasesPerBatch; ++leased) {
    const std::optional<Choice> choice = placement.next(now);
    if (!choice) return place_copies();
    lease(*choice);
  }
  more_to_place = true;
}

void Pool::State::end_backoffs() {
  while (!backoffs.empty() && backoffs.begin()->first <= now) {
    const TaskId task = backoffs.begin()->second;
    backoffs.erase(backoffs.begin());
    Job* job = find_job(task.job);
    if (job == nullptr || !job->retries.contains(task.index)) continue;  // cancelled meanwhile
    job->ready_retries.insert(task.index);
    enter_queue(*job);
  }
}

Pool::Pool(const Options& options) : state_(std::make_unique<State>(options)) {}

Pool::~Pool() = default;

Result<void> Pool::on_submit(const JobRequest& request, Time now) {
  state_->advance(now);
  if (const auto good = state_->check_request(request); !good) return good;
  const bool runs = state_->fate_of(request) == State::Fate::kRuns;
  state_->add_job(request, runs ? JobState::kQueued : JobState::kWaiting);
  Job& job = *state_->find_job(request.id);
  state_->name_workspace(job);
  state_->effects.emplace_back(JobRecord{request.id, job.state});
  if (job.is_own()) {
    state_->lease_own(job);
  } else if (runs) {
    state_->enter_queue(job);
  }
  if (!runs) state_->follow_fate(job);
  return {};
}

void Pool::on_cancel(JobId id, Time now) {
  state_->advance(now);
  Job* job = state_->find_job(id);
  if (job != nullptr && !job->has_ended()) state_->cancel(*job);
}

void Pool::on_gang_broken(JobId id, Time now) {
  state_->advance(now);
  Job* job = state_->find_job(id);
  if (job != nullptr && job->request.gang && job->leased > 0) state_->break_gang(*job);
}

Result<void> Pool::on_remove(JobId id, Time now) {
  state_->advance(now);
  const Job* job = state_->find_job(id);
  if (job == nullptr) return fail(Code::kNotFound, "there is no " + name(id));
  if (!job->has_ended()) {
    return fail(Code::kFailedPrecondition,
                name(id) + " has not ended: cancel it first (hearth cancel " + std::to_string(id.value) + ")");
  }
  if (!job->dependants.empty()) {
    // Another device's job is not named: whoever removes this one may not be shown that one.
    const Job& dependant = *state_->find_job(*job->dependants.begin());
    const bool is_owners = dependant.request.owner == job->request.owner;
    return fail(Code::kFailedPrecondition,
                name(id) + " is needed by " + (is_owners ? name(dependant.request.id) : "a job of another device") +
                    ", which runs after it and has not ended: wait for that one, or cancel it first");
  }
  const DeviceId owner = job->request.owner;
  state_->jobs.erase(id);
  state_->effects.emplace_back(RemoveRecord{id, owner});
  return {};
}

void Pool::tick(Time now) {
  state_->advance(now);
  const Silence::Fallen fallen = state_->nodes.take_silent(state_->now);
  for (Node* node : fallen.spared) state_->set_silent(*node);
  for (Node* node : fallen.lost) {
    state_->set_silent(*node);
    state_->lose_all(*node);
  }
  for (Node* node : state_->nodes.take_reviews(state_->now)) state_->review(*node);
  for (Node* node : state_->nodes.take_drained(state_->now)) state_->drain(*node);
  state_->turn_bookings();
  state_->end_backoffs();
  state_->end_looks();
  state_->queue.tick(state_->now);
}

std::optional<Time> Pool::next_deadline() const {
  if (state_->more_to_place || !state_->broken_gangs.empty()) return state_->now;
  std::optional<Time> next = state_->nodes.next_deadline();
  const auto sooner = [&](std::optional<Time> other) {
    if (other && (!next || *other < *next)) next = other;
  };
  sooner(state_->queue.next_deadline());
  if (!state_->backoffs.empty()) sooner(state_->backoffs.begin()->first);
  if (!state_->looks.empty()) sooner(state_->looks.begin()->first);
  if (!state_->booking_turns.empty()) sooner(state_->booking_turns.begin()->first);
  return next;
}

std::vector<Effect> Pool::take_effects() {
  state_->place();
  ++state_->batch;
  return std::exchange(state_->effects, {});
}

void Pool::set_account(const AccountTerms& terms) {
  state_->queue.set_terms(terms);
  if (!state_->kept_accounts.empty()) state_->tell_jobs_of(terms.id);
}

void Pool::forget_account(AccountId account) {
  state_->queue.forget_terms(account);
  if (!state_->kept_accounts.empty()) state_->tell_jobs_of(account);
}

void Pool::set_data(JobId id, std::vector<DataId> data) {
  if (Job* job = state_->find_job(id)) job->request.data = std::move(data);
}

void Pool::move_jobs(DeviceId owner, AccountId account, Time now) {
  State& state = *state_;
  state.advance(now);
  for (auto& [id, job] : state.jobs) {
    if (job.request.owner != owner || job.request.account == account || job.has_ended()) continue;
    state.leave_queue(job);
    const Resources leased = job.request.per_task * (job.leased + job.copies);
    const Resources frozen = job.request.per_task * job.frozen;
    if (job.frozen > 0) state.queue.thaw(job.account(), frozen);
    if (job.leased > 0) state.queue.refund(job.account(), leased);
    job.request.account = account;
    state.name_kept(job);
    if (job.leased > 0) state.queue.charge(job.account(), leased);
    if (job.frozen > 0) state.queue.freeze(job.account(), frozen);
    state.enter_queue(job);
  }
}

void Pool::forget(JobId id) {
  Job* job = state_->find_job(id);
  if (job == nullptr || !job->has_ended() || !job->dependants.empty()) return;
  state_->jobs.erase(id);
}

}  // namespace hearth::pool
