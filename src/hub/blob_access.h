// Which blobs a device may fetch, or name in a job. A device of ring home: any. Another one:
//   - what it sent within the last day, as long as a blob that no job needs stays;
//   - what belongs to its jobs (job_blobs.h), and the images of environments;
//   - as a node, what it sent and what the attempts that are leased to it need.
// Any other blob is to such a device one that is not here: it is told of nobody else's, so it sends what it could have
// been spared.
//
// Nothing of this is stored. What belongs to a device's jobs is read from their records when it first asks for what it
// has not sent, and kept in memory from then on; after a restart of the hub it sends once more what no job needs yet.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "hearth/v1/session.pb.h"
#include "hub/devices.h"
#include "hub/engine.h"
#include "hub/environments.h"
#include "hub/job_blobs.h"
#include "net/async.h"

namespace hearth::hub {

class BlobAccess : public Observer {
 public:
  // `kept`: how long a blob that no job needs stays.
  BlobAccess(net::Loop& loop, net::Workers& workers, Engine& engine, const Devices& devices,
             const Environments& environments, blob::BlobStore& blobs, Duration kept);

  // Errors: kDataLoss and those of the disk, if its jobs' records cannot be read.
  net::Async<Result<bool>> may_fetch(DeviceId device, blob::Digest digest);

  // It has sent the whole blob.
  void sent(DeviceId device, const blob::Digest& digest);

  // It has asked whether the blob is here, so that it stays another day.
  void keep(DeviceId device, const blob::Digest& digest);

  // Its job is taken, with these inputs.
  void taken(DeviceId device, const v1::Blob& inputs);

  // The device was taken out.
  void forget(DeviceId device) { held_.erase(device); }

  // What a node that is not of ring home reports as results, it must be able to fetch itself: else it could hand on
  // whatever it has learnt the name of. An outcome with other results becomes the loss of its attempt, which runs
  // again; so does an honest one whose results were sent before the hub's restart.
  net::Async<void> check_results(NodeId node, v1::NodeFrame& frame);

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId, NodeId) override {}
  void attempt_ended(AttemptId attempt, const v1::Outcome& outcome) override;
  void job_ended(JobId job) override { needs_.erase(job); }
  void job_removed(JobId job, DeviceId owner) override;

 private:
  using Digests = std::unordered_set<blob::Digest>;
  // What a device has.
  struct Held {
    std::unordered_map<blob::Digest, Time> sent;
    Digests of_jobs;
    bool is_read = false;          // of_jobs has all but `unread`
    std::vector<v1::Blob> unread;  // trees that came to its jobs since
    std::uint64_t generation = 0;  // of of_jobs: another one has begun if a job was removed
    bool reading = false;
    net::Event done_reading;
    bool notes_news() const { return is_read || reading; }  // else they are read with all others
  };

  bool has_sent(DeviceId device, const blob::Digest& digest) const;
  net::Async<Result<bool>> is_of_its_jobs(DeviceId device, const blob::Digest& digest);
  net::Async<Result<bool>> is_leased(NodeId node, const blob::Digest& digest);
  net::Async<Result<void>> read_jobs(DeviceId device, Held& held);
  net::Async<Result<void>> read_schedules(DeviceId device, BlobWalk& walk);
  net::Async<Result<void>> read_all(DeviceId device, Held& held);
  net::Async<Result<std::shared_ptr<const Digests>>> needs_of(JobId job);
  net::Async<Result<bool>> may_report(NodeId node, const v1::Outcome& outcome);

  net::Loop& loop_;
  Engine& engine_;
  const Devices& devices_;
  const Environments& environments_;
  JobBlobs of_jobs_;
  Duration kept_;
  std::map<DeviceId, std::shared_ptr<Held>> held_;
  std::map<JobId, std::shared_ptr<const Digests>> needs_;  // of the tasks of jobs that have not ended
};

}  // namespace hearth::hub
