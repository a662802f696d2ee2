#include "sim/hub.h"

#include <memory>
#include <type_traits>
#include <utility>

namespace hearth::sim {
namespace {

constexpr Duration kHelloWithin = seconds(10);

bool is_send(const pool::Effect& effect) {
  return std::holds_alternative<pool::AssignSend>(effect) || std::holds_alternative<pool::StopSend>(effect) ||
         std::holds_alternative<pool::AcknowledgeSend>(effect) ||
         std::holds_alternative<pool::WipeWorkspaceSend>(effect);
}

}  // namespace

Hub::Hub(Universe& universe, Network& network, Checker& checker, const pool::Options& options, HubNumber number)
    : universe_(universe), network_(network), checker_(checker), options_(options), number_(number) {
  if (const Duration most = universe.scenario.skew; most > Duration{}) {
    skew_ = universe.random.between(Duration{} - most, most);
  }
}

void Hub::start() {
  universe_.say("hub", number_, "starts");
  ++life_;
  pool_ = std::make_unique<pool::Pool>(options_);
  store_.restore(*pool_, local(), skew_);
  checker_.check_restored(*pool_, store_);
  measure_anew();
  for (const auto& [id, job] : store_.jobs) known_.insert(id);
  last_id_ = store_.last_id();
  network_.set_hub_up(number_, true);
  process();
}

void Hub::crash() {
  universe_.say("hub", number_, "dies");
  pool_.reset();
  ++life_;
  inbox_.clear();
  busy_ = false;
  batch_ = {};
  sessions_.clear();
  greeted_.clear();
  known_.clear();
  removing_.clear();
  wake_.reset();
  network_.set_hub_up(number_, false);
  network_.cut_hub(number_);
  if (on_crash_) return on_crash_();
  universe_.scheduler.after(universe_.random.between(milliseconds(500), seconds(20)), [this, life = life_] {
    if (life == life_ && !is_up()) start();
  });
}

bool Hub::dies() {
  if (!universe_.strikes_one(universe_.scenario.hub_crash_at_step)) return false;
  crash();
  return true;
}

void Hub::feed(std::function<void()> event) {
  if (!is_up()) return;
  inbox_.push_back(std::move(event));
  if (inbox_.size() > 1) return;
  universe_.scheduler.after(universe_.random.between(Duration{}, milliseconds(3)), [this, life = life_] {
    if (life == life_) process();
  });
}

void Hub::process() {
  if (!is_up() || busy_) return;
  pool::Pool& pool = *pool_;
  const auto inbox = std::exchange(inbox_, {});
  for (const auto& event : inbox) event();
  if (const auto deadline = pool.next_deadline(); deadline && *deadline <= local()) pool.tick(local());
  for (pool::Effect& effect : pool.take_effects()) (is_send(effect) ? batch_.sends : batch_.records).push_back(effect);
  check(batch_);
  if (universe_.scenario.booking > 0) checker_.check_booked(*pool_, store_);
  Batch batch = std::exchange(batch_, {});
  if (batch.empty()) return plan_wake();
  if (dies()) return;
  busy_ = true;
  const bool stalls = universe_.strikes_one(universe_.scenario.stall);
  const Duration disk = universe_.random.between(microseconds(200), stalls ? seconds(15) : milliseconds(8));
  if (stalls) universe_.say("the disk of hub", number_, "stalls");
  universe_.scheduler.after(disk, [this, life = life_, batch = std::move(batch)] {
    if (life != life_) return;
    commit(batch);
    if (keep_) {
      return keep_(batch, [this, life, batch] {
        if (life == life_) finish(batch);
      });
    }
    if (!dies()) finish(batch);
  });
}

void Hub::finish(const Batch& batch) {
  const std::uint64_t life = life_;
  measure(batch);
  speak(batch);
  if (life != life_) return;
  busy_ = false;
  process();
}

// A large world is looked at as a whole once a minute, else at what changes.
void Hub::check(const Batch& batch) {
  const bool is_large = universe_.scenario.accounts > 0;
  if (is_large && checked_all_at_ + minutes(1) > universe_.now()) {
    return checker_.check_sums_of(*pool_, batch.records, store_);
  }
  checked_all_at_ = universe_.now();
  checker_.check_sums(*pool_, known_, store_);
  if (universe_.settled) check_nobody_idles();
}

void Hub::check_nobody_idles() {
  std::set<NodeId> nodes;
  for (const auto& [node, session] : sessions_) nodes.insert(node);
  checker_.check_nobody_idles(*pool_, local(), known_, store_, nodes);
}

void Hub::plan_wake() {
  const auto deadline = pool_->next_deadline();
  if (!deadline || (wake_ && *wake_ <= *deadline)) return;
  wake_ = deadline;
  universe_.scheduler.at(*deadline - skew_, [this, life = life_, at = *deadline] {
    if (life != life_ || wake_ != at) return;
    wake_.reset();
    process();
  });
}

void Hub::apply(const Batch& batch) {
  for (const StoredJob& job : batch.jobs) store_.add(job);
  for (const auto& [node, said] : batch.duties) store_.duties[node] = said;
  for (const pool::BookingTerms& terms : batch.bookings) store_.bookings[terms.id] = terms;
}

void Hub::follow(const Batch& batch) {
  apply(batch);
  for (const pool::Effect& record : batch.records) store_.apply(record);
}

void Hub::commit(const Batch& batch) {
  apply(batch);
  for (const pool::Effect& record : batch.records) {
    checker_.check_record(store_, record);
    store_.apply(record);
    say_record(record);
  }
  checker_.check_gangs(store_, batch.records);
  if (universe_.scenario.duty_change > 0) checker_.check_drained(store_);
}

void Hub::measure(const Batch& batch) {
  Measures& measures = universe_.measures;
  const Time now = universe_.now();
  for (const StoredJob& job : batch.jobs) measures.note_order(job.request, {}, now);
  for (const pool::Effect& record : batch.records) {
    if (const auto* lease = std::get_if<pool::LeaseRecord>(&record)) {
      measures.note_lease(lease->attempt, now);
    } else if (const auto* requeue = std::get_if<pool::RequeueRecord>(&record)) {
      measures.note_requeue(requeue->attempt, requeue->why, now);
    } else if (const auto* drop = std::get_if<pool::DropRecord>(&record)) {
      measures.note_loss(drop->attempt, drop->why);
    } else if (const auto* end = std::get_if<pool::EndRecord>(&record)) {
      measures.note_end(end->attempt, end->state == pool::TaskState::kSucceeded);
    }
  }
}

void Hub::measure_anew() {
  Measures& measures = universe_.measures;
  if (!measures.is_on()) return;
  measures.forget_waiting();
  for (const auto& [id, job] : store_.jobs) {
    std::vector<bool> taken(job.request.tasks);
    for (const auto& [index, task] : job.tasks) {
      taken.at(index) = task.state != pool::TaskState::kPending;
      if (task.state == pool::TaskState::kSucceeded) measures.note_end({{id, index}, task.newest()}, true);
    }
    if (!job.has_ended()) measures.note_order(job.request, std::move(taken), universe_.now());
  }
}

void Hub::say_record(const pool::Effect& record) {
  std::visit(
      [&](const auto& it) {
        using Record = std::decay_t<decltype(it)>;
        if constexpr (std::is_same_v<Record, pool::JobRecord>) {
          universe_.say("commit", it.job, "state", static_cast<int>(it.state));
        } else if constexpr (std::is_same_v<Record, pool::LeaseRecord>) {
          universe_.say("commit lease", it.attempt, "on", it.node);
        } else if constexpr (std::is_same_v<Record, pool::CopyRecord>) {
          universe_.say("commit copy", it.attempt, "on", it.node);
        } else if constexpr (std::is_same_v<Record, pool::DropRecord>) {
          universe_.say("commit drop of", it.attempt, "why", static_cast<int>(it.why));
        } else if constexpr (std::is_same_v<Record, pool::RequeueRecord>) {
          universe_.say("commit requeue", it.attempt, "why", static_cast<int>(it.why));
        } else if constexpr (std::is_same_v<Record, pool::EndRecord>) {
          universe_.say("commit end", it.attempt, "state", static_cast<int>(it.state), "why", static_cast<int>(it.why));
        } else if constexpr (std::is_same_v<Record, pool::EndRangeRecord>) {
          universe_.say("commit end of", it.job, "from", it.first, "count", it.count);
        } else if constexpr (std::is_same_v<Record, pool::RemoveRecord>) {
          universe_.say("commit removal of", it.job);
          removing_.erase(it.job);
        } else if constexpr (std::is_same_v<Record, pool::WorkspaceRecord>) {
          universe_.say("commit workspace", it.id.name, "of", it.id.owner, "on", it.node, it.leaving ? "leaving" : "");
        } else if constexpr (std::is_same_v<Record, pool::BookingRecord>) {
          universe_.say("commit end of booking", it.id.value);
        }
      },
      record);
}

void Hub::speak(const Batch& batch) {
  const std::uint64_t life = life_;
  for (const pool::Effect& effect : batch.sends) {
    if (dies()) return;
    // Events after this batch was made are not in the pool yet, so the store is as this batch left it.
    checker_.check_send(store_, effect);
    send(effect);
  }
  for (const auto& [order, id] : batch.replies) {
    if (life != life_) return;
    if (id && !universe_.strikes(100)) reply_(order, id);
    if (!id) reply_(order, id);
  }
}

void Hub::send(const pool::Effect& effect) {
  const auto to = [&](NodeId node, const HubMessage& message) {
    const auto session = sessions_.find(node);
    if (session != sessions_.end()) network_.send(session->second, message);
  };
  if (const auto* assign = std::get_if<pool::AssignSend>(&effect)) {
    const StoredJob& job = store_.jobs.at(assign->attempt.task.job);
    to(assign->node, Assign{{assign->attempt, job.request.per_task, job.time_limit}, job.behaviour, job.workspace()});
  } else if (const auto* stop = std::get_if<pool::StopSend>(&effect)) {
    to(stop->node, Stop{stop->attempt});
  } else if (const auto* acknowledge = std::get_if<pool::AcknowledgeSend>(&effect)) {
    to(acknowledge->node, Acknowledged{acknowledge->attempt});
  } else if (const auto* wipe = std::get_if<pool::WipeWorkspaceSend>(&effect)) {
    to(wipe->node, WipeWorkspace{wipe->id});
  }
}

void Hub::hear(NodeId node, const NodeMessage& message) {
  pool::Pool& pool = *pool_;
  const Time now = local();
  std::visit(
      [&](const auto& it) {
        using Message = std::decay_t<decltype(it)>;
        if constexpr (std::is_same_v<Message, pool::NodeHello>) {
          universe_.say("hello of", node, "holds", it.held.size(), "cores", it.offered.cores,
                        it.closed ? "closed" : "");
          pool.on_node_hello(node, it, now);
        } else if constexpr (std::is_same_v<Message, Heartbeat>) {
          pool.on_heartbeat(node, now);
        } else if constexpr (std::is_same_v<Message, Offer>) {
          universe_.say("offer of", node, "cores", it.offered.cores, it.closed ? "closed" : "");
          pool.on_offer(node, {{it.offered, it.admits}, it.closed, it.frozen}, now);
        } else if constexpr (std::is_same_v<Message, Started>) {
          universe_.say("started", it.attempt, "on", node);
          pool.on_started(node, it.attempt, now);
        } else if constexpr (std::is_same_v<Message, WorkspaceWiped>) {
          universe_.say("wiped", it.workspace.name, "of", it.workspace.owner, "on", node);
          pool.on_workspace_wiped(node, it.workspace, now);
        } else {
          universe_.say("finished", it.attempt, "on", node, "failure", static_cast<int>(it.failure));
          pool.on_finished(node, it.attempt, it.failure, now);
        }
      },
      message);
}

void Hub::on_message(SessionId session, NodeId node, const NodeMessage& message) {
  if (!is_up() || store_.removed_nodes.contains(node)) return;
  SessionId& current = sessions_[node];
  if (session < current) return;  // a newer session has taken its place
  current = session;
  if (std::holds_alternative<pool::NodeHello>(message)) {
    greeted_.insert(session);
  } else if (!greeted_.contains(session)) {
    universe_.scheduler.after(kHelloWithin, [this, session, life = life_] {
      if (life == life_ && !greeted_.contains(session)) network_.cut(session);
    });
  }
  feed([this, node, message] { hear(node, message); });
}

void Hub::on_session_lost(SessionId session, NodeId node) {
  const auto current = sessions_.find(node);
  if (!is_up() || current == sessions_.end() || current->second != session) return;
  sessions_.erase(current);
  feed([this, node] {
    if (sessions_.contains(node)) return;  // it is back already
    universe_.say("node", node, "is gone");
    pool_->on_node_gone(node, local());
  });
}

// An ended job that the pool has forgotten, or that was not needed at the last start.
void Hub::make_known(JobId id) {
  const auto job = store_.jobs.find(id);
  if (job == store_.jobs.end() || !job->second.has_ended() || removing_.contains(id)) return;
  if (!pool_->job(id, local())) Store::restore_one(*pool_, job->second, local());
}

void Hub::take_removal(JobId job) {
  make_known(job);
  if (!pool_->on_remove(job, local())) return;
  universe_.say("remove", job);
  removing_.insert(job);
}

void Hub::take_order(StoredJob order) {
  std::optional<JobId> known = store_.find_order(order.order);
  for (const StoredJob& job : batch_.jobs) {
    if (job.order == order.order) known = job.request.id;
  }
  if (!known) {
    for (const JobId after : order.request.after) make_known(after);
    order.request.id = JobId{last_id_.value + 1};
    if (pool_->on_submit(order.request, local())) {
      last_id_ = order.request.id;
      known = last_id_;
      known_.insert(last_id_);
      batch_.jobs.push_back(order);
      universe_.say("order", order.order, "is", last_id_, "tasks", order.request.tasks);
    }
  }
  batch_.replies.emplace_back(order.order, known);
}

void Hub::submit(const StoredJob& order) {
  feed([this, order] { take_order(order); });
}

void Hub::cancel(JobId job) {
  feed([this, job] {
    universe_.say("cancel", job);
    pool_->on_cancel(job, local());
  });
}

void Hub::remove(JobId job) {
  feed([this, job] { take_removal(job); });
}

void Hub::remove_workspace(const WorkspaceId& workspace) {
  feed([this, workspace] {
    if (!pool_->on_remove_workspace(workspace, local())) return;
    universe_.say("remove workspace", workspace.name, "of", workspace.owner);
  });
}

void Hub::remove_node(NodeId node) {
  store_.removed_nodes.insert(node);
  network_.cut_node(node);
  feed([this, node] { pool_->on_node_removed(node, local()); });
}

void Hub::set_duty(NodeId node, const StoredDuty& said) {
  if (!is_up()) store_.duties[node] = said;
  feed([this, node, said] {
    universe_.say("node", node, "has duty", static_cast<int>(said.duty));
    pool_->on_duty(node, said.duty, said.grace_ends, local());
    batch_.duties.emplace_back(node, said);
  });
}

void Hub::book(const pool::BookingTerms& terms) {
  feed([this, terms] {
    if (!pool_->on_book(by_clock(terms, skew_), local())) return;
    universe_.say("booking", terms.id.value, "of", terms.nodes, "for", terms.account.value);
    batch_.bookings.push_back(terms);
  });
}

void Hub::unbook(BookingId id) {
  feed([this, id] {
    universe_.say("booking", id.value, "is taken back");
    pool_->on_unbook(id, local());
    batch_.records.emplace_back(pool::BookingRecord{id});
  });
}

void Hub::forget_ended() {
  feed([this] {
    for (const auto& [id, job] : store_.jobs) {
      if (job.has_ended()) pool_->forget(id);
    }
  });
}

}  // namespace hearth::sim
