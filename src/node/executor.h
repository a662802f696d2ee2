// Carries out what core/node decided for attempts: fetch and lay out inputs, start and end programs, hand over results,
// wipe. Blocking steps run on workers; everything else, and all reports, on the loop's thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/ids.h"
#include "blob/blob_store.h"
#include "core/node/agent.h"
#include "net/async.h"
#include "node/attempt.h"
#include "node/environments.h"
#include "node/hub_link.h"
#include "node/owners_screen.h"
#include "node/swarms.h"
#include "node/task_inputs.h"
#include "node/wipe_log.h"
#include "node/workspaces.h"
#include "sandbox/sandbox.h"

namespace hearth::node {

class Executor {
 public:
  struct World {
    net::Loop& loop;
    net::Workers& workers;
    net::Workers& brakes;  // for freezing, which must not wait for the others' work
    sandbox::Host& host;
    blob::BlobStore& images;  // of environments, on the disk
    blob::BlobStore& inputs;  // of guests, where no disk holds them in clear
    Environments& environments;
    Swarms& swarms;
    Workspaces& workspaces;
    WipeLog& wipes;
    OwnersScreen& owners_screen;
    std::vector<sandbox::Gpu> gpus;
    std::filesystem::path screen_program;
    std::filesystem::path terminal_program;
    std::function<std::shared_ptr<HubLink>()> link;  // nullptr while there is no account
    std::function<Admission()> admits;               // what the owner does now
    std::function<sandbox::Level(Ring)> level;       // at which the owner wants that ring's tasks to run now
  };
  struct Reports {
    std::function<void(AttemptId, bool succeeded)> prepared;
    std::function<void(AttemptId)> exited;
    std::function<void(AttemptId)> collected;
    std::function<void(AttemptId, bool succeeded)> frozen;
    std::function<void(AttemptId)> log_grew;  // any thread; only for attempts that are watched
  };

  Executor(World world, Reports reports);
  ~Executor();

  void add(AttemptId attempt, std::shared_ptr<const JobOrder> job, const v1::GangNetwork& gang);
  bool knows(AttemptId attempt) const { return attempts_.contains(attempt); }

  void prepare(AttemptId attempt);
  void run(AttemptId attempt);
  void kill(AttemptId attempt, KillReason reason);
  void freeze(AttemptId attempt) { set_frozen(attempt, true); }
  void thaw(AttemptId attempt) { set_frozen(attempt, false); }
  void collect(AttemptId attempt);
  void wipe(AttemptId attempt);

  // Lets go of the inputs once no attempt is here. To be called now and then.
  net::Async<void> forget_inputs();

  // nullptr if it is unknown, or has not ended.
  const v1::Outcome* outcome(AttemptId attempt) const;
  // nullptr if it is unknown.
  std::shared_ptr<Attempt> find(AttemptId attempt) const;

 private:
  using AttemptPtr = std::shared_ptr<Attempt>;
  class Use;
  using Layout = std::map<std::string, v1::TreeFile>;

  net::Async<void> prepare_now(AttemptPtr attempt);
  net::Async<Result<void>> lay_out_inputs(AttemptPtr attempt);
  net::Async<Result<void>> take_environment(AttemptPtr attempt);
  net::Async<Result<void>> take_workspace(AttemptPtr attempt);
  net::Async<void> watch_files(AttemptPtr attempt);
  net::Async<Result<v1::Tree>> fetch_tree(AttemptPtr attempt, v1::Blob blob);
  net::Async<Result<Layout>> fetch_layout(AttemptPtr attempt);
  net::Async<Result<void>> fetch_blobs(AttemptPtr attempt, std::vector<v1::Blob> blobs, blob::BlobStore& into);
  net::Async<void> fetch_swarms(AttemptPtr attempt, const std::vector<v1::Blob>& blobs, blob::BlobStore& into);
  Result<sandbox::Setup> setup_of(Attempt& attempt);
  Result<void> fill_box(Attempt& attempt, const Layout& layout);
  Result<void> place_file(Attempt& attempt, const v1::TreeFile& file);

  void show_screen(AttemptPtr attempt);
  net::Async<void> start_now(AttemptPtr attempt);
  net::Async<Result<void>> arm_now(AttemptPtr attempt);
  Result<void> start_box(const AttemptPtr& attempt, decltype(&sandbox::Sandbox::start) how);
  void on_exit(const AttemptPtr& attempt);
  void set_frozen(AttemptId attempt, bool frozen);
  net::Async<void> brake_now(AttemptPtr attempt);
  void lend_gpus(Attempt& attempt);
  void return_gpus(Attempt& attempt);
  void end_program(Attempt& attempt);

  net::Async<void> collect_now(AttemptPtr attempt);
  net::Async<Result<void>> hand_over_outputs(AttemptPtr attempt);
  net::Async<void> hand_over_log(AttemptPtr attempt);
  net::Async<void> drop_box(AttemptPtr attempt);

  // Repeats a step while the hub is out of reach, until it answers or nobody wants the attempt any more.
  net::Async<Result<void>> insist(AttemptPtr attempt, std::function<net::Async<Result<void>>(HubLink&)> step);
  // The same for what a task leaves: waits, for an hour at most, for room on a hub whose disk is full.
  net::Async<Result<void>> hand_over(AttemptPtr attempt, std::function<net::Async<Result<void>>(HubLink&)> step);

  World world_;
  Reports reports_;
  std::map<AttemptId, AttemptPtr> attempts_;
  std::set<AttemptPtr> leaving_;  // wiped, but something of them may still be there
  std::vector<bool> gpu_lent_;
  egress::Resolver resolver_;
  TaskInputs task_inputs_;
};

}  // namespace hearth::node
