#include "node/executor.h"

#include <algorithm>
#include <set>

#include <time.h>

#include "base/check.h"
#include "base/log.h"
#include "node/apps.h"
#include "node/command.h"
#include "node/excess.h"
#include "node/outcome.h"
#include "node/rings.h"

namespace hearth::node {
namespace {

constexpr Duration kFirstDelay = milliseconds(200);
constexpr Duration kLongestDelay = seconds(5);
constexpr Duration kRoomPatience = minutes(60);      // for a full hub: what a task has made is worth waiting
constexpr Duration kLeastPause = milliseconds(500);  // between two looks at a task's files
constexpr std::int64_t kPausesPerLook = 19;

// The hub is away, or has restarted; not: it refuses.
bool is_passing(Code code) {
  return code == Code::kUnavailable || code == Code::kDeadlineExceeded || code == Code::kCanceled ||
         code == Code::kUnauthenticated;
}

// An end that is none of the program's doing stays that.
void note_workspace(v1::Outcome& outcome, const Workspaces::Content& left) {
  outcome.set_workspace_bytes(left.bytes);
  if (left.excess.empty() || outcome.reason() == v1::FAILURE_REASON_OWNER) return;
  set_failure(outcome, v1::FAILURE_REASON_WORKSPACE, left.excess);
}

// Of a program that came to an end, be it a bad one. What others end leaves at once.
bool leaves_outputs(v1::FailureReason reason) {
  return reason == v1::FAILURE_REASON_UNSPECIFIED || reason == v1::FAILURE_REASON_EXIT_CODE ||
         reason == v1::FAILURE_REASON_SIGNAL || reason == v1::FAILURE_REASON_OUT_OF_MEMORY ||
         reason == v1::FAILURE_REASON_TIME_LIMIT;
}

// Of a cluster the first task brings what there is; the others may.
bool may_lack_outputs(const Attempt& attempt) { return attempt.job->spec.net_gang() && attempt.id.task.index > 0; }

std::int64_t unix_millis() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

std::vector<v1::Blob> blobs_of(const std::map<std::string, v1::TreeFile>& layout) {
  std::vector<v1::Blob> blobs;
  for (const auto& [path, file] : layout) blobs.push_back(file.blob());
  return blobs;
}

// A coroutine that is at an attempt. The last one to leave a wiped attempt cleans up.
class Executor::Use {
 public:
  Use(Executor& executor, AttemptPtr attempt) : executor_(executor), attempt_(std::move(attempt)) { ++attempt_->users; }
  ~Use() {
    if (--attempt_->users == 0 && attempt_->wiped) {
      executor_.world_.loop.spawn(executor_.drop_box(attempt_));
    }
  }
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;

 private:
  Executor& executor_;
  AttemptPtr attempt_;
};

Executor::Executor(World world, Reports reports) : world_(std::move(world)), reports_(std::move(reports)) {
  gpu_lent_.resize(world_.gpus.size());
}

// Programs that still run are ended all at once, then waited for one by one.
Executor::~Executor() {
  std::set<AttemptPtr> all = std::move(leaving_);
  for (const auto& [id, attempt] : attempts_) all.insert(attempt);
  for (const AttemptPtr& attempt : all) {
    if (attempt->box) attempt->box->kill();
  }
  for (const AttemptPtr& attempt : all) {
    if (!attempt->box) continue;
    attempt->box.reset();
    static_cast<void>(world_.wipes.end(attempt->id, attempt->level, attempt->workspace_name()));
  }
  for (const AttemptPtr& attempt : all) attempt->workspace.reset();
}

void Executor::add(AttemptId attempt, std::shared_ptr<const JobOrder> job, const v1::GangNetwork& gang) {
  auto made = std::make_shared<Attempt>();
  made->id = attempt;
  made->job = std::move(job);
  made->gang = gang;
  attempts_.emplace(attempt, std::move(made));
}

std::shared_ptr<Attempt> Executor::find(AttemptId attempt) const {
  auto found = attempts_.find(attempt);
  return found == attempts_.end() ? nullptr : found->second;
}

const v1::Outcome* Executor::outcome(AttemptId attempt) const {
  AttemptPtr found = find(attempt);
  return found && found->outcome ? &*found->outcome : nullptr;
}

void Executor::prepare(AttemptId attempt) {
  if (AttemptPtr found = find(attempt)) world_.loop.spawn(prepare_now(found));
}

void Executor::run(AttemptId attempt) {
  const AttemptPtr found = find(attempt);
  if (!found) return;
  if (shows_owners_screen(found->job->spec)) return show_screen(found);
  world_.loop.spawn(start_now(found));
}

void Executor::collect(AttemptId attempt) {
  if (AttemptPtr found = find(attempt)) world_.loop.spawn(collect_now(found));
}

void Executor::kill(AttemptId attempt, KillReason reason) {
  AttemptPtr found = find(attempt);
  if (!found || found->exit) return;
  found->timed_out = reason == KillReason::kTimeLimit;
  found->returned = reason == KillReason::kOwner;
  end_program(*found);
}

// At once, or as soon as whoever is at its box has done.
void Executor::end_program(Attempt& attempt) {
  attempt.kill_wanted = true;
  if (shows_owners_screen(attempt.job->spec)) return world_.owners_screen.end(attempt.id.task.job);
  if (!attempt.starting && !attempt.braking && attempt.box) attempt.box->kill();
}

void Executor::set_frozen(AttemptId attempt, bool frozen) {
  AttemptPtr found = find(attempt);
  if (!found || found->exit) return;
  found->freeze_wanted = frozen;
  if (found->starting || found->braking || !found->box) return;
  found->braking = true;
  world_.loop.spawn(brake_now(found));
}

// One worker at a time is at a box, so what was ordered meanwhile, and an exit, come after. `braking` is set.
net::Async<void> Executor::brake_now(AttemptPtr attempt) {
  Use use(*this, attempt);
  while (!attempt->wiped && !attempt->exit && !attempt->kill_wanted && attempt->freeze_wanted != attempt->frozen) {
    const bool wanted = attempt->freeze_wanted;
    Result<void> done =
        co_await world_.brakes.run([&] { return wanted ? attempt->box->freeze() : attempt->box->thaw(); });
    if (!done)
      log_warning("a guest could not be " + std::string(wanted ? "frozen: " : "thawed: ") + done.error().message);
    attempt->frozen = wanted && done;
    if (!done) attempt->freeze_wanted = false;
    if (wanted && !attempt->wiped && !attempt->exit) reports_.frozen(attempt->id, done.has_value());
  }
  attempt->braking = false;
  if (attempt->wiped) co_return;
  if (attempt->exit) {
    on_exit(attempt);
  } else if (attempt->kill_wanted) {
    attempt->box->kill();
  }
}

void Executor::wipe(AttemptId attempt) {
  AttemptPtr found = find(attempt);
  if (!found) return;
  attempts_.erase(attempt);
  found->wiped = true;
  leaving_.insert(found);
  return_gpus(*found);
  if (shows_owners_screen(found->job->spec)) world_.owners_screen.end(attempt.task.job);
  // The box's end ends the program.
  if (found->users == 0) world_.loop.spawn(drop_box(found));
}

net::Async<void> Executor::forget_inputs() {
  if (!attempts_.empty() || !leaving_.empty()) co_return;
  task_inputs_ = {};
  if (world_.inputs.bytes() == 0) co_return;
  co_await world_.workers.run([this] {
    for (const blob::Digest& digest : world_.inputs.list()) world_.inputs.remove(digest);
  });
}

net::Async<void> Executor::drop_box(AttemptPtr attempt) {
  std::shared_ptr<sandbox::Sandbox> box = std::move(attempt->box);
  std::vector<blob::Reader> pins = std::move(attempt->pins);
  const std::shared_ptr<const Environment> environment = std::move(attempt->environment);
  const std::shared_ptr<const Workspaces::Use> workspace = std::move(attempt->workspace);
  if (box) {
    Workspaces::Content left;
    v1::WipeRecord record = co_await world_.workers.run([&] {
      box.reset();
      if (workspace) left = workspace->measure();
      return world_.wipes.end(attempt->id, attempt->level, workspace ? workspace->name() : "");
    });
    if (attempt->outcome) {
      *attempt->outcome->mutable_wiped() = std::move(record);
      note_workspace(*attempt->outcome, left);
    }
  }
  leaving_.erase(attempt);
}

net::Async<Result<void>> Executor::insist(AttemptPtr attempt, std::function<net::Async<Result<void>>(HubLink&)> step) {
  for (Duration delay = kFirstDelay;; delay = std::min(delay * 2, kLongestDelay)) {
    if (std::shared_ptr<HubLink> link = world_.link()) {
      Result<std::string> token = co_await link->session.token();
      Result<void> done;
      if (token) {
        done = co_await step(*link);
      } else {
        done = std::unexpected(token.error());
      }
      if (done || !is_passing(done.error().code)) co_return done;
      // The hub may have forgotten the session; a new proof tells.
      if (done.error().code == Code::kUnauthenticated) co_await link->session.token(true);
    }
    if (attempt->wiped) co_return fail(Code::kCanceled, "nobody wants it any more");
    co_await net::sleep_for(delay);
  }
}

net::Async<Result<void>> Executor::hand_over(AttemptPtr attempt,
                                             std::function<net::Async<Result<void>>(HubLink&)> step) {
  const Time until = world_.loop.now() + kRoomPatience;
  while (true) {
    Result<void> done = co_await insist(attempt, step);
    const bool full = !done && done.error().code == Code::kResourceExhausted;
    if (!full || attempt->wiped || world_.loop.now() >= until) co_return done;
    log_warning("the hub has no room for a task's results, trying again: " + done.error().message);
    co_await net::sleep_for(kLongestDelay);
  }
}

// --- inputs

net::Async<void> Executor::prepare_now(AttemptPtr attempt) {
  Use use(*this, attempt);
  const bool starts_nothing = shows_owners_screen(attempt->job->spec);
  Result<void> done =
      co_await (starts_nothing ? world_.owners_screen.claim(attempt->id.task.job) : lay_out_inputs(attempt));
  if (attempt->wiped) co_return;
  if (!done) {
    attempt->outcome = failed_outcome(v1::FAILURE_REASON_START, done.error().message);
    co_await drop_box(attempt);
    if (attempt->wiped) co_return;
  }
  reports_.prepared(attempt->id, done.has_value());
}

net::Async<Result<void>> Executor::lay_out_inputs(AttemptPtr attempt) {
  const JobOrder& job = *attempt->job;
  if (Result<void> admitted = check_admitted(job.spec, job.ring, world_.admits()); !admitted) co_return admitted;
  Result<GuestProxy> proxy = make_proxy(job.spec, world_.loop, resolver_);
  if (!proxy) co_return std::unexpected(proxy.error());
  attempt->proxy = std::move(*proxy);
  auto overlay = co_await prepare_overlay(job.spec, attempt->gang, attempt->id.task, world_.link(), resolver_,
                                          world_.loop.now() + kLongestDelay);
  if (!overlay) co_return std::unexpected(overlay.error());
  attempt->overlay = std::move(*overlay);
  Result<Layout> layout = co_await fetch_layout(attempt);
  if (!layout) co_return fail(layout, "its inputs cannot be had");
  for (const auto& [path, file] : *layout) {
    if (!sandbox::is_safe_relative_path(path)) co_return fail(Code::kInvalidArgument, "an input has an unsafe name");
  }
  // A cached blob may turn out damaged, or be evicted before it is opened: then it is fetched again.
  constexpr int kTries = 3;
  for (int attempt_number = 1;; ++attempt_number) {
    Result<void> fetched = co_await fetch_blobs(attempt, blobs_of(*layout), world_.inputs);
    if (!fetched) co_return fail(fetched, "its inputs, which lie in the node's memory, cannot be had");
    if (Result<void> taken = co_await take_environment(attempt); !taken) co_return taken;
    if (Result<void> taken = co_await take_workspace(attempt); !taken) co_return taken;
    if (attempt->wiped) co_return fail(Code::kCanceled, "nobody wants it any more");
    Result<void> filled = co_await world_.workers.run([&] { return fill_box(*attempt, *layout); });
    if (filled) break;
    bool again = filled.error().code == Code::kNotFound || filled.error().code == Code::kDataLoss;
    co_await drop_box(attempt);
    if (!again || attempt_number == kTries) co_return filled;
  }
  std::vector<sandbox::BoundFile> bound = std::move(attempt->command.bound_files);
  Result<sandbox::Command> command = make_command(
      attempt->job->spec, attempt->id.task, [&layout](const std::string& path) { return layout->contains(path); },
      attempt->own_input);
  if (!command) co_return std::unexpected(command.error());
  attempt->command = std::move(*command);
  if (job.spec.window()) attempt->command.argv.insert(attempt->command.argv.begin(), kScreenCommand);
  if (job.spec.terminal()) attempt->command.argv.insert(attempt->command.argv.begin(), kTerminalCommand);
  attempt->command.bound_files = std::move(bound);
  attempt->command.outputs = make_patterns(job.spec, attempt->id.task);
  attempt->command.outputs_may_lack = may_lack_outputs(*attempt);
  attempt->command.time_limit = time_limit_of(job.spec);
  if (attempt->overlay)
    std::ranges::move(gang_variables(attempt->gang, attempt->id.task.index),
                      std::back_inserter(attempt->command.variables));
  if (attempt->wiped) co_return fail(Code::kCanceled, "nobody wants it any more");
  co_return co_await arm_now(attempt);
}

net::Async<Result<void>> Executor::take_environment(AttemptPtr attempt) {
  const std::optional<v1::Blob>& image = attempt->job->environment;
  attempt->level = world_.level(attempt->job->ring);
  if (attempt->level == sandbox::Level::kMicroVm) {
    if (image) co_return co_await fetch_blobs(attempt, {*image}, world_.images);
    co_return fail(
        Code::kFailedPrecondition,
        "its PC's owner wants tasks in microVMs, which see nothing of the PC, so the job needs an environment "
        "of its own: hearth run --env NAME (see: hearth env list)");
  }
  if (!image) co_return check_environment(attempt->job->spec);
  Result<std::shared_ptr<const Environment>> taken =
      co_await world_.environments.get(*image, [&] { return fetch_blobs(attempt, {*image}, world_.images); });
  if (!taken) co_return fail(taken, "its environment '" + attempt->job->spec.environment() + "' cannot be had");
  attempt->environment = std::move(*taken);
  co_return Result<void>();
}

net::Async<Result<void>> Executor::take_workspace(AttemptPtr attempt) {
  const JobOrder& job = *attempt->job;
  if (!job.spec.has_workspace()) co_return Result<void>();
  if (attempt->level != sandbox::Level::kFence) {
    co_return fail(Code::kFailedPrecondition,
                   "its job has a workspace, but its PC's owner wants tasks behind more than the fence, where there is "
                   "none: run it without, or on that PC: hearth limit --isolation fence");
  }
  const WorkspaceId id{job.owner_id, job.spec.workspace().name()};
  auto entered = co_await world_.workspaces.enter(id, job.spec.workspace().bytes());
  if (!entered) co_return std::unexpected(entered.error());
  attempt->workspace = std::move(*entered);
  co_return Result<void>();
}

// Ends a program that fills its workspace or disk. However much lies there, looking takes a twentieth of the time at
// most.
net::Async<void> Executor::watch_files(AttemptPtr attempt) {
  for (Duration pause = kLeastPause;;) {
    co_await net::sleep_for(pause);
    const std::shared_ptr<const Workspaces::Use> workspace = attempt->workspace;
    if (attempt->wiped || attempt->exit || attempt->kill_wanted) co_return;
    const Time begun = world_.loop.now();
    Excess excess = co_await world_.workers.run([&] {
      if (workspace) {
        if (Workspaces::Content content = workspace->measure(); !content.excess.empty()) {
          return Excess{v1::FAILURE_REASON_WORKSPACE, std::move(content.excess)};
        }
      }
      return excess_on_disk(attempt->disk, needs_of(attempt->job->spec).disk_bytes);
    });
    pause = std::max(kLeastPause, (world_.loop.now() - begun) * kPausesPerLook);
    if (excess.sentence.empty() || attempt->wiped || attempt->exit) continue;
    attempt->excess = std::move(excess);
    end_program(*attempt);
  }
}

net::Async<Result<v1::Tree>> Executor::fetch_tree(AttemptPtr attempt, v1::Blob blob) {
  v1::Tree tree;
  Result<void> fetched = co_await insist(attempt, [&](HubLink& link) -> net::Async<Result<void>> {
    Result<v1::Tree> whole = co_await link.transfer.fetch_tree(blob);
    tree = whole.value_or(v1::Tree());
    co_return whole ? Result<void>() : std::unexpected(whole.error());
  });
  co_return fetched ? Result<v1::Tree>(std::move(tree)) : std::unexpected(fetched.error());
}

// All trees as one; later ones win.
net::Async<Result<Executor::Layout>> Executor::fetch_layout(AttemptPtr attempt) {
  Layout layout;
  const JobOrder& job = *attempt->job;
  for (const v1::Blob& blob : job.trees) {
    Result<v1::Tree> tree = co_await fetch_tree(attempt, blob);
    if (!tree) co_return std::unexpected(tree.error());
    for (v1::TreeFile& file : *tree->mutable_files()) layout[file.path()] = std::move(file);
  }
  if (!job.spec.has_inputs_by_task()) co_return layout;
  std::shared_ptr<const v1::Tree> own = task_inputs_.find(job.spec.inputs_by_task());
  if (!own) {
    Result<v1::Tree> tree = co_await fetch_tree(attempt, job.spec.inputs_by_task());
    if (!tree) co_return std::unexpected(tree.error());
    own = task_inputs_.keep(job.spec.inputs_by_task(), std::move(*tree));
  }
  for (v1::TreeFile& file : files_of_task(*own, attempt->id.task.index)) {
    if (attempt->own_input.empty()) attempt->own_input = file.path();
    layout[file.path()] = std::move(file);
  }
  co_return layout;
}

net::Async<Result<void>> Executor::fetch_blobs(AttemptPtr attempt, std::vector<v1::Blob> blobs, blob::BlobStore& into) {
  if (blobs.empty()) co_return Result<void>();
  co_await fetch_swarms(attempt, blobs, into);
  co_return co_await insist(attempt, [&](HubLink& link) -> net::Async<Result<void>> {
    co_return co_await link.transfer.fetch_into(into, blobs, {});
  });
}

// What other nodes fetch or hold; what comes of it is not waited for in vain, see Swarms.
net::Async<void> Executor::fetch_swarms(AttemptPtr attempt, const std::vector<v1::Blob>& blobs, blob::BlobStore& into) {
  for (const v1::Swarm& swarm : attempt->job->swarms) {
    const bool is_among =
        std::ranges::any_of(blobs, [&](const v1::Blob& blob) { return blob.sha256() == swarm.blob().sha256(); });
    const std::shared_ptr<HubLink> link = world_.link();
    if (!is_among || link == nullptr || into.has(swarm.blob().sha256())) continue;
    co_await world_.swarms.fetch(link, swarm, into);
  }
}

// --- the program

void Executor::lend_gpus(Attempt& attempt) {
  std::size_t wanted = attempt.job->spec.resources().gpus();
  for (std::size_t i = 0; i < gpu_lent_.size() && attempt.gpus.size() < wanted; ++i) {
    if (gpu_lent_[i]) continue;
    gpu_lent_[i] = true;
    attempt.gpus.push_back(i);
    attempt.command.gpus.push_back(world_.gpus[i]);
  }
}

void Executor::return_gpus(Attempt& attempt) {
  for (std::size_t index : attempt.gpus) gpu_lent_[index] = false;
  attempt.gpus.clear();
}

// There is no box: what makes its pictures is the owner's own process, and ends with his word.
void Executor::show_screen(AttemptPtr attempt) {
  attempt->begun = true;
  attempt->started_unix_millis = unix_millis();
  const Time begun = world_.loop.now();
  world_.owners_screen.begin(attempt->id.task.job, [this, attempt, begun] {
    const std::int64_t micros = (world_.loop.now() - begun).micros;
    attempt->exit = {.started = true, .exit_code = 0, .wall_micros = static_cast<std::uint64_t>(micros)};
    if (!attempt->wiped) on_exit(attempt);
  });
}

net::Async<void> Executor::start_now(AttemptPtr attempt) {
  Use use(*this, attempt);
  if (attempt->wiped) co_return;
  CHECK(attempt->box);
  lend_gpus(*attempt);
  attempt->begun = true;
  attempt->starting = true;
  attempt->started_unix_millis = unix_millis();
  Result<void> started = co_await world_.workers.run(
      [&] { return attempt->armed ? attempt->box->release() : start_box(attempt, &sandbox::Sandbox::start); });
  attempt->starting = false;
  if (attempt->wiped) co_return;
  if (!started) {
    attempt->exit.emplace();
    attempt->exit->message = started.error().message;
  }
  if ((attempt->workspace || !attempt->disk.empty()) && !attempt->exit) world_.loop.spawn(watch_files(attempt));
  if (attempt->exit) {
    on_exit(attempt);
  } else if (attempt->kill_wanted) {
    attempt->box->kill();
  } else if (attempt->freeze_wanted) {
    attempt->braking = true;
    co_await brake_now(attempt);
  }
}

// Makes the program ready ahead of its turn where that can be done: which GPUs it gets is known only then.
net::Async<Result<void>> Executor::arm_now(AttemptPtr attempt) {
  if (attempt->job->spec.resources().gpus() > 0) co_return Result<void>();
  Result<void> armed = co_await world_.workers.run([&] { return start_box(attempt, &sandbox::Sandbox::arm); });
  attempt->armed = armed.has_value();
  if (!armed && armed.error().code == Code::kUnimplemented) co_return Result<void>();
  co_return armed;
}

Result<void> Executor::start_box(const AttemptPtr& attempt, decltype(&sandbox::Sandbox::start) how) {
  auto on_output = [this, attempt](sandbox::Stream stream, std::string_view text) {
    attempt->log.append(stream == sandbox::Stream::kStdout ? v1::LOG_STREAM_STDOUT : v1::LOG_STREAM_STDERR, text);
    if (attempt->watched) reports_.log_grew(attempt->id);
  };
  auto on_exit = [this, attempt](const sandbox::Exit& exit) {
    world_.loop.post([this, attempt, exit] {
      if (attempt->exit) return;  // it could not be released, which has been told
      attempt->exit = exit;
      if (attempt->begun && !attempt->starting && !attempt->braking && !attempt->wiped) this->on_exit(attempt);
    });
  };
  return (*attempt->box.*how)(attempt->command, std::move(on_output), std::move(on_exit));
}

void Executor::on_exit(const AttemptPtr& attempt) {
  return_gpus(*attempt);
  const v1::JobSpec& spec = attempt->job->spec;
  attempt->outcome =
      describe_exit(*attempt->exit, attempt->timed_out, time_limit_of(spec), needs_of(spec).memory_bytes);
  close_proxy(attempt->proxy, attempt->id, *attempt->outcome);
  const Excess& excess = attempt->excess;
  if (!excess.sentence.empty()) set_failure(*attempt->outcome, excess.reason, excess.sentence);
  if (attempt->returned && attempt->exit->exit_code != 0) {
    attempt->outcome = failed_outcome(v1::FAILURE_REASON_OWNER, "its PC's owner needed it");
  }
  reports_.exited(attempt->id);
}

// --- results

net::Async<void> Executor::collect_now(AttemptPtr attempt) {
  Use use(*this, attempt);
  const bool succeeded = attempt->outcome->reason() == v1::FAILURE_REASON_UNSPECIFIED;
  if (leaves_outputs(attempt->outcome->reason()) && attempt->job->spec.outputs_size() > 0) {
    Result<void> handed = co_await hand_over_outputs(attempt);
    if (!handed && succeeded) set_failure(*attempt->outcome, v1::FAILURE_REASON_OUTPUT, handed.error().message);
  }
  if (attempt->wiped) co_return;
  // What an owner ends leaves the PC at once, whether or not the hub is there to take a log.
  if (attempt->outcome->reason() != v1::FAILURE_REASON_OWNER) co_await hand_over_log(attempt);
  if (attempt->wiped) co_return;
  // Nothing of the guest is left by the time the hub is told.
  co_await drop_box(attempt);
  if (!attempt->wiped) reports_.collected(attempt->id);
}

net::Async<Result<void>> Executor::hand_over_outputs(AttemptPtr attempt) {
  std::vector<std::string> patterns = make_patterns(attempt->job->spec, attempt->id.task);
  Result<void> whole;
  auto outputs = co_await world_.workers.run([&] {
    auto all = attempt->box->collect(patterns, {.may_lack = may_lack_outputs(*attempt)});
    if (all) return all;
    whole = std::unexpected(all.error());
    return attempt->box->collect(patterns, {.takes_what_fits = true});
  });
  if (!outputs || outputs->empty()) co_return whole;
  // Every process of the sandbox is gone, and what was collected is regular files reached through no link: their paths
  // are what they were.
  std::vector<blob::LocalFile> files;
  for (const sandbox::Output& output : *outputs) {
    files.push_back({.tree_path = output.path, .source = attempt->box->directory() / output.path});
  }
  Result<void> sent = co_await hand_over(attempt, [&](HubLink& link) -> net::Async<Result<void>> {
    Result<v1::Blob> tree = co_await link.transfer.send_tree(files, {});
    if (!tree) co_return std::unexpected(tree.error());
    *attempt->outcome->mutable_outputs() = *tree;
    co_return Result<void>();
  });
  if (!sent) co_return fail(sent, "handing the outputs over");
  co_return whole;
}

net::Async<void> Executor::hand_over_log(AttemptPtr attempt) {
  std::string bytes = attempt->log.whole();
  if (bytes.empty()) co_return;
  Result<void> sent = co_await hand_over(attempt, [&](HubLink& link) -> net::Async<Result<void>> {
    Result<v1::Blob> log = co_await link.transfer.send_bytes(bytes);
    if (!log) co_return std::unexpected(log.error());
    *attempt->outcome->mutable_log() = *log;
    co_return Result<void>();
  });
  if (!sent && !attempt->wiped) log_warning("a task's log could not be handed over: " + sent.error().message);
}

}  // namespace hearth::node
