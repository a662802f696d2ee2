#include "sim/measures.h"

#include <algorithm>
#include <utility>

namespace hearth::sim {

void Measures::begin(Time from, Time to, Duration patience) {
  from_ = from;
  to_ = to;
  patience_ = patience;
}

void Measures::note_task_length(Duration shortest) {
  if (shortest_task_ == Duration{} || shortest < shortest_task_) shortest_task_ = shortest;
}

Duration Measures::within(Time from, Time to) const {
  const Time begin = std::max(from, from_);
  const Time end = std::min(to, to_);
  return begin < end ? end - begin : Duration{};
}

// --- lines

void Measures::forget_waiting() {
  for (auto& [key, line] : lines_) line.waiting = 0;
  for (auto& [id, account] : accounts_) account.waiting = 0;
}

void Measures::note_order(const pool::JobRequest& job, std::vector<bool> taken, Time now) {
  if (!is_on()) return;
  taken.resize(job.tasks);
  const auto waiting = static_cast<std::uint64_t>(std::ranges::count(taken, false));
  Line& line = lines_[{job.owner, job.per_task.cores, job.per_task.memory_bytes}];
  if (line.waiting == 0) line.since = now;
  line.waiting += waiting;
  accounts_[job.account].waiting += waiting;
  jobs_[job.id] = {job.account, &line, std::move(taken)};
}

void Measures::note_lease(AttemptId attempt, Time now) {
  if (!is_on()) return;
  Standing& job = jobs_.at(attempt.task.job);
  if (now > from_) job.line->longest = std::max(job.line->longest, now - job.line->since);
  job.line->since = now;
  job.taken.at(attempt.task.index) = true;
  --job.line->waiting;
  AccountWork& account = accounts_.at(job.account);
  if (--account.waiting == 0) account.dry_at = now;
}

void Measures::note_requeue(AttemptId attempt, Failure why, Time now) {
  if (!is_on()) return;
  Standing& job = jobs_.at(attempt.task.job);
  job.taken.at(attempt.task.index) = false;
  if (job.line->waiting++ == 0) job.line->since = now;
  ++accounts_.at(job.account).waiting;
  note_loss(attempt, why);
}

void Measures::note_loss(AttemptId attempt, Failure why) {
  if (!is_on()) return;
  if (const auto done = done_.find(attempt); done != done_.end()) {
    lost_[why] += done->second;
    done_.erase(done);
  } else if (runs_.contains(attempt)) {
    given_up_.emplace(attempt, why);
  }
}

void Measures::note_end(AttemptId attempt, bool succeeded) {
  const auto done = done_.find(attempt);
  if (done == done_.end()) return;
  if (succeeded) useful_ += done->second;
  done_.erase(done);
}

// --- programs

void Measures::count(Run& run, Time now) const {
  if (!run.since) return;
  run.work += within(*run.since, now).micros * run.cores;
  run.since.reset();
}

void Measures::note_run(AttemptId attempt, std::uint32_t cores, Time now) {
  if (!is_on()) return;
  Run& run = runs_[attempt];
  run.cores = cores;
  run.since = now;
}

void Measures::note_pause(AttemptId attempt, Time now) {
  if (const auto run = runs_.find(attempt); run != runs_.end()) count(run->second, now);
}

void Measures::note_stop(AttemptId attempt, Time now) {
  const auto run = runs_.find(attempt);
  if (run == runs_.end()) return;
  count(run->second, now);
  work_ += run->second.work;
  accounts_.at(jobs_.at(attempt.task.job).account).work += run->second.work;
  if (const auto entry = given_up_.find(attempt); entry != given_up_.end()) {
    lost_[entry->second] += run->second.work;
    given_up_.erase(entry);
  } else {
    done_[attempt] = run->second.work;
  }
  runs_.erase(run);
}

// --- nodes

void Measures::note_open(NodeId node, std::uint32_t cores, Time now) {
  if (!is_on()) return;
  Chain& chain = chains_[node];
  if (chain.open_since) return;
  if (chain.is_over || now - chain.shut_at > patience_) close(chain);
  chain.cores = cores;
  chain.open_since = now;
  chain.is_over = false;
}

void Measures::note_shut(NodeId node, bool is_off, Time now) {
  const auto entry = chains_.find(node);
  if (entry == chains_.end()) return;
  Chain& chain = entry->second;
  if (chain.open_since) {
    chain.length = chain.length + (now - *chain.open_since);
    chain.within = chain.within + within(*chain.open_since, now);
    chain.open_since.reset();
    chain.shut_at = now;
  }
  if (is_off) chain.is_over = true;
}

void Measures::close(Chain& chain) {
  if (chain.length >= shortest_task_) oracle_ += chain.within.micros * chain.cores;
  chain.length = {};
  chain.within = {};
}

Measures::Figures Measures::figures(Time now) {
  Figures found;
  std::uint64_t weights = 0;
  std::int64_t weighty = 0;
  for (const auto& [id, account] : accounts_) {
    if (account.weight == 0) continue;
    weights += account.weight;
    weighty += account.work;
    found.ran_dry = found.ran_dry || (account.dry_at && *account.dry_at < to_);
  }
  for (const auto& [id, account] : accounts_) {
    if (account.weight == 0) continue;
    const double due = static_cast<double>(weighty) * account.weight / static_cast<double>(weights);
    const double part = static_cast<double>(account.work) / due;
    found.shortfall = std::max(found.shortfall, 1 - part);
    found.surplus = std::max(found.surplus, part - 1);
  }
  for (const auto& [key, line] : lines_) found.longest_wait = std::max(found.longest_wait, line.longest);
  for (auto& [id, chain] : chains_) {
    note_shut(id, true, now);
    close(chain);
  }
  const auto part = [this](std::int64_t work) { return static_cast<double>(work) / static_cast<double>(oracle_); };
  found.goodput = part(useful_);
  found.lost_with_nodes = part(lost_[Failure::kNodeLost]);
  found.lost_with_owners = part(lost_[Failure::kOwner]);
  found.idle = 1 - part(work_);
  return found;
}

}  // namespace hearth::sim
