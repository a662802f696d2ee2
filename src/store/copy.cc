#include "store/copy.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace hearth::store {
namespace {

constexpr std::uint32_t kJobsAtOnce = 100;
constexpr std::uint32_t kTasksAtOnce = 5'000;
constexpr std::uint32_t kLinesAtOnce = 5'000;

class Copy {
 public:
  Copy(Store& from, Store& to) : from_(from), to_(to) {}

  Result<Copied> run() {
    if (Result<void> done = copy_small_tables(); !done) return std::unexpected(done.error());
    if (Result<void> done = copy_usage(); !done) return std::unexpected(done.error());
    if (Result<void> done = copy_audit(); !done) return std::unexpected(done.error());
    if (Result<void> done = copy_jobs(); !done) return std::unexpected(done.error());
    if (Result<void> done = keep_last_number(); !done) return std::unexpected(done.error());
    return copied_;
  }

 private:
  Result<void> copy_small_tables() {
    Batch batch;
    Result<std::vector<DeviceRow>> devices = from_.load_devices();
    if (!devices) return std::unexpected(devices.error());
    Result<std::vector<EnvironmentRow>> environments = from_.load_environments();
    if (!environments) return std::unexpected(environments.error());
    Result<std::vector<WorkspaceRow>> workspaces = from_.load_workspaces();
    if (!workspaces) return std::unexpected(workspaces.error());
    Result<std::vector<AccountRow>> accounts = from_.load_accounts();
    if (!accounts) return std::unexpected(accounts.error());
    Result<std::vector<ScheduleRow>> schedules = from_.load_schedules();
    if (!schedules) return std::unexpected(schedules.error());
    Result<std::vector<DutyRow>> duties = from_.load_duties();
    if (!duties) return std::unexpected(duties.error());
    Result<std::vector<BookingRow>> bookings = from_.load_bookings();
    if (!bookings) return std::unexpected(bookings.error());
    Result<std::vector<AudienceRow>> audiences = from_.load_audiences();
    if (!audiences) return std::unexpected(audiences.error());
    Result<std::vector<WatchLinkRow>> watch_links = from_.load_watch_links();
    if (!watch_links) return std::unexpected(watch_links.error());
    Result<std::vector<WebhookRow>> webhooks = from_.load_webhooks();
    if (!webhooks) return std::unexpected(webhooks.error());
    Result<std::vector<DeliveryRow>> deliveries = from_.load_deliveries();
    if (!deliveries) return std::unexpected(deliveries.error());
    batch.webhooks = std::move(*webhooks);
    batch.deliveries = std::move(*deliveries);
    copied_.devices = devices->size();
    batch.devices = std::move(*devices);
    batch.environments = std::move(*environments);
    batch.workspaces = std::move(*workspaces);
    batch.accounts = std::move(*accounts);
    batch.schedules = std::move(*schedules);
    batch.duties = std::move(*duties);
    batch.bookings = std::move(*bookings);
    batch.audiences = std::move(*audiences);
    batch.watch_links = std::move(*watch_links);
    return to_.commit(batch);
  }

  Result<void> copy_usage() {
    constexpr std::int64_t kLastDay = std::numeric_limits<std::int64_t>::max();
    constexpr std::uint32_t kAll = std::numeric_limits<std::int32_t>::max();
    Batch batch;
    Result<std::vector<UsageRow>> usage = from_.load_usage({}, 0, kLastDay, kAll);
    if (!usage) return std::unexpected(usage.error());
    batch.usage = std::move(*usage);
    return to_.commit(batch);
  }

  Result<void> copy_audit() {
    for (std::uint64_t last = 0;;) {
      Batch batch;
      Result<std::vector<AuditRow>> lines = from_.load_audit(last, {}, kLinesAtOnce);
      if (!lines) return std::unexpected(lines.error());
      if (lines->empty()) return {};
      last = lines->back().number;
      batch.audit = std::move(*lines);
      if (Result<void> done = to_.commit(batch); !done) return done;
    }
  }

  // Newest first, as they are listed.
  Result<void> copy_jobs() {
    JobId before;
    while (true) {
      Result<std::vector<JobRow>> jobs = from_.load_jobs({}, before, kJobsAtOnce);
      if (!jobs) return std::unexpected(jobs.error());
      if (jobs->empty()) return {};
      before = jobs->back().request.id;
      copied_.jobs += jobs->size();
      Batch batch;
      batch.jobs = *jobs;
      for (const JobRow& job : *jobs) {
        Result<std::vector<RangeEnd>> ranges = from_.load_range_ends(job.request.id);
        if (!ranges) return std::unexpected(ranges.error());
        std::ranges::move(*ranges, std::back_inserter(batch.range_ends));
      }
      if (Result<void> done = to_.commit(batch); !done) return done;
      for (const JobRow& job : *jobs) {
        if (Result<void> done = copy_tasks(job.request); !done) return done;
      }
    }
  }

  Result<void> copy_tasks(const pool::JobRequest& job) {
    for (std::uint64_t first = 0; first < job.tasks; first += kTasksAtOnce) {
      Batch batch;
      Result<std::vector<TaskRow>> tasks =
          from_.load_tasks(job.id, static_cast<std::uint32_t>(first), kTasksAtOnce, false);
      if (!tasks) return std::unexpected(tasks.error());
      copied_.tasks += tasks->size();
      batch.tasks = std::move(*tasks);
      if (Result<void> done = to_.commit(batch); !done) return done;
    }
    return {};
  }

  // The newest job may have been removed: it comes and goes, so that its number stays taken.
  Result<void> keep_last_number() {
    const Result<JobId> last = from_.last_job_id();
    const Result<JobId> there = to_.last_job_id();
    if (!last || !there) return std::unexpected(last ? there.error() : last.error());
    if (*last == *there) return {};
    Batch batch;
    batch.jobs.resize(1);
    batch.jobs[0].request.id = *last;
    batch.removed = {*last};
    return to_.commit(batch);
  }

  Store& from_;
  Store& to_;
  Copied copied_;
};

}  // namespace

Result<Copied> copy_pool(Store& from, Store& to) { return Copy(from, to).run(); }

}  // namespace hearth::store
