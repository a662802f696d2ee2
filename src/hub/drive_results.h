// Results that go into the drive: once a job with `drive_outputs` has ended, the outputs of its tasks become files of
// that folder. A mark for each such job, in the drive's own folder `results`, is made before whoever asked hears that
// the job was taken, and removed when its results are in place: so a hub that dies in between goes on with it. What can
// never come there stays with the job; the mark says why then, until the job is removed.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include "blob/blob_store.h"
#include "core/drive/scope.h"
#include "drive/drive.h"
#include "hub/accounts.h"
#include "hub/devices.h"
#include "hub/engine.h"
#include "net/async.h"

namespace hearth::hub {

class DriveResults : public Observer {
 public:
  DriveResults(net::Loop& loop, net::Workers& workers, Engine& engine, blob::BlobStore& blobs, drive::Drive& drive,
               const Devices& devices, const Accounts& accounts, std::function<void(JobId, DeviceId)> changed)
      : loop_(loop),
        workers_(workers),
        engine_(engine),
        blobs_(blobs),
        drive_(drive),
        devices_(devices),
        accounts_(accounts),
        changed_(std::move(changed)) {}

  void start();
  net::Async<void> stop();

  // Errors: of the disk.
  net::Async<Result<void>> expect(JobId job);

  // How the job's results stand.
  void describe(v1::Job& job) const;

  void job_changed(JobId, DeviceId) override {}
  void node_changed(NodeId) override {}
  void attempt_assigned(AttemptId, NodeId) override {}
  void attempt_ended(AttemptId, const v1::Outcome&) override {}
  void job_ended(JobId job) override;
  void job_removed(JobId job, DeviceId owner) override;

 private:
  struct Target {
    JobId job;
    drive::Path folder;
    drive::Holder holder;      // the device whose job it was
    drive::Scope scope;        // into what it is let
    std::string trouble = {};  // what did not come into the drive and never will, the first of it
  };

  void wake();
  net::Async<void> run();
  net::Async<void> find_marks();
  net::Async<Result<void>> deliver(JobId job);
  void note_trouble(JobId job, const std::string& trouble);
  net::Async<Result<void>> put_outputs(Target& target, v1::Blob tree);
  net::Async<Result<void>> put_file(const Target& target, const v1::TreeFile& file);

  net::Loop& loop_;
  net::Workers& workers_;
  Engine& engine_;
  blob::BlobStore& blobs_;
  drive::Drive& drive_;
  const Devices& devices_;
  const Accounts& accounts_;
  std::function<void(JobId, DeviceId)> changed_;  // told when what describe() says has changed
  std::set<JobId> waiting_;
  std::map<JobId, std::string> troubles_;  // of those that wait, and of those whose results never come
  net::Event woken_;
  bool is_due_ = true;  // a job has ended, or is waited for, since the last look
  bool running_ = false;
  bool stopping_ = false;
  net::Event stopped_;
};

}  // namespace hearth::hub
