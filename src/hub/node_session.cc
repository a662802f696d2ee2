#include "hub/node_session.h"

#include "base/bytes.h"
#include "base/log.h"
#include "hub/job_data.h"

namespace hearth::hub {
namespace {

// A node says something every 3 s.
constexpr Duration kSilence = seconds(12);
constexpr Duration kHelloLimit = seconds(10);
constexpr int kMaxHeld = 10'000;
constexpr int kMaxData = pool::kMaxDataPerNode;
constexpr int kMaxAdmits = 16;
constexpr std::size_t kMaxMessageBytes = 1024;
constexpr std::size_t kMaxWordsBytes = 256;  // of what it says of its PC, which every page is shown again and again

void bound(std::string* words) { *words = utf8_prefix(*words, kMaxWordsBytes); }

}  // namespace

NodeSession::NodeSession(net::Loop& loop, Engine& engine, LogRelay& logs, Views& views, BlobAccess& access,
                         Swarms& swarms, Tunnels& tunnels, Apps& apps, NodeId node, std::string name,
                         std::string address, net::WebSocket& socket)
    : loop_(loop),
      engine_(engine),
      logs_(logs),
      views_(views),
      access_(access),
      swarms_(swarms),
      tunnels_(tunnels),
      apps_(apps),
      node_(node),
      name_(std::move(name)),
      address_(std::move(address)),
      socket_(socket) {}

NodeSession::~NodeSession() = default;

net::Async<void> NodeSession::run() {
  loop_.spawn(write_for_ever());
  while (true) {
    Result<std::string> message = co_await socket_.read(greeted_ ? kSilence : kHelloLimit);
    if (!message) break;
    v1::NodeFrame frame;
    const bool is_frame = frame.ParseFromString(*message);
    if (is_frame) co_await access_.check_results(node_, frame);
    std::vector<std::uint64_t> result_bytes;
    if (is_frame) result_bytes = co_await access_.result_bytes(frame);
    Result<void> taken =
        is_frame ? on_frame(frame, result_bytes) : fail(Code::kInvalidArgument, "the frame is no NodeFrame");
    if (taken) continue;
    log_warning("node session closed", {{"name", name_}, {"error", taken.error().message}});
    socket_.close(1002, taken.error().message);
    break;
  }
  closed_ = true;
  logs_.remove_source(node_, *this);
  engine_.node_gone(node_, *this);
  if (greeted_) log_info("node disconnected", {{"name", name_}});
  socket_.close(1000, "");
  wake_.notify();
  while (!writer_done_) co_await writer_ended_.wait();
}

Result<void> NodeSession::on_frame(const v1::NodeFrame& frame, const std::vector<std::uint64_t>& result_bytes) {
  if (!greeted_ && !frame.has_hello()) return fail(Code::kInvalidArgument, "the first frame must hold a hello");
  if (frame.has_hello()) {
    if (frame.hello().held_size() > kMaxHeld) return fail(Code::kInvalidArgument, "more than 10,000 attempts held");
    if (frame.hello().workspaces_size() > kMaxHeld) return fail(Code::kInvalidArgument, "more than 10,000 workspaces");
    if (frame.hello().admits_size() > kMaxAdmits) return fail(Code::kInvalidArgument, "more than 16 rings");
    if (frame.hello().data_size() > kMaxData) return fail(Code::kInvalidArgument, "more than 256 large blobs");
    on_hello(frame.hello());
  }
  engine_.heartbeat(node_);
  if (frame.has_heartbeat()) {
    views_.facts(node_).heartbeat = frame.heartbeat();
    engine_.note_change(node_);
  }
  if (frame.has_offer()) {
    if (frame.offer().admits_size() > kMaxAdmits) return fail(Code::kInvalidArgument, "more than 16 rings");
    v1::Hello& hello = views_.facts(node_).hello;
    *hello.mutable_offered() = frame.offer().offered();
    hello.set_closed(frame.offer().closed());
    hello.set_closed_reason(frame.offer().closed_reason());
    bound(hello.mutable_closed_reason());
    *hello.mutable_admits() = frame.offer().admits();
    hello.set_frozen(frame.offer().frozen());
    hello.set_stopped(frame.offer().stopped());
    *hello.mutable_attributes() = frame.offer().attributes();
    swarms_.set_port(node_, address_, frame.offer().swarm_port());
    engine_.offer(node_, {.terms = {from_proto(frame.offer().offered()), from_proto(frame.offer().admits())},
                          .closed = frame.offer().closed(),
                          .frozen = frame.offer().frozen()});
    engine_.attributes(node_, attributes_of(frame.offer().attributes(), name_));
  }
  for (const v1::Started& started : frame.started()) engine_.started(node_, from_proto(started.attempt()));
  for (const v1::LogPiece& piece : frame.logs()) logs_.on_piece(node_, piece);
  auto bytes = result_bytes.begin();
  for (const v1::Finished& finished : frame.finished()) {
    v1::Outcome outcome = finished.outcome();
    outcome.set_message(std::string(utf8_prefix(outcome.message(), kMaxMessageBytes)));
    if (!v1::FailureReason_IsValid(outcome.reason()))
      return fail(Code::kInvalidArgument, "an outcome with an unknown reason");
    engine_.finished(node_, from_proto(finished.attempt()), std::move(outcome), *bytes++);
  }
  if (frame.data().added_size() > kMaxData || frame.data().removed_size() > kMaxData) {
    return fail(Code::kInvalidArgument, "more than 256 large blobs at once");
  }
  for (const v1::TunnelFailed& failed : frame.tunnels_failed()) tunnels_.failed(node_, failed);
  if (frame.has_apps()) {
    if (Result<void> taken = apps_.set(node_, frame.apps()); !taken) return taken;
  }
  if (frame.has_data()) engine_.data(node_, ids_of(frame.data().added()), ids_of(frame.data().removed()));
  for (const v1::WorkspaceWiped& wiped : frame.workspaces_wiped()) {
    engine_.workspace_wiped(node_, {{wiped.workspace().owner()}, wiped.workspace().name()}, wiped.record());
  }
  return {};
}

void NodeSession::on_hello(const v1::Hello& hello) {
  v1::Hello& kept = views_.facts(node_).hello;
  kept = hello;
  for (std::string* words : {kept.mutable_cpu_model(), kept.mutable_isolation(), kept.mutable_system(),
                             kept.mutable_version(), kept.mutable_closed_reason()}) {
    bound(words);
  }
  apps_.forget(node_);
  swarms_.set_port(node_, address_, hello.swarm_port());
  pool::NodeHello greeting{.offered = from_proto(hello.offered()),
                           .closed = hello.closed(),
                           .held = {},
                           .admits = from_proto(hello.admits()),
                           .attributes = attributes_of(hello.attributes(), name_),
                           .data = ids_of(hello.data()),
                           .frozen = hello.frozen()};
  for (const v1::AttemptId& attempt : hello.held()) greeting.held.push_back(from_proto(attempt));
  for (const v1::WorkspaceId& id : hello.workspaces()) greeting.workspaces.push_back({{id.owner()}, id.name()});
  outgoing_.mutable_welcome()->set_node_id(node_.value);
  outgoing_.mutable_welcome()->set_name(name_);
  flush_soon();
  if (!greeted_) {
    log_info("node connected", {{"name", name_}, {"cores", hello.offered().cores()}, {"held", hello.held_size()}});
  }
  greeted_ = true;
  engine_.node_joined(node_, *this, greeting);
  logs_.add_source(node_, *this);
}

void NodeSession::assign(AttemptId attempt, const LiveJob& job, const v1::GangNetwork* network) {
  v1::Assign& assign = *outgoing_.add_assign();
  *assign.mutable_attempt() = to_proto(attempt);
  if (network != nullptr) *assign.mutable_gang_network() = *network;
  outgoing_bytes_ += 32 + (network != nullptr ? network->ByteSizeLong() : 0);
  if (specs_.insert(attempt.task.job).second) {
    *assign.mutable_spec() = job.spec;
    if (job.environment) *assign.mutable_environment() = *job.environment;
    for (const v1::Blob& tree : *job.dependency_outputs) *assign.add_dependency_outputs() = tree;
    assign.set_owner(views_.device_name(job.row.request.owner));
    assign.set_ring(static_cast<v1::Ring>(job.row.ring));
    if (job.spec.has_workspace()) assign.set_owner_id(job.row.request.owner.value);
    for (v1::Swarm& swarm : swarms_.swarms_for(node_, job)) *assign.add_swarms() = std::move(swarm);
    outgoing_bytes_ += assign.ByteSizeLong();
  }
  flush_soon();
}

void NodeSession::stop(AttemptId attempt) {
  *outgoing_.add_stop() = to_proto(attempt);
  outgoing_bytes_ += 32;
  flush_soon();
}

void NodeSession::acknowledge(AttemptId attempt) {
  *outgoing_.add_acknowledged() = to_proto(attempt);
  outgoing_bytes_ += 32;
  flush_soon();
}

void NodeSession::stop_everything(bool stop) {
  outgoing_.set_stop_everything(stop);
  flush_soon();
}

void NodeSession::wipe_workspace(const WorkspaceId& id) {
  v1::WorkspaceId& workspace = *outgoing_.add_wipe_workspaces();
  workspace.set_owner(id.owner.value);
  workspace.set_name(id.name);
  outgoing_bytes_ += workspace.ByteSizeLong() + 8;
  flush_soon();
}

void NodeSession::tell_hubs(const v1::Hubs& hubs) {
  *outgoing_.mutable_hubs() = hubs;
  flush_soon();
}

void NodeSession::tell_swarm_peers(const v1::SwarmPeers& peers) {
  *outgoing_.add_swarm_peers() = peers;
  outgoing_bytes_ += peers.ByteSizeLong() + 8;
  flush_soon();
}

void NodeSession::tell_duty(const v1::WitnessDuty& duty) {
  *outgoing_.mutable_witness() = duty;
  flush_soon();
}

void NodeSession::open_tunnel(const v1::OpenTunnel& tunnel) {
  *outgoing_.add_open_tunnels() = tunnel;
  outgoing_bytes_ += 64;
  flush_soon();
}

void NodeSession::watch_log(AttemptId attempt, std::uint64_t offset) {
  v1::WatchLog& watch = *outgoing_.add_watch_logs();
  *watch.mutable_attempt() = to_proto(attempt);
  watch.set_offset(offset);
  outgoing_bytes_ += 48;
  flush_soon();
}

void NodeSession::stop_log(AttemptId attempt) {
  v1::WatchLog& watch = *outgoing_.add_watch_logs();
  *watch.mutable_attempt() = to_proto(attempt);
  watch.set_stop(true);
  outgoing_bytes_ += 48;
  flush_soon();
}

void NodeSession::flush_soon() {
  if (outgoing_bytes_ > kMaxFrameBytes / 2) {
    full_.push_back(std::exchange(outgoing_, {}));
    outgoing_bytes_ = 0;
    specs_.clear();
  }
  wake_.notify();
}

net::Async<void> NodeSession::write_for_ever() {
  bool reachable = true;
  while (!closed_ && reachable) {
    std::vector<v1::HubFrame> frames = std::exchange(full_, {});
    if (outgoing_.ByteSizeLong() > 0) frames.push_back(std::exchange(outgoing_, {}));
    outgoing_bytes_ = 0;
    specs_.clear();
    if (frames.empty()) {
      co_await wake_.wait();
      continue;
    }
    for (const v1::HubFrame& frame : frames) {
      Result<void> written = co_await socket_.write(frame.SerializeAsString());
      reachable = reachable && written.has_value();
    }
  }
  writer_done_ = true;
  writer_ended_.notify();
}

}  // namespace hearth::hub
