#include "hub/metrics.h"

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <vector>

namespace hearth::hub {
namespace {

constexpr Duration kBetweenLooks = milliseconds(250);

constexpr std::array kSpans = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0};
constexpr std::array kRows = {1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0};

// "FAILURE_REASON_EXIT_CODE" is told as "exit_code".
std::string reason_name(v1::FailureReason reason) {
  if (reason == v1::FAILURE_REASON_UNSPECIFIED) return "succeeded";
  std::string name = v1::FailureReason_Name(reason).substr(std::string_view("FAILURE_REASON_").size());
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return name;
}

std::string_view state_name(pool::JobState state) {
  constexpr std::array<std::string_view, 7> kNames = {"",          "waiting", "queued",   "running",
                                                      "succeeded", "failed",  "cancelled"};
  return kNames.at(static_cast<std::size_t>(state));
}

constexpr std::string_view kJobs = "Jobs that have not ended, by state.";
constexpr std::string_view kJobsEnded = "Jobs that have ended since the hub started, by how.";
constexpr std::string_view kTasks = "Tasks of jobs that have not ended: pending, or leased to a node.";
constexpr std::string_view kNodes =
    "Nodes of the pool: open, closed by their own owner, cordoned or drained by the pool's, or away.";
constexpr std::string_view kAttemptsEnded = "Attempts that have ended since the hub started, by reason.";

}  // namespace

Metrics::Metrics(net::Loop& loop, Engine& engine, const Devices& devices, const Sessions& sessions,
                 const blob::BlobStore& blobs)
    : loop_(loop),
      engine_(engine),
      devices_(devices),
      sessions_(sessions),
      blobs_(blobs),
      commit_rows_(registry_.histogram("hearth_commit_rows", "Rows that one commit of the store wrote.", kRows)),
      commit_seconds_(registry_.histogram("hearth_commit_duration_seconds", "How long a commit took.", kSpans)),
      request_seconds_(registry_.histogram("hearth_request_duration_seconds",
                                           "How long a call of the API took, but for streams.", kSpans)),
      loop_lag_(
          registry_.histogram("hearth_loop_lag_seconds", "How late the hub's loop came to what was due.", kSpans)),
      attempts_started_(registry_.counter("hearth_attempts_assigned_total", "Attempts that were given to a node.")),
      used_core_seconds_(registry_.counter("hearth_usage_core_seconds_total",
                                           "Cores asked for, while programs ran, of attempts that have ended.")),
      unmetered_core_seconds_(registry_.counter("hearth_usage_unmetered_core_seconds_total",
                                                "Those of them on nodes that do not say what they draw.")),
      energy_joules_(registry_.counter("hearth_usage_energy_joules_total",
                                       "Energy of the others, by what their nodes' owners say that they draw.")),
      blob_bytes_sent_(registry_.counter("hearth_blob_sent_bytes_total", "Bytes of blobs that were fetched here.")) {
  registry_.gauge("hearth_build_info", "Always 1; the label tells the version.", {{"version", HEARTH_VERSION}}).set(1);
  registry_.gauge("hearth_start_time_seconds", "When the hub started, in seconds since 1970.")
      .set(static_cast<double>(wall_now().unix_millis) / 1000);
  for (int reason = 0; reason <= v1::FailureReason_MAX; ++reason) {
    if (!v1::FailureReason_IsValid(reason)) continue;
    registry_.counter("hearth_attempts_ended_total", kAttemptsEnded,
                      {{"reason", reason_name(static_cast<v1::FailureReason>(reason))}});
  }
  for (const auto state : {pool::JobState::kSucceeded, pool::JobState::kFailed, pool::JobState::kCancelled}) {
    registry_.counter("hearth_jobs_ended_total", kJobsEnded, {{"state", state_name(state)}});
  }
}

void Metrics::start() {
  running_ = true;
  loop_.spawn(measure_loop());
}

net::Async<void> Metrics::stop() {
  stopping_ = true;
  woken_.notify();
  while (running_) co_await stopped_.wait();
}

net::Async<void> Metrics::measure_loop() {
  while (!stopping_) {
    const Time due = loop_.now() + kBetweenLooks;
    const bool woken = co_await woken_.wait(kBetweenLooks);
    if (!woken) loop_lag_.observe(std::max(loop_.now() - due, Duration{}).seconds());
  }
  running_ = false;
  stopped_.notify();
}

void Metrics::answered(const net::AnsweredCall& call) {
  registry_
      .counter("hearth_requests_total", "Calls of the API that were answered, by method and code.",
               {{"method", call.method.empty() ? "unknown" : call.method},
                {"code", call.error ? code_name(*call.error) : "ok"}})
      .add();
  if (!call.streamed) request_seconds_.observe(call.took.seconds());
}

void Metrics::requested(std::string_view route) {
  registry_.counter("hearth_http_requests_total", "HTTP requests by what they were for.", {{"route", route}}).add();
}

void Metrics::committed(std::size_t rows, Duration took) {
  commit_rows_.observe(static_cast<double>(rows));
  commit_seconds_.observe(took.seconds());
}

void Metrics::attempt_assigned(AttemptId, NodeId) { attempts_started_.add(); }

void Metrics::attempt_ended(AttemptId, const v1::Outcome& outcome) {
  registry_.counter("hearth_attempts_ended_total", kAttemptsEnded, {{"reason", reason_name(outcome.reason())}}).add();
}

void Metrics::job_ended(JobId job) {
  const LiveJob* live = engine_.live_job(job);
  if (live != nullptr)
    registry_.counter("hearth_jobs_ended_total", kJobsEnded, {{"state", state_name(live->row.state)}}).add();
}

void Metrics::used(const store::UsageRow& row) {
  used_core_seconds_.add(static_cast<double>(row.core_millis) / 1000);
  unmetered_core_seconds_.add(static_cast<double>(row.unmetered_core_millis) / 1000);
  energy_joules_.add(static_cast<double>(row.energy_millijoules) / 1000);
}

void Metrics::count_jobs() {
  std::array<double, 7> counts{};
  for (const auto& [id, job] : engine_.live_jobs()) ++counts.at(static_cast<std::size_t>(job.row.state));
  for (const auto state : {pool::JobState::kWaiting, pool::JobState::kQueued, pool::JobState::kRunning}) {
    registry_.gauge("hearth_jobs", kJobs, {{"state", state_name(state)}})
        .set(counts.at(static_cast<std::size_t>(state)));
  }
  registry_.gauge("hearth_tasks", kTasks, {{"state", "pending"}})
      .set(static_cast<double>(engine_.pool().pending_tasks()));
  registry_.gauge("hearth_tasks", kTasks, {{"state", "leased"}})
      .set(static_cast<double>(engine_.pool().leased_tasks()));
}

void Metrics::count_nodes() {
  std::map<std::string_view, double> counts = {{"open", 0}, {"closed", 0}, {"cordoned", 0}, {"away", 0}};
  Resources offered;
  Resources used;
  for (const store::DeviceRow* row : devices_.active()) {
    if (row->role != v1::ROLE_NODE) continue;
    const auto node = engine_.pool().node(row->id);
    const bool is_connected = node && node->connected;
    const bool serves = node && node->duty == pool::Duty::kServing;
    ++counts[!is_connected ? "away" : node->closed ? "closed" : serves ? "open" : "cordoned"];
    if (!is_connected) continue;
    used = used + node->used;
    if (!node->closed && serves) offered = offered + node->offered;
  }
  for (const auto& [state, count] : counts) registry_.gauge("hearth_nodes", kNodes, {{"state", state}}).set(count);
  const auto set = [&](std::string_view name, std::string_view help, auto value) {
    registry_.gauge(name, help).set(static_cast<double>(value));
  };
  set("hearth_offered_cores", "Cores that open nodes lend.", offered.cores);
  set("hearth_used_cores", "Cores that are leased to tasks.", used.cores);
  set("hearth_offered_memory_bytes", "Memory that open nodes lend.", offered.memory_bytes);
  set("hearth_used_memory_bytes", "Memory that is leased to tasks.", used.memory_bytes);
  set("hearth_offered_gpus", "GPUs that open nodes lend.", offered.gpus);
  set("hearth_used_gpus", "GPUs that are leased to tasks.", used.gpus);
}

std::string Metrics::text(std::size_t connections) {
  count_jobs();
  count_nodes();
  registry_.gauge("hearth_sessions", "Sessions of devices that have proved their key.")
      .set(static_cast<double>(sessions_.count()));
  registry_.gauge("hearth_connections", "Open connections to the hub.").set(static_cast<double>(connections));
  registry_.gauge("hearth_blob_bytes", "Blobs on the hub's disk.").set(static_cast<double>(blobs_.bytes()));
  return registry_.text();
}

}  // namespace hearth::hub
