#include "hub/views.h"

#include <algorithm>

#include <fmt/format.h>

namespace hearth::hub {
namespace {

constexpr const char* kClosed = "takes no guests now";  // to whoever is not to know more
constexpr int kListedArguments = 16;
constexpr std::size_t kListedRunning = 20;       // tasks of a node
constexpr std::size_t kCountedRunning = 10'000;  // of a node, for a device that is shown its own alone

v1::TaskState to_proto(pool::TaskState state) { return static_cast<v1::TaskState>(state); }

v1::Task task_view(const store::TaskRow& row, const Devices& devices) {
  v1::Task task;
  task.set_index(row.task.index);
  task.set_state(to_proto(row.state));
  task.set_attempts(row.attempts);
  if (row.node.value != 0) task.set_node(devices.name(row.node));
  if (row.copy_node.value != 0) task.set_copy_node(devices.name(row.copy_node));
  *task.mutable_started() = moment(row.started);
  *task.mutable_ended() = moment(row.ended);
  if (!row.outcome.empty() && row.state != pool::TaskState::kLeased)
    task.mutable_outcome()->ParseFromString(row.outcome);
  return task;
}

void fill_head(v1::Job& job, const store::JobRow& row, v1::JobSpec spec, const Devices& devices) {
  job.set_id(row.request.id.value);
  *job.mutable_spec() = listed(std::move(spec));
  job.set_state(static_cast<v1::JobState>(row.state));
  job.set_owner(devices.name(row.request.owner));
  *job.mutable_submitted() = moment(row.submitted);
  *job.mutable_started() = moment(row.started);
  *job.mutable_ended() = moment(row.ended);
  job.set_seconds_left(-1);
  job.set_ring(static_cast<v1::Ring>(row.ring));
}

}  // namespace

v1::JobSpec listed(v1::JobSpec spec) {
  if (spec.argv_size() > kListedArguments) {
    spec.mutable_argv()->DeleteSubrange(kListedArguments, spec.argv_size() - kListedArguments);
  }
  spec.clear_variables();
  return spec;
}

std::unexpected<Error> no_job(JobId id) {
  return fail(Code::kNotFound, fmt::format("there is no job {}; those that there are: hearth jobs", id.value));
}

Views::Views(net::Loop& loop, Engine& engine, const Devices& devices, const Accounts& accounts,
             const Sessions& sessions)
    : loop_(loop), engine_(engine), devices_(devices), accounts_(accounts), sessions_(sessions) {}

v1::Job Views::live_job(const LiveJob& live) const {
  v1::Job job;
  fill_head(job, live.row, live.spec, devices_);
  job.set_state(static_cast<v1::JobState>(live.kept_state));
  if (const store::DeviceRow* owner = devices_.find(live.row.request.owner)) {
    job.set_account(accounts_.name(owner->account));
  }
  if (live.kept_state != live.row.state) job.clear_ended();
  if (live.first_failure.reason() != v1::FAILURE_REASON_UNSPECIFIED) *job.mutable_first_failure() = live.first_failure;
  if (const auto view = engine_.pool().job(live.row.request.id, loop_.now())) {
    job.set_pending(view->pending);
    job.set_running(view->running);
    job.set_copies(view->copies);
    job.set_succeeded(view->succeeded);
    job.set_failed(view->failed);
    job.set_cancelled(view->cancelled);
    job.set_seconds_left(view->seconds_left);
  }
  describe_results_(job);
  return job;
}

v1::Job Views::ended_job(const store::JobRow& row, const std::array<std::uint32_t, 6>& counts,
                         const v1::Outcome& failure) const {
  v1::Job job;
  v1::JobSpec spec;
  spec.ParseFromString(row.spec);
  fill_head(job, row, std::move(spec), devices_);
  const auto count = [&](pool::TaskState state) { return counts[static_cast<std::size_t>(state)]; };
  job.set_succeeded(count(pool::TaskState::kSucceeded));
  job.set_failed(count(pool::TaskState::kFailed));
  job.set_cancelled(count(pool::TaskState::kCancelled));
  if (failure.reason() != v1::FAILURE_REASON_UNSPECIFIED) *job.mutable_first_failure() = failure;
  describe_results_(job);
  return job;
}

net::Async<Result<v1::Job>> Views::job(JobId id, Visibility visible) const {
  if (const LiveJob* live = engine_.live_job(id)) {
    if (!visible.covers(live->row.request.owner)) co_return no_job(id);
    co_return live_job(*live);
  }
  Result<std::vector<v1::Job>> one = co_await jobs({id.value + 1}, 1, visible);
  if (!one) co_return std::unexpected(one.error());
  if (one->empty() || one->front().id() != id.value) co_return no_job(id);
  co_return std::move(one->front());
}

namespace {

// Of a job that has failed: its first failed task's, else why tasks that never ran failed with it. Of a cancelled one:
// whether it was skipped.
v1::Outcome first_failure(store::Store& store, const store::JobRow& job) {
  v1::Outcome outcome;
  const bool failed_itself = job.state == pool::JobState::kFailed;
  const auto failed = store.load_tasks(job.request.id, 0, failed_itself ? 1 : 0, true);
  if (failed && !failed->empty()) {
    outcome.ParseFromString(failed->front().outcome);
    return outcome;
  }
  const auto ends = store.load_range_ends(job.request.id);
  if (!ends) return outcome;
  for (const store::RangeEnd& range : *ends) {
    if (range.state == pool::TaskState::kFailed || range.why == Failure::kSkipped) return outcome_of(range.why);
  }
  return outcome;
}

}  // namespace

net::Async<Result<std::vector<v1::Job>>> Views::jobs(JobId before, std::uint32_t limit, Visibility visible) const {
  struct Stored {
    store::JobRow row;
    std::array<std::uint32_t, 6> counts{};
    v1::Outcome failure;
  };
  using Answer = Result<std::vector<Stored>>;
  Answer stored = co_await engine_.ask([&](store::Store& store) -> Answer {
    const auto owner = visible.is_whole() ? std::nullopt : std::optional(visible.device());
    Result<std::vector<store::JobRow>> rows = store.load_jobs(owner, before, limit);
    if (!rows) return std::unexpected(rows.error());
    std::vector<Stored> found;
    for (store::JobRow& row : *rows) {
      Stored one;
      one.row = std::move(row);
      if (one.row.state >= pool::JobState::kSucceeded) {
        if (auto counts = store.count_tasks(one.row.request.id)) one.counts = *counts;
      }
      if (one.row.state > pool::JobState::kSucceeded) one.failure = first_failure(store, one.row);
      found.push_back(std::move(one));
    }
    return found;
  });
  if (!stored) co_return std::unexpected(stored.error());
  std::vector<v1::Job> views;
  for (const Stored& one : *stored) {
    const LiveJob* live = engine_.live_job(one.row.request.id);
    views.push_back(live != nullptr ? live_job(*live) : ended_job(one.row, one.counts, one.failure));
  }
  co_return views;
}

net::Async<Result<std::vector<v1::Task>>> Views::tasks(JobId id, std::uint32_t first, std::uint32_t limit,
                                                       bool only_failed) const {
  struct Stored {
    store::JobRow row;
    std::vector<store::TaskRow> tasks;
    std::vector<store::RangeEnd> ends;
  };
  using Answer = Result<Stored>;
  Answer stored = co_await engine_.ask([&](store::Store& store) -> Answer {
    auto row = store.load_job(id);
    if (!row) return std::unexpected(row.error());
    if (!*row) return no_job(id);
    auto tasks = store.load_tasks(id, first, limit, only_failed);
    if (!tasks) return std::unexpected(tasks.error());
    auto ends = store.load_range_ends(id);
    if (!ends) return std::unexpected(ends.error());
    return Stored{std::move(**row), std::move(*tasks), std::move(*ends)};
  });
  if (!stored) co_return std::unexpected(stored.error());
  std::vector<v1::Task> views;
  if (only_failed) {
    for (const store::TaskRow& row : stored->tasks) views.push_back(task_view(row, devices_));
    co_return views;
  }
  auto next = stored->tasks.begin();
  const auto end =
      static_cast<std::uint32_t>(std::min<std::uint64_t>(stored->row.request.tasks, std::uint64_t{first} + limit));
  for (std::uint32_t index = first; index < end; ++index) {
    if (next != stored->tasks.end() && next->task.index == index) {
      store::TaskRow row = *next++;
      if (const auto live = engine_.live_task(row.task); live && live->epoch == row.epoch) row.started = live->started;
      views.push_back(task_view(row, devices_));
      continue;
    }
    v1::Task task;
    task.set_index(index);
    task.set_state(v1::TASK_STATE_PENDING);
    for (const store::RangeEnd& range : stored->ends) {
      if (index < range.first || index - range.first >= range.count) continue;
      task.set_state(to_proto(range.state));
      *task.mutable_outcome() = outcome_of(range.why);
    }
    views.push_back(std::move(task));
  }
  co_return views;
}

namespace {

// As conditions see them, so no more and no longer than they may be, whatever the node said.
void show_attributes(v1::Node& node, const v1::Hello& hello) {
  for (const auto& [name, value] : attributes_of(hello.attributes(), node.name())) {
    v1::Attribute& attribute = *node.add_attributes();
    attribute.set_name(name);
    if (const auto* text = std::get_if<std::string>(&value)) {
      attribute.set_text(*text);
    } else if (const auto* number = std::get_if<double>(&value)) {
      attribute.set_number(*number);
    } else {
      attribute.set_flag(std::get<bool>(value));
    }
  }
}

// What somebody needs to understand where their work runs.
void describe(v1::Node& node, const v1::Hello& hello, Visibility visible) {
  *node.mutable_total() = hello.total();
  *node.mutable_offered() = hello.offered();
  node.set_closed(hello.closed());
  node.set_cpu_model(hello.cpu_model());
  node.set_isolation(hello.isolation());
  show_attributes(node, hello);
  for (const v1::Admission& one : hello.admits()) {
    if (visible.is_whole() || from_proto(one.ring()) == visible.ring()) *node.add_admits() = one;
  }
  if (hello.closed() && !visible.is_whole()) node.set_closed_reason(kClosed);
}

// What its owner does.
void describe_owner(v1::Node& node, const NodeFacts& facts) {
  node.set_closed_reason(facts.hello.closed_reason());
  node.set_system(facts.hello.system());
  node.set_cpu_load(facts.heartbeat.cpu_load());
  node.set_memory_used_bytes(facts.heartbeat.memory_used_bytes());
  node.set_frozen(facts.hello.frozen());
  node.set_stopped(facts.hello.stopped());
}

// What the pool's owners say of it, beside what its own owner says.
void describe_duty(v1::Node& node, const store::DutyRow* said, Visibility visible) {
  node.set_duty(said == nullptr ? v1::DUTY_SERVING : static_cast<v1::Duty>(said->duty));
  if (said == nullptr) return;
  const bool drains = said->duty == pool::Duty::kDraining;
  if (drains) *node.mutable_grace_ends() = moment(said->grace_ends);
  const std::string why = drains ? "drained by the pool's owner" : "cordoned by the pool's owner";
  node.set_closed_reason(node.closed_reason().empty() ? why : fmt::format("{}; {}", node.closed_reason(), why));
  node.set_closed(true);
  if (!visible.is_whole()) node.set_closed_reason(kClosed);
}

}  // namespace

v1::Node Views::node(const store::DeviceRow& device, Visibility visible) const {
  v1::Node node;
  node.set_id(device.id.value);
  node.set_name(device.name);
  if (const auto known = facts_.find(device.id); known != facts_.end()) {
    describe(node, known->second.hello, visible);
    if (visible.is_whole()) describe_owner(node, known->second);
  }
  describe_duty(node, engine_.duty(device.id), visible);
  const auto view = engine_.pool().node(device.id);
  node.set_connected(engine_.connected(device.id) && !(view && view->spared));
  add_running(node, visible);
  if (view && visible.is_whole()) {
    node.set_booking(view->booking.value);
    node.set_spared(view->spared);
    *node.mutable_used() = to_proto(view->used);
    node.set_running_tasks(view->leased);
  }
  return node;
}

// Also counts them, for whoever is shown no others.
void Views::add_running(v1::Node& node, Visibility visible) const {
  Resources used;
  std::uint32_t count = 0;
  for (const AttemptId attempt :
       engine_.pool().started_on({node.id()}, visible.is_whole() ? kListedRunning : kCountedRunning)) {
    const LiveJob* job = engine_.live_job(attempt.task.job);
    const auto row = engine_.live_task(attempt.task);
    if (job == nullptr || !row || !visible.covers(job->row.request.owner)) continue;
    used = used + job->row.request.per_task;
    if (++count > kListedRunning) continue;
    v1::RunningTask& task = *node.add_running();
    task.set_job_id(attempt.task.job.value);
    task.set_task(attempt.task.index);
    task.set_owner(devices_.name(job->row.request.owner));
    task.set_name(job->spec.name().empty() ? job->spec.argv(0) : job->spec.name());
    const bool is_copy = row->copy_node.value == node.id() && row->copy_epoch == attempt.epoch;
    *task.mutable_since() = moment(is_copy ? row->copy_started : row->started);
  }
  *node.mutable_used() = to_proto(used);
  node.set_running_tasks(count);
}

std::vector<v1::Node> Views::nodes(Visibility visible) const {
  std::vector<v1::Node> found;
  for (const store::DeviceRow* row : devices_.active()) {
    if (row->role == v1::ROLE_NODE) found.push_back(node(*row, visible));
  }
  return found;
}

std::vector<v1::Device> Views::devices(Visibility visible) const {
  std::vector<v1::Device> found;
  for (const store::DeviceRow* row : devices_.active()) {
    if (visible.covers(row->id)) found.push_back(device(*row, visible.device()));
  }
  return found;
}

v1::Device Views::device(const store::DeviceRow& row, DeviceId asking) const {
  v1::Device device;
  device.set_id(row.id.value);
  device.set_name(row.name);
  device.set_role(static_cast<v1::Role>(row.role));
  *device.mutable_paired() = moment(row.paired);
  if (row.last_seen.unix_millis != 0) *device.mutable_last_seen() = moment(row.last_seen);
  device.set_online(sessions_.has_connections(row.id) || engine_.connected(row.id));
  device.set_is_this(row.id == asking);
  device.set_ring(static_cast<v1::Ring>(row.ring));
  device.set_account(accounts_.name(row.account));
  device.set_is_token(row.key_kind == v1::KEY_KIND_SECRET);
  if (row.expires.unix_millis != 0) *device.mutable_expires() = moment(row.expires);
  return device;
}

}  // namespace hearth::hub
