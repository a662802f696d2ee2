#include "hub/tunnels.h"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "base/bytes.h"
#include "hub/parts.h"
#include "net/tunnel.h"

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

struct Wish {
  TaskId task;
  std::uint16_t port = 0;
};

Result<Wish> read_wish(std::string_view query) {
  const std::optional<std::uint64_t> job = number(query, "job");
  const std::optional<std::uint64_t> task = number(query, "task");
  const std::optional<std::uint64_t> port = number(query, "port");
  if (!job || !task || *task > UINT32_MAX || !port || *port == 0 || *port > 65535) {
    return fail(Code::kInvalidArgument, "a tunnel's way is /forward?job=N&task=N&port=N, the port from 1 to 65535");
  }
  return Wish{{{*job}, static_cast<std::uint32_t>(*task)}, static_cast<std::uint16_t>(*port)};
}

}  // namespace

void Tunnel::end(Error why) {
  if (of_node) of_node->close(kNormal, why.message);
  if (of_device) of_device->close(kNormal, why.message);
  if (!failure) failure = std::move(why);
  answered.notify();
}

Way::~Way() { end(); }

void Way::end() {
  if (tunnel_->of_node) tunnel_->of_node->close(kNormal, "");
  tunnel_->over = true;
  tunnel_->ended.notify();
}

Result<std::pair<AttemptId, NodeLink*>> Tunnels::find_attempt(Parts& parts, TaskId task, const net::Caller& caller) {
  if (caller.level < net::AccessLevel::kMember) {
    return fail(Code::kPermissionDenied, "tunnels are for people's devices");
  }
  const LiveJob* job = parts.engine.live_job(task.job);
  if (job == nullptr || !parts.devices.visible_to(caller.device).covers(job->row.request.owner)) {
    return fail(Code::kNotFound, fmt::format("there is no job {}, or it has ended", task.job.value));
  }
  if (job->row.request.owner != caller.device && caller.level < net::AccessLevel::kOperator) {
    return fail(Code::kPermissionDenied,
                fmt::format("job {} is {}'s; only that device, an owner's or an operator's may reach its programs",
                            task.job.value, parts.devices.name(job->row.request.owner)));
  }
  if (task.index >= job->row.request.tasks) {
    return fail(Code::kNotFound,
                fmt::format("job {} has the tasks 0 to {}", task.job.value, job->row.request.tasks - 1));
  }
  const std::vector<AttemptId> leased = parts.engine.pool().leased_tasks(task.job);
  const auto attempt = std::ranges::find(leased, task, &AttemptId::task);
  const std::optional<NodeId> node = parts.engine.pool().node_of(task);
  NodeLink* link = node ? parts.engine.link(*node) : nullptr;
  if (attempt == leased.end() || link == nullptr) {
    return fail(Code::kFailedPrecondition,
                fmt::format("task {} of job {} does not run now", task.index, task.job.value));
  }
  return std::pair(*attempt, link);
}

Result<void> Tunnels::may_reach(Parts& parts, TaskId task, const net::Caller& caller) {
  const auto found = find_attempt(parts, task, caller);
  if (!found) return std::unexpected(found.error());
  return {};
}

net::Async<Result<void>> Tunnels::admit(Parts& parts, TaskId task, const net::Caller& caller) {
  if (Result<void> may = may_reach(parts, task, caller); !may) co_return may;
  const DeviceId owner = parts.engine.live_job(task.job)->row.request.owner;
  if (owner == caller.device) co_return Result<void>();
  parts.audit.note(caller, "job.forward", fmt::format("job {}", task.job.value), "of=" + parts.devices.name(owner));
  co_return co_await parts.engine.committed();
}

Result<std::shared_ptr<Tunnel>> Tunnels::ask(Parts& parts, TaskId task, std::uint16_t port, const net::Caller& caller) {
  std::erase_if(tunnels_, [](const auto& one) { return one.second.expired() || one.second.lock()->over; });
  const auto of_device =
      std::ranges::count_if(tunnels_, [&](const auto& one) { return one.second.lock()->device == caller.device; });
  if (tunnels_.size() >= kMax || static_cast<std::size_t>(of_device) >= kMaxPerDevice) {
    return fail(
        Code::kResourceExhausted,
        fmt::format("too many tunnels are open (at most {} of a device, {} in all); close some", kMaxPerDevice, kMax));
  }
  const auto found = find_attempt(parts, task, caller);
  if (!found) return std::unexpected(found.error());
  const auto [attempt, link] = *found;
  auto tunnel = std::make_shared<Tunnel>();
  tunnel->attempt = attempt;
  tunnel->node = *parts.engine.pool().node_of(task);
  tunnel->device = caller.device;
  const std::string id = net::random_bytes(kIdBytes);
  tunnels_.emplace(id, tunnel);
  v1::OpenTunnel order;
  *order.mutable_attempt() = to_proto(attempt);
  order.set_port(port);
  order.set_tunnel(id);
  link->open_tunnel(order);
  return tunnel;
}

net::Async<Result<void>> Tunnels::answer(std::shared_ptr<Tunnel> tunnel) {
  if (!tunnel->of_node && !tunnel->failure) co_await tunnel->answered.wait(kNodesAnswer);
  if (tunnel->failure) co_return std::unexpected(*tunnel->failure);
  if (!tunnel->of_node) co_return fail(Code::kUnavailable, "the task's node does not answer");
  co_return Result<void>();
}

net::Async<Result<std::unique_ptr<Way>>> Tunnels::open(Parts& parts, TaskId task, std::uint16_t port,
                                                       const net::Caller& caller) {
  const Result<std::shared_ptr<Tunnel>> tunnel = ask(parts, task, port, caller);
  if (!tunnel) co_return std::unexpected(tunnel.error());
  auto way = std::make_unique<Way>(*tunnel);
  if (Result<void> answered = co_await answer(*tunnel); !answered) co_return std::unexpected(answered.error());
  co_return way;
}

net::Async<void> Tunnels::serve_device(net::Exchange& exchange, Parts& parts, const net::Caller& caller) {
  const auto refuse = [&exchange](const Error& error) {
    return exchange.reply(net::text_response(status_of(error.code), error.message));
  };
  const Result<Wish> wish = read_wish(exchange.head().query);
  if (!wish) co_return (void) co_await refuse(wish.error());
  const Result<void> admitted = co_await admit(parts, wish->task, caller);
  if (!admitted) co_return (void) co_await refuse(admitted.error());
  const Result<std::shared_ptr<Tunnel>> tunnel = ask(parts, wish->task, wish->port, caller);
  if (!tunnel) co_return (void) co_await refuse(tunnel.error());
  const Entered entered(parts.sessions, caller.device, exchange.connection());
  const Way way(*tunnel);
  const Result<void> answered = co_await answer(*tunnel);
  if (!answered) co_return (void) co_await refuse(answered.error());
  auto accepted = co_await exchange.accept_websocket(net::kTunnelProtocol, net::kMaxTunnelMessage);
  if (!accepted) co_return;
  net::WebSocket& of_device = *((*tunnel)->of_device = std::move(*accepted));
  if (!(*tunnel)->failure) co_await net::join(loop_, of_device, *(*tunnel)->of_node);
  of_device.close(kNormal, "");
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
  tunnel->of_node = std::move(*accepted);
  tunnel->answered.notify();
  while (!tunnel->over) co_await tunnel->ended.wait();
  tunnel->of_node->close(kNormal, "");
}

void Tunnels::failed(NodeId node, const v1::TunnelFailed& failed) {
  const std::shared_ptr<Tunnel> tunnel = find(failed.tunnel());
  if (!tunnel || tunnel->node != node) return;
  tunnel->end({Code::kUnavailable, failed.message().substr(0, kMaxMessage)});
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

}  // namespace hearth::hub
