#include "hub/blob_access.h"

#include <algorithm>

namespace hearth::hub {
namespace {

constexpr std::size_t kMostSent = 1'000'000;  // remembered of a device
constexpr std::uint32_t kJobsAtOnce = 50;

}  // namespace

BlobAccess::BlobAccess(net::Loop& loop, net::Workers& workers, Engine& engine, const Devices& devices,
                       const Environments& environments, blob::BlobStore& blobs, Duration kept)
    : loop_(loop),
      engine_(engine),
      devices_(devices),
      environments_(environments),
      of_jobs_(workers, engine, blobs),
      kept_(kept) {}

net::Async<Result<bool>> BlobAccess::may_fetch(DeviceId device, blob::Digest digest) {
  if (devices_.visible_to(device).is_whole() || has_sent(device, digest)) co_return true;
  const store::DeviceRow* row = devices_.find_active(device);
  if (row != nullptr && row->role == v1::ROLE_NODE) co_return co_await is_leased(device, digest);
  if (environments_.holds_image(digest)) co_return true;
  co_return co_await is_of_its_jobs(device, digest);
}

// --- what it sent ---------------------------------------------------------------------------------------------------

bool BlobAccess::has_sent(DeviceId device, const blob::Digest& digest) const {
  const auto held = held_.find(device);
  if (held == held_.end()) return false;
  const auto found = held->second->sent.find(digest);
  return found != held->second->sent.end() && loop_.now() - found->second <= kept_;
}

void BlobAccess::sent(DeviceId device, const blob::Digest& digest) {
  if (devices_.visible_to(device).is_whole()) return;
  std::shared_ptr<Held>& held = held_[device];
  if (!held) held = std::make_shared<Held>();
  if (held->sent.size() >= kMostSent) {
    std::erase_if(held->sent, [&](const auto& entry) { return loop_.now() - entry.second > kept_; });
  }
  if (held->sent.size() >= kMostSent) held->sent.clear();  // it sends them again
  held->sent[digest] = loop_.now();
}

void BlobAccess::keep(DeviceId device, const blob::Digest& digest) {
  const auto held = held_.find(device);
  if (held == held_.end()) return;
  if (const auto found = held->second->sent.find(digest); found != held->second->sent.end())
    found->second = loop_.now();
}

// --- what belongs to its jobs ---------------------------------------------------------------------------------------

void BlobAccess::taken(DeviceId device, const v1::Blob& inputs) {
  const auto held = held_.find(device);
  if (held != held_.end() && held->second->notes_news()) held->second->unread.push_back(inputs);
}

void BlobAccess::attempt_ended(AttemptId attempt, const v1::Outcome& outcome) {
  const LiveJob* job = engine_.live_job(attempt.task.job);
  const auto held = job == nullptr ? held_.end() : held_.find(job->row.request.owner);
  if (held == held_.end() || !held->second->notes_news()) return;
  if (outcome.has_log()) held->second->of_jobs.insert(outcome.log().sha256());
  if (outcome.has_outputs()) held->second->unread.push_back(outcome.outputs());
}

// What belonged to that job alone does not belong to the device any more; which that is, its other jobs' records say.
void BlobAccess::job_removed(JobId, DeviceId owner) {
  const auto found = held_.find(owner);
  if (found == held_.end()) return;
  Held& held = *found->second;
  held.of_jobs.clear();
  held.unread.clear();
  held.is_read = false;
  ++held.generation;
}

net::Async<Result<bool>> BlobAccess::is_of_its_jobs(DeviceId device, const blob::Digest& digest) {
  std::shared_ptr<Held>& entry = held_[device];
  if (!entry) entry = std::make_shared<Held>();
  const std::shared_ptr<Held> held = entry;
  while (true) {
    if (held->of_jobs.contains(digest)) co_return true;
    if (held->is_read && held->unread.empty()) co_return false;
    if (held->reading) {
      co_await held->done_reading.wait();
      continue;
    }
    held->reading = true;
    Result<void> read = co_await read_jobs(device, *held);
    held->reading = false;
    held->done_reading.notify();
    if (!read) co_return std::unexpected(read.error());
  }
}

net::Async<Result<void>> BlobAccess::read_jobs(DeviceId device, Held& held) {
  if (!held.is_read) co_return co_await read_all(device, held);
  BlobWalk walk{.take = [&held, generation = held.generation](const blob::Digest& digest) {
    if (held.generation == generation) held.of_jobs.insert(digest);
  }};
  const std::vector<v1::Blob> trees = std::exchange(held.unread, {});
  for (const v1::Blob& tree : trees) {
    if (Result<void> walked = co_await of_jobs_.walk_tree(tree, walk); !walked) {
      held.is_read = false;
      co_return walked;
    }
  }
  co_return Result<void>();
}

// What comes to its jobs meanwhile is added to `unread`.
net::Async<Result<void>> BlobAccess::read_all(DeviceId device, Held& held) {
  const std::uint64_t generation = held.generation;
  BlobWalk walk{.take = [&held, generation](const blob::Digest& digest) {
    if (held.generation == generation) held.of_jobs.insert(digest);
  }};
  for (JobId before;;) {
    Result<std::vector<store::JobRow>> jobs =
        co_await engine_.ask([&](store::Store& store) { return store.load_jobs(device, before, kJobsAtOnce); });
    if (!jobs) co_return std::unexpected(jobs.error());
    if (jobs->empty()) break;
    for (const store::JobRow& job : *jobs) {
      if (Result<void> walked = co_await of_jobs_.walk(job, walk); !walked) co_return walked;
    }
    before = jobs->back().request.id;
  }
  if (Result<void> walked = co_await read_schedules(device, walk); !walked) co_return walked;
  held.is_read = held.generation == generation;
  co_return Result<void>();
}

// What its schedules need for jobs to come.
net::Async<Result<void>> BlobAccess::read_schedules(DeviceId device, BlobWalk& walk) {
  Result<std::vector<store::ScheduleRow>> rows =
      co_await engine_.ask([](store::Store& store) { return store.load_schedules(); });
  if (!rows) co_return std::unexpected(rows.error());
  for (const store::ScheduleRow& row : *rows) {
    v1::JobSpec spec;
    if (row.owner != device || !spec.ParseFromString(row.spec)) continue;
    if (Result<void> walked = co_await of_jobs_.walk_inputs(spec, walk); !walked) co_return walked;
  }
  co_return Result<void>();
}

// --- what is leased to a node ---------------------------------------------------------------------------------------

net::Async<Result<bool>> BlobAccess::is_leased(NodeId node, const blob::Digest& digest) {
  for (const JobId job : engine_.pool().jobs_at(node)) {
    Result<std::shared_ptr<const Digests>> needs = co_await needs_of(job);
    if (!needs) co_return std::unexpected(needs.error());
    if ((*needs)->contains(digest)) co_return true;
  }
  co_return false;
}

net::Async<Result<std::shared_ptr<const BlobAccess::Digests>>> BlobAccess::needs_of(JobId id) {
  if (const auto known = needs_.find(id); known != needs_.end()) co_return known->second;
  const auto needs = std::make_shared<Digests>();
  const LiveJob* job = engine_.live_job(id);
  // Before that the node has not been told of the lease.
  if (job == nullptr || !job->dependency_outputs) co_return needs;
  if (job->environment) needs->insert(job->environment->sha256());
  std::vector<v1::Blob> trees = *job->dependency_outputs;
  for (const v1::Blob& tree : input_trees(job->spec)) trees.push_back(tree);
  BlobWalk walk{.take = [&needs](const blob::Digest& digest) { needs->insert(digest); }};
  for (const v1::Blob& tree : trees) {
    if (Result<void> walked = co_await of_jobs_.walk_tree(tree, walk); !walked)
      co_return std::unexpected(walked.error());
  }
  if (engine_.live_job(id) != nullptr) needs_[id] = needs;
  co_return needs;
}

// --- what a node reports --------------------------------------------------------------------------------------------

net::Async<Result<bool>> BlobAccess::may_report(NodeId node, const v1::Outcome& outcome) {
  Digests named;
  if (outcome.has_log()) named.insert(outcome.log().sha256());
  if (outcome.has_outputs()) {
    // The tree itself first: another's is not even looked into.
    Result<bool> may = co_await may_fetch(node, outcome.outputs().sha256());
    if (!may || !*may) co_return may;
    BlobWalk walk{.take = [&named](const blob::Digest& digest) { named.insert(digest); }};
    if (Result<void> walked = co_await of_jobs_.walk_tree(outcome.outputs(), walk); !walked)
      co_return std::unexpected(walked.error());
  }
  for (const blob::Digest& digest : named) {
    Result<bool> may = co_await may_fetch(node, digest);
    if (!may || !*may) co_return may;
  }
  co_return true;
}

net::Async<void> BlobAccess::check_results(NodeId node, v1::NodeFrame& frame) {
  if (devices_.visible_to(node).is_whole()) co_return;
  for (v1::Finished& finished : *frame.mutable_finished()) {
    const Result<bool> may = co_await may_report(node, finished.outcome());
    if (may && *may) continue;
    finished.mutable_outcome()->Clear();
    finished.mutable_outcome()->set_reason(v1::FAILURE_REASON_NODE_LOST);
  }
}

}  // namespace hearth::hub
