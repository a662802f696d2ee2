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
  std::uint32_t port = 0;
};

Result<Wish> read_wish(std::string_view query) {
  const std::optional<std::uint64_t> job = number(query, "job");
  const std::optional<std::uint64_t> task = number(query, "task");
  const std::optional<std::uint64_t> port = number(query, "port");
  if (!job || !task || *task > UINT32_MAX || !port || *port == 0 || *port > 65535) {
    return fail(Code::kInvalidArgument, "a tunnel's way is /forward?job=N&task=N&port=N, the port from 1 to 65535");
  }
  return Wish{{{*job}, static_cast<std::uint32_t>(*task)}, static_cast<std::uint32_t>(*port)};
}

}  // namespace

void Tunnels::Tunnel::end(Error why) {
  if (of_node) of_node->close(kNormal, why.message);
  if (of_device) of_device->close(kNormal, why.message);
  if (!failure) failure = std::move(why);
  answered.notify();
}

Result<std::pair<AttemptId, NodeLink*>> Tunnels::find_attempt(Parts& parts, TaskId task, const net::Caller& caller) {
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

net::Async<Result<Tunnels::Entry>> Tunnels::ask(Parts& parts, const net::RequestHead& head, const net::Caller& caller) {
  const Result<Wish> wish = read_wish(head.query);
  if (!wish) co_return std::unexpected(wish.error());
  if (caller.level < net::AccessLevel::kMember)
    co_return fail(Code::kPermissionDenied, "tunnels are for people's devices");
  const auto of_device =
      std::ranges::count_if(tunnels_, [&](const auto& one) { return one.second->device == caller.device; });
  if (tunnels_.size() >= kMax || static_cast<std::size_t>(of_device) >= kMaxPerDevice) {
    co_return fail(
        Code::kResourceExhausted,
        fmt::format("too many tunnels are open (at most {} of a device, {} in all); close some", kMaxPerDevice, kMax));
  }
  const auto found = find_attempt(parts, wish->task, caller);
  if (!found) co_return std::unexpected(found.error());
  const DeviceId owner = parts.engine.live_job(wish->task.job)->row.request.owner;
  if (owner != caller.device) {
    parts.audit.note(caller, "job.forward", fmt::format("job {}", wish->task.job.value),
                     "of=" + parts.devices.name(owner));
    if (Result<void> kept = co_await parts.engine.committed(); !kept) co_return std::unexpected(kept.error());
  }
  // It may have ended meanwhile.
  const auto now = find_attempt(parts, wish->task, caller);
  if (!now) co_return std::unexpected(now.error());
  const auto [attempt, link] = *now;
  auto tunnel = std::make_shared<Tunnel>();
  tunnel->attempt = attempt;
  tunnel->node = *parts.engine.pool().node_of(wish->task);
  tunnel->device = caller.device;
  std::string id = net::random_bytes(kIdBytes);
  tunnels_.emplace(id, tunnel);
  v1::OpenTunnel order;
  *order.mutable_attempt() = to_proto(attempt);
  order.set_port(wish->port);
  order.set_tunnel(id);
  link->open_tunnel(order);
  co_return Entry{std::move(id), std::move(tunnel)};
}

net::Async<void> Tunnels::serve_device(net::Exchange& exchange, Parts& parts, const net::Caller& caller) {
  Result<Entry> entry = co_await ask(parts, exchange.head(), caller);
  if (!entry) {
    co_return (void) co_await exchange.reply(net::text_response(status_of(entry.error().code), entry.error().message));
  }
  const Entered entered(parts.sessions, caller.device, exchange.connection());
  Tunnel& tunnel = *entry->second;
  if (!tunnel.of_node && !tunnel.failure) co_await tunnel.answered.wait(kNodesAnswer);
  if (!tunnel.of_node && !tunnel.failure) tunnel.failure = Error{Code::kUnavailable, "the task's node does not answer"};
  if (tunnel.failure) {
    co_await exchange.reply(net::text_response(status_of(tunnel.failure->code), tunnel.failure->message));
  } else if (auto accepted = co_await exchange.accept_websocket(net::kTunnelProtocol, net::kMaxTunnelMessage)) {
    tunnel.of_device = std::move(*accepted);
    if (!tunnel.failure) co_await net::join(loop_, *tunnel.of_device, *tunnel.of_node);
    tunnel.of_device->close(kNormal, "");
  }
  tunnels_.erase(entry->first);
  tunnel.over = true;
  tunnel.ended.notify();
}

net::Async<void> Tunnels::serve_node(net::Exchange& exchange, Parts& parts, const net::Caller& caller) {
  const std::string id = from_hex(net::query_value(exchange.head().query, "id").value_or("")).value_or("");
  const auto found = tunnels_.find(id);
  if (found == tunnels_.end() || found->second->node != caller.device || found->second->of_node) {
    co_return (void) co_await exchange.reply(net::text_response(404, "no such tunnel is waited for"));
  }
  const std::shared_ptr<Tunnel> tunnel = found->second;
  const Entered entered(parts.sessions, caller.device, exchange.connection());
  auto accepted = co_await exchange.accept_websocket(net::kTunnelProtocol, net::kMaxTunnelMessage);
  if (!accepted) co_return;
  tunnel->of_node = std::move(*accepted);
  tunnel->answered.notify();
  while (!tunnel->over) co_await tunnel->ended.wait();
  tunnel->of_node->close(kNormal, "");
}

void Tunnels::failed(NodeId node, const v1::TunnelFailed& failed) {
  const auto found = tunnels_.find(failed.tunnel());
  if (found == tunnels_.end() || found->second->node != node) return;
  found->second->end({Code::kUnavailable, failed.message().substr(0, kMaxMessage)});
}

void Tunnels::attempt_ended(AttemptId attempt, const v1::Outcome&) {
  for (const auto& [id, tunnel] : tunnels_) {
    if (tunnel->attempt == attempt) tunnel->end({Code::kFailedPrecondition, "the task has ended"});
  }
}

}  // namespace hearth::hub
