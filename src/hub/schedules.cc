#include "hub/schedules.h"

#include <algorithm>
#include <ctime>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "core/schedule/cron.h"
#include "hearth/v1/schedules.pb.h"
#include "hub/parts.h"
#include "hub/submission.h"
#include "net/crypto.h"

namespace hearth::hub {
namespace {

constexpr Duration kBetweenLooks = seconds(1);
constexpr std::size_t kMostTrouble = 1'024;

std::int64_t local_offset(std::int64_t unix_seconds) {
  const std::time_t moment = unix_seconds;
  std::tm local{};
  return ::localtime_r(&moment, &local) == nullptr ? 0 : local.tm_gmtoff;
}

std::string request_id_of(const store::ScheduleRow& row) {
  return net::sha256(
             fmt::format("schedule {} {} {} {}", row.owner.value, row.name, row.made.unix_millis, row.next.unix_millis))
      .substr(0, 16);
}

}  // namespace

Schedules::Schedules(std::vector<store::ScheduleRow> rows) {
  for (store::ScheduleRow& row : rows) rows_.emplace(ScheduleKey{row.owner, row.name}, std::move(row));
}

const store::ScheduleRow* Schedules::find(const ScheduleKey& key) const {
  const auto found = rows_.find(key);
  return found == rows_.end() ? nullptr : &found->second;
}

std::size_t Schedules::count_of(DeviceId device) const {
  return static_cast<std::size_t>(
      std::ranges::count_if(rows_, [&](const auto& row) { return row.first.first == device; }));
}

Result<WallTime> next_due(const std::string& cron, WallTime after) {
  const Result<schedule::Cron> parsed = schedule::Cron::parse(cron);
  if (!parsed) return std::unexpected(fail(parsed, "cron").error());
  const std::optional<std::int64_t> next = parsed->next_after(after.unix_millis / 1'000, local_offset);
  if (!next) return fail(Code::kInvalidArgument, "cron: it never comes due");
  return WallTime{*next * 1'000};
}

net::Async<Result<JobId>> submit_scheduled(Parts& parts, store::ScheduleRow row, std::string request_id) {
  v1::JobSpec spec;
  if (!spec.ParseFromString(row.spec)) co_return fail(Code::kDataLoss, "the schedule's record cannot be read");
  Result<Submission> submission = co_await prepare_submission(parts, std::move(spec), row.owner);
  if (!submission) co_return std::unexpected(submission.error());
  submission->request_id = std::move(request_id);
  co_return co_await submit(parts, std::move(*submission));
}

// The time zone may have changed while the hub was down; what was missed stays due.
void Scheduler::start() {
  ::tzset();
  const WallTime now = wall_now();
  const std::map<ScheduleKey, store::ScheduleRow> rows = parts_.schedules.all();
  for (const auto& [key, known] : rows) {
    store::ScheduleRow row = known;
    if (const Result<WallTime> next = next_due(row.cron, now); next && row.next > now) row.next = *next;
    parts_.schedules.put(row);
  }
  running_ = true;
  parts_.loop.spawn(run());
}

net::Async<void> Scheduler::stop() {
  stopping_ = true;
  woken_.notify();
  while (running_) co_await stopped_.wait();
}

net::Async<void> Scheduler::run() {
  while (!stopping_) {
    const WallTime now = wall_now();
    std::vector<store::ScheduleRow> due;
    for (const auto& [key, row] : parts_.schedules.all()) {
      if (row.next <= now) due.push_back(row);
    }
    for (store::ScheduleRow& row : due) {
      if (!stopping_) co_await fire(std::move(row));
    }
    co_await woken_.wait(kBetweenLooks);
  }
  running_ = false;
  stopped_.notify();
}

net::Async<void> Scheduler::fire(store::ScheduleRow row) {
  if (parts_.devices.find_active(row.owner) == nullptr) {
    log_info(fmt::format("a schedule ends with its device name=\"{}\"", row.name));
    row.cron.clear();
    co_return co_await keep(std::move(row));
  }
  const LiveJob* last = parts_.engine.live_job(row.last_job);
  row.last_trouble.clear();
  if (last != nullptr && row.overlap != v1::OVERLAP_ALLOW) {
    row.last_trouble = fmt::format("skipped: job {} still ran", row.last_job.value);
  } else {
    Result<JobId> job = co_await submit_scheduled(parts_, row, request_id_of(row));
    if (job) row.last_job = *job;
    // A hub that cannot take it now is asked again: the request's id stays the same until its moment is past.
    if (!job && job.error().code == Code::kUnavailable) co_return;
    if (!job) row.last_trouble = utf8_prefix(job.error().message, kMostTrouble);
    if (!job)
      log_warning(fmt::format("a scheduled job was not taken name=\"{}\" error=\"{}\"", row.name, row.last_trouble));
  }
  const WallTime now = wall_now();
  row.last_due = row.next;
  if (const Result<WallTime> next = next_due(row.cron, now)) row.next = *next;
  co_await keep(std::move(row));
}

// Unless it was removed, or made anew, meanwhile.
net::Async<void> Scheduler::keep(store::ScheduleRow row) {
  const ScheduleKey key{row.owner, row.name};
  const store::ScheduleRow* known = parts_.schedules.find(key);
  if (known == nullptr || known->made != row.made) co_return;
  if (row.cron.empty()) {
    parts_.schedules.remove(key);
  } else {
    parts_.schedules.put(row);
  }
  if (Result<void> saved = co_await parts_.engine.save_schedule(std::move(row)); !saved) {
    log_warning(fmt::format("a schedule could not be kept error=\"{}\"", saved.error().message));
  }
}

}  // namespace hearth::hub
