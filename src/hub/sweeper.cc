#include "hub/sweeper.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"

namespace hearth::hub {
namespace {

constexpr std::uint32_t kRowsAtOnce = 2'000;
constexpr std::uint32_t kJobsAtOnce = 50;
constexpr std::size_t kBlobsAtOnce = 64;
constexpr Duration kBreath = milliseconds(5);  // between two steps, for the hub's other work
constexpr std::int64_t kShare = 20;            // at most one part in so many of the time is spent on sweeping

}  // namespace

Sweeper::Sweeper(net::Loop& loop, net::Workers& workers, Engine& engine, blob::BlobStore& blobs,
                 const SweepOptions& options)
    : loop_(loop),
      workers_(workers),
      engine_(engine),
      blobs_(blobs),
      of_jobs_(workers, engine, blobs),
      options_(options) {}

void Sweeper::start() {
  running_ = true;
  loop_.spawn(run());
}

net::Async<void> Sweeper::stop() {
  stopping_ = true;
  woken_.notify();
  while (running_) co_await stopped_.wait();
}

void Sweeper::job_removed(JobId, DeviceId) {
  removed_ = true;
  woken_.notify();
}

net::Async<void> Sweeper::rest(Duration span) {
  const Time until = loop_.now() + span;
  while (!stopping_ && loop_.now() < until) co_await woken_.wait(until - loop_.now());
}

net::Async<void> Sweeper::run() {
  co_await rest(options_.first_after);
  while (!stopping_) {
    const Time began = loop_.now();
    removed_ = false;
    if (Result<void> done = co_await sweep(); !done && !stopping_) {
      log_warning(fmt::format("blobs that no job needs could not be looked for error=\"{}\"", done.error().message));
    }
    co_await rest(std::max(options_.gather, (loop_.now() - began) * kShare));
    const Time next = began + options_.interval;
    while (!stopping_ && !removed_ && loop_.now() < next) co_await woken_.wait(next - loop_.now());
    if (removed_) co_await rest(options_.gather);
  }
  running_ = false;
  stopped_.notify();
}

net::Async<Result<void>> Sweeper::sweep() {
  if (Result<void> purged = co_await purge_rows(); !purged) co_return purged;
  std::vector<blob::Digest> unwanted = co_await workers_.run([&] { return blobs_.unwanted(options_.grace); });
  Digests doomed(unwanted.begin(), unwanted.end());
  if (doomed.empty()) co_return Result<void>();
  if (Result<void> spared = co_await spare_needed(doomed); !spared) co_return spared;
  if (!stopping_) co_await remove(doomed);
  co_return Result<void>();
}

net::Async<Result<void>> Sweeper::purge_rows() {
  for (bool more = true; more && !stopping_;) {
    Result<bool> purged = co_await engine_.ask([](store::Store& store) { return store.purge(kRowsAtOnce); });
    if (!purged) co_return fail(purged, "the rows of removed jobs");
    more = *purged;
    if (more) co_await net::sleep_for(kBreath);
  }
  co_return Result<void>();
}

// One that is just being put is wanted: its image was uploaded or asked for.
net::Async<Result<void>> Sweeper::spare_environments(Digests& doomed) {
  Result<std::vector<store::EnvironmentRow>> rows =
      co_await engine_.ask([](store::Store& store) { return store.load_environments(); });
  if (!rows) co_return std::unexpected(rows.error());
  for (const store::EnvironmentRow& row : *rows) doomed.erase(row.sha256);
  co_return Result<void>();
}

net::Async<Result<void>> Sweeper::spare_schedules(BlobWalk& walk) {
  Result<std::vector<store::ScheduleRow>> rows =
      co_await engine_.ask([](store::Store& store) { return store.load_schedules(); });
  if (!rows) co_return std::unexpected(rows.error());
  for (const store::ScheduleRow& row : *rows) {
    v1::JobSpec spec;
    if (!spec.ParseFromString(row.spec)) {
      co_return fail(Code::kDataLoss, fmt::format("the record of schedule {} cannot be read", row.name));
    }
    if (Result<void> spared = co_await of_jobs_.walk_inputs(spec, walk); !spared) co_return spared;
  }
  co_return Result<void>();
}

// From the newest job to the oldest. Jobs that come meanwhile have higher numbers; what they need is wanted.
net::Async<Result<void>> Sweeper::spare_needed(Digests& doomed) {
  if (Result<void> spared = co_await spare_environments(doomed); !spared) co_return spared;
  BlobWalk walk{.take = [&doomed](const blob::Digest& digest) { doomed.erase(digest); },
                .is_over = [this] { return stopping_; }};
  if (Result<void> spared = co_await spare_schedules(walk); !spared) co_return spared;
  for (JobId before; !stopping_ && !doomed.empty();) {
    Result<std::vector<store::JobRow>> jobs =
        co_await engine_.ask([&](store::Store& store) { return store.load_jobs({}, before, kJobsAtOnce); });
    if (!jobs) co_return std::unexpected(jobs.error());
    if (jobs->empty()) break;
    for (const store::JobRow& job : *jobs) {
      v1::Blob environment;
      if (!environment.ParseFromString(job.environment)) {
        co_return fail(Code::kDataLoss, fmt::format("the record of job {} cannot be read", job.request.id.value));
      }
      // One that has ended will not run again.
      if (job.state < pool::JobState::kSucceeded) doomed.erase(environment.sha256());
      if (Result<void> spared = co_await of_jobs_.walk(job, walk); !spared) co_return spared;
    }
    before = jobs->back().request.id;
    co_await net::sleep_for(kBreath);
  }
  co_return Result<void>();
}

net::Async<void> Sweeper::remove(const Digests& doomed) {
  const std::uint64_t before = blobs_.bytes();
  std::size_t count = 0;
  for (auto next = doomed.begin(); next != doomed.end() && !stopping_;) {
    count += co_await workers_.run([&] {
      std::size_t removed = 0;
      for (std::size_t i = 0; i < kBlobsAtOnce && next != doomed.end(); ++i, ++next) {
        removed += blobs_.remove_unwanted(*next, options_.grace) ? 1 : 0;
      }
      return removed;
    });
    co_await net::sleep_for(kBreath);
  }
  const std::uint64_t after = std::min(before, blobs_.bytes());
  if (count > 0) log_info(fmt::format("removed blobs that no job needs count={} bytes={}", count, before - after));
}

}  // namespace hearth::hub
