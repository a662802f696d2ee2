#include "hub/tunnels.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hub/parts.h"
#include "net/tunnel.h"
#include "screen/ports.h"

namespace hearth::hub {
namespace {

constexpr Duration kNodesAnswer = seconds(20);
constexpr std::size_t kIdBytes = 16;
constexpr std::size_t kMaxMessage = 300;
constexpr std::uint16_t kNormal = 1000;

std::optional<std::uint64_t> number(std::string_view query, std::string_view name) {
  const std::optional<std::string> text = net::query_value(query, name);
  std::uint64_t value = 0;
  if (!text) return {};
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size()) return {};
  return value;
}

unsigned status_of(Code code) {
  switch (code) {
    case Code::kInvalidArgument:
      return 400;
    case Code::kPermissionDenied:
      return 403;
    case Code::kNotFound:
      return 404;
    case Code::kFailedPrecondition:
      return 409;
    case Code::kResourceExhausted:
      return 429;
    default:
      return 502;
  }
}

// At the node's side.
std::uint16_t port_of(std::uint16_t wanted, pool::AppRight right) {
  if (right == pool::AppRight::kControl) return wanted;
  return wanted == screen::kPort ? screen::kWatchPort : screen::kWatchMediaPort;
}

bool shows_app(const v1::JobSpec& spec, std::uint16_t port) {
  return (is_app(spec) && port == screen::kPort) || (spec.window() && port == screen::kMediaPort);
}

std::string_view name_of(pool::AppRight right) { return right == pool::AppRight::kControl ? "control" : "watch"; }

}  // namespace

void Tunnel::end(Error why, std::uint16_t code) {
  if (of_device) of_device->close(code, why.message);  // first: the other one's end would be passed on to it
  if (of_node) of_node->close(kNormal, why.message);
  if (!failure) failure = std::move(why);
  answered.notify();
}

void HubEnd::end() {
  if (tunnel_->of_node) tunnel_->of_node->close(kNormal, "");
  tunnel_->seat.reset();
  tunnel_->over = true;
  tunnel_->ended.notify();
}

Result<Tunnels::Wish> Tunnels::read_wish(std::string_view query) {
  const std::optional<std::uint64_t> job = number(query, "job");
  const std::optional<std::uint64_t> task = number(query, "task");
  const std::optional<std::uint64_t> port = number(query, "port");
  if (!job || !task || *task > UINT32_MAX || !port || *port == 0 || *port > 65535) {
    return fail(Code::kInvalidArgument, "a tunnel's way is /forward?job=N&task=N&port=N, the port from 1 to 65535");
  }
  return Wish{{{*job}, static_cast<std::uint32_t>(*task)}, static_cast<std::uint16_t>(*port)};
}

Result<Tunnels::Way> Tunnels::find_way(Parts& parts, const Wish& wish, const net::Caller& caller) {
  if (caller.level < net::AccessLevel::kMember) {
    return fail(Code::kPermissionDenied, "tunnels are for people's devices");
  }
  const TaskId task = wish.task;
  const LiveJob* job = parts.engine.live_job(task.job);
  const pool::AppRight right = job == nullptr ? pool::AppRight::kNone : parts.audiences->right_of(*job, caller.device);
  const bool is_shown = right != pool::AppRight::kNone ||
                        (job != nullptr && parts.devices.visible_to(caller.device).covers(job->row.request.owner));
  if (!is_shown) return fail(Code::kNotFound, fmt::format("there is no job {}, or it has ended", task.job.value));
  const bool views = shows_app(job->spec, wish.port);
  const bool is_its = parts.audiences->beholder(*job, caller.device).is_its;
  if (!is_its && (!views || right == pool::AppRight::kNone)) {
    return fail(Code::kPermissionDenied,
                fmt::format("job {} is {}'s; only that device, an owner's or an operator's may reach its programs, and "
                            "see it whom it is shared with",
                            task.job.value, parts.devices.name(job->row.request.owner)));
  }
  Result<Way> way = find_running(parts, *job, wish);
  if (!way) return way;
  way->is_its = is_its;
  if (views) {
    way->right = right;
    way->port = port_of(wish.port, right);
  }
  return way;
}

Result<Tunnels::Way> Tunnels::find_running(Parts& parts, const LiveJob& job, const Wish& wish) {
  const TaskId task = wish.task;
  if (task.index >= job.row.request.tasks) {
    return fail(Code::kNotFound,
                fmt::format("job {} has the tasks 0 to {}", task.job.value, job.row.request.tasks - 1));
  }
  const std::vector<AttemptId> leased = parts.engine.pool().leased_tasks(task.job);
  const auto attempt = std::ranges::find(leased, task, &AttemptId::task);
  const std::optional<NodeId> node = parts.engine.pool().node_of(task);
  NodeLink* link = node ? parts.engine.link(*node) : nullptr;
  if (attempt == leased.end() || link == nullptr) {
    return fail(Code::kFailedPrecondition,
                fmt::format("task {} of job {} does not run now", task.index, task.job.value));
  }
  return Way{.attempt = *attempt, .node_id = *node, .node = link, .owner = job.row.request.owner, .port = wish.port};
}

Result<void> Tunnels::check_room(const Way& way, DeviceId device) {
  std::erase_if(tunnels_, [](const auto& one) { return one.second.expired() || one.second.lock()->over; });
  std::size_t of_device = 0;
  std::size_t to_app = 0;
  for (const auto& [id, known] : tunnels_) {
    const std::shared_ptr<Tunnel> tunnel = known.lock();
    if (tunnel->device != device) continue;
    ++of_device;
    if (tunnel->attempt.task.job == way.attempt.task.job) ++to_app;
  }
  if (tunnels_.size() >= kMax || (way.link == 0 && of_device >= kMaxPerDevice)) {
    return fail(Code::kResourceExhausted, fmt::format("too many tunnels are open (at most {} of a device, {} in all); "
                                                      "close some",
                                                      kMaxPerDevice, kMax));
  }
  if (way.link == 0 && !way.is_its && to_app >= kMaxOfGuest) {
    return fail(Code::kResourceExhausted,
                fmt::format("this device sees that app {} times already; close one of them", kMaxOfGuest));
  }
  return {};
}

// A guest's coming back is no news.
bool Tunnels::is_to_be_noted(const Way& way, const net::Caller& caller) {
  if (way.owner == caller.device) return false;
  return way.is_its || noted_.emplace(way.attempt.task.job, caller.device, *way.right).second;
}

std::shared_ptr<Tunnel> Tunnels::make(Parts& parts, const Way& way, DeviceId device) {
  auto tunnel = std::make_shared<Tunnel>();
  tunnel->attempt = way.attempt;
  tunnel->node = way.node_id;
  tunnel->device = device;
  if (!way.right) return tunnel;
  const auto cut = [weak = std::weak_ptr(tunnel)](pool::AppRight now) {
    const auto alive = weak.lock();
    if (!alive) return;
    const bool is_out = now == pool::AppRight::kNone;
    alive->end(
        {Code::kPermissionDenied, is_out ? "it is shared with you no more" : "the controller has been passed on"},
        is_out ? kNoRight : kOtherRight);
  };
  tunnel->seat.emplace(*parts.audiences, Audiences::Sight{way.attempt.task.job, device, *way.right, cut, way.link});
  return tunnel;
}

Result<Tunnels::Way> Tunnels::find_own_way(Parts& parts, const Wish& wish, const net::Caller& caller) {
  Result<Way> way = find_way(parts, wish, caller);
  if (!way || !way->right) return way;
  return fail(Code::kPermissionDenied, fmt::format("port {} shows the app, which is seen on the page", wish.port));
}

Result<void> Tunnels::may_reach(Parts& parts, TaskId task, std::uint16_t port, const net::Caller& caller) {
  const Result<Way> way = find_own_way(parts, {task, port}, caller);
  if (!way) return std::unexpected(way.error());
  return {};
}

net::Async<Result<void>> Tunnels::admit(Parts& parts, TaskId task, std::uint16_t port, const net::Caller& caller) {
  if (Result<void> may = may_reach(parts, task, port, caller); !may) co_return may;
  const DeviceId owner = parts.engine.live_job(task.job)->row.request.owner;
  if (owner == caller.device) co_return Result<void>();
  parts.audit.note(caller, "job.forward", fmt::format("job {}", task.job.value), "of=" + parts.devices.name(owner));
  co_return co_await parts.engine.committed();
}

Result<std::shared_ptr<Tunnel>> Tunnels::order(Parts& parts, const Way& way, DeviceId device) {
  if (Result<void> room = check_room(way, device); !room) return std::unexpected(room.error());
  std::shared_ptr<Tunnel> tunnel = make(parts, way, device);
  const std::string id = net::random_bytes(kIdBytes);
  tunnels_.emplace(id, tunnel);
  v1::OpenTunnel order;
  *order.mutable_attempt() = to_proto(way.attempt);
  order.set_port(way.port);
  order.set_space(way.is_space);
  order.set_tunnel(id);
  way.node->open_tunnel(order);
  return tunnel;
}

net::Async<Result<void>> Tunnels::answer(std::shared_ptr<Tunnel> tunnel) {
  if (!tunnel->of_node && !tunnel->failure) co_await tunnel->answered.wait(kNodesAnswer);
  if (tunnel->failure) co_return std::unexpected(*tunnel->failure);
  if (!tunnel->of_node) co_return fail(Code::kUnavailable, "the node does not answer");
  co_return Result<void>();
}

net::Async<Result<std::unique_ptr<HubEnd>>> Tunnels::open(Parts& parts, TaskId task, std::uint16_t port,
                                                          const net::Caller& caller) {
  const Result<Way> way = find_own_way(parts, {task, port}, caller);
  if (!way) co_return std::unexpected(way.error());
  co_return co_await open_way(parts, *way, caller.device);
}

net::Async<Result<std::unique_ptr<HubEnd>>> Tunnels::open_way(Parts& parts, Way way, DeviceId device) {
  const Result<std::shared_ptr<Tunnel>> tunnel = order(parts, way, device);
  if (!tunnel) co_return std::unexpected(tunnel.error());
  auto end = std::make_unique<HubEnd>(*tunnel);
  if (Result<void> answered = co_await answer(*tunnel); !answered) co_return std::unexpected(answered.error());
  co_return end;
}

net::Async<Result<std::unique_ptr<HubEnd>>> Tunnels::open_space(Parts& parts, NodeId node, DeviceId device) {
  NodeLink* const link = parts.engine.link(node);
  if (link == nullptr) co_return fail(Code::kUnavailable, "that node is not connected now");
  const Way way{
      .attempt = {}, .node_id = node, .node = link, .owner = device, .is_its = true, .port = 0, .is_space = true};
  co_return co_await open_way(parts, way, device);
}

net::Async<Result<std::unique_ptr<HubEnd>>> Tunnels::watch(Parts& parts, pool::WatchLinkId link) {
  const LiveJob* job = parts.engine.live_job(link.job);
  if (job == nullptr) co_return fail(Code::kNotFound, fmt::format("job {} has ended", link.job.value));
  Result<Way> way = find_running(parts, *job, {.task = {link.job, 0}, .port = screen::kWatchMediaPort});
  if (!way) co_return std::unexpected(way.error());
  way->right = pool::AppRight::kWatch;
  way->link = link.number;
  co_return co_await open_way(parts, *way, {});
}

net::Async<Result<std::shared_ptr<Tunnel>>> Tunnels::ask(Parts& parts, const net::RequestHead& head,
                                                         const net::Caller& caller) {
  const Result<Wish> wish = read_wish(head.query);
  if (!wish) co_return std::unexpected(wish.error());
  const Result<Way> found = find_way(parts, *wish, caller);
  if (!found) co_return std::unexpected(found.error());
  if (is_to_be_noted(*found, caller)) {
    parts.audit.note(caller, "job.forward", fmt::format("job {}", wish->task.job.value),
                     fmt::format("of={}{}", parts.devices.name(found->owner),
                                 found->right ? fmt::format(" right={}", name_of(*found->right)) : ""));
    if (Result<void> kept = co_await parts.engine.committed(); !kept) co_return std::unexpected(kept.error());
  }
  // It may have ended meanwhile, or be shared otherwise.
  const Result<Way> way = find_way(parts, *wish, caller);
  if (!way) co_return std::unexpected(way.error());
  co_return order(parts, *way, caller.device);
}

net::Async<void> Tunnels::serve_device(net::Exchange& exchange, Parts& parts, const net::Caller& caller) {
  const auto refuse = [&exchange](const Error& error) {
    return exchange.reply(net::text_response(status_of(error.code), error.message));
  };
  const Result<std::shared_ptr<Tunnel>> asked = co_await ask(parts, exchange.head(), caller);
  if (!asked) co_return (void) co_await refuse(asked.error());
  const Entered entered(parts.sessions, caller.device, exchange.connection());
  Tunnel& tunnel = **asked;
  const HubEnd end(*asked);
  const Result<void> answered = co_await answer(*asked);
  if (!answered) co_return (void) co_await refuse(answered.error());
  auto accepted = co_await exchange.accept_websocket(net::kTunnelProtocol, net::kMaxTunnelMessage);
  if (!accepted) co_return;
  tunnel.of_device = std::move(*accepted);
  if (!tunnel.failure) co_await net::join(loop_, *tunnel.of_device, *tunnel.of_node);
  tunnel.of_device->close(kNormal, "");
}

net::Async<void> Tunnels::serve_node(net::Exchange& exchange, Parts& parts, const net::Caller& caller) {
  const std::string id = from_hex(net::query_value(exchange.head().query, "id").value_or("")).value_or("");
  const std::shared_ptr<Tunnel> tunnel = find(id);
  if (!tunnel || tunnel->node != caller.device || tunnel->of_node) {
    co_return (void) co_await exchange.reply(net::text_response(404, "no such tunnel is waited for"));
  }
  const Entered entered(parts.sessions, caller.device, exchange.connection());
  auto accepted = co_await exchange.accept_websocket(net::kTunnelProtocol, net::kMaxTunnelMessage);
  if (!accepted) co_return;
  if (tunnel->of_node) co_return (*accepted)->close(kNormal, "");  // it came by another connection meanwhile
  tunnel->of_node = std::move(*accepted);
  tunnel->answered.notify();
  while (!tunnel->over) co_await tunnel->ended.wait();
  tunnel->of_node->close(kNormal, "");
}

void Tunnels::failed(NodeId node, const v1::TunnelFailed& failed) {
  const std::shared_ptr<Tunnel> tunnel = find(failed.tunnel());
  if (!tunnel || tunnel->node != node) return;
  tunnel->end({Code::kUnavailable, std::string(utf8_prefix(failed.message(), kMaxMessage))});
}

void Tunnels::attempt_ended(AttemptId attempt, const v1::Outcome&) {
  for (const auto& [id, known] : tunnels_) {
    const std::shared_ptr<Tunnel> tunnel = known.lock();
    if (tunnel && tunnel->attempt == attempt) tunnel->end({Code::kFailedPrecondition, "the task has ended"});
  }
}

void Tunnels::stop() {
  for (const auto& [id, known] : tunnels_) {
    if (const std::shared_ptr<Tunnel> tunnel = known.lock()) tunnel->end({Code::kUnavailable, "the hub is stopping"});
  }
}

std::shared_ptr<Tunnel> Tunnels::find(const std::string& id) const {
  const auto found = tunnels_.find(id);
  return found == tunnels_.end() ? nullptr : found->second.lock();
}

void Tunnels::job_ended(JobId job) {
  std::erase_if(noted_, [job](const auto& one) { return std::get<JobId>(one) == job; });
}

}  // namespace hearth::hub
