#include "node/shell.h"

#include <algorithm>
#include <ctime>
#include <fstream>

#include "base/bytes.h"
#include "base/log.h"
#include "node/command.h"
#include "node/elsewhere.h"
#include "node/node.h"
#include "node/outcome.h"
#include "node/policy.h"
#include "node/words.h"

namespace hearth::node {
namespace {

constexpr Duration kLookAround = seconds(1);
constexpr std::size_t kMaxPolicyBytes = 256 << 10;
constexpr std::size_t kAttemptBytes = 32;
constexpr std::size_t kMaxSaidBytes = 256;  // of why it is closed and the like; the hub keeps no more
constexpr std::size_t kShownTasks = 100;    // in status.json

// The file's text; empty if there is none.
std::string read_small_file(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::string text(kMaxPolicyBytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  return text;
}

std::uint16_t minute_of_day() {
  std::time_t now = std::time(nullptr);
  std::tm local{};
  ::localtime_r(&now, &local);
  return static_cast<std::uint16_t>(local.tm_hour * 60 + local.tm_min);
}

Resources resources_of(const sandbox::Machine& machine, std::uint64_t vault_bytes) {
  const auto smallest = std::ranges::min_element(machine.gpus, {}, &sandbox::Gpu::memory_bytes);
  return {.cores = machine.cores,
          .memory_bytes = machine.memory_bytes,
          .gpus = static_cast<std::uint32_t>(machine.gpus.size()),
          .gpu_memory_bytes = smallest == machine.gpus.end() ? 0 : smallest->memory_bytes,
          .disk_bytes = vault_bytes};
}

}  // namespace

Shell::Shell(World world, std::function<void(int exit_code)> on_end)
    : world_(std::move(world)),
      on_end_(std::move(on_end)),
      machine_(resources_of(world_.machine, world_.vault_bytes)),
      agent_({}, machine_),
      connection_(world_.loop, world_.workers, world_.directory, world_.key,
                  {.on_open = [this] { return make_hello(); },
                   .on_lost = [this] { on_lost(); },
                   .on_frame = [this](const v1::HubFrame& frame) { on_frame(frame); },
                   .on_revoked =
                       [this] {
                         revoked_ = true;
                         on_end_(kExitRevoked);
                       }}),
      witness_(world_.loop, world_.workers, world_.directory),
      owners_screen_(world_.loop, world_.directory),
      executor_({.loop = world_.loop,
                 .workers = world_.workers,
                 .brakes = world_.brakes,
                 .host = world_.host,
                 .images = world_.images,
                 .inputs = world_.inputs,
                 .environments = world_.environments,
                 .swarms = world_.swarms,
                 .workspaces = world_.workspaces,
                 .wipes = world_.wipes,
                 .owners_screen = owners_screen_,
                 .gpus = world_.machine.gpus,
                 .screen_program = world_.screen_program,
                 .terminal_program = world_.terminal_program,
                 .link = [this] { return connection_.link(); },
                 .admits = [this] { return agent_.admits(); },
                 .level = [this](Ring ring) { return rings_.of(ring).level.value_or(sandbox::Level::kMicroVm); }},
                {.prepared =
                     [this](AttemptId attempt, bool succeeded) {
                       if (ends_without_files()) return;
                       agent_.on_prepared(attempt, succeeded, world_.loop.now());
                       pump();
                     },
                 .exited =
                     [this](AttemptId attempt) {
                       if (ends_without_files()) return;
                       agent_.on_exited(attempt, world_.loop.now());
                       pump();
                     },
                 .collected =
                     [this](AttemptId attempt) {
                       if (ends_without_files()) return;
                       agent_.on_collected(attempt, world_.loop.now());
                       pump();
                     },
                 .frozen =
                     [this](AttemptId attempt, bool succeeded) {
                       agent_.on_frozen(attempt, succeeded, world_.loop.now());
                       pump();
                     },
                 .log_grew = [this](AttemptId attempt) { world_.loop.post([this, attempt] { log_grew(attempt); }); }}),
      tunnels_(world_.loop, executor_, owners_screen_, connection_,
               {.program = world_.media_program, .bwrap = world_.bwrap},
               space::Server(world_.directory, world_.workers)),
      holdings_(world_.images, world_.inputs, world_.environments, world_.swarms),
      owner_(world_.loop, world_.workers, world_.directory, owner_events()),
      can_show_(world_.host.is_elsewhere()
                    ? kNoApps
                    : apps_shown_by(world_.screen_program, world_.terminal_program, world_.machine.gpus.size())),
      apps_(world_.directory, can_show_) {}

Shell::~Shell() = default;

OwnerWatch::Events Shell::owner_events() {
  return {.seen =
              [this](const Surroundings& seen) {
                agent_.on_surroundings(seen, world_.loop.now());
                pump();
              },
          .stopped =
              [this](bool stopped) {
                agent_.on_stopped(stopped, world_.loop.now());
                pump();
              }};
}

void Shell::start() {
  world_.swarms.on_port([this] { tell_attributes(); });
  agent_.on_policy(silent_policy(machine_, world_.disk_bytes, world_.own_pool), world_.loop.now());
  agent_.on_local_time(minute_of_day(), world_.loop.now());
  world_.loop.spawn([](Shell& shell) -> net::Async<void> {
    // The owner's limits, and whether the owner is here, are known before the hub hears of this node.
    co_await shell.read_policy();
    co_await shell.owner_.start();
    co_await shell.owner_.read_stopped();
    shell.witness_.start();
    shell.owners_screen_.start();
    shell.world_.loop.spawn(shell.connection_.run());
    shell.world_.loop.spawn(shell.tick_for_ever());
    if (!shell.world_.host.is_elsewhere()) shell.world_.loop.spawn(shell.measure_speed_for_ever());
    shell.world_.loop.spawn(shell.look_around_for_ever());
  }(*this));
}

void Shell::perform(const Effect& effect) {
  std::visit([this](const auto& order) { carry_out(order); }, effect);
}

void Shell::pump() {
  for (std::vector<Effect> effects = agent_.take_effects(); !effects.empty(); effects = agent_.take_effects()) {
    for (const Effect& effect : effects) perform(effect);
  }
  std::optional<Time> next = agent_.next_deadline();
  if (next && *next < sleeping_until_) deadline_changed_.notify();
}

net::Async<void> Shell::tick_for_ever() {
  for (;;) {
    Time now = world_.loop.now();
    agent_.tick(now);
    pump();
    sleeping_until_ = std::max(now, std::min(agent_.next_deadline().value_or(now + kLookAround), now + kLookAround));
    co_await deadline_changed_.wait(std::max(sleeping_until_ - now, milliseconds(1)));
  }
}

// Tasks that fail for want of their files have not failed: nobody is told, and the node that starts anew has none.
bool Shell::ends_without_files() {
  if (!world_.host.has_lost_files()) return false;
  log_error("what encrypts tasks' files and inputs has died (gocryptfs), and they with it: starting anew");
  on_end_(kExitFailed);
  return true;
}

net::Async<void> Shell::look_around_for_ever() {
  for (;;) {
    co_await read_policy();
    co_await owner_.read_stopped();
    if (ends_without_files()) co_return;
    co_await executor_.forget_inputs();
    if (agent_.drained()) co_await world_.workspaces.wipe_all();
    share_disk();
    tell_data();
    co_await tell_apps();
    agent_.on_local_time(minute_of_day(), world_.loop.now());
    set_minute(minute_of_day());
    pump();
    co_await tell_status();
    co_await net::sleep_for(kLookAround);
  }
}

net::Async<void> Shell::read_policy() {
  std::filesystem::path file = world_.directory / "policy.json";
  std::string text = co_await world_.workers.run([&file] { return read_small_file(file); });
  std::string swap_risk = co_await world_.workers.run([this] { return world_.host.swap_risk(); });
  sandbox::Room room = world_.host.room();
  if (policy_read_ && text == policy_text_ && swap_risk == swap_risk_ && room == room_) co_return;
  swap_risk_ = std::move(swap_risk);
  room_ = std::move(room);
  policy_read_ = true;
  policy_text_ = text;
  if (text.empty()) text = "{}";
  const Result<std::uint64_t> disk = parse_disk_limit(text, world_.disk_bytes);
  const Policy silent = silent_policy(machine_, disk.value_or(world_.disk_bytes), world_.own_pool);
  Result<Policy> policy = parse_policy(text, silent, machine_);
  const Result<Rings> rings = Rings::parse(text);
  if (disk) disk_bytes_ = *disk;
  share_disk();
  if (!policy || !disk || !rings) {
    const Error& error = !policy ? policy.error() : !disk ? disk.error() : rings.error();
    log_warning("the limits are left as they were: " + error.message);
    co_return;
  }
  if (const Result<OwnersWords> words = parse_owners_words(text); !words) {
    log_warning("the labels are left as they were: " + words.error().message);
  } else if (*words != words_) {
    words_ = *words;
    tell_attributes();
  }
  if (const Result<SwarmTerms> swarms = parse_swarm_terms(text); !swarms) {
    log_warning("what is said of swarms is left as it was: " + swarms.error().message);
  } else {
    world_.swarms.set_terms(*swarms, disk_bytes_ / 4);
  }
  take_rings(*rings, *policy);
  if (world_.host.is_elsewhere()) heed_room(*policy, room_);
  agent_.on_policy(*policy, world_.loop.now());
  Result<std::optional<presence::Tariff>> tariff = parse_tariff(text);
  if (!tariff) log_warning("no price of electricity is known: " + tariff.error().message);
  const std::optional<std::uint64_t> price = owner_.price();
  owner_.set_tariff(tariff ? *tariff : std::nullopt);
  if (owner_.price() != price) tell_attributes();
  pump();
}

void Shell::take_rings(const Rings& rings, Policy& policy) {
  if (rings.oci_runtime() != rings_.oci_runtime()) levels_.erase(sandbox::Level::kOci);
  rings_ = rings;
  const std::string lack = world_.host.full_network_lack();
  std::set<sandbox::Level> had;
  bool all_tried = true;
  for (const sandbox::Level level : rings_.levels()) {
    const auto tried = levels_.find(level);
    all_tried = all_tried && tried != levels_.end();
    if (tried != levels_.end() && tried->second.empty()) had.insert(level);
  }
  for (const Ring ring : kRings) {
    if (!rings_.of(ring).full_network || lack.empty()) continue;
    log_warning("what the owner allows is not to be had: " + lack);
    rings_.of(ring).full_network = false;
  }
  if (!world_.host.overlay_lack().empty()) {
    for (const Ring ring : kRings) rings_.of(ring).gang_network = false;
  }
  if (world_.host.is_elsewhere()) heed_distance(rings_);
  // Half of the disk at least is for what tasks need to run at all. Workspaces are for home, in the fence.
  const bool keeps_workspaces = rings_.of(Ring::kHome).level == sandbox::Level::kFence && !world_.host.is_elsewhere();
  const std::uint64_t workspaces = keeps_workspaces ? std::min(policy.admits.workspace_bytes, disk_bytes_ / 2) : 0;
  world_.workspaces.set_limit(workspaces);
  policy.admits = rings_.admission(had);
  policy.admits.workspace_bytes = workspaces;
  if (!swap_risk_.empty()) {
    log_warning("only tasks of ring home are taken: " + swap_risk_);
    policy.admits = policy.admits.of(Ring::kHome);
  }
  policy.lack = lack_of_level();
  if (!all_tried && !std::exchange(trying_levels_, true)) world_.loop.spawn(try_levels());
}

// What workspaces may hold is kept for them, as is what swarms left, and half of the vault for tasks' files
// (silent_policy()).
void Shell::share_disk() {
  if (world_.vault_bytes > 0) world_.inputs.set_max_bytes(disk_bytes_ / 2);
  const std::uint64_t kept = world_.workspaces.bytes() + world_.swarms.bytes();
  world_.environments.set_limit(disk_bytes_ - std::min(disk_bytes_, kept));
}

// A level counts once one has been started at it; that takes seconds, so the node is up meanwhile.
net::Async<void> Shell::try_levels() {
  const std::string runtime = rings_.oci_runtime();
  const std::vector<sandbox::LevelReport> reports = co_await world_.workers.run([this, &runtime] {
    world_.host.use_oci_runtime(runtime);
    return world_.host.levels();
  });
  trying_levels_ = false;
  for (const sandbox::LevelReport& report : reports) levels_[report.level] = report.passed ? "" : report.detail;
  for (const sandbox::Level level : rings_.levels()) levels_.try_emplace(level, "this PC has nothing to run it");
  if (runtime != rings_.oci_runtime()) levels_.erase(sandbox::Level::kOci);  // another one is wanted by now
  policy_read_ = false;
  co_await read_policy();
}

// Why the owner's own people may not run here at the level that the owner wants; empty if they may.
std::string Shell::lack_of_level() const {
  const std::optional<sandbox::Level> wanted = rings_.of(Ring::kHome).level;
  if (!wanted) return "";
  const auto tried = levels_.find(*wanted);
  const std::string level(sandbox::name_of(*wanted));
  if (tried == levels_.end()) return "isolation level " + level + ", which its owner wants, is being tried";
  return tried->second.empty() ? ""
                               : "its owner wants isolation level " + level + ", which fails here: " + tried->second;
}

Status Shell::make_status() const {
  Status status{.connected = connection_.is_open(),
                .hub = connection_.hub(),
                .running = agent_.running(),
                .held = agent_.held().size(),
                .closed_reason = agent_.closed_reason(),
                .drained = agent_.drained() && world_.workspaces.empty(),
                .revoked = revoked_,
                .heeds_owner = agent_.heeds_owner(),
                .frozen = agent_.frozen(),
                .stopped = agent_.stopped(),
                .swarm_port = world_.swarms.port(),
                .freeze_millis = agent_.last_freeze() ? agent_.last_freeze()->micros / 1000 : -1};
  for (AttemptId attempt : agent_.running_attempts(kShownTasks)) {
    std::shared_ptr<Attempt> found = executor_.find(attempt);
    if (!found) continue;
    status.tasks.push_back({.job = attempt.task.job.value,
                            .task = attempt.task.index,
                            .owner = found->job->owner,
                            .since_unix_millis = found->started_unix_millis,
                            .frozen = found->frozen});
  }
  return status;
}

net::Async<void> Shell::tell_status() {
  Status status = make_status();
  if (told_ == status) co_return;
  std::filesystem::path file = world_.directory / "status.json";
  Result<void> written = co_await world_.workers.run([&] { return write_status(file, status); });
  if (!written) log_warning(written.error().message);
  told_ = status;
}

// --- what is said

v1::Hello Shell::make_hello() {
  // What the agent wants sent at the session's start leaves after the hello.
  agent_.on_session_open(world_.loop.now());
  world_.workspaces.belong_to(connection_.link()->session.account().hub_identity);
  world_.loop.post([this] { pump(); });
  v1::Hello hello;
  *hello.mutable_total() = to_proto(machine_);
  *hello.mutable_offered() = to_proto(agent_.offered());
  hello.set_cpu_model(plain_words(world_.machine.cpu_model, kMaxSaidBytes));
  hello.set_system(plain_words(world_.machine.system, kMaxSaidBytes));
  hello.set_isolation(plain_words(world_.host.description(), kMaxSaidBytes));
  hello.set_version(HEARTH_VERSION);
  *hello.mutable_admits() = to_proto(agent_.admits());
  hello.set_closed(agent_.closed());
  hello.set_closed_reason(plain_words(agent_.closed_reason(), kMaxSaidBytes));
  hello.set_frozen(agent_.frozen());
  hello.set_stopped(agent_.stopped());
  *hello.mutable_attributes() = attributes();
  hello.set_swarm_port(world_.swarms.port());
  for (AttemptId attempt : agent_.held()) *hello.add_held() = to_proto(attempt);
  for (v1::Blob& blob : holdings_.all()) *hello.add_data() = std::move(blob);
  for (const WorkspaceId& id : world_.workspaces.here()) {
    v1::WorkspaceId& workspace = *hello.add_workspaces();
    workspace.set_owner(id.owner.value);
    workspace.set_name(id.name);
  }
  return hello;
}

// Those of a PC that can show none are nobody's affair.
net::Async<void> Shell::tell_apps() {
  if (!can_show_.web) co_return;
  const bool changed = co_await world_.workers.run([this] { return apps_.look(); });
  if (!connection_.is_open() || (apps_told_ && !changed)) co_return;
  apps_told_ = true;
  *connection_.frame(apps_.list().ByteSizeLong()).mutable_apps() = apps_.list();
}

AttributeList Shell::attributes() const {
  const std::optional<sandbox::Level> level = rings_.of(Ring::kHome).level;
  const Standing now{
      .speed = speed_, .price = owner_.price(), .screen = can_show_.windows, .terminal = can_show_.terminals};
  return make_attributes(world_.machine, level ? name_of(*level) : "", now, words_);
}

// What the owner says may change while nothing else does.
void Shell::tell_attributes() {
  if (!connection_.is_open()) return;
  carry_out(SendOffer{.offered = agent_.offered(),
                      .closed = agent_.closed(),
                      .closed_reason = agent_.closed_reason(),
                      .admits = agent_.admits(),
                      .frozen = agent_.frozen(),
                      .stopped = agent_.stopped()});
}

void Shell::tell_data() {
  if (!connection_.is_open()) return;
  std::optional<v1::DataChange> change = holdings_.changes();
  if (!change) return;
  const std::size_t bytes = change->ByteSizeLong() + 8;
  connection_.frame(bytes).mutable_data()->MergeFrom(*change);
}

void Shell::set_minute(std::uint16_t minute_of_day) {
  const std::optional<std::uint64_t> price = owner_.price();
  owner_.set_minute(minute_of_day);
  if (owner_.price() != price) tell_attributes();
}

// While nothing of a guest's runs, so that what is measured is the machine.
net::Async<void> Shell::measure_speed_for_ever() {
  constexpr Duration kAgain = seconds(6 * 3600);
  constexpr Duration kLater = seconds(60);
  constexpr double kNoteworthy = 0.1;
  for (;;) {
    const bool is_idle = speed_ == 0 || agent_.held().empty();
    if (is_idle) {
      const double speed = co_await world_.workers.run(&measure_speed);
      const bool differs = std::abs(speed - speed_) > kNoteworthy * speed_;
      if (differs) speed_ = speed;
      if (differs) tell_attributes();
    }
    co_await net::sleep_for(is_idle ? kAgain : kLater);
  }
}

void Shell::carry_out(const Wipe& order) {
  executor_.wipe(order.attempt);
  watched_.erase(order.attempt);
  grown_.erase(order.attempt);
}

void Shell::carry_out(const SendStarted& order) {
  if (!connection_.is_open()) return;
  *connection_.frame(kAttemptBytes).add_started()->mutable_attempt() = to_proto(order.attempt);
}

void Shell::carry_out(const SendFinished& order) {
  if (!connection_.is_open()) return;
  send_whole_log(order.attempt);
  v1::Finished finished;
  *finished.mutable_attempt() = to_proto(order.attempt);
  if (const v1::Outcome* outcome = executor_.outcome(order.attempt)) {
    *finished.mutable_outcome() = *outcome;
  } else {
    // The agent did not take it.
    *finished.mutable_outcome() = failed_outcome(v1::FAILURE_REASON_NODE_LOST, "the node holds too many tasks");
    executor_.wipe(order.attempt);
  }
  std::size_t bytes = finished.ByteSizeLong() + 8;
  *connection_.frame(bytes).add_finished() = std::move(finished);
}

void Shell::carry_out(const SendOffer& order) {
  if (!connection_.is_open()) return;
  v1::Offer& offer = *connection_.frame(256).mutable_offer();
  *offer.mutable_offered() = to_proto(order.offered);
  offer.set_closed(order.closed);
  offer.set_closed_reason(plain_words(order.closed_reason, kMaxSaidBytes));
  *offer.mutable_admits() = to_proto(order.admits);
  offer.set_frozen(order.frozen);
  offer.set_stopped(order.stopped);
  *offer.mutable_attributes() = attributes();
  offer.set_swarm_port(world_.swarms.port());
}

void Shell::carry_out(const SendHeartbeat& /*order*/) {
  sandbox::Load load = load_.read();
  if (world_.host.is_elsewhere()) load = {.cpu = room_.load};
  if (!connection_.is_open()) return;
  v1::Heartbeat& heartbeat = *connection_.frame(kAttemptBytes).mutable_heartbeat();
  heartbeat.set_cpu_load(static_cast<float>(load.cpu));
  heartbeat.set_memory_used_bytes(load.memory_used_bytes);
}

// --- what is heard

void Shell::on_frame(const v1::HubFrame& frame) {
  Time now = world_.loop.now();
  if (frame.has_witness()) witness_.take(frame.witness());
  if (frame.has_stop_everything()) world_.loop.spawn(owner_.set_stopped(frame.stop_everything()));
  // Ends first: they make room.
  for (const v1::AttemptId& attempt : frame.acknowledged()) agent_.on_acknowledged(from_proto(attempt), now);
  for (const v1::AttemptId& attempt : frame.stop()) agent_.on_stop(from_proto(attempt), now);
  on_assign(frame);
  pump();
  for (const v1::WorkspaceId& id : frame.wipe_workspaces()) {
    world_.loop.spawn(wipe_workspace({{id.owner()}, id.name()}));
  }
  for (const v1::WatchLog& watch : frame.watch_logs()) on_watch(watch);
  for (const v1::SwarmPeers& peers : frame.swarm_peers()) world_.swarms.add_peers(peers);
  for (const v1::OpenTunnel& order : frame.open_tunnels()) tunnels_.open(order);
}

net::Async<void> Shell::wipe_workspace(WorkspaceId id) {
  if (!is_short_name(id.name)) co_return;
  v1::WorkspaceWiped wiped;
  *wiped.mutable_record() = co_await world_.workspaces.wipe(id);
  wiped.mutable_workspace()->set_owner(id.owner.value);
  wiped.mutable_workspace()->set_name(id.name);
  if (!connection_.is_open()) co_return;  // the hub asks again
  const std::size_t bytes = wiped.ByteSizeLong() + 8;
  *connection_.frame(bytes).add_workspaces_wiped() = std::move(wiped);
}

void Shell::on_assign(const v1::HubFrame& frame) {
  std::map<std::uint64_t, std::shared_ptr<const JobOrder>> jobs;
  for (const v1::Assign& assign : frame.assign()) {
    AttemptId attempt = from_proto(assign.attempt());
    std::shared_ptr<const JobOrder>& job = jobs[attempt.task.job.value];
    if (assign.has_spec()) {
      auto order = std::make_shared<JobOrder>();
      order->spec = assign.spec();
      order->owner = assign.owner();
      order->ring = from_proto(assign.ring());
      order->owner_id = {assign.owner_id()};
      order->trees.assign(assign.dependency_outputs().begin(), assign.dependency_outputs().end());
      if (assign.has_environment()) order->environment = assign.environment();
      order->swarms.assign(assign.swarms().begin(), assign.swarms().end());
      if (assign.spec().has_inputs()) order->trees.push_back(assign.spec().inputs());
      job = std::move(order);
    }
    if (!job) {
      log_warning("the hub assigned a task without its job");
      continue;
    }
    if (!executor_.knows(attempt)) executor_.add(attempt, job, assign.gang_network());
    // Elsewhere it may wait for its turn once more, so its time is the host's to keep.
    const Duration limit = world_.host.is_elsewhere() ? Duration{} : time_limit_of(job->spec);
    const bool is_own = shows_owners_screen(job->spec);
    agent_.on_assign({.attempt = attempt, .needs = needs_of(job->spec), .time_limit = limit, .is_own = is_own},
                     world_.loop.now());
  }
}

void Shell::on_watch(const v1::WatchLog& watch) {
  AttemptId attempt = from_proto(watch.attempt());
  std::shared_ptr<Attempt> found = executor_.find(attempt);
  if (!found) return;
  found->watched = !watch.stop();
  watched_.erase(attempt);
  if (watch.stop()) return;
  watched_[attempt] = watch.offset();
  log_grew(attempt);
}

void Shell::on_lost() {
  for (const auto& [attempt, offset] : watched_) {
    if (std::shared_ptr<Attempt> found = executor_.find(attempt)) found->watched = false;
  }
  watched_.clear();
  grown_.clear();
  apps_told_ = false;
  owners_screen_.end();
  agent_.on_session_lost(world_.loop.now());
  pump();
}

}  // namespace hearth::node
