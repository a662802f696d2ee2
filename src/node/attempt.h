// What the shell keeps of one attempt while core/node holds it. The loop's thread only, but for the log.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.h"
#include "blob/blob_store.h"
#include "core/admission.h"
#include "hearth/v1/session.pb.h"
#include "node/environments.h"
#include "node/excess.h"
#include "node/gang_network.h"
#include "node/guest_proxy.h"
#include "node/task_log.h"
#include "node/workspaces.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

// What the tasks of a job share.
struct JobOrder {
  v1::JobSpec spec;
  std::string owner;                    // the name of the device that asked
  Ring ring = Ring::kStranger;          // and how far it is trusted
  DeviceId owner_id;                    // known where the job has a workspace
  std::vector<v1::Blob> trees;          // laid out in this order: outputs of earlier jobs, then the inputs
  std::optional<v1::Blob> environment;  // the image that it runs in; none: the node's own /usr
  std::vector<v1::Swarm> swarms;        // of those blobs that other nodes fetch as well
};

struct Attempt {
  AttemptId id;
  std::shared_ptr<const JobOrder> job;

  v1::GangNetwork gang;                     // its way into the network of its gang, where its job has one
  std::optional<sandbox::Overlay> overlay;  // what that comes to here
  GuestProxy proxy;                         // nullptr: it reaches no listed hosts
  std::unique_ptr<sandbox::Sandbox> box;
  sandbox::Command command;
  std::string own_input;           // the first of the files that its job gives to its task alone; empty: none
  std::vector<blob::Reader> pins;  // large inputs, shown in place; a microVM's image
  sandbox::Level level = sandbox::Level::kFence;
  std::shared_ptr<const Environment> environment;    // kept while it runs in it
  std::shared_ptr<const Workspaces::Use> workspace;  // kept until its box is gone; nullptr: none
  std::string workspace_name() const { return workspace ? workspace->name() : ""; }
  std::filesystem::path disk;  // where its own files are measured; empty: they are in memory
  Excess excess;
  std::vector<std::size_t> gpus;      // lent to it, by index
  TaskLog log;                        // any thread
  std::atomic<bool> watched = false;  // somebody wants to hear of the log's growth

  std::optional<sandbox::Exit> exit;
  bool armed = false;     // its program waits for its turn in the box
  bool begun = false;     // its turn has come
  bool starting = false;  // its start() runs on a worker
  bool kill_wanted = false;
  bool timed_out = false;
  bool returned = false;       // it was ended because its PC's owner needs the PC
  bool freeze_wanted = false;  // its program is to stand still
  bool frozen = false;         // it does
  bool braking = false;        // a worker is at its freeze() or thaw()
  std::int64_t started_unix_millis = 0;
  bool wiped = false;  // of no more interest: whoever is at it cleans up
  int users = 0;       // coroutines that are at it

  std::optional<v1::Outcome> outcome;
};

}  // namespace hearth::node
