// Questions that people ask.
#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>

#include "core/pool/state.h"

namespace hearth::pool {
namespace {

constexpr std::size_t kMaxNamed = 10;         // jobs in an answer
constexpr std::uint32_t kMaxLooked = 10'000;  // leases looked at for an answer

// Tasks that run are taken to be half done.
std::int64_t seconds_left(const Job& job) {
  if (job.has_ended()) return 0;
  if (job.timed == 0 || job.in_room == 0) return -1;
  const double rounds = (job.pending() + (job.leased - job.in_room) + 0.5 * job.in_room) / job.in_room;
  return std::llround(rounds * job.busy.mean().seconds());
}

bool is_larger(const Resources& a, const Resources& b) {
  return std::tie(a.cores, a.memory_bytes, a.gpus, a.disk_bytes) >
         std::tie(b.cores, b.memory_bytes, b.gpus, b.disk_bytes);
}

// The jobs whose leases are in the room of the open nodes that could take `needs`.
std::vector<JobId> jobs_on(const NodeTable& nodes, const Terms& needs, JobId except) {
  std::set<JobId> found;
  std::uint32_t looked = 0;
  for (const auto& [id, node] : nodes.all()) {
    if (!node.is_open() || !node.could_take(needs)) continue;
    for (const Lease* lease = node.in_room.front(); lease != nullptr; lease = lease->after) {
      if (found.size() == kMaxNamed || ++looked > kMaxLooked) return {found.begin(), found.end()};
      if (lease->attempt.task.job != except) found.insert(lease->attempt.task.job);
    }
  }
  return {found.begin(), found.end()};
}

// How many nodes there are for a job, and what they lack.
struct Survey {
  std::uint32_t connected = 0;
  std::uint32_t large_enough = 0;
  std::uint32_t suitable = 0;   // and meet its condition
  std::uint32_t admitting = 0;  // and admit it
  std::uint32_t cordoned = 0;   // of those: not closed, but cordoned or drained
  std::uint32_t booked = 0;     // and would be open, were they not kept for others
  std::uint32_t open = 0;       // and all that
  BookingId booking;            // of those, that which ends first
  Admission granted;            // by any that is suitable
  Resources largest;
  std::uint32_t too_small = 0;       // though they meet the conditions
  Resources largest_that_meets;      // of those
  std::vector<std::uint32_t> unmet;  // how many of the large enough ones do not meet each part of the condition
};

Survey survey(const NodeTable& nodes, const std::map<BookingId, Booking>& bookings, const Terms& needs,
              const Condition* condition) {
  Survey found;
  if (condition != nullptr) found.unmet.resize(condition->parts().size());
  for (const auto& [id, node] : nodes.all()) {
    const bool is_asked_for = needs.node == NodeId{} || needs.node == id;
    if (!node.connected || node.silent || !is_asked_for) continue;
    ++found.connected;
    if (is_larger(node.offered, found.largest)) found.largest = node.offered;
    const bool meets = needs.conditions.are_met_by(node.meets);
    if (!needs.resources.fits_in(node.offered)) {
      if (!meets) continue;
      if (found.too_small++ == 0 || is_larger(node.offered, found.largest_that_meets)) {
        found.largest_that_meets = node.offered;
      }
      continue;
    }
    ++found.large_enough;
    for (std::size_t part = 0; part < found.unmet.size(); ++part) {
      if (!condition->part_holds(part, node.attributes)) ++found.unmet[part];
    }
    if (!meets) continue;
    ++found.suitable;
    found.granted = found.granted | node.admits;
    Terms offer = node.with(node.offered);
    offer.kept_for = {};
    if (!needs.fits_in(offer)) continue;
    ++found.admitting;
    if (node.closed) continue;
    if (node.duty != Duty::kServing) {
      ++found.cordoned;
    } else if (needs.may_use(node.kept_for)) {
      ++found.open;
    } else {
      ++found.booked;
      const auto ends = [&](BookingId booking) { return bookings.at(booking).terms.until; };
      if (found.booking == BookingId{} || ends(node.booking) < ends(found.booking)) found.booking = node.booking;
    }
  }
  return found;
}

}  // namespace

bool Pool::is_copy(AttemptId attempt) const {
  const Lease* lease = state_->leases.find(attempt.task);
  return lease != nullptr && lease->twin != nullptr && lease->twin->attempt.epoch == attempt.epoch;
}

bool Pool::is_leased_to(NodeId node, AttemptId attempt) const { return state_->leases.find(attempt, node) != nullptr; }

bool Pool::is_held(AttemptId attempt) const {
  const Lease* lease = state_->leases.find(attempt.task);
  return lease != nullptr && lease->attempt.epoch == attempt.epoch && lease->held;
}

std::optional<JobView> Pool::job(JobId id, Time) const {
  const Job* job = state_->find_job(id);
  if (job == nullptr) return std::nullopt;
  JobView view;
  view.state = job->state;
  view.pending = job->pending();
  view.running = job->leased;
  view.copies = job->copies;
  view.succeeded = job->succeeded;
  view.failed = job->failed;
  view.cancelled = job->cancelled;
  if (job->timed > 0) view.mean_task_time = job->total_time / job->timed;
  view.seconds_left = seconds_left(*job);
  return view;
}

std::optional<Why> Pool::why(JobId id, Time now) const {
  const Job* job = state_->find_job(id);
  if (job == nullptr) return std::nullopt;
  Why why;
  if (job->has_ended()) return why;
  if (job->state == JobState::kWaiting) {
    why.cause = Cause::kWaitsForJobs;
    for (const JobId other : job->request.after) {
      const Job* known = state_->find_job(other);
      if (why.jobs.size() < kMaxNamed && known != nullptr && !known->has_ended()) why.jobs.push_back(other);
    }
    return why;
  }
  if (job->pending() == 0) {
    why.cause = Cause::kRunning;
    why.copies = job->copies;
  } else if (const auto ahead = state_->ahead_in_workspace(*job)) {
    why.cause = Cause::kWorkspaceInUse;
    why.jobs.push_back(*ahead);
  } else if (!state_->lacks_nodes(*job, why)) {
    state_->explain_wait(*job, now, why);
  }
  return why;
}

// Whether there is no node that could take it as things are; then also why.
bool Pool::State::lacks_nodes(const Job& job, Why& why) const {
  const Terms needs = job.needs();
  const Condition* condition = conditions.find(job.request.where);
  const Survey found = survey(nodes, bookings, needs, condition);
  if (found.connected == 0) {
    why.cause = needs.node != NodeId{} ? Cause::kWorkspaceAway : Cause::kNoNode;
    why.node = needs.node;
  } else if (found.large_enough == 0) {
    why.cause = Cause::kTooLarge;
    why.largest_offer = found.largest;
  } else if (found.suitable == 0 && found.too_small > 0) {
    why.cause = Cause::kTooLarge;
    why.largest_offer = found.largest_that_meets;
    why.nodes = found.too_small;
  } else if (found.suitable == 0) {
    why.cause = Cause::kNotMet;
    why.nodes = found.large_enough;
    const std::vector<std::string> parts = condition != nullptr ? condition->parts() : std::vector<std::string>{};
    for (std::size_t part = 0; part < parts.size(); ++part) why.unmet.emplace_back(parts[part], found.unmet[part]);
  } else if (found.admitting == 0) {
    why.cause = Cause::kNotAdmitted;
    why.nodes = found.suitable;
    why.lacking = needs.admission - found.granted;
  } else if (found.open == 0 && found.booked > 0) {
    why.cause = Cause::kBooked;
    why.nodes = found.booked;
    why.booking = found.booking;
  } else if (found.open == 0) {
    why.cause = Cause::kNodesClosed;
    why.nodes = found.admitting;
    why.cordoned = found.cordoned;
  } else {
    why.nodes = found.open;
    return false;
  }
  return true;
}

void Pool::State::explain_wait(const Job& job, Time at, Why& why) {
  const Terms needs = job.needs();
  const std::uint32_t at_once = job.request.gang ? job.request.tasks : 1;
  const Account* account = queue.accounts().find(job.account());
  const Reach reach = reach_of(job.request.priority);
  if (!job.has_ready()) {
    why.cause = Cause::kBackoff;
    why.wait = wait_of(job, std::max(at, now));
    return;
  }
  if (account != nullptr && !account->may_have(needs.resources * at_once)) {
    const bool is_its_own = !account->is_within_limits(needs.resources * at_once);
    why.cause = Cause::kQuota;
    why.full = is_its_own ? account->terms.id : account->top().terms.id;
    return;
  }
  why.room_for = job.request.gang ? placement.room_for_gang(needs, at_once, reach) : 0;
  why.cause = why.room_for > 0 ? Cause::kGang : Cause::kBusy;
  why.jobs = jobs_on(nodes, needs, job.request.id);
}

Duration Pool::State::wait_of(const Job& job, Time at) const {
  for (const auto& [until, task] : backoffs) {
    if (task.job == job.request.id && job.retries.contains(task.index)) return std::max(until - at, Duration{});
  }
  return {};
}

std::optional<NodeView> Pool::node(NodeId id) const {
  const Node* node = state_->nodes.find(id);
  if (node == nullptr) return std::nullopt;
  return NodeView{.connected = node->connected,
                  .closed = node->closed,
                  .duty = node->duty,
                  .offered = node->offered,
                  .used = node->used,
                  .leased = node->leases(),
                  .booking = node->booking,
                  .spared = node->silence.is_spared};
}

std::optional<NodeId> Pool::node_of(TaskId task) const {
  const Lease* lease = state_->leases.find(task);
  if (lease == nullptr) return std::nullopt;
  return lease->node->id;
}

std::vector<AttemptId> Pool::leased_tasks(JobId id) const { return state_->leases.attempts_of_job(id); }

std::vector<AttemptId> Pool::started_on(NodeId id, std::size_t limit) const {
  std::vector<AttemptId> found;
  const Node* node = state_->nodes.find(id);
  if (node == nullptr) return found;
  for (const Lease* lease = node->in_room.front(); lease != nullptr && found.size() < limit; lease = lease->after) {
    if (lease->started) found.push_back(lease->attempt);
  }
  return found;
}

std::vector<NodeId> Pool::holders(DataId data, std::size_t most) const {
  return state_->nodes.data().holders(data, most);
}

std::vector<JobId> Pool::jobs_at(NodeId id) const {
  std::set<JobId> found;
  const Node* node = state_->nodes.find(id);
  if (node == nullptr) return {};
  for (const LeaseList* list : {&node->in_room, &node->ahead}) {
    for (const Lease* lease = list->front(); lease != nullptr; lease = lease->after) {
      found.insert(lease->attempt.task.job);
    }
  }
  return {found.begin(), found.end()};
}

std::vector<AccountView> Pool::accounts() const {
  constexpr double kWhole = 1e9;
  std::vector<AccountView> views;
  const std::map<AccountId, Account>& accounts = state_->queue.accounts().all();
  std::map<AccountId, std::uint32_t> queues;  // of firms
  for (const auto& [id, account] : accounts) {
    if (account.firm != nullptr) queues[account.firm->terms.id] += account.queues;
  }
  for (const auto& [id, account] : accounts) {
    views.push_back({.terms = account.terms,
                     .used = account.used,
                     .queues = account.queues + queues[id],
                     .share = static_cast<double>(account.share) / kWhole,
                     .recent = static_cast<double>(account.recent) / kWhole,
                     .is_firm = account.members > 0});
  }
  return views;
}

std::uint64_t Pool::pending_tasks() const { return state_->pending; }

std::uint64_t Pool::leased_tasks() const { return state_->leases.size(); }

}  // namespace hearth::pool
