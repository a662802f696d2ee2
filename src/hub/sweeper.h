// Makes room: removes what removed jobs leave behind, in small steps beside the hub's work. First the rows of their
// tasks, then the blobs that no job refers to any more.
//
// What is needed is found out anew each time, from the jobs' records on disk: what belongs to them (job_blobs.h),
// and the images of environments and of jobs that have not ended. A job's record
// goes first and for good before any of its blobs goes, so a crash at any moment leaves blobs without a job, never a
// job without its blobs. What a job is about to refer to is safe because it is wanted: a client has just uploaded it or
// asked whether it is here, see blob::BlobStore::remove_unwanted().
#pragma once

#include <string>
#include <unordered_set>

#include "blob/blob_store.h"
#include "hub/engine.h"
#include "hub/hub.h"
#include "hub/job_blobs.h"
#include "net/async.h"

namespace hearth::hub {

class Sweeper : public Observer {
 public:
  Sweeper(net::Loop& loop, net::Workers& workers, Engine& engine, blob::BlobStore& blobs, const SweepOptions& options);

  void start();
  net::Async<void> stop();

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId, NodeId) override {}
  void attempt_ended(AttemptId, const v1::Outcome&) override {}
  void job_ended(JobId) override {}
  void job_removed(JobId job, DeviceId owner) override;

 private:
  // What is to go, less what was found to be needed so far.
  using Digests = std::unordered_set<blob::Digest>;

  net::Async<void> run();
  net::Async<void> rest(Duration span);  // less if stop() comes
  net::Async<Result<void>> sweep();
  net::Async<Result<void>> purge_rows();
  net::Async<Result<void>> spare_environments(Digests& doomed);
  net::Async<Result<void>> spare_schedules(BlobWalk& walk);
  net::Async<Result<void>> spare_needed(Digests& doomed);
  net::Async<void> remove(const Digests& doomed);

  net::Loop& loop_;
  net::Workers& workers_;
  Engine& engine_;
  blob::BlobStore& blobs_;
  JobBlobs of_jobs_;
  SweepOptions options_;
  net::Event woken_;
  bool removed_ = false;  // a job, since the last sweep began
  bool stopping_ = false;
  bool running_ = false;
  net::Event stopped_;
};

}  // namespace hearth::hub
