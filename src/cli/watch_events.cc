#include "cli/watch_events.h"

#include <algorithm>
#include <ctime>
#include <utility>

#include <fmt/format.h>

#include "base/rfc3339.h"
#include "cli/run_spec.h"
#include "cli/values.h"
#include "net/connect_codec.h"

namespace hearth::cli {
namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kMostEnded = 100'000;

bool has_ended(v1::JobState state) { return state >= v1::JOB_STATE_SUCCEEDED; }

std::string name_of(const v1::Job& job) {
  if (!job.spec().name().empty()) return job.spec().name();
  return job.spec().argv().empty() ? std::string() : job.spec().argv(0);
}

v1::Event event(std::string_view type, WallTime at) {
  v1::Event made;
  made.set_type(std::string(type));
  made.set_timestamp(rfc3339(at));
  made.set_version(kVersion);
  return made;
}

v1::EventData about(const v1::Job& job) {
  v1::EventData data;
  data.set_job_id(job.id());
  data.set_job(name_of(job));
  data.set_owner(job.owner());
  data.set_state(job.state());
  data.set_tasks(job.spec().tasks());
  data.set_succeeded(job.succeeded());
  data.set_failed(job.failed());
  data.set_cancelled(job.cancelled());
  return data;
}

// `state`: after what happened, which may be a while ago.
v1::Event job_event(std::string_view type, const v1::Job& job, v1::JobState state, const v1::Moment& at) {
  v1::Event made = event(type, {at.unix_millis()});
  *made.mutable_data() = about(job);
  made.mutable_data()->set_state(state);
  return made;
}

void describe(v1::EventData& data, const v1::Outcome& outcome) {
  data.set_reason(outcome.reason());
  data.set_message(outcome.message());
  if (outcome.reason() == v1::FAILURE_REASON_EXIT_CODE || outcome.reason() == v1::FAILURE_REASON_SIGNAL) {
    data.set_exit_code(outcome.exit_code());
  }
}

v1::Outcome outcome_in(const v1::EventData& data) {
  v1::Outcome outcome;
  outcome.set_reason(data.reason());
  outcome.set_exit_code(data.exit_code());
  outcome.set_message(data.message());
  return outcome;
}

}  // namespace

WatchEvents::WatchEvents(std::vector<std::uint64_t> jobs)
    : jobs_(std::move(jobs)), wanted_(jobs_.begin(), jobs_.end()) {}

WatchEvents::Stage WatchEvents::stage_of(const v1::Job& job) {
  if (has_ended(job.state())) return Stage::kEnded;
  return job.started().unix_millis() == 0 ? Stage::kQueued : Stage::kStarted;
}

void WatchEvents::advance(LiveJob& known, const v1::Job& job, Events& events) {
  known.about = about(job);
  const Stage now = stage_of(job);
  if (known.told < Stage::kQueued) {
    events.push_back(job_event("job.queued", job, v1::JOB_STATE_QUEUED, job.submitted()));
  }
  if (known.told < Stage::kStarted && job.started().unix_millis() != 0) {
    events.push_back(job_event("job.started", job, v1::JOB_STATE_RUNNING, job.started()));
  }
  if (known.told < Stage::kEnded && now == Stage::kEnded) {
    events.push_back(job_event("job.ended", job, job.state(), job.ended()));
    describe(*events.back().mutable_data(), job.first_failure());
  }
  known.told = std::max(known.told, now);
  if (now == Stage::kEnded) end(job.id(), exit_code_of(job));
}

void WatchEvents::end(std::uint64_t job, int exit_code) {
  live_.erase(job);
  if (wanted_.contains(job)) exit_codes_.try_emplace(job, exit_code);
  ended_.insert(job);
  if (ended_.size() > kMostEnded) ended_.erase(ended_.begin());
}

// A job that nobody spoke of before is new if its number is; an older one is told of from here on.
void WatchEvents::take_change(const v1::Job& job, bool is_snapshot, Events& events) {
  if (!is_of_interest(job.id()) || ended_.contains(job.id())) return;
  const bool is_known = live_.contains(job.id());
  const bool is_new = has_begun_ && job.id() > highest_;
  if (is_known || is_new) return advance(live_[job.id()], job, events);
  const Stage now = stage_of(job);
  if (now == Stage::kEnded && is_snapshot) return end(job.id(), exit_code_of(job));
  LiveJob& known = live_[job.id()];
  known.told = now == Stage::kEnded ? Stage::kStarted : now;
  advance(known, job, events);
}

WatchEvents::Events WatchEvents::take_job(const v1::Job& job) {
  Events events;
  if (!is_of_interest(job.id()) || ended_.contains(job.id())) return events;
  if (wanted_.contains(job.id()) && !live_.contains(job.id())) {
    // Its present stage alone.
    const Stage now = stage_of(job);
    live_[job.id()].told = now == Stage::kQueued    ? Stage::kUnknown
                           : now == Stage::kStarted ? Stage::kQueued
                                                    : Stage::kStarted;
  }
  advance(live_[job.id()], job, events);
  return events;
}

WatchEvents::Events WatchEvents::take_failures(const v1::Job& job, const std::vector<v1::Task>& tasks) {
  Events events;
  for (const v1::Task& task : tasks) {
    v1::FailedAttempt failed;
    failed.set_job_id(job.id());
    failed.set_task(task.index());
    failed.set_attempts(task.attempts());
    failed.set_node(task.node());
    failed.set_again(task.state() == v1::TASK_STATE_PENDING);
    *failed.mutable_outcome() = task.outcome();
    *failed.mutable_at() = task.ended();
    const auto known = live_.find(job.id());
    if (known == live_.end()) continue;
    const auto told = known->second.failures.find(task.index());
    if (told == known->second.failures.end() || told->second < task.attempts()) take_failure(failed, events);
  }
  return events;
}

WatchEvents::Events WatchEvents::take_removed(std::uint64_t job, WallTime now) {
  Events events;
  const bool was_told = live_.contains(job) || ended_.contains(job);
  if (!is_of_interest(job) || (!was_told && jobs_.empty())) return events;
  events.push_back(event("job.removed", now));
  if (const auto known = live_.find(job); known != live_.end()) *events.back().mutable_data() = known->second.about;
  events.back().mutable_data()->set_job_id(job);
  // How it ended was not seen.
  end(job, 1);
  return events;
}

void WatchEvents::take_failure(const v1::FailedAttempt& failed, Events& events) {
  if (!is_of_interest(failed.job_id())) return;
  const auto known = live_.find(failed.job_id());
  if (known != live_.end()) known->second.failures[failed.task()] = failed.attempts();
  events.push_back(event(failed.again() ? "task.requeued" : "task.failed", {failed.at().unix_millis()}));
  v1::EventData& data = *events.back().mutable_data();
  if (known != live_.end()) data = known->second.about;
  data.set_job_id(failed.job_id());
  describe(data, failed.outcome());
  data.set_task(failed.task());
  data.set_attempts(failed.attempts());
  data.set_node(failed.node());
}

void WatchEvents::take_node(const v1::Node& node, WallTime now, bool is_told, Events& events) {
  const auto known = nodes_.find(node.id());
  const bool was_here = known != nodes_.end() && known->second.connected();
  nodes_[node.id()] = node;
  if (!is_told || !jobs_.empty() || was_here == node.connected()) return;
  events.push_back(event(node.connected() ? "node.connected" : "node.disconnected", now));
  events.back().mutable_data()->set_node(node.name());
}

WatchEvents::Events WatchEvents::take(const v1::WatchReply& reply, WallTime now) {
  Events events;
  for (const v1::Node& node : reply.nodes()) take_node(node, now, has_begun_, events);
  for (const std::uint64_t id : reply.removed_devices()) {
    if (const auto gone = nodes_.find(id); gone != nodes_.end()) {
      v1::Node node = gone->second;
      node.set_connected(false);
      take_node(node, now, true, events);
      nodes_.erase(id);
    }
  }
  // A task that failed belongs to a job that may be new, and may have ended by it.
  std::vector<v1::Job> jobs(reply.jobs().begin(), reply.jobs().end());
  std::ranges::sort(jobs, {}, [](const v1::Job& job) { return job.id(); });
  for (v1::Job job : jobs) {
    const bool is_new = has_begun_ && job.id() > highest_ && !live_.contains(job.id());
    if (!is_new) continue;
    if (has_ended(job.state())) job.set_state(v1::JOB_STATE_RUNNING);
    take_change(job, reply.snapshot(), events);
  }
  for (const v1::FailedAttempt& failed : reply.failed_attempts()) take_failure(failed, events);
  for (const v1::Job& job : jobs) take_change(job, reply.snapshot(), events);
  for (const v1::Job& job : jobs) highest_ = std::max(highest_, job.id());
  for (const std::uint64_t job : reply.removed_jobs()) {
    for (v1::Event& removed : take_removed(job, now)) events.push_back(std::move(removed));
  }
  has_begun_ = has_begun_ || reply.snapshot();
  return events;
}

std::vector<std::uint64_t> WatchEvents::live() const {
  std::vector<std::uint64_t> jobs;
  for (const auto& [job, known] : live_) jobs.push_back(job);
  return jobs;
}

std::optional<WatchEvents::Missed> WatchEvents::missed(const v1::WatchReply& snapshot) const {
  if (!has_begun_ || !jobs_.empty() || snapshot.jobs().empty()) return {};
  const auto first = std::ranges::min_element(snapshot.jobs(), {}, [](const v1::Job& job) { return job.id(); });
  if (first->id() <= highest_ + 1) return {};
  return Missed{highest_, first->id()};
}

bool WatchEvents::all_ended() const { return !jobs_.empty() && exit_codes_.size() == wanted_.size(); }

int WatchEvents::exit_code() const {
  for (const std::uint64_t job : jobs_) {
    const auto ended = exit_codes_.find(job);
    if (ended != exit_codes_.end() && ended->second != 0) return ended->second;
  }
  return 0;
}

namespace {

std::string clock_time(const std::string& timestamp) {
  std::tm parts = {};
  if (::strptime(timestamp.c_str(), "%Y-%m-%dT%H:%M:%S", &parts) == nullptr) return "--:--:--";
  const std::time_t seconds = ::timegm(&parts);
  std::tm local = {};
  if (::localtime_r(&seconds, &local) == nullptr) return "--:--:--";
  return fmt::format("{:02}:{:02}:{:02}", local.tm_hour, local.tm_min, local.tm_sec);
}

std::string plural(std::uint32_t count, std::string_view noun) {
  return fmt::format("{} {}{}", format_count(count), noun, count == 1 ? "" : "s");
}

std::string end_text(const v1::EventData& data) {
  const std::string failure = failure_text(outcome_in(data));
  if (data.state() == v1::JOB_STATE_CANCELLED && !failure.empty()) return failure;
  if (data.state() != v1::JOB_STATE_FAILED) return state_name(data.state());
  if (data.tasks() <= 1) return "failed: " + failure;
  return fmt::format("failed: {} of {}, the first: {}", data.failed(), plural(data.tasks(), "task"), failure);
}

std::string event_text(const v1::Event& event) {
  const v1::EventData& data = event.data();
  const std::string name = data.job().empty() ? "" : fmt::format(" ({})", plain(data.job()));
  const std::string job = fmt::format("job {}{}", data.job_id(), name);
  const std::string place = data.node().empty() ? "" : fmt::format(" on {}", plain(data.node()));
  if (event.type() == "job.queued") {
    return fmt::format("{} queued: {}, for {}", job, plural(data.tasks(), "task"), plain(data.owner()));
  }
  if (event.type() == "job.started") return job + " runs";
  if (event.type() == "job.ended") return fmt::format("{} {}", job, end_text(data));
  if (event.type() == "job.removed") return job + " is removed";
  if (event.type() == "node.connected") return fmt::format("node {} is here", plain(data.node()));
  if (event.type() == "node.disconnected") return fmt::format("node {} is away", plain(data.node()));
  const std::string_view what = event.type() == "task.requeued" ? "goes back to the queue" : "failed";
  return fmt::format("task {} of {} {}, attempt {}{}: {}", data.task(), job, what, data.attempts(), place,
                     failure_text(outcome_in(data)));
}

}  // namespace

std::string event_line(const v1::Event& event) {
  return fmt::format("{}  {}\n", clock_time(event.timestamp()), event_text(event));
}

std::string event_json(const v1::Event& event) { return net::stable_json(event) + "\n"; }

}  // namespace hearth::cli
